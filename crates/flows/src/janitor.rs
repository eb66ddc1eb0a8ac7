use portcullis_kernel::{Instant, StoreResult};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use crate::{Engine, Fault};

/// Rows removed by one statement, so that none holds locks for long.
const BATCH: u32 = 500;
/// Statements of one kind in one round.
const MOST_BATCHES: u32 = 40;
/// How long a removed signing key is kept for the record.
const KEEP_REMOVED_KEYS: Duration = Duration::days(90);

/// How many rows one round removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Refresh tokens and sessions.
    pub sessions: u64,
    /// Rate-limit buckets.
    pub buckets: u64,
    /// Addresses users signed in from.
    pub addresses: u64,
    /// Audit events.
    pub events: u64,
    /// Signing keys.
    pub keys: u64,
    /// Mailed tokens, codes and invitations that expired.
    pub mailed: u64,
    /// Agents that nobody claimed, attempts to claim them, API keys that have been dead for long, and
    /// networks that agents no longer work from.
    pub agents: u64,
    /// Access tokens that need not be remembered as dead.
    pub spent_tokens: u64,
    /// Mails that were not delivered in time.
    pub mails: u64,
}

impl Engine {
    /// Removes what nothing can need any more. Any number of instances may do so at once.
    ///
    /// # Errors
    /// A fault of this side; what was removed before it stays removed.
    pub fn clean(&self) -> Result<Cleaned, Fault> {
        let now = self.now();
        let addresses_before = now - self.options.limits.known_address_for;
        let events_before = now - self.options.audit_retention;
        let keys_before = now - self.options.agents.keep_dead_keys;
        let networks_before = now - self.options.agents.known_network_for;
        Ok(Cleaned {
            sessions: self.in_batches(|uow| uow.sessions().delete_dead(now, BATCH))?,
            buckets: self.in_batches(|uow| uow.rate_limits().delete_empty(now, BATCH))?,
            addresses: self
                .in_batches(|uow| uow.known_addresses().delete_before(addresses_before, BATCH))?,
            events: self.in_batches(|uow| uow.audit().delete_before(events_before, BATCH))?,
            keys: self.delete_removed_keys(now)?,
            mailed: self.in_batches(|uow| uow.mailed_tokens().delete_expired(now, BATCH))?
                + self.in_batches(|uow| uow.email_changes().delete_expired(now, BATCH))?
                + self.in_batches(|uow| uow.invitations().delete_expired(now, BATCH))?
                + self.in_batches(|uow| uow.agent_tokens().delete_expired(now, BATCH))?
                + self.in_batches(|uow| uow.recoveries().delete_expired(now, BATCH))?,
            agents: self.erase_unclaimed(now)?
                + self.in_batches(|uow| uow.registrations().delete_dead_attempts(now, BATCH))?
                + self.in_batches(|uow| uow.api_keys().delete_dead(keys_before, BATCH))?
                + self
                    .in_batches(|uow| uow.agent_networks().delete_before(networks_before, BATCH))?,
            spent_tokens: self.in_batches(|uow| uow.spent_tokens().delete_expired(now, BATCH))?,
            mails: self.in_batches(|uow| uow.outbox().delete_expired(now, BATCH))?,
        })
    }

    fn in_batches(
        &self,
        mut batch: impl FnMut(&mut dyn UnitOfWork) -> StoreResult<u64>,
    ) -> StoreResult<u64> {
        let mut sum = 0;
        for _ in 0..MOST_BATCHES {
            let removed = self.storage.transact(&mut batch)?;
            sum += removed;
            if removed < u64::from(BATCH) {
                break;
            }
        }
        Ok(sum)
    }

    fn delete_removed_keys(&self, now: Instant) -> StoreResult<u64> {
        let before = now - KEEP_REMOVED_KEYS;
        self.storage.statement(|uow| uow.signing_keys().delete_removed(before))
    }
}
