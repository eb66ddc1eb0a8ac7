use portcullis_audit::AuditEvent;
use portcullis_credentials::{MailedToken, PasswordHash};
use portcullis_email::{OutboxEntry, ports::InboxEntry};
use portcullis_identity::{EmailChange, Invitation, User};
use portcullis_kernel::{
    AuditEventId, EmailChangeId, Instant, InvitationId, MailId, SessionId, StoreError, StoreResult,
    TokenDigest, UniqueKey, UserId,
};
use portcullis_limits::{BucketKey, HitLog};
use portcullis_tokens::{RefreshRow, Session, SigningKey};

use super::table::{Journal, Table};

/// All tables.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) users: Table<UserId, User>,
    /// The unique key over canonical addresses.
    pub(super) emails: Table<String, UserId>,
    pub(super) known_addresses: Table<(UserId, String), Instant>,
    pub(super) passwords: Table<UserId, PasswordHash>,
    pub(super) sessions: Table<SessionId, Session>,
    pub(super) refresh: Table<TokenDigest, RefreshRow>,
    pub(super) signing_keys: Table<String, SigningKey>,
    pub(super) mailed_tokens: Table<TokenDigest, MailedToken>,
    pub(super) email_changes: Table<EmailChangeId, EmailChange>,
    pub(super) invitations: Table<InvitationId, Invitation>,
    pub(super) outbox: Table<MailId, OutboxEntry>,
    pub(super) inbox: Table<MailId, InboxEntry>,
    pub(super) audit: Table<AuditEventId, AuditEvent>,
    pub(super) buckets: Table<BucketKey, Bucket>,
}

/// A rate-limit bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) log: HitLog,
    /// When its last hit leaves the window.
    pub(super) empty_at: Instant,
}

impl Tables {
    pub(super) fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    pub(super) fn roll_back(&mut self) {
        self.journals().into_iter().for_each(Journal::roll_back);
    }

    /// What a foreign key to the user says.
    pub(super) fn check_user(&self, id: UserId) -> StoreResult<()> {
        check_there(self.users.contains(&id), "user")
    }

    /// Removes a user and everything that belongs to it; says whether it was there.
    pub(super) fn remove_user(&mut self, id: UserId) -> bool {
        let Some(user) = self.users.remove(&id) else { return false };
        self.emails.remove(&user.email.as_str().to_owned());
        self.passwords.remove(&id);
        self.known_addresses.remove_where(u32::MAX, |(owner, _), _| *owner == id);
        for session in self.sessions.keys_where(u32::MAX, |_, session| session.user == id) {
            self.remove_session(session);
        }
        for token in self.mailed_tokens.keys_where(u32::MAX, |_, token| token.user == id) {
            self.remove_mailed_token(&token);
        }
        for change in self.email_changes.keys_where(u32::MAX, |_, change| change.user == id) {
            self.remove_email_change(change);
        }
        self.outbox.remove_where(u32::MAX, |_, entry| entry.user == Some(id));
        true
    }

    /// Removes a session, its refresh tokens and the change of address asked for in it; says whether
    /// it was there.
    pub(super) fn remove_session(&mut self, id: SessionId) -> bool {
        self.refresh.remove_where(u32::MAX, |_, token| token.session == id);
        for change in self.email_changes.keys_where(u32::MAX, |_, change| change.session == id) {
            self.remove_email_change(change);
        }
        self.sessions.remove(&id).is_some()
    }

    /// Removes a mailed token and its mail; says whether it was there.
    pub(super) fn remove_mailed_token(&mut self, digest: &TokenDigest) -> bool {
        self.outbox.remove_where(u32::MAX, |_, entry| entry.token.as_ref() == Some(digest));
        self.mailed_tokens.remove(digest).is_some()
    }

    /// Removes a change of address and its mail; says whether it was there.
    pub(super) fn remove_email_change(&mut self, id: EmailChangeId) -> bool {
        self.outbox.remove_where(u32::MAX, |_, entry| entry.change == Some(id));
        self.email_changes.remove(&id).is_some()
    }

    /// Removes an invitation and its mail; says whether it was there.
    pub(super) fn remove_invitation(&mut self, id: InvitationId) -> bool {
        self.outbox.remove_where(u32::MAX, |_, entry| entry.invitation == Some(id));
        self.invitations.remove(&id).is_some()
    }

    fn journals(&mut self) -> [&mut dyn Journal; 14] {
        [
            &mut self.users,
            &mut self.emails,
            &mut self.known_addresses,
            &mut self.passwords,
            &mut self.sessions,
            &mut self.refresh,
            &mut self.signing_keys,
            &mut self.mailed_tokens,
            &mut self.email_changes,
            &mut self.invitations,
            &mut self.outbox,
            &mut self.inbox,
            &mut self.audit,
            &mut self.buckets,
        ]
    }
}

/// What a unique key says to the row it would have to hold twice.
pub(super) fn check_free(taken: bool, key: UniqueKey) -> StoreResult<()> {
    if taken { Err(StoreError::Conflict(key)) } else { Ok(()) }
}

/// What a foreign key says to the row that would refer to nothing.
pub(super) fn check_there(there: bool, what: &str) -> StoreResult<()> {
    if there { Ok(()) } else { Err(StoreError::Failed(format!("there is no such {what}").into())) }
}
