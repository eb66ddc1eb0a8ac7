use std::cmp::Reverse;

use portcullis_audit::AuditEvent;
use portcullis_kernel::{Instant, StoreResult, UniqueKey, UserId};

use super::{Unit, tables::check_free};
use crate::AuditRepository;

impl AuditRepository for Unit<'_> {
    fn append(&mut self, event: &AuditEvent) -> StoreResult<()> {
        self.change(|tables| {
            check_free(tables.audit.contains(&event.id), UniqueKey::Other)?;
            tables.audit.put(event.id, event.clone());
            Ok(())
        })
    }

    fn list_for(&mut self, user: UserId, limit: u32) -> StoreResult<Vec<AuditEvent>> {
        self.read(|tables| {
            let theirs = tables.audit.values().filter(|event| concerns(event, user));
            let mut events: Vec<_> = theirs.cloned().collect();
            events.sort_by_key(|event| Reverse((event.at, event.id)));
            events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            events
        })
    }

    fn pseudonymise(&mut self, user: UserId) -> StoreResult<u64> {
        self.change(|tables| {
            let told = tables
                .audit
                .keys_where(u32::MAX, |_, event| concerns(event, user) && event.client.is_some());
            Ok(told.into_iter().fold(0, |count, id| {
                count + u64::from(tables.audit.update(&id, |event| event.client = None))
            }))
        })
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| Ok(tables.audit.remove_where(limit, |_, event| event.at < before)))
    }
}

/// Whether the user did or suffered it.
fn concerns(event: &AuditEvent, user: UserId) -> bool {
    event.actor.user() == Some(user) || event.subject == Some(user)
}
