//! Work beside the requests: the first signing keys, reading the keys anew, noting when API keys were
//! used, cleaning up, and mail.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix_web::rt::time::sleep;
use anyhow::{Context, Result};
use portcullis_flows::Engine;
use portcullis_kernel::causes;
use tokio::sync::oneshot;

use crate::{
    health::Health,
    mail::{Post, work},
    stop::Stop,
    wiring,
};

const READ_KEYS_EVERY: Duration = Duration::from_secs(30);
const NOTE_USES_EVERY: Duration = Duration::from_secs(3);
const CLEAN_EVERY: Duration = Duration::from_mins(1);
/// Not while the first requests come.
const CLEAN_FIRST: Duration = Duration::from_secs(5);
/// How long to wait with the database after it failed.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long an end waits for threads at least, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

/// Threads that end when they are told to.
#[derive(Default)]
pub(crate) struct Background {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
    /// Those that may have a mail in hand.
    workers: Vec<JoinHandle<()>>,
}

impl Background {
    /// Makes the very first signing keys while the server listens already. An error that trying again
    /// cannot mend is handed to the receiver.
    pub(crate) fn make_first_key(
        &mut self,
        engine: Arc<Engine>,
    ) -> Result<oneshot::Receiver<anyhow::Error>> {
        let (tell, told) = oneshot::channel();
        self.spawn("first-key", move |stop| {
            let mut state = Health::new("making the first signing keys");
            loop {
                match engine.open_keys() {
                    Ok(()) => return tracing::info!("the first signing keys are made"),
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

    /// Writes down when API keys were used.
    pub(crate) fn note_uses(&mut self, engine: Arc<Engine>) -> Result<()> {
        self.spawn("note-uses", move |stop| {
            let mut state = Health::new("noting when API keys were used");
            while !stop.wait(NOTE_USES_EVERY) {
                match engine.flush_uses() {
                    Ok(()) => state.worked(),
                    Err(error) => state.failed(&error),
                }
            }
        })
    }

    /// The same for the last time, after the last request. It is waited for as long as for any thread:
    /// a database that is away keeps no process from ending.
    pub(crate) fn note_last_uses(&mut self, engine: Arc<Engine>) -> Result<()> {
        self.spawn("note-last-uses", move |_| {
            if let Err(error) = engine.flush_uses() {
                let cause = causes(&error);
                tracing::warn!(cause, "when API keys were used in the last seconds is not noted");
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

    /// Delivers what is in the outbox, on so many threads.
    pub(crate) fn deliver(&mut self, engine: &Arc<Engine>, post: Post, threads: u32) -> Result<()> {
        let post = Arc::new(post);
        for number in 1..=threads {
            let (engine, post) = (Arc::clone(engine), Arc::clone(&post));
            let worker = self.begin(&format!("mail-{number}"), move |stop| {
                work(&engine, &post, stop);
            })?;
            self.workers.push(worker);
        }
        Ok(())
    }

    /// What tells the threads to end.
    pub(crate) fn stop(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// Tells every thread to end and waits a moment. One that is deep in its work is left behind:
    /// what it does is a transaction, which happens or does not. One that hands a mail over is given
    /// the rest of `patience`, counted from when the threads were first told.
    pub(crate) async fn end(self, patience: Duration) {
        let told_at = self.stop.tell();
        let soon = Instant::now() + PATIENCE;
        let late = soon.max(told_at + patience);
        while !is_done(&self.threads) && Instant::now() < soon {
            sleep(POLL).await;
        }
        let may_wait = || Instant::now() < if self.stop.is_hurried() { soon } else { late };
        while !is_done(&self.workers) && may_wait() {
            sleep(POLL).await;
        }
        if !is_done(&self.workers) {
            tracing::warn!(
                "a mail was still being handed over when the time to stop was up; it is sent \
                 again after the next start, and may arrive twice"
            );
        }
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> Result<()> {
        let thread = self.begin(name, work)?;
        self.threads.push(thread);
        Ok(())
    }

    fn begin(
        &self,
        name: &str,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let stop = Arc::clone(&self.stop);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&stop));
        thread.with_context(|| format!("cannot start the thread {name}"))
    }
}

fn is_done(threads: &[JoinHandle<()>]) -> bool {
    threads.iter().all(JoinHandle::is_finished)
}

#[cfg(test)]
mod tests {
    use actix_web::rt::System;

    use super::*;

    const NOT_LONG: Duration = Duration::from_secs(10);

    fn end(background: Background, patience: Duration) -> Duration {
        let begun = Instant::now();
        System::new().block_on(background.end(patience));
        begun.elapsed()
    }

    #[test]
    fn threads_end_when_they_are_told_to() {
        let mut background = Background::default();
        let (told, was_told) = std::sync::mpsc::channel();
        let wait = move |stop: &Stop| told.send(stop.wait(Duration::from_hours(1))).unwrap();
        background.spawn("test", wait).unwrap();
        end(background, Duration::ZERO);
        assert_eq!(was_told.recv_timeout(NOT_LONG), Ok(true));
    }

    #[test]
    fn a_thread_that_does_not_end_is_left_behind() {
        let mut background = Background::default();
        background.spawn("test", |_| thread::sleep(Duration::from_mins(1))).unwrap();
        assert!(end(background, Duration::from_mins(1)) < NOT_LONG);
    }

    #[test]
    fn f12_a_mail_in_hand_is_waited_for_and_not_for_ever() {
        let worker = |takes: Duration| {
            let mut background = Background::default();
            let worker = background.begin("test", move |_| thread::sleep(takes)).unwrap();
            background.workers.push(worker);
            background
        };
        let (takes, patience) = (Duration::from_millis(1500), Duration::from_mins(1));
        let waited = end(worker(takes), patience);
        assert!(takes <= waited && waited < NOT_LONG, "{waited:?}");
        assert!(end(worker(Duration::from_mins(1)), Duration::ZERO) < NOT_LONG);
        let hurried = worker(Duration::from_mins(1));
        hurried.stop.signal();
        hurried.stop.signal();
        assert!(end(hurried, patience) < NOT_LONG);
    }
}
