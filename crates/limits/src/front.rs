use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use portcullis_kernel::Instant;

use crate::{BucketKey, HitLog, Policy, Standing};

/// Buckets remembered at most; about 200 bytes each.
const MOST_BUCKETS: usize = 100_000;

/// What one instance knows of the buckets without asking the database: which are exhausted, and
/// which slices it has leased.
#[derive(Default)]
pub struct Front(Mutex<HashMap<BucketKey, Known>>);

#[derive(Clone, Copy)]
struct Known {
    /// Leased hits not yet used, and until when they may be.
    left: u32,
    until: Instant,
    /// How many the next lease asks for.
    slice: u32,
    /// Refused until then.
    exhausted: Option<Standing>,
    standing: Standing,
}

/// What the front says of one hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Let through, by a lease.
    Granted(Standing),
    /// Refused, as is known from before.
    Exhausted(Standing),
    /// The database must decide; ask it for this.
    Ask(Grant),
}

/// So many hits to ask the database for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How many.
    pub hits: u32,
    /// The time they are stamped with: the end of the lease.
    pub at: Instant,
}

impl Grant {
    /// A single hit, when a larger slice does not fit.
    #[must_use]
    pub fn single(self) -> Self {
        Self { hits: 1, ..self }
    }
}

impl Front {
    /// Whether the bucket is known to be exhausted at `now`. Counts nothing.
    pub fn exhausted(&self, key: &BucketKey, now: Instant) -> Option<Standing> {
        self.lock().get(key)?.exhausted.filter(|standing| now < standing.reset)
    }

    /// Asks for one hit.
    pub fn ask(&self, key: &BucketKey, policy: &Policy, now: Instant) -> Asked {
        let mut buckets = self.lock();
        let Some(known) = buckets.get_mut(key) else {
            return Asked::Ask(Grant { hits: 1, at: now + policy.hold() });
        };
        if let Some(standing) = known.exhausted.filter(|standing| now < standing.reset) {
            return Asked::Exhausted(standing);
        }
        if known.left > 0 && now < known.until {
            known.left -= 1;
            known.standing.remaining = known.standing.remaining.saturating_sub(1);
            return Asked::Granted(known.standing);
        }
        // A slice used up in time asks for twice as much; one that ran out of time, for the least.
        let in_time = now < known.until;
        known.slice = if in_time { (known.slice * 2).min(policy.largest_slice()) } else { 1 };
        Asked::Ask(Grant { hits: known.slice.max(1), at: now + policy.hold() })
    }

    /// Notes what the database granted; one of the hits is used at once.
    pub fn granted(
        &self,
        key: &BucketKey,
        policy: &Policy,
        grant: Grant,
        log: &HitLog,
        now: Instant,
    ) -> Standing {
        let mut standing = log.standing(policy, now);
        let unused = grant.hits.saturating_sub(1);
        standing.remaining = standing.remaining.saturating_add(unused).min(policy.limit);
        if policy.largest_slice() > 1 {
            let mut buckets = self.lock();
            make_room(&mut buckets, now);
            let known = buckets.entry(key.clone()).or_insert(Known {
                left: 0,
                until: grant.at,
                slice: grant.hits,
                exhausted: None,
                standing,
            });
            known.left = if now < known.until { known.left } else { 0 } + unused;
            known.until = grant.at;
            known.exhausted = None;
            known.standing = standing;
        }
        standing
    }

    /// Notes that the database refused, so that it need not be asked before the bucket opens; says
    /// whether that is news.
    pub fn refused(
        &self,
        key: &BucketKey,
        policy: &Policy,
        log: &HitLog,
        now: Instant,
    ) -> (Standing, bool) {
        let standing = Standing { remaining: 0, ..log.standing(policy, now) };
        let mut buckets = self.lock();
        make_room(&mut buckets, now);
        let exhausted = Some(standing);
        let known = Known { left: 0, until: now, slice: 1, exhausted, standing };
        let before = buckets.insert(key.clone(), known).and_then(|known| known.exhausted);
        (standing, before.is_none_or(|before| before.reset <= now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BucketKey, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what no longer says anything; and everything, when that is not enough: the database still
/// knows, so nothing is let through that should not be.
fn make_room(buckets: &mut HashMap<BucketKey, Known>, now: Instant) {
    if buckets.len() < MOST_BUCKETS {
        return;
    }
    buckets.retain(|_, known| {
        now < known.until || known.exhausted.is_some_and(|standing| now < standing.reset)
    });
    if buckets.len() >= MOST_BUCKETS {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const HUNDRED: Policy = Policy::new("hundred", 100, Duration::MINUTE);

    fn at(millis: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::days(19_000) + Duration::milliseconds(millis)
    }

    /// One request through front and store; says whether it was let through, and whether the store
    /// was asked.
    fn hit(front: &Front, store: &mut HitLog, key: &BucketKey, now: Instant) -> (bool, bool) {
        match front.ask(key, &HUNDRED, now) {
            Asked::Granted(_) => (true, false),
            Asked::Exhausted(_) => (false, false),
            Asked::Ask(grant) => {
                for grant in [grant, grant.single()] {
                    if store.charge(&HUNDRED, grant.hits, grant.at, now) {
                        front.granted(key, &HUNDRED, grant, store, now);
                        return (true, true);
                    }
                }
                front.refused(key, &HUNDRED, store, now);
                (false, true)
            }
        }
    }

    #[test]
    fn a_fast_client_gets_exactly_its_limit_for_few_questions() {
        let (front, mut store) = (Front::default(), HitLog::default());
        let key = BucketKey::principal(&HUNDRED, "u");
        let results: Vec<_> = (0..150).map(|i| hit(&front, &mut store, &key, at(i))).collect();
        assert_eq!(results.iter().filter(|(through, _)| *through).count(), 100);
        assert!(results.iter().filter(|(_, asked)| *asked).count() < 25);
        assert!(!results.last().unwrap().1, "an exhausted bucket is refused from memory");
    }

    #[test]
    fn two_instances_never_exceed_the_limit_together() {
        let fronts = [Front::default(), Front::default()];
        let mut store = HitLog::default();
        let key = BucketKey::principal(&HUNDRED, "u");
        let mut through: Vec<i64> = Vec::new();
        for i in 0..4000_i64 {
            let now = i * 37;
            if hit(&fronts[usize::from(i % 3 == 0)], &mut store, &key, at(now)).0 {
                through.push(now);
            }
            let in_window = through.iter().filter(|hit| **hit > now - 60_000).count();
            assert!(in_window <= 100, "{in_window} at {now} ms");
        }
        assert!(through.len() > 180, "the limit is also given out: {}", through.len());
    }

    #[test]
    fn a_slow_client_loses_nothing_to_leases() {
        let (front, mut store) = (Front::default(), HitLog::default());
        let key = BucketKey::principal(&HUNDRED, "u");
        for i in 0..300 {
            assert!(hit(&front, &mut store, &key, at(i * 1000)).0, "request {i}");
        }
    }
}
