use portcullis_audit::AuditEvent;
use portcullis_credentials::PasswordHash;
use portcullis_identity::User;
use portcullis_kernel::{
    AuditEventId, Instant, SessionId, StoreError, StoreResult, TokenDigest, UniqueKey, UserId,
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
        if self.users.contains(&id) {
            Ok(())
        } else {
            Err(StoreError::Failed(format!("there is no user {id}").into()))
        }
    }

    /// Removes a session and its refresh tokens; says whether it was there.
    pub(super) fn remove_session(&mut self, id: SessionId) -> bool {
        self.refresh.remove_where(u32::MAX, |_, token| token.session == id);
        self.sessions.remove(&id).is_some()
    }

    fn journals(&mut self) -> [&mut dyn Journal; 9] {
        [
            &mut self.users,
            &mut self.emails,
            &mut self.known_addresses,
            &mut self.passwords,
            &mut self.sessions,
            &mut self.refresh,
            &mut self.signing_keys,
            &mut self.audit,
            &mut self.buckets,
        ]
    }
}

/// What a unique key says to the row it would have to hold twice.
pub(super) fn check_free(taken: bool, key: UniqueKey) -> StoreResult<()> {
    if taken { Err(StoreError::Conflict(key)) } else { Ok(()) }
}
