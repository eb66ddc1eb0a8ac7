use portcullis_flows::admin::AgentDetails;
use portcullis_identity::{Agent, AgentStatus};
use portcullis_kernel::{Cursor, Page};
use serde::Serialize;
use utoipa::ToSchema;

use crate::agents::{account::AgentBody, keys::ApiKeyBody};

/// An agent's account, as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentAccountBody {
    #[serde(flatten)]
    agent: AgentBody,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
}

impl From<Agent> for AgentAccountBody {
    fn from(agent: Agent) -> Self {
        let status = AgentStatus::as_str(agent.status);
        Self { agent: AgentBody::from(agent), status }
    }
}

/// Some of the agents, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentAccountsBody {
    agents: Vec<AgentAccountBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
}

impl From<Page<Agent>> for AgentAccountsBody {
    fn from(page: Page<Agent>) -> Self {
        Self {
            next_cursor: page.next.as_ref().map(Cursor::encode),
            agents: page.items.into_iter().map(AgentAccountBody::from).collect(),
        }
    }
}

/// An agent and its keys.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentAccountDetailsBody {
    #[serde(flatten)]
    account: AgentAccountBody,
    /// Its keys, live or not, the newest first; a hundred at most.
    keys: Vec<ApiKeyBody>,
}

impl From<AgentDetails> for AgentAccountDetailsBody {
    fn from(details: AgentDetails) -> Self {
        Self {
            account: AgentAccountBody::from(details.agent),
            keys: details.keys.into_iter().map(ApiKeyBody::from).collect(),
        }
    }
}
