//! What credentials ask of storage.

use portcullis_kernel::{Instant, StoreResult, TokenDigest, UserId};

use crate::{MailedKind, MailedToken, PasswordHash};

/// Stores the password hash of each user that has a password.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait PasswordRepository {
    /// Sets the user's hash, whether there was one or not.
    fn put(&mut self, user: UserId, hash: &PasswordHash, now: Instant) -> StoreResult<()>;

    /// The user's hash.
    fn find(&mut self, user: UserId) -> StoreResult<Option<PasswordHash>>;

    /// Takes the user's password away; says whether there was one.
    fn remove(&mut self, user: UserId) -> StoreResult<bool>;

    /// Replaces the hash if it is still `old`; says whether it was.
    fn replace(
        &mut self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: Instant,
    ) -> StoreResult<bool>;
}

/// Stores mailed tokens. A user has at most one of each kind.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait MailedTokenRepository {
    /// Adds a token, and removes the one of the same user and kind that was there before, with the
    /// mail of that one if it still waits.
    fn put(&mut self, token: &MailedToken) -> StoreResult<()>;

    /// The token of this kind with this digest, if it has not expired.
    fn find(
        &mut self,
        kind: MailedKind,
        digest: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<MailedToken>>;

    /// Spends the token: removes it, with its mail if that still waits. Of any number of callers one
    /// is told `true`. An expired token is not spent.
    fn spend(&mut self, kind: MailedKind, digest: &TokenDigest, now: Instant) -> StoreResult<bool>;

    /// Removes the user's tokens of this kind, with their mails; says how many.
    fn remove(&mut self, user: UserId, kind: MailedKind) -> StoreResult<u64>;

    /// Removes at most `limit` tokens that expired at or before `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}
