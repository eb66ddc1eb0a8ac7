use portcullis_audit::AuditEvent;
use portcullis_kernel::{AgentId, AuditEventId, Page, Slice};
use portcullis_storage::StorageExt;

use crate::{Engine, Fault};

impl Engine {
    /// What an agent did and suffered, newest first.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_agent_events(
        &self,
        agent: AgentId,
        slice: &Slice<AuditEventId>,
    ) -> Result<Page<AuditEvent>, Fault> {
        Ok(self.storage.read(|uow| uow.audit().list_for_agent(agent, slice))?)
    }
}
