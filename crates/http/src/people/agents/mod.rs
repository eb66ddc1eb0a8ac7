//! The caller's own agents: `/v1/users/me/agents` and what is below it.

mod body;
mod keys;

use actix_web::HttpResponse;
use portcullis_flows::{Engine, agents::OwnedAgentError, people::Caller};
use portcullis_kernel::Origin;

use self::body::{OwnedAgentDetailsBody, OwnedAgentsBody};
use super::body::PeopleError;
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list_owned_agents, list_owned_agents);
    routes.add(__path_show_owned_agent, show_owned_agent);
    routes.add(__path_give_up_agent, give_up_agent);
    keys::mount(routes);
}

/// Runs `work` for the agent that the path names.
async fn with_agent<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Engine, &Caller, &str, &Origin) -> Result<T, OwnedAgentError> + Send + 'static,
) -> Result<T, Refusal> {
    let id = call.segment("agent_id");
    call.as_user(move |engine, caller, origin| {
        let done = work(engine, &caller, &id, origin);
        done.map_err(|error| Refusal::of_limited(error, engine.now()))
    })
    .await
}

/// Lists the agents that belong to the caller, the newest first.
#[utoipa::path(get, path = "/v1/users/me/agents", tag = "people",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the answer before."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agents.", body = OwnedAgentsBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn list_owned_agents(call: Call) -> Answer {
    let mut query = call.query();
    let page = call
        .as_user(move |engine, caller, _| {
            let slice = query.slice().check_owned().map_err(Refusal::of)?;
            engine.list_owned_agents(&caller, &slice).map_err(Refusal::of)
        })
        .await?;
    Ok(HttpResponse::Ok().json(OwnedAgentsBody::from(page)))
}

/// One of the caller's agents, and its keys.
#[utoipa::path(get, path = "/v1/users/me/agents/{agent_id}", tag = "people",
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agent.", body = OwnedAgentDetailsBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent of the caller.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn show_owned_agent(call: Call) -> Answer {
    let found = with_agent(&call, |engine, caller, id, _| engine.find_owned_agent(caller, id));
    Ok(HttpResponse::Ok().json(OwnedAgentDetailsBody::from(found.await?)))
}

/// Gives one of the caller's agents up: all its credentials are dead at once, and it belongs to nobody.
#[utoipa::path(delete, path = "/v1/users/me/agents/{agent_id}", tag = "people",
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It is done."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent of the caller.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn give_up_agent(call: Call) -> Answer {
    with_agent(&call, Engine::give_up_agent).await?;
    Ok(HttpResponse::NoContent().finish())
}
