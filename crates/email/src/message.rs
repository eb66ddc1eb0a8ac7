use std::fmt;

use portcullis_kernel::{Instant, MailId};
use serde::{Deserialize, Serialize};

/// A mail that is ready to leave: one recipient, two spellings of one text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The address of the one recipient, and nothing else.
    pub to: String,
    /// The subject: one line, no secret.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A mail of the local inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// Its id.
    pub id: MailId,
    /// When it was delivered.
    pub received_at: Instant,
    /// The mail.
    pub message: Message,
}
