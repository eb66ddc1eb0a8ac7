//! Work beside the requests: the first signing key, reading the keys anew, and cleaning up.

use std::{
    error::Error,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use portcullis_flows::Engine;
use portcullis_kernel::causes;
use tokio::sync::oneshot;

use crate::wiring;

const READ_KEYS_EVERY: Duration = Duration::from_secs(30);
const CLEAN_EVERY: Duration = Duration::from_mins(1);
/// Not while the first requests come.
const CLEAN_FIRST: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long a stop waits for threads, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

/// Threads that end when they are told to.
#[derive(Default)]
pub(crate) struct Background {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    told: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits; says whether to stop.
    fn wait(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        while !*told {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            let waited = self.wake.wait_timeout(told, left);
            told = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Background {
    /// Makes the very first signing key while the server listens already. An error that trying again
    /// cannot mend is handed to the receiver.
    pub(crate) fn make_first_key(
        &mut self,
        engine: Arc<Engine>,
    ) -> Result<oneshot::Receiver<anyhow::Error>> {
        let (tell, told) = oneshot::channel();
        self.spawn("first-key", move |stop| {
            let mut state = Health::new("making the first signing key");
            loop {
                match engine.open_keys() {
                    Ok(()) => return tracing::info!("the first signing key is made"),
                    Err(error) if error.is_transient() => state.failed(&error),
                    Err(error) => {
                        // Without a receiver the server is stopping anyway.
                        let _ = tell.send(wiring::explain_keys(error));
                        return;
                    }
                }
                if stop.wait(TRY_AGAIN) {
                    return;
                }
            }
        })?;
        Ok(told)
    }

    /// Other instances and the command line may change the keys.
    pub(crate) fn read_keys(&mut self, engine: Arc<Engine>) -> Result<()> {
        self.spawn("read-keys", move |stop| {
            let mut state = Health::new("reading the signing keys");
            while !stop.wait(READ_KEYS_EVERY) {
                match engine.reload_keys() {
                    Ok(()) => state.worked(),
                    Err(error) => state.failed(&error),
                }
            }
        })
    }

    /// Removes what nothing can need any more.
    pub(crate) fn clean(&mut self, engine: Arc<Engine>) -> Result<()> {
        self.spawn("janitor", move |stop| {
            let mut state = Health::new("cleaning up");
            let mut pause = CLEAN_FIRST;
            while !stop.wait(pause) {
                pause = CLEAN_EVERY;
                match engine.clean() {
                    Ok(cleaned) => {
                        state.worked();
                        tracing::debug!(?cleaned, "cleaned up");
                    }
                    Err(error) => state.failed(&error),
                }
            }
        })
    }

    /// Tells every thread to end and waits a moment. One that is deep in its work is left behind:
    /// what it does is a transaction, which happens or does not.
    pub(crate) fn stop(self) {
        self.stop.tell();
        let until = Instant::now() + PATIENCE;
        while !self.threads.iter().all(JoinHandle::is_finished) && Instant::now() < until {
            thread::sleep(POLL);
        }
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> Result<()> {
        let stop = Arc::clone(&self.stop);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&stop));
        self.threads.push(thread.with_context(|| format!("cannot start the thread {name}"))?);
        Ok(())
    }
}

/// Logs when something stops working and when it works again, not every time.
struct Health {
    what: &'static str,
    failing: bool,
}

impl Health {
    fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    fn worked(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("{} works again", self.what);
        }
    }

    fn failed(&mut self, error: &dyn Error) {
        let cause = causes(error);
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(cause, "{} still fails", self.what);
        } else {
            tracing::error!(cause, "{} failed; it is tried again", self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_end_when_they_are_told_to() {
        let mut background = Background::default();
        let (told, was_told) = std::sync::mpsc::channel();
        let wait = move |stop: &Stop| told.send(stop.wait(Duration::from_hours(1))).unwrap();
        background.spawn("test", wait).unwrap();
        background.stop();
        assert_eq!(was_told.recv_timeout(Duration::from_secs(10)), Ok(true));
    }

    #[test]
    fn a_thread_that_does_not_end_is_left_behind() {
        let mut background = Background::default();
        background.spawn("test", |_| thread::sleep(Duration::from_mins(1))).unwrap();
        let begun = Instant::now();
        background.stop();
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_wait_that_nobody_ends_ends_by_itself() {
        assert!(!Stop::default().wait(Duration::from_millis(5)));
    }
}
