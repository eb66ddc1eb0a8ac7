//! Cases of [`RateLimitRepository`](crate::RateLimitRepository).

use portcullis_kernel::Instant;
use portcullis_limits::{BucketKey, HitLog, Policy};
use time::Duration;

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::Storage;

case_list! {
    charges_and_refunds_are_those_of_the_hit_log,
    charges_of_unequal_clocks_are_those_of_the_hit_log,
    more_hits_at_once_than_the_limit_are_refused,
    a_refused_charge_writes_nothing,
    buckets_are_counted_apart,
    of_many_charges_at_once_the_limit_succeeds,
    of_many_slices_at_once_the_limit_is_given_away,
    a_refund_opens_one_place,
    a_refund_never_matches_across_two_hits,
}

const FIVE: Policy = Policy::new("contract", 5, Duration::minutes(15));

fn key(lab: &Lab<'_>) -> BucketKey {
    BucketKey::principal(&FIVE, lab.tag())
}

fn charge(lab: &Lab<'_>, key: &BucketKey, policy: &Policy, n: u32, now: Instant) -> bool {
    lab.statement(|uow| uow.rate_limits().charge(key, policy, n, now, now)).is_some()
}

fn find(lab: &Lab<'_>, key: &BucketKey) -> Option<HitLog> {
    lab.read(|uow| uow.rate_limits().find(key))
}

/// Charges in storage and in a log of its own, and compares.
fn charge_both(
    lab: &Lab<'_>,
    (key, log): (&BucketKey, &mut HitLog),
    policy: &Policy,
    n: u32,
    [at, now]: [Instant; 2],
) -> bool {
    let stored = lab.statement(|uow| uow.rate_limits().charge(key, policy, n, at, now));
    let accepted = log.charge(policy, n, at, now);
    assert_eq!(stored, accepted.then(|| log.clone()), "{n} hits at {at} by {policy:?}");
    accepted
}

/// On random steps, for limits of every size, leased and not, and lowered on the way.
pub fn charges_and_refunds_are_those_of_the_hit_log(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let random = |bound: u32| u32::try_from(lab.entropy.below(bound.into())).unwrap();
    for limit in [1, 5, 20, 600] {
        let policy = Policy::new("contract", limit, Duration::minutes(1));
        let lowered = Policy { limit: limit.div_ceil(2), ..policy };
        let (key, mut log) = (key(&lab), HitLog::default());
        let mut now = at(0);
        let mut taken = Vec::new();
        for _ in 0..120 {
            now += Duration::milliseconds((random(240_000 / limit.min(20)) + 1).into());
            let policy = if random(10) == 0 { lowered } else { policy };
            let (n, stamp) = (random(limit.div_ceil(3)) + 1, now + policy.hold());
            if charge_both(&lab, (&key, &mut log), &policy, n, [stamp, now]) {
                taken.push(stamp);
            }
            if random(4) == 0 {
                let stamp = taken.last().copied().unwrap_or(now);
                let refunded = lab.statement(|uow| uow.rate_limits().refund(&key, stamp));
                assert_eq!(refunded, log.refund(stamp));
            }
            let stored = find(&lab, &key).unwrap_or_default();
            assert_eq!(stored, log);
        }
    }
}

/// Stamps then stand in the order of their charges.
pub fn charges_of_unequal_clocks_are_those_of_the_hit_log(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (key, mut log) = (key(&lab), HitLog::default());
    for second in 0..100 {
        let skew = i64::try_from(lab.entropy.below(120)).unwrap() - 60;
        let now = at(second * 60 + skew);
        charge_both(&lab, (&key, &mut log), &FIVE, 1, [now, now]);
    }
    assert_eq!(find(&lab, &key), Some(log));
}

/// In a fresh bucket and in a used one; exactly the limit fits.
pub fn more_hits_at_once_than_the_limit_are_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (fresh, full, used) = (key(&lab), key(&lab), key(&lab));
    for n in [6, 7, 1000, u32::MAX] {
        assert!(!charge(&lab, &fresh, &FIVE, n, at(0)), "{n}");
    }
    assert_eq!(find(&lab, &fresh), None);
    assert!(charge(&lab, &full, &FIVE, 5, at(0)));
    assert!(!charge(&lab, &full, &FIVE, 1, at(0)));
    assert!(charge(&lab, &used, &FIVE, 1, at(0)));
    assert!(!charge(&lab, &used, &FIVE, 5, at(0)));
    assert!(!charge(&lab, &used, &FIVE, 6, at(10_000)));
    assert!(charge(&lab, &used, &FIVE, 5, at(10_000)));
    let none = Policy { limit: 0, ..FIVE };
    assert!(!charge(&lab, &fresh, &none, 1, at(0)));
}

