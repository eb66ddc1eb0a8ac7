//! What mail asks of storage and of a transport.

use portcullis_kernel::{Instant, MailId, StoreResult};

use crate::{Message, OutboxEntry};

/// Stores what waits to be delivered.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait OutboxRepository {
    /// Adds an entry.
    fn insert(&mut self, entry: &OutboxEntry) -> StoreResult<()>;

    /// Whether an entry sealed by this master key is due.
    fn is_due(&mut self, sealed_by: &str, now: Instant) -> StoreResult<bool>;

    /// Takes the entry that has been due longest among those sealed by this master key, in one
    /// statement: it is due again at `until`, and was taken once more. Of any number of callers one
    /// gets it. The answer is the entry as it is then.
    fn claim(
        &mut self,
        sealed_by: &str,
        now: Instant,
        until: Instant,
    ) -> StoreResult<Option<OutboxEntry>>;

    /// Sets when an entry is due again, if nobody has taken it since `attempt`; says whether so.
    fn postpone(&mut self, id: MailId, attempt: i32, due_at: Instant) -> StoreResult<bool>;

    /// Removes an entry, if nobody has taken it since `attempt`; says whether so.
    fn remove(&mut self, id: MailId, attempt: i32) -> StoreResult<bool>;

    /// Every entry sealed by this master key, held against change until this transaction ends.
    fn lock_sealed_by(&mut self, sealed_by: &str) -> StoreResult<Vec<OutboxEntry>>;

    /// Replaces what is sealed, if `from` is still the master key that sealed it.
    fn reseal(&mut self, id: MailId, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool>;

    /// Removes at most `limit` entries that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// One mail of the local inbox as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its id.
    pub id: MailId,
    /// When it was delivered.
    pub received_at: Instant,
    /// The sealed [`Message`].
    pub sealed: Vec<u8>,
}

/// Stores the mails of the local inbox.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait InboxRepository {
    /// Adds a mail; one with the same id is replaced.
    fn put(&mut self, entry: &InboxEntry) -> StoreResult<()>;

    /// The newest `limit` mails, newest first.
    fn list(&mut self, limit: u32) -> StoreResult<Vec<InboxEntry>>;

    /// The mail with this id.
    fn find(&mut self, id: MailId) -> StoreResult<Option<InboxEntry>>;

    /// Removes all but the newest `keep` mails; says how many.
    fn trim(&mut self, keep: u32) -> StoreResult<u64>;

    /// Removes every mail; says how many.
    fn clear(&mut self) -> StoreResult<u64>;
}

/// Delivers a mail. Blocking; called on a thread of its own.
pub trait Transport: Send + Sync {
    /// Hands the mail over. `id` is the same at every try, for the `Message-ID`; `at` is when the mail
    /// was written, for the `Date`.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again.
    fn send(&self, id: MailId, at: Instant, message: &Message) -> Result<(), SendError>;
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The other side is away or takes nothing at the moment: no other mail would fare better.
    #[error("mail could not be delivered yet: {0}")]
    Temporary(String),
    /// The other side asks for another try of this mail; others may go on.
    #[error("mail is to be delivered later: {0}")]
    Deferred(String),
    /// The other side refused this mail for good.
    #[error("mail was refused: {0}")]
    Refused(String),
}
