use actix_web::HttpResponse;
use portcullis_audit::{Actor, AuditEvent, Outcome};
use portcullis_kernel::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answers::{Authenticated, Limited},
    as_named_agent,
    body::AgentError,
};
use crate::kit::{Answer, Call, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_list_agent_events, list_agent_events);
}

/// Something that an agent did, or that was done to it.
#[derive(Serialize, ToSchema)]
struct AgentEventBody {
    #[schema(example = "evn_0123456789abcdef0123456789abcdef")]
    event_id: String,
    /// What happened.
    #[schema(example = "api_key.created")]
    event: &'static str,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    created_at: String,
    /// The client's address, where the agent itself acted; else `null`.
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    /// The request by which it happened; `null` when there was none.
    request_id: Option<String>,
    /// The API key it is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "aky_0123456789abcdef0123456789abcdef")]
    key_id: Option<String>,
    details: EventDetailsBody,
}

/// How it happened.
#[derive(Serialize, ToSchema)]
struct EventDetailsBody {
    outcome: OutcomeBody,
    actor: ActorBody,
    /// One more word, where there is one: a reason, or the key that was rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How it went.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OutcomeBody {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ActorBody {
    /// Nobody known.
    Anonymous,
    /// A person, by their own account.
    User,
    /// The agent itself.
    Agent,
    /// An operator.
    Operator,
    /// The server.
    System,
}

/// Some of an agent's events, the newest first.
#[derive(Serialize, ToSchema)]
struct AgentEventsBody {
    logs: Vec<AgentEventBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
    has_more: bool,
}

impl From<AuditEvent> for AgentEventBody {
    fn from(event: AuditEvent) -> Self {
        // Of others it would tell where they are.
        let own = matches!(event.actor, Actor::Agent(_));
        Self {
            event_id: event.id.to_string(),
            event: event.action.as_str(),
            created_at: seconds(event.at),
            ip: event.client.filter(|_| own).map(|client| client.to_string()),
            request_id: event.request_id,
            key_id: event.key.map(|key| key.to_string()),
            details: EventDetailsBody {
                outcome: match event.outcome {
                    Outcome::Success => OutcomeBody::Success,
                    Outcome::Failure => OutcomeBody::Failure,
                },
                actor: match event.actor {
                    Actor::Anonymous => ActorBody::Anonymous,
                    Actor::User(_) => ActorBody::User,
                    Actor::Agent(_) => ActorBody::Agent,
                    Actor::Operator => ActorBody::Operator,
                    Actor::System => ActorBody::System,
                },
                detail: event.detail,
            },
        }
    }
}

impl From<Page<AuditEvent>> for AgentEventsBody {
    fn from(page: Page<AuditEvent>) -> Self {
        Self {
            has_more: page.next.is_some(),
            next_cursor: page.next.as_ref().map(Cursor::encode),
            logs: page.items.into_iter().map(AgentEventBody::from).collect(),
        }
    }
}

/// Lists what the agent did, and what was done to it.
#[utoipa::path(get, path = "/api/agents/{agent_id}/audit-logs", tag = "agents",
    params(
        ("agent_id" = String, Path, description = "The agent's id."),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the answer before."),
    ),
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The events.", body = AgentEventsBody),
        (status = 400, description = "`INVALID_REQUEST`", body = AgentError),
        Authenticated, Limited,
    ))]
async fn list_agent_events(call: Call) -> Answer {
    let mut query = call.query();
    let page = as_named_agent(&call, move |engine, caller, _| {
        let slice = query.slice().check().map_err(Refusal::of)?;
        engine.list_agent_events(caller.agent.id, &slice).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(AgentEventsBody::from(page)))
}
