use portcullis_kernel::{AgentId, Field, codes};

use super::{AgentCaller, InvalidInput, Judge};
use crate::error::classify;

/// Why a caller with a good credential may not do something to what a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotYours {
    /// It belongs to another agent, or to none.
    #[error("The credential is not of the agent that the path names.")]
    Agent,
    /// An access token may revoke the API key that it was issued for, and no other.
    #[error("An access token revokes its own API key only. Revoke others with the recovery key.")]
    Key,
}

classify!(NotYours { Self::Agent | Self::Key => (Forbidden, FORBIDDEN), } via {});

/// Judges whether a request names an agent at all.
///
/// # Errors
/// [`InvalidInput`] when the text is no agent's id.
pub fn check_agent_id(named: &str) -> Result<AgentId, InvalidInput> {
    let mut judge = Judge::default();
    let named = Field::from(named);
    let id = judge.required("agent_id", codes::INVALID_AGENT_ID, named, |raw: String| {
        raw.parse().map_err(|_| "must be agt_ and 32 hexadecimal digits")
    });
    judge.finish(id)
}

/// Judges whether the agent that a request names is the caller.
///
/// # Errors
/// [`NotYours::Agent`].
pub fn authorize_agent(caller: AgentId, named: &str) -> Result<(), NotYours> {
    if caller.to_string() == named { Ok(()) } else { Err(NotYours::Agent) }
}

/// Judges whether a caller with an access token may revoke the API key that a request names.
///
/// # Errors
/// [`NotYours::Key`].
pub fn authorize_own_key(caller: &AgentCaller, named: &str) -> Result<(), NotYours> {
    if caller.key.id.to_string() == named { Ok(()) } else { Err(NotYours::Key) }
}
