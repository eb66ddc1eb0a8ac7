//! What the audit log asks of storage.

use portcullis_kernel::{Instant, StoreResult, UserId};

use crate::AuditEvent;

/// Stores audit events.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AuditRepository {
    /// Adds an event.
    fn append(&mut self, event: &AuditEvent) -> StoreResult<()>;

    /// The newest `limit` events that a user did or suffered, newest first.
    fn list_for(&mut self, user: UserId, limit: u32) -> StoreResult<Vec<AuditEvent>>;

    /// Erases the network addresses from a user's events; says how many events it touched.
    fn pseudonymise(&mut self, user: UserId) -> StoreResult<u64>;

    /// Removes at most `limit` events older than `before`; says how many.
    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}
