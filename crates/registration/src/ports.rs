//! What registrations ask of storage.

use portcullis_kernel::{
    AgentId, ClaimAttemptId, Instant, RegistrationId, StoreResult, TokenDigest,
};

use crate::{ClaimAttempt, Decision, Registration};

/// Stores registrations and the attempts to claim them.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait RegistrationRepository {
    /// Stores a new registration.
    fn insert(&mut self, registration: &Registration) -> StoreResult<()>;

    /// The registration with this claim token, held against change.
    fn lock_by_claim(&mut self, claim: &TokenDigest) -> StoreResult<Option<Registration>>;

    /// The registration with this view token, held against change.
    fn lock_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>>;

    /// The registration of this attempt, if that is still the one that counts, held against change.
    fn lock_by_attempt(&mut self, id: ClaimAttemptId) -> StoreResult<Option<Registration>>;

    /// The registration that is undone with this token, held against change.
    fn lock_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>>;

    /// The registration with this view token.
    fn find_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>>;

    /// The registration that is undone with this token.
    fn find_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>>;

    /// The registration that made this agent.
    fn find_by_agent(&mut self, agent: AgentId) -> StoreResult<Option<Registration>>;

    /// Ends an open registration; says whether it was open. Its attempt goes, and mails about it.
    fn decide(
        &mut self,
        id: RegistrationId,
        decision: &Decision,
        now: Instant,
    ) -> StoreResult<bool>;

    /// Removes a registration; its agent stays. Says whether it was there.
    fn remove(&mut self, id: RegistrationId) -> StoreResult<bool>;

    /// Takes away what undoes a claim; says whether it was there.
    fn forget_undo(&mut self, id: RegistrationId) -> StoreResult<bool>;

    /// The attempt of a registration.
    fn attempt(&mut self, id: RegistrationId) -> StoreResult<Option<ClaimAttempt>>;

    /// Puts an attempt in the place of the registration's earlier one, which goes with the mails about it.
    /// One with a code counts as a code of the registration.
    fn put_attempt(&mut self, attempt: &ClaimAttempt) -> StoreResult<()>;

    /// Counts a try, if fewer than `most` were counted; says whether it did.
    fn take_try(&mut self, id: ClaimAttemptId, most: u32) -> StoreResult<bool>;

    /// Takes back a try that turned out right.
    fn give_back_try(&mut self, id: ClaimAttemptId) -> StoreResult<()>;

    /// Agents whose registration nobody claimed: those for an address that could be claimed until
    /// `claimable_until` at the latest, and, where a time is given, anonymous ones from before it. The
    /// oldest first.
    fn list_unclaimed(
        &mut self,
        claimable_until: Instant,
        anonymous_before: Option<Instant>,
        limit: u32,
    ) -> StoreResult<Vec<AgentId>>;

    /// Removes attempts whose code has been dead since before this time; says how many.
    fn delete_dead_attempts(&mut self, before: Instant, limit: u32) -> StoreResult<u64>;
}
