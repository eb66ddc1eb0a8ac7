use actix_web::{HttpResponse, http::StatusCode};
use portcullis_flows::agents::{KeyError, MissingAgent};
use portcullis_kernel::{FieldErrors, codes};

use super::{agent_in_path, invalid};
use crate::{
    admin::as_admin,
    agents::keys::{CreateApiKeyBody, CreatedApiKeyBody, KEY_MEMBERS, key_in},
    kit::{Answer, Call, JsonBody, Refusal, Routes},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_create_key_of_agent, create_key_of_agent);
    routes.add(__path_revoke_key_of_agent, revoke_key_of_agent);
}

/// Makes an API key for an agent.
#[utoipa::path(post, path = "/v1/admin/agents/{id}/keys", tag = "admin",
    request_body = CreateApiKeyBody,
    params(("id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 201, description = "The key.", body = CreatedApiKeyBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent.", body = PeopleError),
        (status = 409, description = "`conflict`: the agent has as many keys as it may, or is \
            suspended.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn create_key_of_agent(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let id = call.segment("id");
    let created = as_admin(&call, move |engine, actor, origin| {
        let id = agent_in_path(&id)?;
        let mut body = JsonBody::parse(&bytes, &KEY_MEMBERS)?;
        let new = engine.check_create_key(key_in(&mut body));
        let new = new.map_err(|error| invalid(&error, FieldErrors::default()))?;
        let agent = engine.find_agent(&id.to_string()).map_err(Refusal::of)?.agent;
        engine.create_key(&agent, new, actor, origin).map_err(refused)
    })
    .await?;
    Ok(HttpResponse::Created().json(CreatedApiKeyBody::from(created)))
}

/// The flow tells the agent itself; here it is not the caller that is suspended or gone.
fn refused(error: KeyError) -> Refusal {
    match error {
        KeyError::Suspended => {
            Refusal::new(StatusCode::CONFLICT, codes::CONFLICT, error.to_string())
        }
        KeyError::Gone => Refusal::of(MissingAgent::NotFound),
        error => Refusal::of(error),
    }
}

/// Revokes an API key of an agent, and every access token that was issued for it.
#[utoipa::path(delete, path = "/v1/admin/agents/{id}/keys/{key_id}", tag = "admin",
    params(
        ("id" = String, Path, description = "The agent's id."),
        ("key_id" = String, Path, description = "The key's id."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The key is dead."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: the agent has no such key that lives.",
            body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn revoke_key_of_agent(call: Call) -> Answer {
    let (id, key) = (call.segment("id"), call.segment("key_id"));
    as_admin(&call, move |engine, actor, origin| {
        engine.revoke_key(agent_in_path(&id)?, &key, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
