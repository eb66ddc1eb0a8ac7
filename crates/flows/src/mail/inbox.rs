use portcullis_email::{InboxMessage, Message, ports::InboxEntry};
use portcullis_kernel::MailId;
use portcullis_storage::StorageExt;

use crate::{Engine, Fault};

/// Mails that the local inbox keeps.
const KEPT: u32 = 200;

impl Engine {
    /// Keeps a mail in the local inbox, which exists for development.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn put_in_inbox(&self, id: MailId, message: &Message) -> Result<(), Fault> {
        let plain = serde_json::to_vec(message)?;
        let sealed = self.master_key.seal(&seal_context(id), &plain, self.entropy.as_ref())?;
        let entry = InboxEntry { id, received_at: self.now(), sealed };
        self.storage.transact(|uow| {
            uow.inbox().put(&entry)?;
            uow.inbox().trim(KEPT)?;
            Ok(())
        })
    }

    /// The mails of the local inbox, newest first.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_inbox(&self) -> Result<Vec<InboxMessage>, Fault> {
        let entries = self.storage.read(|uow| uow.inbox().list(KEPT))?;
        // What another master key sealed is nobody's any more.
        Ok(entries.iter().filter_map(|entry| self.open_inbox(entry).ok()).collect())
    }

    /// One mail of the local inbox, if it can still be opened.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn find_in_inbox(&self, id: MailId) -> Result<Option<InboxMessage>, Fault> {
        let entry = self.storage.read(|uow| uow.inbox().find(id))?;
        Ok(entry.and_then(|entry| self.open_inbox(&entry).ok()))
    }

    /// Empties the local inbox.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn clear_inbox(&self) -> Result<(), Fault> {
        self.storage.statement(|uow| uow.inbox().clear())?;
        Ok(())
    }

    fn open_inbox(&self, entry: &InboxEntry) -> Result<InboxMessage, Fault> {
        let plain = self.master_key.open(&seal_context(entry.id), &entry.sealed)?;
        let message = serde_json::from_slice(&plain)?;
        Ok(InboxMessage { id: entry.id, received_at: entry.received_at, message })
    }
}

fn seal_context(id: MailId) -> String {
    format!("inbox/{id}")
}
