use actix_web::HttpResponse;
use portcullis_flows::{LimitClass, agents::ProfileInput};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    AGENT,
    answers::{Authenticated, Limited, Reads},
    as_named_agent,
    body::{AgentError, ProfileBody, VisibilityBody},
};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_change_profile, change_profile);
    routes.add(__path_show_profile, show_profile);
}

/// A change of the profile: what is left out stays, `null` clears.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct ProfileChangeBody {
    /// 1 to 80 characters.
    #[schema(example = "Weather assistant", max_length = 80)]
    display_name: Option<String>,
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Each 1 to 32 characters.
    #[schema(max_items = 10, example = json!(["weather"]))]
    tags: Option<Vec<String>>,
    /// `private` until somebody says otherwise.
    visibility: Option<VisibilityBody>,
}

/// Changes what the agent shows of itself.
#[utoipa::path(put, path = "/api/agents/{agent_id}/profile", tag = "agents",
    request_body = ProfileChangeBody,
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The profile as it is now.", body = ProfileBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        (status = 404, description = "`NOT_FOUND`: the agent was erased a moment ago.",
            body = AgentError),
        Authenticated, Reads,
    ))]
async fn change_profile(mut call: Call) -> Answer {
    let bytes = call.bytes_before_agent().await?;
    let agent = as_named_agent(&call, move |engine, caller, origin| {
        let known = ["display_name", "description", "tags", "visibility"];
        let mut body = JsonBody::parse(&bytes, &known)?;
        let input = ProfileInput {
            display_name: body.clearable("display_name"),
            description: body.clearable("description"),
            tags: body.has("tags").then(|| body.strings("tags")),
            visibility: body.clearable("visibility"),
        };
        let change = input.check().map_err(Refusal::of)?;
        engine.change_agent_profile(caller.agent.id, &change, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(ProfileBody::from(&agent)))
}

/// What an agent shows to everybody.
#[utoipa::path(get, path = "/api/agents/{agent_id}/profile", tag = "agents",
    params(("agent_id" = String, Path, description = "The agent's id.")),
    responses(
        (status = 200, description = "The profile.", body = ProfileBody),
        (status = 404, description = "`NOT_FOUND`: no such agent, or it shows nothing.",
            body = AgentError),
        Limited,
    ))]
async fn show_profile(call: Call) -> Answer {
    call.limit(LimitClass::AgentAnonymous).await?;
    let id = call.segment(AGENT);
    let agent = call.hop(move |engine, _| engine.find_public_agent(&id)).await?;
    let agent = agent.map_err(Refusal::of)?;
    Ok(HttpResponse::Ok().json(ProfileBody::from(&agent)))
}
