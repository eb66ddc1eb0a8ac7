//! A clock that stands still until a test moves it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_kernel::{Clock, Instant};
use time::{Duration, macros::datetime};

/// A clock that a test sets. Shared in an `Arc`, it moves for everybody at once.
#[derive(Debug)]
pub struct FixedClock(Mutex<Instant>);

impl FixedClock {
    /// Where a clock stands that nobody set.
    pub const START: Instant = datetime!(2026-03-04 05:06:07.123_456 UTC);

    /// A clock that stands at `now`.
    pub fn at(now: Instant) -> Self {
        Self(Mutex::new(now))
    }

    /// Sets it, forwards or back.
    pub fn set(&self, now: Instant) {
        *self.lock() = now;
    }

    /// Moves it on, or back by a negative step; says where it stands then.
    pub fn advance(&self, step: Duration) -> Instant {
        let mut now = self.lock();
        *now += step;
        *now
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::at(Self::START)
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        *self.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_moved() {
        let clock = FixedClock::default();
        assert_eq!((clock.now(), clock.now()), (FixedClock::START, FixedClock::START));
        assert_eq!(clock.advance(Duration::SECOND), FixedClock::START + Duration::SECOND);
        clock.advance(Duration::seconds(-2));
        assert_eq!(clock.now(), FixedClock::START - Duration::SECOND);
        clock.set(FixedClock::START);
        assert_eq!(clock.now(), FixedClock::START);
    }
}
