use portcullis_audit::{Action, Actor};
use portcullis_kernel::{AgentId, Instant, Origin};
use portcullis_registration::State;
use portcullis_storage::{StorageExt, UnitOfWork};

use super::hold_registration;
use crate::{Engine, Fault, agents::erase_agent};

/// Agents that are looked up at once; each is erased by a transaction of its own.
const BATCH: u32 = 100;
/// Batches of one sweep, which comes every minute: more than the sign-ups that raise an alarm.
const MOST_BATCHES: u32 = 40;

impl Engine {
    /// Erases agents that nobody claimed: those for an address once they can no longer be claimed, and
    /// anonymous ones when their life is over, with the credits that they have. One for an address that
    /// an operator gave a key stays.
    pub(crate) fn erase_unclaimed(&self, now: Instant) -> Result<u64, Fault> {
        let lifetime = self.options.agent_registration.anonymous_lifetime;
        let anonymous_before = lifetime.map(|lifetime| now - lifetime);
        let mut erased = 0;
        for _ in 0..MOST_BATCHES {
            let stale = self
                .storage
                .read(|uow| uow.registrations().list_unclaimed(now, anonymous_before, BATCH))?;
            // Each of them leaves the list: it goes, or its registration does.
            let last = stale.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
            for agent in stale {
                let gone = self.storage.transact(|uow| self.erase_stale(uow, agent, now))?;
                erased += u64::from(gone);
            }
            if last {
                break;
            }
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
        let claimed = matches!(held.state, State::Claimed(_));
        if claimed || uow.agents().lock(id)?.is_none() {
            return Ok(false);
        }
        let named = held.kind.address().is_some();
        if named && uow.api_keys().count_live(id, now)? > 0 {
            // An operator gave it a key: it no longer waits for anybody. Left in the list it would stand
            // in the way of others.
            uow.registrations().remove(held.id)?;
            return Ok(false);
        }
        erase_agent(uow, id)?;
        let event = self.event(Action::AgentDeleted, Actor::System, &Origin::local(), now)?;
        uow.audit().append(&event.with_detail("unclaimed").about_agent(id))?;
        Ok(true)
    }
}
