//! Connections that wait for the next mail.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lettre::transport::smtp::commands::{Noop, Quit};

use super::{deadline::Deadline, server::SignedIn};

/// How many are kept.
const KEPT: usize = 2;
/// How many mails one carries; some servers count.
const MAILS: u32 = 100;
/// How long one may wait. Servers hang up after minutes, firewalls forget sooner.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a connection may take to show that it is alive.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer to a good-bye is waited for: just so that the server may hang up first.
const PARTING: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Waiting>>);

struct Waiting {
    connection: SignedIn,
    since: Instant,
    mails: u32,
}

impl Idle {
    /// A connection that the server has just answered on, and how many mails it has carried.
    pub(super) fn take(&self, deadline: &Deadline) -> Option<(SignedIn, u32)> {
        loop {
            let Waiting { mut connection, since, mails } = self.lock().pop()?;
            let patience = deadline.answer().ok()?.min(Instant::now() + PATIENCE);
            if since.elapsed() < LONGEST {
                connection.wire.renew_allowance();
                connection.wire.wait_until(patience);
                if connection.wire.ask(Noop).is_ok() {
                    return Some((connection, mails));
                }
            }
        }
    }

    /// Keeps a connection that has no mail under way.
    pub(super) fn keep(&self, connection: SignedIn, mails: u32) {
        let mut waiting = self.lock();
        if mails < MAILS && waiting.len() < KEPT {
            waiting.push(Waiting { connection, since: Instant::now(), mails });
        } else {
            drop(waiting);
            leave(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}

/// Takes leave of the server, if it listens.
pub(super) fn leave(mut connection: SignedIn) {
    connection.wire.wait_until(Instant::now() + PARTING);
    let _ = connection.wire.ask(Quit);
}
