use actix_web::HttpResponse;
use portcullis_identity::AgentStatus;

use super::{agent_in_path, body::AgentAccountBody};
use crate::{
    admin::as_admin,
    kit::{Answer, Call, Refusal, Routes},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_delete_agent_account, delete_agent_account);
    routes.add(__path_suspend_agent, suspend_agent);
    routes.add(__path_resume_agent, resume_agent);
}

/// Erases an agent with everything that belongs to it: its keys and tokens are dead at once, its address
/// is free.
#[utoipa::path(delete, path = "/v1/admin/agents/{id}", tag = "admin",
    params(("id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "The agent is gone."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn delete_agent_account(call: Call) -> Answer {
    let id = call.segment("id");
    as_admin(&call, move |engine, actor, origin| {
        engine.delete_agent(agent_in_path(&id)?, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shuts an agent: none of its credentials works until it is resumed.
#[utoipa::path(post, path = "/v1/admin/agents/{id}/suspend", tag = "admin",
    params(("id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agent as it is now.", body = AgentAccountBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn suspend_agent(call: Call) -> Answer {
    set_status(&call, AgentStatus::Suspended).await
}

/// Opens a suspended agent again, with the credentials that it had.
#[utoipa::path(post, path = "/v1/admin/agents/{id}/resume", tag = "admin",
    params(("id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agent as it is now.", body = AgentAccountBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn resume_agent(call: Call) -> Answer {
    set_status(&call, AgentStatus::Active).await
}

async fn set_status(call: &Call, status: AgentStatus) -> Answer {
    let id = call.segment("id");
    let agent = as_admin(call, move |engine, actor, origin| {
        let id = agent_in_path(&id)?;
        engine.set_agent_status(id, status, actor, origin).map_err(Refusal::of)
    });
    Ok(HttpResponse::Ok().json(AgentAccountBody::from(agent.await?)))
}
