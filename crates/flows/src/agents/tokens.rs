use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Instant, Origin};
use portcullis_storage::StorageExt;
use portcullis_tokens::{AgentGrant, AgentToken, SpentToken};

use super::{AgentCaller, IssuedAgentToken};
use crate::{Engine, Fault, error::classify};

/// Why an access token was neither replaced nor revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentSessionError {
    /// It was spent in the same moment, or its key no longer has any of its scopes.
    #[error("The credential is wrong, expired or revoked.")]
    Refused,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AgentSessionError { Self::Refused => (Unauthenticated, UNAUTHORIZED), } via { Fault });

impl Engine {
    /// Issues a token in the place of the caller's, which is dead from then on. Of any number of calls
    /// with one token, one succeeds. The new one grants no more than the old one and the key do.
    ///
    /// # Errors
    /// [`AgentSessionError`].
    pub fn refresh_agent(
        &self,
        caller: &AgentCaller,
        origin: &Origin,
    ) -> Result<IssuedAgentToken, AgentSessionError> {
        let now = self.now();
        let AgentCaller { agent, key, token } = caller;
        let scopes = token.grant.scopes.shared_with(&key.scopes);
        if scopes.is_empty() {
            return Err(AgentSessionError::Refused);
        }
        let grant = AgentGrant { owner: agent.owner, scopes, ..token.grant.clone() };
        let policy = &self.options.agents.token;
        let next = policy.token(grant, now, self.entropy.as_ref()).map_err(Fault::from)?;
        // Before anything is spent: no client loses a token that could not be replaced.
        let access = policy.sign(&self.keys.current(), &next, now).map_err(Fault::from)?;
        let spent = SpentToken::of(token, Some(next.id), now);
        let first = self.storage.statement(|uow| uow.spent_tokens().spend(&spent));
        if !first.map_err(Fault::from)? {
            return Err(AgentSessionError::Refused);
        }
        self.uses.note(key, origin, now);
        Ok(IssuedAgentToken { access, grant: next.grant, standing: None })
    }

    /// Revokes the caller's token; says when.
    ///
    /// # Errors
    /// [`AgentSessionError`].
    pub fn sign_out_agent(
        &self,
        caller: &AgentCaller,
        origin: &Origin,
    ) -> Result<Instant, AgentSessionError> {
        let now = self.now();
        let actor = Actor::Agent(caller.agent.id);
        if self.revoke_agent_token(&caller.token, actor, None, origin, now)? {
            Ok(now)
        } else {
            Err(AgentSessionError::Refused)
        }
    }

    /// Notes that a token is dead; says whether it was not before.
    pub(crate) fn revoke_agent_token(
        &self,
        token: &AgentToken,
        actor: Actor,
        detail: Option<&str>,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let grant = &token.grant;
        let event = self.event(Action::TokenRevoked, actor, origin, now)?;
        let event = event.about_agent(grant.agent).with_key(grant.key);
        let event = match detail {
            Some(detail) => event.with_detail(detail),
            None => event,
        };
        let spent = SpentToken::of(token, None, now);
        self.storage.transact(|uow| {
            let first = uow.spent_tokens().spend(&spent)?;
            if first {
                uow.audit().append(&event)?;
            }
            Ok(first)
        })
    }
}
