//! The agents of whoever is signed in: `/account/agents` and what is below it.

mod give_up;
mod keys;
mod show;

use actix_web::{
    HttpResponse,
    http::header::{HeaderValue, LOCATION},
};
use minijinja::{Value, context, value::Serde};
use portcullis_flows::agents::OwnedAgentError;
use portcullis_kernel::{AgentId, Cursor};

use self::show::{ShownAgent, ShownDetails};
use super::view;
use crate::kit::{ACCOUNT, Answer, Filled, Owner, PageCall, Reads, Refusal, Routes, go};

const AGENTS: &str = "/account/agents";
const ONE: &str = "agent.html";
/// The segment of a path that names an agent.
const ID: &str = "id";

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_my_agents, show_my_agents);
    routes.add(__path_show_my_agent, show_my_agent);
    keys::mount(routes);
    give_up::mount(routes);
}

/// The agents that belong to the account, the newest first.
#[utoipa::path(get, path = "/account/agents", tag = "pages",
    params(
        ("cursor" = Option<String>, Query, description = "Where the page before ended."),
        ("done" = Option<String>, Query, description = "What was done just before: a word."),
    ),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        (status = 400, description = "The place in the list is none.", content_type = "text/html"),
        Reads,
    ))]
async fn show_my_agents(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    let context = view::of(&page, &owner);
    let slice = page.call.query().slice().check_owned().map_err(Refusal::of)?;
    let listed =
        page.call.hop(move |engine, _| engine.list_owned_agents(&owner.caller, &slice)).await?;
    let listed = listed.map_err(Refusal::of)?;
    let next = listed.next.as_ref().map(Cursor::encode);
    let agents: Vec<_> = listed.items.iter().map(ShownAgent::from).collect();
    page.show("agents.html", context! { agents => Serde(agents), next, ..context })
}

/// One agent of the account, its keys, and where another one is made.
#[utoipa::path(get, path = "/account/agents/{id}", tag = "pages",
    params(
        ("id" = String, Path, description = "The agent's id."),
        ("done" = Option<String>, Query, description = "What was done just before: a word."),
    ),
    responses(
        (status = 200, description = "A page.", content_type = "text/html"),
        (status = 303, description = "Nobody is signed in: to `/account`."),
        (status = 404, description = "No such agent of the account.", content_type = "text/html"),
        Reads,
    ))]
async fn show_my_agent(page: PageCall) -> Answer {
    let Some(owner) = page.owner().await? else { return Ok(go(ACCOUNT)) };
    let context = context_of(&page, &owner).await?;
    page.show(ONE, context! { form => Filled::default(), ..context })
}

/// What the pages of the agent that the path names show.
async fn context_of(page: &PageCall, owner: &Owner) -> Result<Value, Refusal> {
    let (id, caller) = (page.call.segment(ID), owner.caller.clone());
    let found = page.call.hop(move |engine, _| engine.find_owned_agent(&caller, &id)).await?;
    let shown = ShownDetails::new(&found.map_err(Refusal::of)?, page.engine().now());
    Ok(context! { shown => Serde(shown), ..view::of(page, owner) })
}

/// Tells why nothing was done to an agent, to a form that is not shown again.
fn refuse(page: &PageCall, error: OwnedAgentError) -> Answer {
    match error {
        OwnedAgentError::Gone => Ok(go(ACCOUNT)),
        error => Err(Refusal::of_limited(error, page.engine().now())),
    }
}

/// Sends a browser to the page of an agent, whose id was read and is written anew.
fn go_to_agent(id: AgentId, done: &str) -> Answer {
    let to = format!("{AGENTS}/{id}?done={done}");
    let to = HeaderValue::try_from(to).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, to)).finish())
}
