use std::sync::Arc;

use portcullis_email::{
    Message,
    ports::{SendError, Transport},
};
use portcullis_flows::Engine;
use portcullis_kernel::{Instant, MailId, causes};

/// Keeps mails in the database, for development.
pub(super) struct Inbox(pub(super) Arc<Engine>);

impl Transport for Inbox {
    fn send(&self, id: MailId, _at: Instant, message: &Message) -> Result<(), SendError> {
        self.0.put_in_inbox(id, message).map_err(|fault| SendError::Temporary(causes(&fault)))
    }
}