/// So that a refusal does not prolong itself; the window ends to the millisecond.
pub fn a_refused_charge_writes_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = key(&lab);
    assert!(charge(&lab, &key, &FIVE, 5, at(0)));
    let log = find(&lab, &key);
    for second in [0, 1, 100, 899] {
        assert!(!charge(&lab, &key, &FIVE, 1, at(second)));
        assert_eq!(find(&lab, &key), log);
    }
    assert!(!charge(&lab, &key, &FIVE, 1, at(900) - TICK));
    assert!(charge(&lab, &key, &FIVE, 1, at(900)));
}

/// By policy and by whom they count.
pub fn buckets_are_counted_apart(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (id, other) = (lab.tag(), Policy { name: "other", ..FIVE });
    let keys = [
        BucketKey::principal(&FIVE, &id),
        BucketKey::principal(&other, &id),
        BucketKey::mailbox(&FIVE, &id),
        key(&lab),
    ];
    assert!(charge(&lab, &keys[0], &FIVE, 5, at(0)));
    for key in &keys[1..] {
        assert_eq!(find(&lab, key), None);
        assert!(charge(&lab, key, &FIVE, 5, at(0)));
    }
}

/// Also when the bucket is new.
pub fn of_many_charges_at_once_the_limit_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = key(&lab);
    for start in [0, 900] {
        let charged = in_parallel(|_| charge(&lab, &key, &FIVE, 1, at(start)));
        assert_eq!(charged.into_iter().filter(|charged| *charged).count(), 5);
    }
}

/// Until less than one slice is left.
pub fn of_many_slices_at_once_the_limit_is_given_away(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (key, policy) = (key(&lab), Policy::new("contract", 100, Duration::minutes(1)));
    let charged = in_parallel(|_| (0..4).filter(|_| charge(&lab, &key, &policy, 7, at(0))).count());
    assert_eq!(charged.into_iter().sum::<usize>(), 14);
    assert!(charge(&lab, &key, &policy, 2, at(0)));
    assert!(!charge(&lab, &key, &policy, 1, at(0)));
}

/// And says whether there was such a hit.
pub fn a_refund_opens_one_place(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (key, unknown) = (key(&lab), key(&lab));
    let refund = |key, at| lab.statement(|uow| uow.rate_limits().refund(key, at));
    for second in 0..4 {
        assert!(charge(&lab, &key, &FIVE, 1, at(second)));
    }
    assert!(charge(&lab, &key, &FIVE, 1, at(3)));
    assert!(!refund(&key, at(4)));
    assert!(!refund(&unknown, at(3)));
    assert!(refund(&key, at(3)));
    assert!(charge(&lab, &key, &FIVE, 1, at(5)));
    assert!(!charge(&lab, &key, &FIVE, 1, at(5)));
    assert!(refund(&key, at(3)));
    assert!(!refund(&key, at(3)));
    let stamps: String = [0, 1, 2, 5].map(|second| HitLog::stamp(at(second))).concat();
    assert_eq!(find(&lab, &key), Some(HitLog::from_stored(stamps)));
}

/// The text of the log may hold the digits of a hit where no hit begins.
pub fn a_refund_never_matches_across_two_hits(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = key(&lab);
    // 000000000001 000000000020 holds 000000000010 one digit in.
    let hit = |millis| Instant::UNIX_EPOCH + Duration::milliseconds(millis);
    for millis in [0x01, 0x20] {
        assert!(charge(&lab, &key, &FIVE, 1, hit(millis)));
    }
    assert!(!lab.statement(|uow| uow.rate_limits().refund(&key, hit(0x10))));
    assert!(charge(&lab, &key, &FIVE, 1, hit(0x10)));
    assert!(lab.statement(|uow| uow.rate_limits().refund(&key, hit(0x10))));
    let stamps = [0x01, 0x20].map(|millis| HitLog::stamp(hit(millis))).concat();
    assert_eq!(find(&lab, &key), Some(HitLog::from_stored(stamps)));
}
