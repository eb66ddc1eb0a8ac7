use portcullis_kernel::{Instant, StoreResult};
use portcullis_limits::{BucketKey, HitLog, Policy};

use super::{Unit, tables::Bucket};
use crate::RateLimitRepository;

impl RateLimitRepository for Unit<'_> {
    fn charge(
        &mut self,
        key: &BucketKey,
        policy: &Policy,
        n: u32,
        at: Instant,
        now: Instant,
    ) -> StoreResult<Option<HitLog>> {
        self.change(|tables| {
            let old = tables.buckets.get(key).cloned();
            let mut log = old.as_ref().map(|bucket| bucket.log.clone()).unwrap_or_default();
            if !log.charge(policy, n, at, now) {
                return Ok(None);
            }
            let empty_at = HitLog::empty_at(policy, at);
            let empty_at = old.map_or(empty_at, |bucket| bucket.empty_at.max(empty_at));
            tables.buckets.put(key.clone(), Bucket { log: log.clone(), empty_at });
            Ok(Some(log))
        })
    }

    fn find(&mut self, key: &BucketKey) -> StoreResult<Option<HitLog>> {
        self.read(|tables| tables.buckets.get(key).map(|bucket| bucket.log.clone()))
    }

    fn refund(&mut self, key: &BucketKey, at: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let mut taken = false;
            tables.buckets.update(key, |bucket| taken = bucket.log.refund(at));
            Ok(taken)
        })
    }

    fn delete_empty(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.buckets.remove_where(limit, |_, bucket| bucket.empty_at <= now))
        })
    }
}
