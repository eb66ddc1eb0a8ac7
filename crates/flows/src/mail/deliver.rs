use portcullis_audit::{Action, Actor};
use portcullis_email::{
    Asked, Content, Letter, OutboxEntry, Parcel, RequestKind, deferred_for, retry_after,
};
use portcullis_identity::EmailAddress;
use portcullis_kernel::{Instant, MailId, Origin};
use portcullis_storage::StorageExt;
use time::Duration;

use crate::{Engine, Fault};

/// How long whoever takes a mail may work on it before somebody else takes it. Renewed while the work
/// goes on, so that it is met only when a process dies with the mail in hand.
const LEASE: Duration = Duration::seconds(30);

/// Requests and dead mails that one call works off, so that whoever asks is soon heard again.
const AT_ONCE: u32 = 50;

/// A mail that could not be delivered while it was worth something.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ({id}), tried {attempts} time(s)")]
struct Expired {
    kind: String,
    id: MailId,
    attempts: i32,
}

/// A mail taken from the outbox, to be delivered by whoever holds this.
#[derive(Debug)]
pub struct Claimed {
    /// Its id, the same at every try.
    pub id: MailId,
    /// When it was queued.
    pub created_at: Instant,
    /// What it tells.
    pub letter: Letter,
    entry: OutboxEntry,
}

impl Claimed {
    /// How often it was taken, this time included.
    pub fn attempt(&self) -> i32 {
        self.entry.attempts
    }
}

/// Why a mail was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No mail gets through at the moment: to be tried again soon.
    Temporary,
    /// This one alone was put off: to be tried again, less and less often.
    Deferred,
    /// Not to be tried again: it was refused for good, or cannot be made.
    Final,
}

