use std::net::IpAddr;

use portcullis_credentials::ApiKey;
use portcullis_identity::Agent;
use portcullis_kernel::{AgentId, Origin};
use portcullis_limits::{BucketKey, Policy, Standing};
use time::Duration;

use super::{AgentAuthError, AgentCaller, PresentedBasic, exchange::nearest};
use crate::{Engine, LimitClass, LimitError};

/// Which limit a request of an agent counts towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentLimit {
    /// Any request.
    Usual,
    /// A refresh of its access token.
    Refresh,
    /// Making or rotating an API key.
    MakeKey,
    /// Having a link mailed to another address, which may be anybody's.
    ChangeEmail,
}

/// A request with an accepted credential of an agent.
#[derive(Debug)]
pub struct AdmittedAgent<T> {
    /// Whose it is.
    pub caller: T,
    /// The standing of the bucket nearest to empty; absent when limits are off.
    pub standing: Option<Standing>,
}

/// Why a request with an agent's credential was not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitAgentError {
    /// The credential was not accepted; the standing is that of the client address.
    #[error("{0}")]
    Auth(AgentAuthError, Option<Standing>),
    /// Over a limit, or it could not be told.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl Engine {
    /// Accepts an agent's access token and counts the request: an accepted one towards its agent, and
    /// towards its key where that has a limit; a missing or refused one towards the client address, which
    /// is looked at first.
    ///
    /// # Errors
    /// [`AdmitAgentError`].
    pub fn admit_agent(
        &self,
        token: Option<&str>,
        limit: AgentLimit,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedAgent<AgentCaller>, AdmitAgentError> {
        self.refuse_exhausted_address(LimitClass::AgentAnonymous, client)?;
        let accepted = match token {
            Some(token) => self.authenticate_agent(token, origin),
            None => Err(AgentAuthError::Missing),
        };
        let caller = accepted.or_else(|error| {
            self.refuse_agent(LimitClass::AgentAnonymous, error, client, origin)
        })?;
        let agent = self.count_agent(caller.agent.id, limit, origin)?;
        let key = self.count_key(&caller.key, origin)?;
        Ok(AdmittedAgent { caller, standing: nearest(agent, key) })
    }

    /// Accepts an agent's recovery key, and counts the request as
    /// [`admit_agent`](Self::admit_agent) does.
    ///
    /// # Errors
    /// [`AdmitAgentError`].
    pub fn admit_recovery(
        &self,
        presented: Option<PresentedBasic>,
        limit: AgentLimit,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedAgent<Agent>, AdmitAgentError> {
        self.refuse_exhausted_address(LimitClass::AgentAnonymous, client)?;
        let accepted = self.authenticate_recovery(presented);
        let caller = accepted.or_else(|error| {
            self.refuse_agent(LimitClass::AgentAnonymous, error, client, origin)
        })?;
        let standing = self.count_agent(caller.id, limit, origin)?;
        Ok(AdmittedAgent { caller, standing })
    }

    pub(crate) fn refuse_exhausted_address(
        &self,
        class: LimitClass,
        client: IpAddr,
    ) -> Result<(), LimitError> {
        let exhausted = self.exhausted(class, client);
        exhausted.map_or(Ok(()), |standing| Err(LimitError::Exceeded(standing)))
    }

    pub(crate) fn refuse_agent<T>(
        &self,
        class: LimitClass,
        error: AgentAuthError,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<T, AdmitAgentError> {
        if let AgentAuthError::Fault(_) = error {
            return Err(AdmitAgentError::Auth(error, None));
        }
        let standing = self.admit_address(class, client, origin)?;
        Err(AdmitAgentError::Auth(error, standing))
    }

    /// Counts a request of a known agent.
    pub(crate) fn count_agent(
        &self,
        agent: AgentId,
        limit: AgentLimit,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        let limits = &self.options.limits.agents;
        let policy = match limit {
            AgentLimit::Usual => limits.principal,
            AgentLimit::Refresh => limits.refresh,
            AgentLimit::MakeKey => limits.make_key,
            AgentLimit::ChangeEmail => limits.resend,
        };
        self.count(BucketKey::principal(&policy, agent), policy, origin)
    }

    /// Counts a use of a key, where its owner gave it a limit.
    pub(crate) fn count_key(
        &self,
        key: &ApiKey,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        let Some(limit) = key.rate_limit else { return Ok(None) };
        let policy = Policy::new("agents.key", limit, Duration::MINUTE);
        self.count(BucketKey::principal(&policy, key.id), policy, origin)
    }
}
