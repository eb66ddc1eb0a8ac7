//! What the log says of mails: never to whom, and never what is in them.

use std::sync::{Mutex, PoisonError};

use portcullis_email::{TemplateError, ports::SendError};
use portcullis_flows::mail::Claimed;
use portcullis_kernel::Instant;

use crate::health::Health;

/// Whether mail leaves, as all threads together see it.
pub(super) struct Flow(Mutex<Health>);

impl Default for Flow {
    fn default() -> Self {
        Self(Mutex::new(Health::new("sending mail")))
    }
}

impl Flow {
    pub(super) fn delivered(&self, mail: &Claimed) {
        self.with(Health::worked);
        let (id, kind, attempt) = facts(mail);
        let request_id = mail.letter.asked.request_id.as_deref();
        tracing::info!(%id, kind, attempt, request_id, "mail delivered");
    }

    /// `again` is when it is tried again, where that could be written down.
    pub(super) fn postponed(&self, mail: &Claimed, error: &SendError, again: Option<Instant>) {
        let (id, kind, attempt) = facts(mail);
        let cause = without_address(&error.to_string(), &mail.letter.to);
        self.with(|health| health.hindered(&cause));
        let again_at = again.map(|at| at.to_string());
        tracing::debug!(%id, kind, attempt, cause, again_at, "mail postponed");
    }

    /// The server is well; this mail alone has to wait.
    pub(super) fn deferred(&self, mail: &Claimed, error: &SendError, again: Option<Instant>) {
        self.with(Health::worked);
        let (id, kind, attempt) = facts(mail);
        let cause = without_address(&error.to_string(), &mail.letter.to);
        let again_at = again.map(|at| at.to_string());
        tracing::info!(%id, kind, attempt, cause, again_at, "mail deferred by the mail server");
    }

    pub(super) fn refused(&self, mail: &Claimed, error: &SendError) {
        // Whoever refuses one mail takes others.
        self.with(Health::worked);
        let (id, kind, attempt) = facts(mail);
        let cause = without_address(&error.to_string(), &mail.letter.to);
        let request_id = mail.letter.asked.request_id.as_deref();
        tracing::error!(
            %id, kind, attempt, request_id, cause,
            "a mail was refused for good and is not sent; when this goes on, look at mail.from and \
             at what the mail server has against it (`portcullis mail test` sends another)"
        );
    }

    fn with(&self, tell: impl FnOnce(&mut Health)) {
        tell(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

pub(super) fn unwritable(mail: &Claimed, error: &TemplateError) {
    let (id, kind, attempt) = facts(mail);
    tracing::error!(%id, kind, attempt, cause = %error, "a mail cannot be written and is not sent");
}

fn facts(mail: &Claimed) -> (portcullis_kernel::MailId, &'static str, i32) {
    (mail.id, mail.letter.content.kind(), mail.attempt())
}

/// A mail server's reply often names the address that it refuses.
fn without_address(text: &str, address: &str) -> String {
    if address.is_empty() {
        return text.to_owned();
    }
    // ASCII alone is folded, so that every place is the same in both.
    let (lower, wanted) = (text.to_ascii_lowercase(), address.to_ascii_lowercase());
    let mut told = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in lower.match_indices(&wanted) {
        told.push_str(text.get(from..at).unwrap_or_default());
        told.push_str("(its address)");
        from = at + wanted.len();
    }
    told.push_str(text.get(from..).unwrap_or_default());
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_a_reply_is_told_without_the_address() {
        for (text, told) in [
            ("550 5.1.1 <Jane@Example.com>: unknown", "550 5.1.1 <(its address)>: unknown"),
            ("jane@example.com jane@example.com", "(its address) (its address)"),
            ("é jane@example.com é", "é (its address) é"),
            ("451 try again", "451 try again"),
            ("", ""),
        ] {
            assert_eq!(without_address(text, "jane@example.COM"), told);
        }
        assert_eq!(without_address("451", ""), "451");
    }
}
