use portcullis_kernel::Instant;
use time::Duration;

use crate::{Policy, Standing};

/// Hexadecimal digits of one hit: milliseconds since 1970, enough until the year 10889.
const WIDTH: usize = 12;

/// The last accepted hits of a bucket, oldest first, as the text that both databases store.
///
/// Fixed width and sorted, so that one SQL statement can decide a hit by comparing one part of the
/// text: a bucket takes `n` more hits when the one that stands `limit - n + 1` from the end has left
/// the window, or is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HitLog(String);

impl HitLog {
    /// Characters that one hit takes.
    pub const WIDTH: usize = WIDTH;

    /// The text of one hit.
    pub fn stamp(at: Instant) -> String {
        format!("{:0width$x}", millis(at), width = WIDTH)
    }

    /// A log read back from storage.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text, for storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adds `n` hits at `at` if the limit allows all of them at `now`: what the SQL statement does,
    /// for storage without SQL. Says whether it did.
    pub fn charge(&mut self, policy: &Policy, n: u32, at: Instant, now: Instant) -> bool {
        let floor = millis(now - policy.window);
        let mut hits: Vec<u64> = self.hits().collect();
        let (limit, n) = (policy.limit as usize, n as usize);
        let decisive = (limit + 1).checked_sub(n).filter(|place| *place > 0);
        let allowed = decisive.is_some_and(|place| {
            let hit = hits.len().checked_sub(place).and_then(|index| hits.get(index));
            hit.is_none_or(|hit| *hit <= floor)
        });
        if allowed {
            hits.extend(std::iter::repeat_n(millis(at), n));
            let surplus = hits.len().saturating_sub(limit);
            self.0 = hits.iter().skip(surplus).map(|hit| format!("{hit:0WIDTH$x}")).collect();
        }
        allowed
    }

    /// Takes back one hit made at `at`; says whether it was there.
    pub fn refund(&mut self, at: Instant) -> bool {
        let taken = millis(at);
        let mut hits: Vec<u64> = self.hits().collect();
        let Some(index) = hits.iter().rposition(|hit| *hit == taken) else { return false };
        hits.remove(index);
        self.0 = hits.iter().map(|hit| format!("{hit:0WIDTH$x}")).collect();
        true
    }

    /// How full the bucket is at `now`.
    pub fn standing(&self, policy: &Policy, now: Instant) -> Standing {
        let floor = millis(now - policy.window);
        let mut live: Vec<u64> = self.hits().filter(|hit| *hit > floor).collect();
        live.sort_unstable();
        let count = u32::try_from(live.len()).unwrap_or(u32::MAX);
        // With a lowered limit more hits may be live than fit: the place opens when the surplus is gone.
        let opens = live.get(live.len().saturating_sub(policy.limit as usize));
        let reset = opens.map_or(now, |hit| instant(*hit)) + policy.window;
        Standing { limit: policy.limit, remaining: policy.limit.saturating_sub(count), reset }
    }

    /// When the last hit leaves the window and the bucket can be dropped.
    pub fn empty_at(policy: &Policy, last: Instant) -> Instant {
        last + policy.window
    }

    fn hits(&self) -> impl Iterator<Item = u64> + '_ {
        self.0
            .as_bytes()
            .chunks_exact(WIDTH)
            .filter_map(|chunk| std::str::from_utf8(chunk).ok())
            .filter_map(|digits| u64::from_str_radix(digits, 16).ok())
    }
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

fn instant(millis: u64) -> Instant {
    Instant::UNIX_EPOCH + Duration::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIVE: Policy = Policy::new("five", 5, Duration::minutes(15));

    fn at(seconds: i64) -> Instant {
        Instant::from_unix_timestamp(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn l14_five_at_the_end_and_five_at_the_start_of_a_window_are_not_ten() {
        let mut log = HitLog::default();
        for second in 0..5 {
            assert!(log.charge(&FIVE, 1, at(890 + second), at(890 + second)));
        }
        for second in [895, 900, 1000, 1789] {
            assert!(!log.charge(&FIVE, 1, at(second), at(second)), "{second}");
        }
        assert!(log.charge(&FIVE, 1, at(1790), at(1790)));
        assert!(!log.charge(&FIVE, 1, at(1790), at(1790)));
        assert_eq!(log.as_str().len(), 5 * HitLog::WIDTH, "the log stays as long as the limit");
    }

    #[test]
    fn the_standing_says_what_is_left_and_when_more_comes() {
        let mut log = HitLog::default();
        assert_eq!(log.standing(&FIVE, at(0)).remaining, 5);
        for second in [0, 10] {
            assert!(log.charge(&FIVE, 1, at(second), at(second)));
        }
        let standing = log.standing(&FIVE, at(20));
        assert_eq!((standing.remaining, standing.reset), (3, at(900)));
        assert_eq!(standing.retry_after(at(20)), 880);
        assert_eq!(standing.retry_after(at(5000)), 1);
    }

    #[test]
    fn a_refund_gives_one_hit_back() {
        let mut log = HitLog::default();
        for second in 0..5 {
            assert!(log.charge(&FIVE, 1, at(second), at(second)));
        }
        assert!(log.refund(at(4)));
        assert!(!log.refund(at(4)));
        assert!(log.charge(&FIVE, 1, at(6), at(6)));
        assert!(!log.charge(&FIVE, 1, at(6), at(6)));
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            steps in proptest::collection::vec((0i64..400, 1u32..4), 1..60),
        ) {
            let mut log = HitLog::default();
            let mut accepted: Vec<i64> = Vec::new();
            let mut now = 0;
            for (step, n) in steps {
                now += step;
                let before = log.clone();
                if log.charge(&FIVE, n, at(now), at(now)) {
                    accepted.extend(std::iter::repeat_n(now, n as usize));
                } else {
                    prop_assert_eq!(&before, &log);
                }
                let in_window = accepted.iter().filter(|hit| **hit > now - 900).count();
                prop_assert!(in_window <= 5);
                let remaining = log.standing(&FIVE, at(now)).remaining as usize;
                prop_assert_eq!(remaining, 5 - in_window);
            }
        }
    }
}
