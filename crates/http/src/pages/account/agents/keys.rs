use minijinja::{Value, context, value::Serde};
use portcullis_flows::agents::{CreateKey, CreatedKey, OwnedAgentError};
use portcullis_kernel::{AgentId, ExposeSecret as _, Field};
use serde::Serialize;

use super::{ID, ONE, context_of, go_to_agent, refuse};
use crate::{
    kit::{ACCOUNT, Answer, Filled, FormAnswers, PageCall, Refusal, Routes, go},
    pages::account::view,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_make_key_of_my_agent, make_key_of_my_agent);
    routes.add(__path_revoke_key_of_my_agent, revoke_key_of_my_agent);
}

/// Makes a key with the usual rights for an agent of the account, and shows its secret this once. Fields:
/// `name`, `csrf`.
#[utoipa::path(post, path = "/account/agents/{id}/keys", tag = "pages",
    params(("id" = String, Path, description = "The agent's id.")),
    responses(
        (status = 200, description = "A page with the secret.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        (status = 404, description = "No such agent of the account.", content_type = "text/html"),
        (status = 409, description = "The agent has as many keys as it may, or is suspended: the form."),
        FormAnswers,
    ))]
async fn make_key_of_my_agent(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_form(&["name"]).await? else { return Ok(go(ACCOUNT)) };
    let filled = Filled::default().with("name", form.text("name"));
    let input = CreateKey { name: form.filled("name"), ..CreateKey::default() };
    let (id, caller) = (page.call.segment(ID), owner.caller.clone());
    let made =
        page.call.hop(move |engine, origin| engine.create_owned_key(&caller, &id, input, origin));
    match made.await? {
        Ok(created) => {
            let context = context! { made => made_view(created), ..view::of(&page, &owner) };
            page.show("agent_key.html", context)
        }
        Err(error @ (OwnedAgentError::NotFound | OwnedAgentError::Gone)) => refuse(&page, error),
        Err(error) => {
            let refusal = Refusal::of_limited(error, page.engine().now());
            let context = context_of(&page, &owner).await?;
            page.again(ONE, filled, refusal, context)
        }
    }
}

/// A key that was just made. Holds its secret, so it is neither kept nor printed.
#[derive(Serialize)]
struct Made {
    agent: String,
    name: String,
    id: String,
    secret: String,
    scopes: Vec<String>,
}

fn made_view(created: CreatedKey) -> Value {
    let CreatedKey { key, secret } = created;
    Value::from(Serde(Made {
        agent: key.agent.to_string(),
        name: key.name.as_str().to_owned(),
        id: key.id.to_string(),
        secret: secret.into_secret().expose_secret().to_owned(),
        scopes: key.scopes.iter().map(str::to_owned).collect(),
    }))
}

/// Revokes a key of an agent of the account. Fields: `key`, `csrf`.
#[utoipa::path(post, path = "/account/agents/{id}/keys/revoke", tag = "pages",
    params(("id" = String, Path, description = "The agent's id.")),
    responses(
        (status = 303, description = "It is revoked: to `/account/agents/{id}`."),
        (status = 404, description = "No such agent of the account.", content_type = "text/html"),
        FormAnswers,
    ))]
async fn revoke_key_of_my_agent(mut page: PageCall) -> Answer {
    let Some((owner, form)) = page.owners_form(&["key"]).await? else { return Ok(go(ACCOUNT)) };
    let Field::Given(key) = form.text("key") else {
        return Err(Refusal::malformed("Request validation failed."));
    };
    let Ok(id) = page.call.segment(ID).parse::<AgentId>() else {
        return refuse(&page, OwnedAgentError::NotFound);
    };
    let revoked = page.call.hop(move |engine, origin| {
        engine.revoke_owned_key(&owner.caller, &id.to_string(), &key, origin)
    });
    match revoked.await? {
        // What is no live key of it was revoked already, for all that they are told.
        Ok(()) | Err(OwnedAgentError::NoKey) => go_to_agent(id, "key"),
        Err(error) => refuse(&page, error),
    }
}
