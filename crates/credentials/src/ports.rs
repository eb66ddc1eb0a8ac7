//! What credentials ask of storage.

use portcullis_kernel::{Instant, StoreResult, UserId};

use crate::PasswordHash;

/// Stores the password hash of each user that has a password.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait PasswordRepository {
    /// Sets the user's hash, whether there was one or not.
    fn put(&mut self, user: UserId, hash: &PasswordHash, now: Instant) -> StoreResult<()>;

    /// The user's hash.
    fn find(&mut self, user: UserId) -> StoreResult<Option<PasswordHash>>;

    /// Replaces the hash if it is still `old`; says whether it was.
    fn replace(
        &mut self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: Instant,
    ) -> StoreResult<bool>;
}
