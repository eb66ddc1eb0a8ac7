//! Every rule of the flows, on memory storage with a clock that stands; what only a database can show, on
//! all of them.

mod admin;
mod admin_of_accounts;
mod agents;
mod audit_once;
mod authenticate;
mod contention;
mod credits;
mod deletion;
mod email_change;
mod email_change_codes;
mod faults;
mod faults_of_mail;
mod forgeries;
mod invitations;
mod janitor;
mod janitor_of_mail;
mod keys;
mod limits;
mod limits_of_accounts;
mod mail_requests;
mod mailbox;
mod mocked;
mod notices;
mod oauth;
mod outbox;
mod outbox_sealed;
mod own_deletion;
mod page_sessions;
mod password_change;
mod password_checks;
mod password_reset;
mod profile;
mod races;
mod refresh;
mod register;
mod sessions;
mod sign_in;
mod sign_out;
mod verification;

use std::{net::IpAddr, sync::Barrier, thread};

use portcullis_audit::{Action, AuditEvent, Outcome};
use portcullis_flows::{
    Engine, Invalid,
    people::{
        Caller, Refresh, RefreshError, Register, RegisterError, SignIn, SignInError, SignedIn,
        Tokens,
    },
};
use portcullis_kernel::{
    Classify, ErrorKind, ExposeSecret as _, Field, Instant, Origin, StoreResult, UserId,
};
use portcullis_storage::{StorageExt as _, UnitOfWork};
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::RefreshToken;

const JANE: &str = "jane@example.com";
const JOHN: &str = "john@example.com";
const PASSWORD: &str = "correct horse battery";

/// Signing keys, and as many events, that there are from the first start on: one for people's tokens,
/// and one for agents' by each algorithm.
const KEYS: u64 = 4;

/// A request from this client address.
fn from(client: &str) -> Origin {
    Origin::new("req_0123456789", ip(client), Some("test/1"))
}

/// A request from the address that people of these tests register from.
fn home() -> Origin {
    from("203.0.113.7")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What people do, in one call each.
trait People {
    fn try_join(&self, email: &str) -> Result<SignedIn, RegisterError>;
    fn try_enter(
        &self,
        email: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<SignedIn, SignInError>;
    fn rotate(&self, token: &RefreshToken) -> Result<Tokens, RefreshError>;
    fn try_bearer(&self, tokens: &Tokens) -> Option<Caller>;

    /// Registers with [`PASSWORD`] from [`home`].
    fn join(&self, email: &str) -> SignedIn {
        self.try_join(email).unwrap()
    }

    /// Signs in with [`PASSWORD`] from [`home`].
    fn enter(&self, email: &str) -> SignedIn {
        self.try_enter(email, PASSWORD, &home()).unwrap()
    }

    fn bearer(&self, tokens: &Tokens) -> Caller {
        self.try_bearer(tokens).unwrap()
    }

    /// Whether the session of these tokens lives, for bearer and for refresh; rotates it.
    fn is_alive(&self, tokens: &Tokens) -> bool {
        let bearer = self.try_bearer(tokens).is_some();
        let next = self.rotate(&tokens.refresh);
        assert!(next.is_ok() || !bearer, "the refresh token is dead, but the access token is not");
        next.is_ok_and(|next| self.try_bearer(&next).is_some())
    }
}

impl People for Engine {
    fn try_join(&self, email: &str) -> Result<SignedIn, RegisterError> {
        let input = Register {
            email: email.into(),
            password: Field::Given(PASSWORD.into()),
            ..Register::default()
        };
        self.register(self.check_registration(input).unwrap(), &home())
    }

    fn try_enter(
        &self,
        email: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<SignedIn, SignInError> {
        let input = SignIn { email: email.into(), password: Field::Given(password.into()) };
        self.sign_in(self.check_sign_in(input).unwrap(), origin)
    }

    fn rotate(&self, token: &RefreshToken) -> Result<Tokens, RefreshError> {
        let refresh_token = Field::Given(token.expose_secret().into());
        self.refresh(Refresh { refresh_token }.check().unwrap(), &home())
    }

    fn try_bearer(&self, tokens: &Tokens) -> Option<Caller> {
        self.authenticate(tokens.access.token.expose_secret()).ok()
    }
}

/// What lies in the storage of an engine.
trait Stored {
    fn look<T>(&self, work: impl FnOnce(&mut dyn UnitOfWork) -> StoreResult<T>) -> T;
    fn events(&self, user: UserId) -> Vec<AuditEvent>;
    fn event_count(&self) -> u64;

    /// How often the user did or suffered this, with this outcome.
    fn count(&self, user: UserId, action: Action, outcome: Outcome) -> usize {
        let wanted = |event: &&AuditEvent| event.action == action && event.outcome == outcome;
        self.events(user).iter().filter(wanted).count()
    }
}

impl Stored for TestEngine {
    fn look<T>(&self, work: impl FnOnce(&mut dyn UnitOfWork) -> StoreResult<T>) -> T {
        self.storage.read(work).unwrap()
    }

    fn events(&self, user: UserId) -> Vec<AuditEvent> {
        self.look(|uow| uow.audit().list_for(user, 1000))
    }

    /// Of everybody: so many could be removed, and none is.
    fn event_count(&self) -> u64 {
        let mut uow = self.storage.begin(portcullis_storage::TxMode::Write).unwrap();
        uow.audit()
            .delete_before(Instant::from_unix_timestamp(9_999_999_999).unwrap(), 9999)
            .unwrap()
    }
}

/// What a client is told: kind, code and text.
fn told(error: &impl Classify) -> (ErrorKind, &'static str, String) {
    (error.kind(), error.code(), error.to_string())
}

/// The broken fields, in the order of their names.
fn broken(invalid: &Invalid) -> Vec<(&str, &str)> {
    invalid.0.iter().collect()
}

/// Does the same on so many threads at once.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    let run = |index| {
        start.wait();
        work(index)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|index| scope.spawn(move || run(index))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
