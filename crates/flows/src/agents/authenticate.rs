use portcullis_credentials::{ApiKey, PlainApiKey, PlainRecoveryKey};
use portcullis_identity::Agent;
use portcullis_kernel::{Instant, Origin, SecretString, StoreResult};
use portcullis_storage::{KeyHolder, StorageExt, UnitOfWork};
use portcullis_tokens::AgentToken;

use crate::{Engine, Fault, error::classify};

/// A name and a secret as they were presented (RFC 7617).
#[derive(Clone, Debug)]
pub struct PresentedBasic {
    /// An agent's or resource server's id, as typed.
    pub id: String,
    /// An API key, a recovery key or a resource server's secret, as typed.
    pub secret: SecretString,
}

/// An agent whose access token was accepted.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    /// The agent, as stored now.
    pub agent: Agent,
    /// The key that the token was issued for.
    pub key: ApiKey,
    /// The token.
    pub token: AgentToken,
}

/// Why an agent's credential was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentAuthError {
    /// None was sent, or in a form that cannot be read.
    #[error("A credential is required.")]
    Missing,
    /// It is not one of ours, or is dead.
    #[error("The credential is wrong, expired or revoked.")]
    Refused,
    /// It is right, but an operator has shut the agent.
    #[error("This agent is suspended.")]
    Suspended,
    /// It is right, but bound to other networks than the client's.
    #[error("This API key may not be used from your network.")]
    Network,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AgentAuthError {
    Self::Missing | Self::Refused => (Unauthenticated, UNAUTHORIZED),
    Self::Suspended | Self::Network => (Forbidden, FORBIDDEN),
} via { Fault });

impl Engine {
    /// Accepts an agent's access token if it is ours and meant for us, is not spent, its key lives and
    /// its agent may act.
    ///
    /// # Errors
    /// [`AgentAuthError`].
    pub fn authenticate_agent(
        &self,
        token: &str,
        origin: &Origin,
    ) -> Result<AgentCaller, AgentAuthError> {
        let now = self.now();
        let token = self.verify_agent_token(token, now)?.ok_or(AgentAuthError::Refused)?;
        if !self.is_for_us(&token) {
            return Err(AgentAuthError::Refused);
        }
        let (holder, spent) = self.find_token(&token)?.ok_or(AgentAuthError::Refused)?;
        let KeyHolder { agent, key } = holder;
        if spent {
            self.uses.note_refusal(&key, "spent_token", origin, now);
        }
        if spent || !key.is_live(now) || !agent.is_active() {
            return Err(AgentAuthError::Refused);
        }
        if !key.networks.admits(origin.client) {
            return Err(AgentAuthError::Network);
        }
        Ok(AgentCaller { agent, key, token })
    }

    /// A token that is signed by us and has not expired; what else makes it good is not asked.
    pub(crate) fn verify_agent_token(
        &self,
        token: &str,
        now: Instant,
    ) -> Result<Option<AgentToken>, Fault> {
        let policy = &self.options.agents.token;
        self.with_fresh_keys(now, |keys| policy.verify(keys, token, now))
    }

    /// The key and agent of a verified token, and whether it is spent.
    pub(crate) fn find_token(
        &self,
        token: &AgentToken,
    ) -> Result<Option<(KeyHolder, bool)>, Fault> {
        let (key, id, agent) = (token.grant.key, token.id, token.grant.agent);
        let found = self.storage.read(|uow| uow.agent_access().find_token(key, id))?;
        Ok(found.filter(|(holder, _)| holder.agent.id == agent))
    }

    /// Whether a token is for this server itself, or for everybody.
    fn is_for_us(&self, token: &AgentToken) -> bool {
        let policy = &self.options.agents.token;
        let audience = &token.grant.audience;
        *audience == policy.audience || *audience == policy.issuer
    }

    /// Accepts an API key with the id of its agent.
    ///
    /// # Errors
    /// [`AgentAuthError`].
    pub(crate) fn authenticate_key(
        &self,
        presented: Option<PresentedBasic>,
        origin: &Origin,
        now: Instant,
    ) -> Result<KeyHolder, AgentAuthError> {
        let presented = presented.ok_or(AgentAuthError::Missing)?;
        let key = PlainApiKey::parse(presented.secret).ok_or(AgentAuthError::Refused)?;
        let digest = key.digest();
        let found = self.storage.read(|uow| uow.agent_access().find_key(&digest));
        let holder = found.map_err(Fault::from)?.ok_or(AgentAuthError::Refused)?;
        let KeyHolder { agent, key } = &holder;
        let wrong = if agent.id.to_string() != presented.id {
            Some("foreign_key")
        } else if !key.is_live(now) {
            Some("dead_key")
        } else {
            None
        };
        if let Some(why) = wrong {
            self.uses.note_refusal(key, why, origin, now);
            return Err(AgentAuthError::Refused);
        }
        if !agent.is_active() {
            return Err(AgentAuthError::Suspended);
        }
        if !key.networks.admits(origin.client) {
            self.uses.note_refusal(key, "network", origin, now);
            return Err(AgentAuthError::Network);
        }
        Ok(holder)
    }

    /// Accepts a recovery key with the id of its agent: who holds it manages the account.
    ///
    /// # Errors
    /// [`AgentAuthError`].
    pub fn authenticate_recovery(
        &self,
        presented: Option<PresentedBasic>,
    ) -> Result<Agent, AgentAuthError> {
        let presented = presented.ok_or(AgentAuthError::Missing)?;
        let key = PlainRecoveryKey::parse(presented.secret).ok_or(AgentAuthError::Refused)?;
        let digest = key.digest();
        let found = self.storage.read(|uow| uow.agents().find_by_recovery(&digest));
        let agent = found.map_err(Fault::from)?;
        match agent.filter(|agent| agent.id.to_string() == presented.id) {
            None => Err(AgentAuthError::Refused),
            Some(agent) if !agent.is_active() => Err(AgentAuthError::Suspended),
            Some(agent) => Ok(agent),
        }
    }
}

/// The agent, held against change, if it has the recovery key that it had when its credential was
/// accepted.
pub(super) fn hold_unchanged(
    uow: &mut dyn UnitOfWork,
    accepted: &Agent,
) -> StoreResult<Option<Agent>> {
    let held = uow.agents().lock(accepted.id)?;
    Ok(held.filter(|held| held.recovery == accepted.recovery))
}
