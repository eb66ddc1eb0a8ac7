//! What the audit log asks of storage.

use portcullis_kernel::{AgentId, AuditEventId, Instant, Page, Slice, StoreResult, UserId};

use crate::AuditEvent;

/// Stores audit events.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AuditRepository {
    /// Adds an event.
    fn append(&mut self, event: &AuditEvent) -> StoreResult<()>;

    /// The newest `limit` events that a user did or suffered, newest first.
    fn list_for(&mut self, user: UserId, limit: u32) -> StoreResult<Vec<AuditEvent>>;

    /// The events by or to an agent, newest first.
    fn list_for_agent(
        &mut self,
        agent: AgentId,
        slice: &Slice<AuditEventId>,
    ) -> StoreResult<Page<AuditEvent>>;

    /// Erases the network addresses from a user's events; says how many events it touched.
    fn pseudonymise(&mut self, user: UserId) -> StoreResult<u64>;

    /// Erases the network addresses from an agent's events; says how many events it touched.
    fn pseudonymise_agent(&mut self, agent: AgentId) -> StoreResult<u64>;

    /// Removes at most `limit` events older than `before`; says how many.
    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}
