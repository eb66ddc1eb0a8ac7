//! Accounts of agents, as administrators see them.

mod body;
mod create;
mod keys;
mod state;

use actix_web::HttpResponse;
use portcullis_flows::{
    admin::ListAgents,
    agents::{InvalidInput, MissingAgent},
};
use portcullis_kernel::{AgentId, Classify as _, FieldErrors};

use self::body::{AgentAccountDetailsBody, AgentAccountsBody};
use super::{as_admin, page_in_query};
use crate::{
    kit::{Answer, Call, Refusal, Routes},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list_agent_accounts, list_agent_accounts);
    routes.add(__path_show_agent_account, show_agent_account);
    create::mount(routes);
    state::mount(routes);
    keys::mount(routes);
}

/// The agent that the path names.
fn agent_in_path(id: &str) -> Result<AgentId, Refusal> {
    id.parse().map_err(|_| Refusal::of(MissingAgent::NotFound))
}

/// Input of an agent that breaks a rule, as this surface tells of it: one code, and every broken field.
fn invalid(error: &InvalidInput, mut others: FieldErrors) -> Refusal {
    for (field, why) in error.fields().into_iter().flat_map(FieldErrors::iter) {
        others.add(field, why);
    }
    Refusal::of(portcullis_flows::Invalid(others))
}

/// Lists agents, all or those that fit every parameter given, the newest first.
#[utoipa::path(get, path = "/v1/admin/agents", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("email" = Option<String>, Query, description = "Part of the address, proven or not."),
        ("name" = Option<String>, Query, description = "Part of the name."),
        ("status" = Option<String>, Query, description = "`active` or `suspended`."),
        ("owner" = Option<String>, Query, description = "The id of the user it belongs to."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agents.", body = AgentAccountsBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn list_agent_accounts(call: Call) -> Answer {
    let mut query = call.query();
    let page = as_admin(&call, move |engine, _, _| {
        let input = ListAgents {
            page: page_in_query(&mut query),
            email: query.take("email"),
            name: query.take("name"),
            status: query.take("status"),
            owner: query.take("owner"),
        };
        let (filter, slice) = input.check().map_err(Refusal::of)?;
        engine.list_agents(&filter, &slice).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(AgentAccountsBody::from(page)))
}

/// An agent and its keys.
#[utoipa::path(get, path = "/v1/admin/agents/{id}", tag = "admin",
    params(("id" = String, Path, description = "The agent's id.")),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The agent.", body = AgentAccountDetailsBody),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such agent.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn show_agent_account(call: Call) -> Answer {
    let id = call.segment("id");
    let details = as_admin(&call, move |engine, _, _| engine.find_agent(&id).map_err(Refusal::of));
    Ok(HttpResponse::Ok().json(AgentAccountDetailsBody::from(details.await?)))
}
