use portcullis_kernel::{AgentId, Instant, TokenId};

use crate::AgentToken;

/// An access token that is dead before its time. It is remembered no longer than it could have lived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentToken {
    /// Its id, the `jti`.
    pub id: TokenId,
    /// Whose it was.
    pub agent: AgentId,
    /// The token that was issued in its place.
    pub successor: Option<TokenId>,
    /// When it was spent.
    pub spent_at: Instant,
    /// From when on it need not be remembered.
    pub forget_at: Instant,
}

impl SpentToken {
    /// The token, spent now.
    pub fn of(token: &AgentToken, successor: Option<TokenId>, now: Instant) -> Self {
        let (agent, forget_at) = (token.grant.agent, token.remembered_until());
        Self { id: token.id, agent, successor, spent_at: now, forget_at }
    }
}
