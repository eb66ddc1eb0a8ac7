use portcullis_email::OutboxEntry;
use portcullis_kernel::{Instant, MailId, StoreResult, UniqueKey};

use super::{
    Unit,
    tables::{check_free, check_there},
};
use crate::OutboxRepository;

impl OutboxRepository for Unit<'_> {
    fn insert(&mut self, entry: &OutboxEntry) -> StoreResult<()> {
        self.change(|tables| {
            let user = entry.user.is_none_or(|id| tables.users.contains(&id));
            check_there(user, "user")?;
            let token = entry.token.is_none_or(|digest| tables.mailed_tokens.contains(&digest));
            check_there(token, "mailed token")?;
            let change = entry.change.is_none_or(|id| tables.email_changes.contains(&id));
            check_there(change, "change of address")?;
            let invitation = entry.invitation.is_none_or(|id| tables.invitations.contains(&id));
            check_there(invitation, "invitation")?;
            entry.agent.map_or(Ok(()), |id| tables.check_agent(id))?;
            let token =
                entry.agent_token.is_none_or(|digest| tables.agent_tokens.contains(&digest));
            check_there(token, "token of an agent")?;
            let recovery = entry.recovery.is_none_or(|id| tables.recoveries.contains(&id));
            check_there(recovery, "recovery request")?;
            let claim = entry.claim.is_none_or(|id| tables.claim_attempts.contains(&id));
            check_there(claim, "attempt to claim")?;
            check_free(tables.outbox.contains(&entry.id), UniqueKey::Other)?;
            tables.outbox.put(entry.id, entry.clone());
            Ok(())
        })
    }

    fn is_due(&mut self, sealed_by: &str, now: Instant) -> StoreResult<bool> {
        self.read(|tables| tables.outbox.values().any(|entry| is_due(entry, sealed_by, now)))
    }

    fn claim(
        &mut self,
        sealed_by: &str,
        now: Instant,
        until: Instant,
    ) -> StoreResult<Option<OutboxEntry>> {
        self.change(|tables| {
            let due = tables.outbox.values().filter(|entry| is_due(entry, sealed_by, now));
            let Some(id) = due.min_by_key(|entry| (entry.due_at, entry.id)).map(|entry| entry.id)
            else {
                return Ok(None);
            };
            tables.outbox.update(&id, |entry| {
                entry.due_at = until;
                entry.attempts += 1;
            });
            Ok(tables.outbox.get(&id).cloned())
        })
    }

    fn postpone(&mut self, id: MailId, attempt: i32, due_at: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let held = tables.outbox.get(&id).is_some_and(|entry| entry.attempts == attempt);
            Ok(held && tables.outbox.update(&id, |entry| entry.due_at = due_at))
        })
    }

    fn remove(&mut self, id: MailId, attempt: i32) -> StoreResult<bool> {
        self.change(|tables| {
            let held = tables.outbox.get(&id).is_some_and(|entry| entry.attempts == attempt);
            Ok(held && tables.outbox.remove(&id).is_some())
        })
    }

    fn lock_sealed_by(&mut self, sealed_by: &str) -> StoreResult<Vec<OutboxEntry>> {
        self.change(|tables| {
            let entries = tables.outbox.values().filter(|entry| entry.sealed_by == sealed_by);
            Ok(entries.cloned().collect())
        })
    }

    fn reseal(&mut self, id: MailId, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool> {
        self.change(|tables| {
            let still = tables.outbox.get(&id).is_some_and(|entry| entry.sealed_by == from);
            Ok(still
                && tables.outbox.update(&id, |entry| {
                    entry.sealed = sealed.to_vec();
                    to.clone_into(&mut entry.sealed_by);
                }))
        })
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.outbox.remove_where(limit, |_, entry| entry.expires_at <= now))
        })
    }
}

fn is_due(entry: &OutboxEntry, sealed_by: &str, now: Instant) -> bool {
    entry.sealed_by == sealed_by && entry.due_at <= now
}
