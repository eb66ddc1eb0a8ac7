use std::sync::Mutex;

use portcullis_kernel::{Clock, Instant};
use time::Duration;

/// A clock that stands still until a test moves it.
pub(crate) struct TestClock(Mutex<Instant>);

impl TestClock {
    pub(crate) fn at(now: Instant) -> Self {
        Self(Mutex::new(now))
    }

    pub(crate) fn advance(&self, step: Duration) {
        *self.0.lock().unwrap() += step;
    }

    pub(crate) fn seconds(&self, seconds: i64) {
        self.advance(Duration::seconds(seconds));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}
