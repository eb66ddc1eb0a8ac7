use portcullis_credentials::{ApiKey, PlainApiKey, PlainRecoveryKey};
use portcullis_identity::Agent;
use portcullis_kernel::{ExposeSecret, Instant, Origin, Scopes, SecretString, StoreResult};
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

/// An agent whose Bearer credential was accepted.
#[derive(Clone, Debug)]
pub struct BearerCaller {
    /// The agent, as stored now.
    pub agent: Agent,
    /// The key, or that for which the token was issued.
    pub key: ApiKey,
    /// What the credential may be used for.
    pub scopes: Scopes,
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
        if spent {
            self.uses.note_refusal(&holder.key, "spent_token", origin, now);
        }
        if spent || !holder.key.is_live(now) || !holder.may_act() {
            return Err(AgentAuthError::Refused);
        }
        let KeyHolder { agent, key, .. } = holder;
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
        let PresentedBasic { id, secret } = presented.ok_or(AgentAuthError::Missing)?;
        let holder = self.find_presented(secret)?;
        if holder.agent.id.to_string() != id {
            self.uses.note_refusal(&holder.key, "foreign_key", origin, now);
            return Err(AgentAuthError::Refused);
        }
        self.judge_key(holder, origin, now)
    }

    /// Accepts what an agent presents as a Bearer credential (RFC 6750 §2.1): one of its API keys, or an
    /// access token. The key of a suspended agent is refused like an unknown one.
    ///
    /// # Errors
    /// [`AgentAuthError`].
    pub fn authenticate_bearer(
        &self,
        presented: SecretString,
        origin: &Origin,
    ) -> Result<BearerCaller, AgentAuthError> {
        // The three parts of a JWT; no secret of ours has a dot.
        if presented.expose_secret().contains('.') {
            let caller = self.authenticate_agent(presented.expose_secret(), origin)?;
            let AgentCaller { agent, key, token } = caller;
            return Ok(BearerCaller { agent, key, scopes: token.grant.scopes });
        }
        let now = self.now();
        match self.judge_key(self.find_presented(presented)?, origin, now) {
            Err(AgentAuthError::Suspended) => Err(AgentAuthError::Refused),
            Err(error) => Err(error),
            Ok(KeyHolder { agent, key, .. }) => {
                self.uses.note(&key, origin, now);
                Ok(BearerCaller { scopes: key.scopes.clone(), agent, key })
            }
        }
    }

    /// The key with this secret, live or not, and its agent.
    fn find_presented(&self, secret: SecretString) -> Result<KeyHolder, AgentAuthError> {
        let digest = PlainApiKey::parse(secret).ok_or(AgentAuthError::Refused)?.digest();
        let found = self.storage.read(|uow| uow.agent_access().find_key(&digest));
        found.map_err(Fault::from)?.ok_or(AgentAuthError::Refused)
    }

    fn judge_key(
        &self,
        holder: KeyHolder,
        origin: &Origin,
        now: Instant,
    ) -> Result<KeyHolder, AgentAuthError> {
        let key = &holder.key;
        if !key.is_live(now) {
            self.uses.note_refusal(key, "dead_key", origin, now);
            return Err(AgentAuthError::Refused);
        }
        if !holder.may_act() {
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

/// The agent, held against change, if it has the recovery key and the owner that it had when its
/// credential was accepted: whoever manages it by then is who was asked.
pub(super) fn hold_unchanged(
    uow: &mut dyn UnitOfWork,
    accepted: &Agent,
) -> StoreResult<Option<Agent>> {
    let held = uow.agents().lock(accepted.id)?;
    let same = |held: &Agent| held.recovery == accepted.recovery && held.owner == accepted.owner;
    Ok(held.filter(same))
}
