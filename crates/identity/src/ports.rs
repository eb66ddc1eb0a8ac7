//! What identity asks of storage.

#![cfg_attr(
    feature = "mock",
    allow(clippy::ref_option_ref, reason = "what mockall makes of an argument `Option<&T>`")
)]

use portcullis_kernel::{Instant, Page, PageRequest, StoreResult, UserId};

use crate::{DisplayName, Role, User, UserFilter, UserStatus};

/// Stores users. Changing calls say whether a row was there to change.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait UserRepository {
    /// Adds a user.
    ///
    /// # Errors
    /// `Conflict(UserEmail)` when the canonical address is taken.
    fn insert(&mut self, user: &User) -> StoreResult<()>;

    /// The user with this id.
    fn find(&mut self, id: UserId) -> StoreResult<Option<User>>;

    /// Whether the user may act, held so until this transaction ends: a suspension or deletion waits
    /// for it, or was there first. To be asked before anything else of the user is locked.
    fn hold_active(&mut self, id: UserId) -> StoreResult<bool>;

    /// The user with this canonical address.
    fn find_by_email(&mut self, canonical: &str) -> StoreResult<Option<User>>;

    /// Users in the order of their ids (so, of their making), filtered.
    fn list(&mut self, filter: &UserFilter, page: &PageRequest) -> StoreResult<Page<User>>;

    /// Sets or clears the name shown to others.
    #[cfg_attr(feature = "mock", mockall::concretize)]
    fn set_display_name(&mut self, id: UserId, name: Option<&DisplayName>) -> StoreResult<bool>;

    /// Sets the role.
    fn set_role(&mut self, id: UserId, role: Role) -> StoreResult<bool>;

    /// Sets the state.
    fn set_status(&mut self, id: UserId, status: UserStatus) -> StoreResult<bool>;

    /// Removes the user and everything that belongs to it: password, sessions, refresh tokens.
    fn delete(&mut self, id: UserId) -> StoreResult<bool>;
}

/// Remembers from which client addresses a user has signed in, so that a limit on an account cannot
/// shut its owner out.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait KnownAddressRepository {
    /// Notes a sign-in from this address.
    fn touch(&mut self, user: UserId, address: &str, now: Instant) -> StoreResult<()>;

    /// Whether the user signed in from this address at or after `since`.
    fn is_known(&mut self, user: UserId, address: &str, since: Instant) -> StoreResult<bool>;

    /// Removes at most `limit` addresses not seen since `before`; says how many.
    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}
