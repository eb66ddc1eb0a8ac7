use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use portcullis_email::{Message, ports::SendError};
use portcullis_flows::{
    Engine, Fault,
    mail::{Claimed, Failure},
};

use super::{Post, tell};
use crate::{background::TRY_AGAIN, health::Health, stop::Stop};

/// How often an empty outbox is looked at.
const IDLE: Duration = Duration::from_millis(500);
/// How often a mail in hand is kept from others. A third of its lease.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// The pauses after failures: what waits shall not fall upon a server that is down.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Delivers what is due until it is told to stop.
pub(crate) fn work(engine: &Engine, post: &Post, stop: &Stop) {
    let mut worker = Worker { engine, post, stop, outbox: Health::new("working on the outbox") };
    let mut failures = 0;
    let mut pause = Duration::ZERO;
    while !stop.wait(pause) {
        // A thread that is gone would deliver nothing until the next start; the panic itself is logged.
        let turn = panic::catch_unwind(AssertUnwindSafe(|| worker.turn()));
        pause = match turn.unwrap_or(Turn::Fault) {
            Turn::Idle => IDLE,
            Turn::Fault => TRY_AGAIN,
            Turn::Done => {
                failures = 0;
                Duration::ZERO
            }
            Turn::Postponed => {
                failures += 1;
                pause_after(failures)
            }
        };
    }
}

struct Worker<'w> {
    engine: &'w Engine,
    post: &'w Post,
    stop: &'w Stop,
    outbox: Health,
}

/// How one look at the outbox went.
enum Turn {
    /// Nothing is due.
    Idle,
    /// A mail is settled, one way or the other.
    Done,
    /// A mail is to be tried again.
    Postponed,
    /// The database failed.
    Fault,
}

impl Worker<'_> {
    fn turn(&mut self) -> Turn {
        let claimed = self.engine.claim_mail();
        match self.told(claimed) {
            // Handed over before, when that could not be written down.
            Some(Some(mail)) if self.post.is_handed_over(mail.id) => self.note_delivered(&mail),
            Some(Some(mail)) => self.deliver(&mail),
            Some(None) => Turn::Idle,
            None => Turn::Fault,
        }
    }

    fn deliver(&mut self, mail: &Claimed) -> Turn {
        let message = match self.post.write(&mail.letter) {
            Ok(message) => message,
            Err(error) => {
                tell::unwritable(mail, &error);
                return self.give_up(mail);
            }
        };
        match self.send(mail, &message) {
            Ok(()) => {
                self.post.flow.delivered(mail);
                self.post.keep_in_mind(mail.id);
                self.note_delivered(mail)
            }
            Err(error @ SendError::Deferred(_)) => {
                let again = self.settle(|engine| engine.mail_failed(mail, Failure::Deferred));
                self.post.flow.deferred(mail, &error, again.flatten());
                Turn::Done
            }
            Err(error @ SendError::Refused(_)) => {
                self.post.flow.refused(mail, &error);
                self.give_up(mail)
            }
            Err(error) => {
                let again = self.settle(|engine| engine.mail_failed(mail, Failure::Temporary));
                self.post.flow.postponed(mail, &error, again.flatten());
                Turn::Postponed
            }
        }
    }

    fn note_delivered(&mut self, mail: &Claimed) -> Turn {
        if self.settle(|engine| engine.mail_delivered(mail)).is_some() {
            self.post.forget(mail.id);
        }
        Turn::Done
    }

    fn give_up(&mut self, mail: &Claimed) -> Turn {
        self.settle(|engine| engine.mail_failed(mail, Failure::Final));
        Turn::Done
    }

    /// Hands a mail over on a thread of its own, and keeps it from others meanwhile.
    fn send(&mut self, mail: &Claimed, message: &Message) -> Result<(), SendError> {
        let transport = self.post.transport();
        hand_over(
            || transport.send(mail.id, mail.created_at, message),
            RENEW_EVERY,
            || {
                let renewed = self.engine.renew_mail(mail);
                if self.told(renewed) == Some(false) {
                    tracing::debug!(id = %mail.id, "a mail in hand was taken by another worker");
                }
            },
        )
    }

    /// Writes down what became of a mail. Without that it would be sent again, so it is tried until
    /// it is done or there is no time left.
    fn settle<T>(&mut self, work: impl Fn(&Engine) -> Result<T, Fault>) -> Option<T> {
        loop {
            let done = work(self.engine);
            let done = self.told(done);
            if done.is_some() || self.stop.wait(TRY_AGAIN) {
                return done;
            }
        }
    }

    fn told<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        match result {
            Ok(value) => {
                self.outbox.worked();
                Some(value)
            }
            Err(fault) => {
                self.outbox.failed(&fault);
                None
            }
        }
    }
}

fn hand_over(
    send: impl FnOnce() -> Result<(), SendError> + Send,
    every: Duration,
    mut keep: impl FnMut(),
) -> Result<(), SendError> {
    let (done, is_done) = mpsc::channel();
    thread::scope(|scope| {
        // The other end is there until this scope ends.
        let sending = thread::Builder::new()
            .name("mail-send".to_owned())
            .spawn_scoped(scope, move || done.send(send()));
        let sending = sending
            .map_err(|error| SendError::Temporary(format!("no thread to send it: {error}")))?;
        loop {
            match is_done.recv_timeout(every) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) => keep(),
                Err(RecvTimeoutError::Disconnected) => {
                    // To look at a panic is to keep it from this thread.
                    let _ = sending.join();
                    return Err(SendError::Temporary("the transport panicked".to_owned()));
                }
            }
        }
    })
}

/// Doubles from the first to the longest.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_the_pauses_grow_and_have_an_end() {
        let pauses: Vec<u64> =
            [1, 2, 3, 4, 5, 6, 100, u32::MAX].map(|n| pause_after(n).as_secs()).to_vec();
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15, 15]);
    }

    #[test]
    fn f8_a_mail_is_kept_as_long_as_it_is_in_hand() {
        let (go_on, wait) = mpsc::channel::<()>();
        let mut kept = 0;
        let sent = hand_over(
            move || {
                wait.recv().unwrap();
                Err(SendError::Refused("no".to_owned()))
            },
            Duration::from_millis(1),
            || {
                kept += 1;
                if kept == 3 {
                    go_on.send(()).unwrap();
                }
            },
        );
        assert!(matches!(sent, Err(SendError::Refused(_))));
        assert!(kept >= 3);
    }

    #[test]
    fn a_transport_that_panics_is_a_failure_for_now() {
        let sent = hand_over(|| panic!("a bug"), Duration::from_mins(1), || {});
        assert!(matches!(sent, Err(SendError::Temporary(_))));
    }
}
