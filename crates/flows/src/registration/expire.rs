use portcullis_audit::{Action, Actor};
use portcullis_kernel::{AgentId, Instant, Origin};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::hold_registration;
use crate::{Engine, Fault, agents::erase_agent};

/// Agents erased by one transaction, so that none holds locks for long.
const BATCH: u32 = 100;

impl Engine {
    /// Erases agents that nobody claimed: those for an address once they can no longer be claimed, and
    /// anonymous ones when their life is over. One that an operator gave a key or an owner stays.
    pub(crate) fn erase_unclaimed(&self, now: Instant) -> Result<u64, Fault> {
        let lifetime = self.options.agent_registration.anonymous_lifetime;
        let anonymous_before = lifetime.map(|lifetime| now - lifetime);
        let stale = self
            .storage
            .read(|uow| uow.registrations().list_unclaimed(now, anonymous_before, BATCH))?;
        let mut erased = 0;
        for agent in stale {
            let gone = self.storage.transact(|uow| self.erase_stale(uow, agent, now))?;
            erased += u64::from(gone);
        }
        Ok(erased)
    }

    fn erase_stale(
        &self,
        uow: &mut dyn UnitOfWork,
        id: AgentId,
        now: Instant,
    ) -> Result<bool, Fault> {
        let Some(held) = hold_registration(uow, id)? else { return Ok(false) };
        let Some(agent) = uow.agents().lock(id)? else { return Ok(false) };
        if matches!(held.state, portcullis_registration::State::Claimed(_)) {
            return Ok(false);
        }
        let named = held.kind.address().is_some();
        if agent.owner.is_some() || (named && uow.api_keys().count_live(id, now)? > 0) {
            // An operator gave it an owner or a key: it no longer waits for anybody. Left in the list it
            // would stand in the way of others.
            uow.registrations().remove(held.id)?;
            return Ok(false);
        }
        erase_agent(uow, id)?;
        let event = self.event(Action::AgentDeleted, Actor::System, &Origin::local(), now)?;
        uow.audit().append(&event.with_detail("unclaimed").about_agent(id))?;
        Ok(true)
    }
}
