use actix_web::HttpResponse;
use portcullis_flows::agents::{AgentLimit, ChangeAgentEmail};
use portcullis_identity::{Agent, EmailAddress};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answers::{Authenticated, Limited, Reads},
    as_named_owner,
    body::{AgentAddressBody, AgentError, AgentMessageBody, ProfileBody},
    register::MetadataBody,
};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_agent, show_agent);
    routes.add(__path_change_agent_email, change_agent_email);
    routes.add(__path_delete_agent, delete_agent);
}

/// An agent's account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    #[schema(example = "weather-bot")]
    agent_name: String,
    /// The address where it can be recovered, or the one that is still to be confirmed; `null` when it
    /// has none.
    #[schema(example = "bot@example.com")]
    email: Option<String>,
    /// Whether `email` was confirmed.
    email_verified: bool,
    /// An address that is still to be confirmed, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
    metadata: MetadataBody,
    /// The id of the user it belongs to; `null` when it belongs to nobody.
    owner: Option<String>,
    profile: ProfileBody,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    created_at: String,
}

/// An agent that is gone.
#[derive(Serialize, ToSchema)]
struct DeletedAgentBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    message: &'static str,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    deleted_at: String,
}

impl From<Agent> for AgentBody {
    fn from(agent: Agent) -> Self {
        let text = |email: &EmailAddress| email.as_str().to_owned();
        Self {
            agent_id: agent.id.to_string(),
            agent_name: agent.name.as_str().to_owned(),
            email: agent.shown_email().map(text),
            email_verified: agent.email.is_some(),
            pending_email: agent.pending_email.as_ref().map(text),
            profile: ProfileBody::from(&agent),
            metadata: MetadataBody::from(agent.metadata),
            owner: agent.owner.map(|owner| owner.to_string()),
            created_at: seconds(agent.created_at),
        }
    }
}

/// The caller's account.
#[utoipa::path(get, path = "/api/agents/me", tag = "agents",
    security(("agent_token" = [])),
    responses(
        (status = 200, description = "The account.", body = AgentBody),
        Authenticated, Limited,
    ))]
async fn show_agent(call: Call) -> Answer {
    let agent = call.as_agent(AgentLimit::Usual, |_, caller, _| Ok(caller.agent)).await?;
    Ok(HttpResponse::Ok().json(AgentBody::from(agent)))
}

/// Gives the agent an address, or another one, which is its own from when it is confirmed. Until then
/// the old one stays, and is told of it.
#[utoipa::path(post, path = "/api/agents/{agent_id}/email", tag = "agents",
    request_body = AgentAddressBody,
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("recovery_key" = [])),
    responses(
        (status = 202, description = "Taken note of.", body = AgentMessageBody),
        (status = 400, description = "`INVALID_EMAIL` or `INVALID_REQUEST`", body = AgentError),
        Authenticated, Reads,
    ))]
async fn change_agent_email(mut call: Call) -> Answer {
    let bytes = call.bytes_before_agent().await?;
    as_named_owner(&call, AgentLimit::ChangeEmail, move |engine, agent, origin| {
        let mut body = JsonBody::parse(&bytes, &["email"])?;
        let input = ChangeAgentEmail { email: body.string("email") };
        let email = engine.check_agent_email(input).map_err(Refusal::of)?;
        engine.change_agent_email(&agent, &email, origin).map_err(Refusal::of)
    })
    .await?;
    let message = "The address is the agent's own once it is confirmed by the message sent to it.";
    Ok(HttpResponse::Accepted().json(AgentMessageBody { message }))
}

/// Erases the agent with everything that belongs to it: its keys and tokens are dead at once, its
/// address is free.
#[utoipa::path(delete, path = "/api/agents/{agent_id}", tag = "agents",
    params(("agent_id" = String, Path, description = "The agent's id.")),
    security(("recovery_key" = [])),
    responses(
        (status = 200, description = "The agent is gone.", body = DeletedAgentBody),
        (status = 404, description = "`NOT_FOUND`: it was erased a moment ago.", body = AgentError),
        Authenticated, Limited,
    ))]
async fn delete_agent(call: Call) -> Answer {
    let deleted = as_named_owner(&call, AgentLimit::Usual, |engine, agent, origin| {
        engine.delete_own_agent(&agent, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(DeletedAgentBody {
        agent_id: deleted.id.to_string(),
        message: "Agent deleted.",
        deleted_at: seconds(deleted.at),
    }))
}
