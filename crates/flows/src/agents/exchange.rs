use std::net::IpAddr;

use portcullis_kernel::{Origin, Scopes};
use portcullis_limits::{AddressKey, BucketKey, Standing};
use portcullis_storage::{KeyHolder, StorageExt};
use portcullis_tokens::{AgentGrant, IssuedAccessToken};

use super::{AdmittedAgent, AgentAuthError, PresentedBasic};
use crate::{Engine, Fault, LimitError, Limited, error::classify, oauth::is_resource};

/// What a token is wanted for, as it came in.
#[derive(Clone, Debug, Default)]
pub struct WantedToken {
    /// The scopes, with spaces between them; all that the key has when absent.
    pub scope: Option<String>,
    /// The one resource that it is for (RFC 8707); the usual audience when absent.
    pub resource: Option<String>,
}

/// A token that was just issued to an agent.
#[derive(Clone, Debug)]
pub struct IssuedAgentToken {
    /// The token.
    pub access: IssuedAccessToken,
    /// What it grants, and by which key.
    pub grant: AgentGrant,
    /// The standing of the nearest bucket; absent when limits are off.
    pub standing: Option<Standing>,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The credential.
    #[error(transparent)]
    Auth(#[from] AgentAuthError),
    /// Over a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A scope that is none, or that the key does not have (RFC 6749 §5.2).
    #[error("scope must name scopes of this API key, with single spaces between them.")]
    Scope,
    /// A resource that this server issues no tokens for (RFC 8707 §2).
    #[error("resource must be one that this server issues tokens for.")]
    Target,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ExchangeError {
    Self::Scope => (InvalidInput, INVALID_SCOPE),
    Self::Target => (InvalidInput, INVALID_TARGET),
} via { Auth, Limit, Fault });

impl Limited for ExchangeError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            _ => None,
        }
    }
}

impl Engine {
    /// Issues an access token for an API key: [`admit_key`](Self::admit_key), then
    /// [`issue_agent_token`](Self::issue_agent_token).
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn exchange_key(
        &self,
        presented: Option<PresentedBasic>,
        wanted: &WantedToken,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<IssuedAgentToken, ExchangeError> {
        let AdmittedAgent { caller, standing } = self.admit_key(presented, client, origin)?;
        let issued = self.issue_agent_token(&caller, wanted, origin)?;
        Ok(IssuedAgentToken { standing, ..issued })
    }

    /// Accepts an API key that is to be exchanged. Counted, before the key is looked at, towards the id as
    /// it was typed and the client address together; then towards the key itself where it has a limit.
    ///
    /// # Errors
    /// [`ExchangeError::Auth`] and [`ExchangeError::Limit`].
    pub fn admit_key(
        &self,
        presented: Option<PresentedBasic>,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedAgent<KeyHolder>, ExchangeError> {
        let typed = presented.as_ref().map_or("", |presented| presented.id.as_str());
        let policy = self.options.limits.agents.token_by_id;
        let bucket = BucketKey::typed(&policy, typed, AddressKey::from(client));
        let standing = self.count(bucket, policy, origin)?;
        let caller = self.authenticate_key(presented, origin, self.now())?;
        let key_standing = self.count_key(&caller.key, origin)?;
        Ok(AdmittedAgent { caller, standing: nearest(standing, key_standing) })
    }

    /// Issues an access token to an accepted key.
    ///
    /// # Errors
    /// [`ExchangeError::Scope`] and [`ExchangeError::Target`].
    pub fn issue_agent_token(
        &self,
        holder: &KeyHolder,
        wanted: &WantedToken,
        origin: &Origin,
    ) -> Result<IssuedAgentToken, ExchangeError> {
        let now = self.now();
        let grant = self.grant(holder, wanted)?;
        let policy = &self.options.agents.token;
        let token = policy.token(grant, now, self.entropy.as_ref()).map_err(Fault::from)?;
        let access = policy.sign(&self.keys.current(), &token, now).map_err(Fault::from)?;
        self.uses.note(&holder.key, origin, now);
        Ok(IssuedAgentToken { access, grant: token.grant, standing: None })
    }

    fn grant(&self, holder: &KeyHolder, wanted: &WantedToken) -> Result<AgentGrant, ExchangeError> {
        let KeyHolder { agent, key, .. } = holder;
        let scopes = match &wanted.scope {
            None => key.scopes.clone(),
            Some(scope) => {
                let asked: Scopes = scope.parse().map_err(|_| ExchangeError::Scope)?;
                if !asked.is_within(&key.scopes) {
                    return Err(ExchangeError::Scope);
                }
                asked
            }
        };
        let audience = match &wanted.resource {
            None => self.options.agents.token.audience.clone(),
            Some(resource) if self.is_resource(resource)? => resource.clone(),
            Some(_) => return Err(ExchangeError::Target),
        };
        Ok(AgentGrant { agent: agent.id, key: key.id, owner: agent.owner, scopes, audience })
    }

    fn is_resource(&self, resource: &str) -> Result<bool, Fault> {
        let policy = &self.options.agents.token;
        if resource == policy.audience || resource == policy.issuer {
            return Ok(true);
        }
        // What cannot be an audience reaches no database, which may take no NUL.
        if !is_resource(resource) {
            return Ok(false);
        }
        Ok(self.storage.read(|uow| uow.resource_servers().has_audience(resource))?)
    }
}

/// The standing that is nearest to empty.
pub(super) fn nearest(one: Option<Standing>, other: Option<Standing>) -> Option<Standing> {
    one.into_iter().chain(other).min_by_key(|standing| standing.remaining)
}
