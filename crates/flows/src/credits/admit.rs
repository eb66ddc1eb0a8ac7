use std::net::IpAddr;

use portcullis_credits::AccountId;
use portcullis_kernel::{ExposeSecret, Origin, SecretString};
use portcullis_limits::BucketKey;

use super::account::account_of;
use crate::{
    Engine, LimitClass,
    agents::{AdmitAgentError, AdmittedAgent, AgentAuthError, BearerCaller},
    people::{AuthenticateError, Caller},
};

/// Whose Bearer credential was accepted.
#[derive(Debug)]
pub enum Holder {
    /// An agent's.
    Agent(Box<BearerCaller>),
    /// A person's.
    Person(Box<Caller>),
}

impl Holder {
    /// The account that they spend from.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Agent(caller) => account_of(&caller.agent),
            Self::Person(caller) => AccountId::User(caller.user.id),
        }
    }
}

impl Engine {
    /// Accepts an agent's API key or access token, or a person's access token, and counts the request as
    /// [`admit_agent`](Self::admit_agent) does, towards the limits of credits; that of a person towards
    /// their user.
    ///
    /// # Errors
    /// [`AdmitAgentError`].
    pub fn admit_holder(
        &self,
        presented: Option<SecretString>,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedAgent<Holder>, AdmitAgentError> {
        self.refuse_exhausted_address(LimitClass::Credits, client)?;
        let accepted = match presented {
            Some(presented) => self.authenticate_holder(presented, origin),
            None => Err(AgentAuthError::Missing),
        };
        let caller = accepted
            .or_else(|error| self.refuse_agent(LimitClass::Credits, error, client, origin))?;
        let policy = self.options.limits.credits.principal;
        let standing = match &caller {
            Holder::Agent(caller) => {
                let bucket = BucketKey::principal(&policy, caller.agent.id);
                let agent = self.count(bucket, policy, origin)?;
                let key = self.count_key(&caller.key, origin)?;
                agent.into_iter().chain(key).min_by_key(|standing| standing.remaining)
            }
            Holder::Person(caller) => {
                self.count(BucketKey::principal(&policy, caller.user.id), policy, origin)?
            }
        };
        Ok(AdmittedAgent { caller, standing })
    }

    fn authenticate_holder(
        &self,
        presented: SecretString,
        origin: &Origin,
    ) -> Result<Holder, AgentAuthError> {
        match self.authenticate_bearer(presented.clone(), origin) {
            Ok(caller) => Ok(Holder::Agent(Box::new(caller))),
            // What is no agent's may be a person's.
            Err(AgentAuthError::Refused) if presented.expose_secret().contains('.') => {
                match self.authenticate(presented.expose_secret()) {
                    Ok(caller) => Ok(Holder::Person(Box::new(caller))),
                    Err(AuthenticateError::Fault(fault)) => Err(fault.into()),
                    Err(_) => Err(AgentAuthError::Refused),
                }
            }
            Err(error) => Err(error),
        }
    }
}
