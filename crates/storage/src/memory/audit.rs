use std::cmp::Reverse;

use portcullis_audit::AuditEvent;
use portcullis_kernel::{
    AgentId, AuditEventId, Instant, Page, Place, Slice, StoreResult, UniqueKey, UserId,
};

use super::{
    Unit,
    tables::{Tables, check_free},
};
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

    fn list_for_agent(
        &mut self,
        agent: AgentId,
        slice: &Slice<AuditEventId>,
    ) -> StoreResult<Page<AuditEvent>> {
        let place = |event: &AuditEvent| Place { at: event.at, id: event.id };
        self.read(|tables| tables.audit.slice(slice, place, |event| event.agent == Some(agent)))
    }

    fn pseudonymise(&mut self, user: UserId) -> StoreResult<u64> {
        self.change(|tables| Ok(erase_clients(tables, |event| concerns(event, user))))
    }

    fn pseudonymise_agent(&mut self, agent: AgentId) -> StoreResult<u64> {
        self.change(|tables| Ok(erase_clients(tables, |event| event.agent == Some(agent))))
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| Ok(tables.audit.remove_where(limit, |_, event| event.at < before)))
    }
}

fn erase_clients(tables: &mut Tables, wanted: impl Fn(&AuditEvent) -> bool) -> u64 {
    let told =
        tables.audit.keys_where(u32::MAX, |_, event| wanted(event) && event.client.is_some());
    told.into_iter().fold(0, |count, id| {
        count + u64::from(tables.audit.update(&id, |event| event.client = None))
    })
}

/// Whether the user did or suffered it.
fn concerns(event: &AuditEvent, user: UserId) -> bool {
    event.actor.user() == Some(user) || event.subject == Some(user)
}
