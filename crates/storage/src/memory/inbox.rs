use std::cmp::Reverse;

use portcullis_email::ports::InboxEntry;
use portcullis_kernel::{MailId, StoreResult};

use super::{Unit, tables::Tables};
use crate::InboxRepository;

impl InboxRepository for Unit<'_> {
    fn put(&mut self, entry: &InboxEntry) -> StoreResult<()> {
        self.change(|tables| {
            tables.inbox.put(entry.id, entry.clone());
            Ok(())
        })
    }

    fn list(&mut self, limit: u32) -> StoreResult<Vec<InboxEntry>> {
        self.read(|tables| {
            let mut entries = newest_first(tables);
            entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            entries
        })
    }

    fn find(&mut self, id: MailId) -> StoreResult<Option<InboxEntry>> {
        self.read(|tables| tables.inbox.get(&id).cloned())
    }

    fn trim(&mut self, keep: u32) -> StoreResult<u64> {
        self.change(|tables| {
            let keep = usize::try_from(keep).unwrap_or(usize::MAX);
            let surplus = newest_first(tables).into_iter().skip(keep);
            Ok(surplus.fold(0, |count, entry| {
                count + u64::from(tables.inbox.remove(&entry.id).is_some())
            }))
        })
    }

    fn clear(&mut self) -> StoreResult<u64> {
        self.change(|tables| Ok(tables.inbox.remove_where(u32::MAX, |_, _| true)))
    }
}

fn newest_first(tables: &Tables) -> Vec<InboxEntry> {
    let mut entries: Vec<_> = tables.inbox.values().cloned().collect();
    entries.sort_by_key(|entry| Reverse((entry.received_at, entry.id)));
    entries
}
