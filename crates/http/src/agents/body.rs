//! The bodies that several routes of this surface share.

use portcullis_identity::{Agent, Description, DisplayName, Visibility};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentMessageBody {
    pub(super) message: &'static str,
}

/// An address.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what handlers read member by member
pub(super) struct AgentAddressBody {
    /// One address, at most 254 bytes.
    #[schema(example = "bot@example.com")]
    email: String,
}

/// What an agent shows of itself.
#[derive(Serialize, ToSchema)]
pub(super) struct ProfileBody {
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    agent_id: String,
    #[schema(example = "weather-bot")]
    agent_name: String,
    /// The name shown to others; `null` when there is none.
    #[schema(example = "Weather assistant")]
    display_name: Option<String>,
    /// What the agent is for; `null` when it does not say.
    description: Option<String>,
    /// Words to find it by.
    tags: Vec<String>,
    visibility: VisibilityBody,
}

/// Who may see a profile.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum VisibilityBody {
    /// The agent, its owner and operators.
    Private,
    /// Everybody.
    Public,
}

impl From<&Agent> for ProfileBody {
    fn from(agent: &Agent) -> Self {
        let profile = &agent.profile;
        let display_name = profile.display_name.as_ref().map(DisplayName::as_str);
        let description = profile.description.as_ref().map(Description::as_str);
        Self {
            agent_id: agent.id.to_string(),
            agent_name: agent.name.as_str().to_owned(),
            display_name: display_name.map(str::to_owned),
            description: description.map(str::to_owned),
            tags: profile.tags.as_slice().to_vec(),
            visibility: match profile.visibility {
                Visibility::Private => VisibilityBody::Private,
                Visibility::Public => VisibilityBody::Public,
            },
        }
    }
}

/// An error of this surface.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentError {
    error: AgentErrorBody,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
struct AgentErrorBody {
    /// Stable; see the list of codes.
    #[schema(example = "INVALID_REQUEST")]
    code: String,
    /// For people.
    #[schema(example = "agent_name is required.")]
    message: String,
}
