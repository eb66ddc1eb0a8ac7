use portcullis_flows::agents::{OwnedAgent, OwnedAgentDetails};
use portcullis_identity::{Agent, AgentStatus};
use portcullis_kernel::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    agents::{keys::ApiKeyBody, register::MetadataBody},
    kit::seconds,
};

/// An agent of the caller, as lists show it.
#[derive(Serialize, ToSchema)]
struct OwnedAgentBody {
    #[serde(flatten)]
    agent: AgentSummaryBody,
    /// The ids of its keys that live, the newest first.
    #[schema(example = json!(["aky_0123456789abcdef0123456789abcdef"]))]
    keys: Vec<String>,
}

/// What both the list and the answer about one agent tell.
#[derive(Serialize, ToSchema)]
struct AgentSummaryBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    /// What the agent calls itself. Nobody has checked it.
    #[schema(example = "weather-bot")]
    agent_name: String,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
    /// What it may be used for by the keys that it has.
    #[schema(example = json!(["messages:read"]))]
    scopes: Vec<String>,
    /// When one of its live keys was last used, to within some seconds; `null` when none was.
    last_used_at: Option<String>,
    /// RFC 3339, UTC, whole seconds.
    #[schema(example = "2026-04-03T20:00:00Z")]
    created_at: String,
}

/// Some of the caller's agents, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnedAgentsBody {
    agents: Vec<OwnedAgentBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
}

/// An agent of the caller and its keys.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnedAgentDetailsBody {
    #[serde(flatten)]
    agent: AgentSummaryBody,
    metadata: MetadataBody,
    /// Whether it holds a recovery key, with which it makes and revokes keys itself.
    has_recovery_key: bool,
    /// Its keys: every one that lives, then dead ones, each the newest first.
    keys: Vec<ApiKeyBody>,
}

impl From<&OwnedAgent> for AgentSummaryBody {
    fn from(owned: &OwnedAgent) -> Self {
        let Agent { id, name, status, created_at, .. } = &owned.agent;
        Self {
            agent_id: id.to_string(),
            agent_name: name.as_str().to_owned(),
            status: AgentStatus::as_str(*status),
            scopes: owned.scopes().iter().map(str::to_owned).collect(),
            last_used_at: owned.last_used_at().map(seconds),
            created_at: seconds(*created_at),
        }
    }
}

impl From<OwnedAgent> for OwnedAgentBody {
    fn from(owned: OwnedAgent) -> Self {
        let keys = owned.keys.iter().map(|key| key.id.to_string()).collect();
        Self { agent: AgentSummaryBody::from(&owned), keys }
    }
}

impl From<Page<OwnedAgent>> for OwnedAgentsBody {
    fn from(page: Page<OwnedAgent>) -> Self {
        Self {
            next_cursor: page.next.as_ref().map(Cursor::encode),
            agents: page.items.into_iter().map(OwnedAgentBody::from).collect(),
        }
    }
}

impl From<OwnedAgentDetails> for OwnedAgentDetailsBody {
    fn from(details: OwnedAgentDetails) -> Self {
        let OwnedAgentDetails { owned, dead_keys } = details;
        let told = AgentSummaryBody::from(&owned);
        let OwnedAgent { agent, keys } = owned;
        Self {
            agent: told,
            has_recovery_key: agent.recovery.is_some(),
            metadata: MetadataBody::from(agent.metadata),
            keys: keys.into_iter().chain(dead_keys).map(ApiKeyBody::from).collect(),
        }
    }
}
