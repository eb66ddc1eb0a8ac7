use portcullis_audit::{Action, Actor};
use portcullis_credentials::{ApiKey, PlainRecoveryKey};
use portcullis_identity::{Agent, AgentFilter, AgentStatus};
use portcullis_kernel::{AgentId, Field, FieldErrors, Origin, Page, Slice, UserId};
use portcullis_storage::StorageExt;

use super::input::part_of_address;
use crate::{
    Engine, Fault, Invalid,
    agents::{AgentRegistration, MissingAgent, RegisteredAgent},
    error::classify,
    registration::hold_registration,
    rows::MOST_ROWS,
};

/// Keys of an agent that are shown with it.
const MOST_KEYS: u32 = 100;

/// An agent and its newest keys, for an operator.
#[derive(Clone, Debug)]
pub struct AgentDetails {
    /// The agent.
    pub agent: Agent,
    /// Its keys, live or not, newest first; a hundred at most.
    pub keys: Vec<ApiKey>,
}

/// Why an operator made no agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateAgentError {
    /// The user whose it is to be does not exist, or is suspended.
    #[error("No such user, or it is suspended.")]
    NoOwner,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(CreateAgentError { Self::NoOwner => (InvalidInput, VALIDATION_ERROR), } via { Fault });

/// Why an agent got no other recovery key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetRecoveryError {
    /// There is none.
    #[error("No such agent.")]
    NotFound,
    /// It signed itself up, and so never has one.
    #[error(
        "This agent signed itself up and has no recovery key: its owner makes keys for it, and while \
         it has none, it may sign up again."
    )]
    SignedUp,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ResetRecoveryError {
    Self::NotFound => (NotFound, NOT_FOUND),
    Self::SignedUp => (Conflict, CONFLICT),
} via { Fault });

/// Which agents are to be listed, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ListAgents {
    /// Which part of them.
    pub page: super::ListInput,
    /// Part of their address.
    pub email: Field<String>,
    /// Part of their name.
    pub name: Field<String>,
    /// Their state.
    pub status: Field<String>,
    /// The user they belong to.
    pub owner: Field<String>,
}

impl ListAgents {
    /// Judges the question.
    ///
    /// # Errors
    /// [`Invalid`] names every broken parameter.
    pub fn check(self) -> Result<(AgentFilter, Slice<AgentId>), Invalid> {
        let mut errors = FieldErrors::default();
        let slice = self.page.judge_slice(&mut errors);
        let filter = AgentFilter {
            email_contains: errors.optional("email", self.email, part_of_address),
            name_contains: errors.optional("name", self.name, |raw| {
                let fits = (1..=50).contains(&raw.chars().count());
                let fits = fits && !raw.chars().any(char::is_control);
                if fits { Ok(raw) } else { Err("must be a part of a name, 1 to 50 characters") }
            }),
            status: errors.optional("status", self.status, |raw| {
                AgentStatus::from_name(&raw).ok_or("must be \"active\" or \"suspended\"")
            }),
            owner: errors.optional("owner", self.owner, |raw| {
                raw.parse::<UserId>().map_err(|_| "must be a user's id")
            }),
        };
        Invalid::or(errors, Some((filter, slice)))
    }
}

impl Engine {
    /// One page of the agents, newest first; at most 200 rows.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_agents(
        &self,
        filter: &AgentFilter,
        slice: &Slice<AgentId>,
    ) -> Result<Page<Agent>, Fault> {
        let slice = Slice { limit: slice.limit.clamp(1, MOST_ROWS), ..*slice };
        Ok(self.storage.read(|uow| uow.agents().list(filter, &slice))?)
    }

    /// The agent with this id, and its keys.
    ///
    /// # Errors
    /// [`MissingAgent::NotFound`].
    pub fn find_agent(&self, id: &str) -> Result<AgentDetails, MissingAgent> {
        let id: AgentId = id.parse().map_err(|_| MissingAgent::NotFound)?;
        let found = self.storage.read(|uow| -> Result<Option<AgentDetails>, Fault> {
            let Some(agent) = uow.agents().find(id)? else { return Ok(None) };
            let keys = uow.api_keys().list(id, &Slice::first(MOST_KEYS))?.items;
            Ok(Some(AgentDetails { agent, keys }))
        })?;
        found.ok_or(MissingAgent::NotFound)
    }

    /// Makes an account for an agent, which may belong to a user.
    ///
    /// # Errors
    /// [`CreateAgentError`]; nothing is then stored.
    pub fn create_agent(
        &self,
        registration: AgentRegistration,
        owner: Option<UserId>,
        actor: Actor,
        origin: &Origin,
    ) -> Result<RegisteredAgent, CreateAgentError> {
        let made = self.make_agent(registration, owner, actor, origin)?;
        made.ok_or(CreateAgentError::NoOwner)
    }

    /// Shuts an agent, or opens it again, and gives it as it is then. While it is shut none of its
    /// credentials works.
    ///
    /// # Errors
    /// [`MissingAgent::NotFound`].
    pub fn set_agent_status(
        &self,
        id: AgentId,
        status: AgentStatus,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Agent, MissingAgent> {
        let now = self.now();
        let action = match status {
            AgentStatus::Active => Action::AgentResumed,
            AgentStatus::Suspended => Action::AgentSuspended,
        };
        let event = self.event(action, actor, origin, now).map_err(Fault::from)?.about_agent(id);
        let changed = self.storage.transact(|uow| -> Result<Option<Agent>, Fault> {
            let Some(mut agent) = uow.agents().lock(id)? else { return Ok(None) };
            if agent.status != status {
                agent.status = status;
                uow.agents().update(&agent)?;
                uow.audit().append(&event)?;
            }
            Ok(Some(agent))
        })?;
        changed.ok_or(MissingAgent::NotFound)
    }

    /// Replaces the recovery key of an agent, whose old one is dead from then on, and so is a change of
    /// address that it may have asked for.
    ///
    /// # Errors
    /// [`ResetRecoveryError`].
    pub fn reset_recovery_key(
        &self,
        id: AgentId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<PlainRecoveryKey, ResetRecoveryError> {
        let now = self.now();
        let key = PlainRecoveryKey::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        let event = self.event(Action::RecoveryKeyReset, actor, origin, now);
        let event = event.map_err(Fault::from)?.about_agent(id);
        let reset = self.storage.transact(|uow| -> Result<_, Fault> {
            if hold_registration(uow, id)?.is_some() {
                return Ok(Err(ResetRecoveryError::SignedUp));
            }
            let Some(mut agent) = uow.agents().lock(id)? else {
                return Ok(Err(ResetRecoveryError::NotFound));
            };
            agent.recovery = Some(key.digest());
            // As after a recovery: whoever had the old key may have asked for another address.
            agent.pending_email = None;
            uow.agents().update(&agent)?;
            uow.agent_tokens().remove_open(id)?;
            uow.audit().append(&event)?;
            Ok(Ok(()))
        })?;
        reset.map(|()| key)
    }
}
