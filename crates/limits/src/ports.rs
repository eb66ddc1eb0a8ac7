//! What rate limits ask of storage.

use portcullis_kernel::{Instant, StoreResult};

use crate::{BucketKey, HitLog, Policy};

/// Stores buckets.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait RateLimitRepository {
    /// Adds `n` hits stamped `at` in one conditional write, if the limit allows all of them at
    /// `now`; the answer is the log afterwards, or `None` with nothing written.
    fn charge(
        &mut self,
        key: &BucketKey,
        policy: &Policy,
        n: u32,
        at: Instant,
        now: Instant,
    ) -> StoreResult<Option<HitLog>>;

    /// The bucket's log.
    fn find(&mut self, key: &BucketKey) -> StoreResult<Option<HitLog>>;

    /// Takes back one hit stamped `at`; says whether it was there.
    fn refund(&mut self, key: &BucketKey, at: Instant) -> StoreResult<bool>;

    /// Removes at most `limit` buckets whose hits have all left the window; says how many.
    fn delete_empty(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}
