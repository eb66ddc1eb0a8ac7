use actix_web::HttpResponse;
use portcullis_flows::{LimitClass, agents::DirectoryInput};
use portcullis_identity::Agent;
use portcullis_kernel::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answers::Limited,
    body::{AgentError, ProfileBody},
};
use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list_public_agents, list_public_agents);
}

/// Some of the agents that show themselves, the newest first.
#[derive(Serialize, ToSchema)]
struct DirectoryBody {
    agents: Vec<ProfileBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
    has_more: bool,
}

impl From<Page<Agent>> for DirectoryBody {
    fn from(page: Page<Agent>) -> Self {
        Self {
            agents: page.items.iter().map(ProfileBody::from).collect(),
            has_more: page.next.is_some(),
            next_cursor: page.next.as_ref().map(Cursor::encode),
        }
    }
}

/// Lists agents with a public profile. Where `q` is given, an answer may hold fewer than asked for, or
/// none, and still have a `next_cursor`.
#[utoipa::path(get, path = "/api/agents", tag = "agents",
    params(
        ("q" = Option<String>, Query,
            description = "Part of the name, the display name, the description or a tag."),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the answer before."),
    ),
    responses(
        (status = 200, description = "The agents.", body = DirectoryBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        Limited,
    ))]
async fn list_public_agents(call: Call) -> Answer {
    call.limit(LimitClass::AgentAnonymous).await?;
    let mut query = call.query();
    let input = DirectoryInput { q: query.take("q"), slice: query.slice() };
    let (text, slice) = input.check().map_err(Refusal::of)?;
    let page = call.hop(move |engine, _| engine.list_directory(text.as_deref(), &slice)).await?;
    Ok(HttpResponse::Ok().json(DirectoryBody::from(page.map_err(Refusal::of)?)))
}