impl Engine {
    /// Takes the mail that has waited longest, if one is due. Requests on the way to it are fulfilled,
    /// mails that are worth nothing any more are dropped; after fifty of those the answer is `None` even
    /// if more waits.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn claim_mail(&self) -> Result<Option<Claimed>, Fault> {
        let sealed_by = self.master_key.id();
        for _ in 0..AT_ONCE {
            let now = self.now();
            // Nothing is written while nothing waits.
            if !self.storage.read(|uow| uow.outbox().is_due(&sealed_by, now))? {
                return Ok(None);
            }
            let claimed =
                self.storage.statement(|uow| uow.outbox().claim(&sealed_by, now, now + LEASE))?;
            let Some(entry) = claimed else { return Ok(None) };
            if !self.is_live(&entry, now)? {
                if entry.expires_at <= now {
                    // Taken just now, which was no try.
                    let (kind, id, attempts) = (entry.kind.clone(), entry.id, entry.attempts - 1);
                    let what = "a mail was not delivered in time and is dropped";
                    self.alarm.raise(what, &Expired { kind, id, attempts });
                }
                self.drop_mail(&entry)?;
                continue;
            }
            match self.open_parcel(entry.id, &entry.sealed) {
                Ok(Parcel::Letter(letter)) => {
                    let (id, created_at) = (entry.id, entry.created_at);
                    return Ok(Some(Claimed { id, created_at, letter, entry }));
                }
                Ok(Parcel::Request(request)) => self.fulfil(&entry, &request, now)?,
                // Of a later version, whose instances know what to do with it.
                Ok(_) | Err(Fault::Facts(_)) => {
                    let again = now + deferred_for(entry.created_at, now);
                    let (id, attempt) = (entry.id, entry.attempts);
                    self.storage.statement(|uow| uow.outbox().postpone(id, attempt, again))?;
                }
                Err(fault) => {
                    self.alarm.raise("a mail that waited cannot be opened and is dropped", &fault);
                    self.give_up(&entry, "unreadable")?;
                }
            }
        }
        Ok(None)
    }

    /// Keeps a mail in hand for another while; `false` when somebody else has it by now.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn renew_mail(&self, mail: &Claimed) -> Result<bool, Fault> {
        let until = self.now() + LEASE;
        let (id, attempt) = (mail.id, mail.entry.attempts);
        Ok(self.storage.statement(|uow| uow.outbox().postpone(id, attempt, until))?)
    }

    /// Notes that a mail was delivered.
    ///
    /// # Errors
    /// A fault of this side; the mail may then be delivered once more.
    pub fn mail_delivered(&self, mail: &Claimed) -> Result<(), Fault> {
        self.drop_mail(&mail.entry)
    }

    /// Notes that a mail was not delivered; says when it is tried again, if it is.
    ///
    /// # Errors
    /// A fault of this side; the mail is then tried again when its lease is over.
    pub fn mail_failed(&self, mail: &Claimed, how: Failure) -> Result<Option<Instant>, Fault> {
        let now = self.now();
        if how == Failure::Final {
            self.give_up(&mail.entry, &mail.entry.kind)?;
            return Ok(None);
        }
        let again = now
            + match how {
                Failure::Deferred => deferred_for(mail.created_at, now),
                _ => retry_after(mail.created_at, now),
            };
        let (id, attempt) = (mail.id, mail.entry.attempts);
        self.storage.statement(|uow| uow.outbox().postpone(id, attempt, again))?;
        Ok(Some(again))
    }

    /// Queues a mail that shows whether mail arrives.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn queue_test_mail(&self, to: &EmailAddress) -> Result<MailId, Fault> {
        let now = self.now();
        let asked = Asked::by(&Origin::local(), now);
        let to = to.delivery().to_owned();
        let letter = Letter { to, asked, content: Content::Test {} };
        let mail = self.mail(&Parcel::Letter(letter), now, now + Duration::HOUR)?;
        self.storage.transact(|uow| uow.outbox().insert(&mail))?;
        Ok(mail.id)
    }

    /// Whether a mail is still worth delivering. What it carries dies with its row, which takes the
    /// mail along; what is left to ask is time, whether a request for recovery codes is still the newest
    /// and its codes are still good for anything, and the session of a change of address.
    fn is_live(&self, entry: &OutboxEntry, now: Instant) -> Result<bool, Fault> {
        if entry.expires_at <= now {
            return Ok(false);
        }
        if let Some(recovery) = entry.recovery {
            return self.storage.read(|uow| -> Result<bool, Fault> {
                if uow.recoveries().find_open(recovery, now)?.is_none() {
                    return Ok(false);
                }
                // The request comes before its codes.
                let codes = uow.recoveries().codes(&[recovery])?;
                let asked = entry.kind == RequestKind::Recovery.as_str();
                Ok(asked || codes.iter().any(|code| code.used_at.is_none()))
            });
        }
        let Some(change) = entry.change else { return Ok(true) };
        self.storage.read(|uow| -> Result<bool, Fault> {
            let Some(change) = uow.email_changes().find(change, now)? else { return Ok(false) };
            Ok(uow.sessions().find_live(change.session, now)?.is_some())
        })
    }

    fn drop_mail(&self, entry: &OutboxEntry) -> Result<(), Fault> {
        self.storage.statement(|uow| uow.outbox().remove(entry.id, entry.attempts))?;
        Ok(())
    }

    fn give_up(&self, entry: &OutboxEntry, detail: &str) -> Result<(), Fault> {
        let now = self.now();
        let event = self.event(Action::MailRefused, Actor::System, &Origin::local(), now)?.failed();
        let event = event.with_detail(detail);
        let event = match entry.user {
            Some(user) => event.about(user),
            None => event,
        };
        let event = match entry.agent {
            Some(agent) => event.about_agent(agent),
            None => event,
        };
        self.storage.transact(|uow| {
            if uow.outbox().remove(entry.id, entry.attempts)? {
                uow.audit().append(&event)?;
            }
            Ok(())
        })
    }
}
