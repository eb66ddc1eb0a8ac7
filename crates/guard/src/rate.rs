use portcullis_kernel::Instant;
use time::Duration;

/// How often something may happen: so many times within any minute, half of them at once.
///
/// A token bucket, of which only is kept when it will be full.
pub(crate) struct Rate {
    /// In which one token comes.
    step: Duration,
    /// For how long tokens may be taken before they have come.
    ahead: Duration,
    full_at: Option<Instant>,
}

impl Rate {
    /// At most so many times within any minute; at least once.
    pub(crate) fn per_minute(most: u32) -> Self {
        // What is there at first, and what comes within less than a minute, is `most` together.
        let (at_once, steps) = (most.saturating_sub(most / 2).max(1), most / 2 + 1);
        // Rounded up: a nanosecond less would let one more come.
        let step = (Duration::MINUTE + Duration::NANOSECOND * (steps - 1)) / steps;
        Self { step, ahead: step * (at_once - 1), full_at: None }
    }

    /// Takes one, or says how long there is none.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        // It is never further ahead, unless the clock was set back.
        let full_at = self.full_at.filter(|at| *at - now <= self.ahead + self.step);
        let full_at = full_at.unwrap_or(now).max(now);
        let wait = full_at - now - self.ahead;
        if wait.is_positive() {
            return Err(wait);
        }
        self.full_at = Some(full_at + self.step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn start() -> Instant {
        Instant::from_unix_timestamp(1_700_000_000).unwrap()
    }

    /// How many may be taken one after the other.
    fn taken(rate: &mut Rate, now: Instant) -> u32 {
        let taken = (0..1_000_000).take_while(|_| rate.take(now).is_ok());
        taken.count().try_into().unwrap()
    }

    #[test]
    fn half_a_minutes_worth_comes_at_once_and_the_rest_bit_by_bit() {
        for (most, at_once) in [(1, 1), (2, 1), (3, 2), (10, 5), (300, 150), (100_001, 50_001)] {
            let mut rate = Rate::per_minute(most);
            assert_eq!(taken(&mut rate, start()), at_once, "{most}");
            let wait = rate.take(start()).unwrap_err();
            assert!(rate.take(start() + wait - Duration::NANOSECOND).is_err(), "{most}");
            assert_eq!(taken(&mut rate, start() + wait), 1, "{most}");
            assert_eq!(taken(&mut rate, start() + Duration::HOUR), at_once, "full, and no fuller");
        }
        assert_eq!(Rate::per_minute(1).take(start()), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait() {
        let mut rate = Rate::per_minute(10);
        assert_eq!(taken(&mut rate, start()), 5);
        assert_eq!(taken(&mut rate, start() - Duration::HOUR), 5);
    }

    proptest! {
        #[test]
        fn no_minute_ever_has_more(most in 1_u32..50, steps in vec(0_i64..5_000, 1..300)) {
            let (mut rate, mut now, mut taken) = (Rate::per_minute(most), start(), Vec::new());
            for step in steps {
                now += Duration::milliseconds(step);
                if rate.take(now).is_ok() {
                    taken.push(now);
                }
                taken.retain(|at| now - *at < Duration::MINUTE);
                prop_assert!(taken.len() <= most as usize);
            }
        }
    }
}
