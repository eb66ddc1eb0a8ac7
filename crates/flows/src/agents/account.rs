use portcullis_audit::{Action, Actor};
use portcullis_email::{Asked, Content};
use portcullis_identity::{Agent, Visibility};
use portcullis_kernel::{AgentId, Instant, Origin, StoreResult, UserId};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::authenticate::hold_unchanged;
use crate::{Engine, Fault, error::classify, registration::hold_registration};

/// An agent that was just erased.
#[derive(Clone, Copy, Debug)]
pub struct DeletedAgent {
    /// Its id.
    pub id: AgentId,
    /// When.
    pub at: Instant,
}

/// Why nothing was done to an agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MissingAgent {
    /// There is none, or none that may be seen.
    #[error("No such agent.")]
    NotFound,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(MissingAgent { Self::NotFound => (NotFound, NOT_FOUND), } via { Fault });

/// Why nothing was done to the agent of an accepted recovery key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnAgentError {
    /// The key was replaced, or the agent erased, a moment ago.
    #[error("The credential is wrong, expired or revoked.")]
    Gone,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(OwnAgentError { Self::Gone => (Unauthenticated, UNAUTHORIZED), } via { Fault });

impl Engine {
    /// Erases an agent with everything that belongs to it: its keys and tokens are dead at once, its
    /// address is free. Its proven address is told.
    ///
    /// # Errors
    /// [`MissingAgent`] when it was erased a moment ago.
    pub fn delete_agent(
        &self,
        id: AgentId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<DeletedAgent, MissingAgent> {
        let deleted = self.erase_held(id, actor, origin, |uow| uow.agents().lock(id))?;
        deleted.ok_or(MissingAgent::NotFound)
    }

    /// The same for whoever holds the agent's recovery key, as long as that is the agent's.
    ///
    /// # Errors
    /// [`OwnAgentError::Gone`] when the key was replaced, or the agent erased, a moment ago.
    pub fn delete_own_agent(
        &self,
        agent: &Agent,
        origin: &Origin,
    ) -> Result<DeletedAgent, OwnAgentError> {
        let actor = Actor::Agent(agent.id);
        let deleted = self.erase_held(agent.id, actor, origin, |uow| hold_unchanged(uow, agent))?;
        deleted.ok_or(OwnAgentError::Gone)
    }

    fn erase_held(
        &self,
        id: AgentId,
        actor: Actor,
        origin: &Origin,
        hold: impl Fn(&mut dyn UnitOfWork) -> StoreResult<Option<Agent>>,
    ) -> Result<Option<DeletedAgent>, Fault> {
        let now = self.now();
        self.storage.transact(|uow| {
            hold_registration(uow, id)?;
            let Some(agent) = hold(uow)? else { return Ok(None) };
            self.tell_of_deletion(uow, &agent, origin, now)?;
            erase_agent(uow, agent.id)?;
            // Without the network address: the account's traces go with it.
            let origin = origin.without_client();
            let event = self.event(Action::AgentDeleted, actor, &origin, now)?;
            uow.audit().append(&event.about_agent(agent.id))?;
            Ok(Some(DeletedAgent { id: agent.id, at: now }))
        })
    }

    fn tell_of_deletion(
        &self,
        uow: &mut dyn UnitOfWork,
        agent: &Agent,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let Some(proven) = &agent.email else { return Ok(()) };
        let (name, id) = (agent.name.as_str().to_owned(), agent.id.to_string());
        let content = Content::AgentDeleted { name, agent: id };
        let expires_at = now + self.options.mailed.notice;
        let asked = Asked::by(origin, now);
        let mut mail =
            self.mail_for_agent(agent.id, &proven.address, content, asked, now, expires_at)?;
        // It outlives what it tells of.
        mail.agent = None;
        Ok(uow.outbox().insert(&mail)?)
    }
}

/// Erases an agent. Its audit events stay, under its id, without the network addresses.
pub(crate) fn erase_agent(uow: &mut dyn UnitOfWork, id: AgentId) -> Result<(), Fault> {
    uow.agents().delete(id)?;
    // After the rows: whatever ended one of them beside this has written its event by then.
    uow.audit().pseudonymise_agent(id)?;
    Ok(())
}

/// Takes from the agents of a user who goes their owner and every credential.
pub(crate) fn disown_agents(
    engine: &Engine,
    uow: &mut dyn UnitOfWork,
    owner: UserId,
    now: Instant,
) -> Result<(), Fault> {
    for agent in uow.agents().list_owned(owner)? {
        hold_registration(uow, agent.id)?;
        let held = uow.agents().lock(agent.id)?;
        let Some(agent) = held.filter(|agent| agent.owner == Some(owner)) else { continue };
        strip_agent(uow, agent.clone(), now)?;
        let event = engine.event(Action::AgentDisowned, Actor::System, &Origin::local(), now)?;
        uow.audit().append(&event.about_agent(agent.id))?;
    }
    Ok(())
}

/// Takes from a [locked](portcullis_storage::AgentRepository::lock) agent its owner and every credential,
/// and how it signed itself up, which names its person's address.
pub(crate) fn strip_agent(
    uow: &mut dyn UnitOfWork,
    mut agent: Agent,
    now: Instant,
) -> StoreResult<()> {
    agent.owner = None;
    agent.recovery = None;
    agent.email = None;
    agent.pending_email = None;
    // Nobody is left who could take it out of the directory.
    agent.profile.visibility = Visibility::Private;
    uow.agents().update(&agent)?;
    if let Some(registration) = uow.registrations().find_by_agent(agent.id)? {
        uow.registrations().remove(registration.id)?;
    }
    uow.api_keys().revoke_all(agent.id, now)?;
    uow.agent_tokens().remove_open(agent.id)?;
    uow.recoveries().remove_open_codes(agent.id)?;
    Ok(())
}
