use portcullis_kernel::{CodeMac, EmailChangeId, Instant, SessionId, UserId};

use crate::EmailAddress;

/// A change of address that waits for the code mailed to the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailChange {
    /// Its id, to which the code is bound.
    pub id: EmailChangeId,
    /// Whose address is to change.
    pub user: UserId,
    /// The session that asked, and that alone may confirm.
    pub session: SessionId,
    /// The new address.
    pub email: EmailAddress,
    /// The code's stored form.
    pub code: CodeMac,
    /// Tries taken at the code.
    pub tries: u32,
    /// When it was asked for.
    pub created_at: Instant,
    /// From when on it is dead.
    pub expires_at: Instant,
}
