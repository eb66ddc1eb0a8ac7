use actix_web::HttpResponse;
use portcullis_flows::{
    LimitClass,
    agents::{MetadataInput, RegisterAgent, RegisteredAgent},
};
use portcullis_identity::AgentMetadata;
use portcullis_kernel::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{answers::Reads, body::AgentError};
use crate::kit::{Answer, Call, JsonBody, Refusal, Routes, seconds};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_register_agent, register_agent);
}

/// A new agent.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct RegisterAgentBody {
    /// Need not be unique: the id is the identity.
    #[schema(example = "weather-bot", pattern = "^[a-zA-Z0-9-]{3,50}$")]
    agent_name: String,
    /// Where the agent can be recovered, once the address is confirmed. Several agents may share one.
    #[schema(example = "bot@example.com")]
    email: Option<String>,
    metadata: Option<MetadataBody>,
}

/// What an agent tells about itself. Nobody has checked it.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct MetadataBody {
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Weather assistant", max_length = 200)]
    description: Option<String>,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Lensy Inc.", max_length = 200)]
    owner: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1.0.0", max_length = 200)]
    version: Option<String>,
}

impl From<AgentMetadata> for MetadataBody {
    fn from(metadata: AgentMetadata) -> Self {
        let AgentMetadata { description, owner, version } = metadata;
        Self { description, owner, version }
    }
}

/// An agent that just registered.
#[derive(Serialize, ToSchema)]
struct RegisteredAgentBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    #[schema(example = "weather-bot")]
    agent_name: String,
    /// `rk_…`: what manages the account. Shown once.
    recovery_key: String,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    created_at: String,
    warning: &'static str,
    /// Whether an address was given, to which a message was sent.
    email_verification_sent: bool,
    /// When the message dies; `null` without an address.
    #[schema(example = "2026-04-03T21:00:00Z")]
    email_verification_expires_at: Option<String>,
}

impl From<RegisteredAgent> for RegisteredAgentBody {
    fn from(registered: RegisteredAgent) -> Self {
        let RegisteredAgent { agent, recovery_key, verification_expires_at } = registered;
        Self {
            agent_id: agent.id.to_string(),
            agent_name: agent.name.as_str().to_owned(),
            recovery_key: recovery_key.into_secret().expose_secret().to_owned(),
            created_at: seconds(agent.created_at),
            warning: "Save recovery_key securely. It will NOT be shown again.",
            email_verification_sent: verification_expires_at.is_some(),
            email_verification_expires_at: verification_expires_at.map(seconds),
        }
    }
}

/// Makes an account for an agent, and mails a token to the address it gave. By default 10 an hour from
/// one client address.
#[utoipa::path(post, path = "/api/auth/register", tag = "agents", request_body = RegisterAgentBody,
    responses(
        (status = 201, description = "The account.", body = RegisteredAgentBody),
        (status = 400, description = "`INVALID_AGENT_NAME`, `INVALID_EMAIL` or `INVALID_REQUEST`",
            body = AgentError),
        (status = 403, description = "`FORBIDDEN`: operators make the agents here.",
            body = AgentError),
        Reads,
    ))]
async fn register_agent(mut call: Call) -> Answer {
    call.limit(LimitClass::AgentRegister).await?;
    let mut body = call.json(&["agent_name", "email", "metadata"]).await?;
    let input = registration_in(&mut body);
    let registration = call.engine().check_register_agent(input).map_err(Refusal::of)?;
    let registered = call
        .hop(move |engine, origin| engine.register_agent(registration, origin))
        .await?
        .map_err(Refusal::of)?;
    Ok(HttpResponse::Created().json(RegisteredAgentBody::from(registered)))
}

/// The registration that a body asks for.
pub(crate) fn registration_in(body: &mut JsonBody) -> RegisterAgent {
    RegisterAgent {
        agent_name: body.string("agent_name"),
        email: body.string("email"),
        metadata: body.object("metadata").map(metadata),
    }
}

fn metadata(mut members: JsonBody) -> MetadataInput {
    MetadataInput {
        description: members.string("description"),
        owner: members.string("owner"),
        version: members.string("version"),
    }
}
