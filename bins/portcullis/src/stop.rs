//! How threads are told to end.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What every thread beside the requests waits on.
#[derive(Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    told_at: Option<Instant>,
    hurried: bool,
}

impl Stop {
    /// Tells every thread to end; says when they were first told.
    pub(crate) fn tell(&self) -> Instant {
        let told_at = *self.state().told_at.get_or_insert_with(Instant::now);
        self.wake.notify_all();
        told_at
    }

    /// A signal: the first tells every thread to end, the next that nobody waits for them.
    pub(crate) fn signal(&self) {
        let mut state = self.state();
        state.hurried = state.told_at.is_some();
        drop(state);
        self.tell();
    }

    /// Whether the end is not to be waited for.
    pub(crate) fn is_hurried(&self) -> bool {
        self.state().hurried
    }

    /// Waits; says whether to stop.
    pub(crate) fn wait(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut state = self.state();
        while state.told_at.is_none() {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_nobody_ends_ends_by_itself() {
        assert!(!Stop::default().wait(Duration::from_millis(5)));
        assert!(!Stop::default().wait(Duration::ZERO));
    }

    #[test]
    fn a_second_signal_hurries() {
        let stop = Stop::default();
        stop.signal();
        assert!(stop.wait(Duration::from_hours(1)) && !stop.is_hurried());
        stop.signal();
        assert!(stop.is_hurried());
    }
}
