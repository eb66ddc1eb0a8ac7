//! What is stored of mails, and under which master key.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::{Message, RequestKind};
use portcullis_flows::{Engine, EngineOptions, MasterKey, Parts, admin::Invite};
use portcullis_kernel::{Alarm, ExposeSecret as _, MailId, Origin};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::{MASTER_KEY, TestEngine},
    entropy::SeededEntropy,
    faults::{Fault, FaultyStorage},
};
use time::Duration;

use super::{
    JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _,
    mailbox::{Mail as _, address, carried, kinds, waiting},
};

fn other_master_key() -> MasterKey {
    MasterKey::generate(&SeededEntropy::new(99)).unwrap()
}

/// What an operator was told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Alarm for Told {
    fn raise(&self, what: &str, cause: &dyn Error) {
        self.0.lock().unwrap().push(format!("{what}: {cause}"));
    }
}

/// Another server over the same storage, whose operator listens.
fn watched(engine: &TestEngine) -> (Engine, Arc<Told>) {
    let parts = Parts {
        storage: engine.storage.clone(),
        clock: engine.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(5)),
        jose: engine.jose.clone(),
        master_key: MasterKey::parse(MASTER_KEY).unwrap(),
    };
    let told = Arc::new(Told::default());
    let made = Engine::new(parts, EngineOptions::default()).unwrap().with_alarm(told.clone());
    (made, told)
}

/// Replaces what is sealed in a row.
fn tamper(engine: &TestEngine, id: MailId, sealed: &[u8]) {
    let key = MasterKey::parse(MASTER_KEY).unwrap().id();
    let done = engine.storage.transact(|uow| uow.outbox().reseal(id, &key, sealed, &key));
    assert!(done.unwrap());
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle.as_bytes())
}

#[test]
fn c1_v11_no_secret_and_no_address_can_be_read_in_what_waits() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join_verified(JANE).tokens);
    engine.join(JOHN);
    engine.ask(RequestKind::Reset, JANE);
    let reset = engine.claim_mail().unwrap().unwrap();
    engine.try_change_email(&caller, "new@example.com", PASSWORD).unwrap();
    let invite = Invite { email: "guest@example.com".into() };
    let invited = engine.invite(invite, Actor::Operator, &Origin::local()).unwrap();
    engine.ask(RequestKind::Verification, JOHN);
    let rows = waiting(&engine);
    assert!(rows.len() >= 6, "{rows:?}");
    let mut secrets = vec![invited.secret.expose_secret().to_owned()];
    secrets.extend([JANE, JOHN, "new@", "guest@", "203.0.113"].map(str::to_owned));
    let mut letters = vec![reset.letter];
    letters.extend(engine.deliver());
    let silent = ["email_change_asked", "new_sign_in"];
    let carrying = letters.iter().filter(|letter| !silent.contains(&letter.content.kind()));
    secrets.extend(carrying.map(carried));
    assert!(secrets.len() >= 10, "{secrets:?}");
    for row in &rows {
        let shown = format!("{row:?}");
        for secret in &secrets {
            assert!(!contains(&row.sealed, secret), "{} holds {secret}", row.kind);
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
    }
    assert!(letters.iter().all(|letter| {
        let shown = format!("{letter:?}");
        !secrets
            .iter()
            .any(|secret| !secret.contains(['@', '.']) && shown.contains(secret.as_str()))
    }));
}

#[test]
fn a_row_that_cannot_be_opened_is_dropped_and_an_operator_is_told() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    engine.join(JOHN);
    let rows = waiting(&engine);
    let of_jane = rows.iter().find(|row| row.user == Some(jane)).unwrap();
    let of_john = rows.iter().find(|row| row.user != Some(jane)).unwrap();
    // One row passed off as another: each is sealed for its own id.
    tamper(&engine, of_jane.id, &of_john.sealed);
    let (server, told) = watched(&engine);
    assert_eq!(kinds(&server.deliver()), [(JOHN, "verify_email")]);
    assert!(waiting(&engine).is_empty());
    let told = told.0.lock().unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("a mail that waited cannot be opened"), "{told:?}");
    let events = engine.events(jane);
    let event = events.iter().find(|event| event.action == Action::MailRefused).unwrap();
    assert_eq!((event.outcome, event.detail.as_deref()), (Outcome::Failure, Some("unreadable")));
}

#[test]
fn c6_rewrapping_seals_waiting_mails_anew_and_only_the_new_key_delivers_them() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    engine.ask(RequestKind::Reset, JANE);
    assert_eq!(engine.rewrap_keys(&other_master_key()).unwrap() as u64, KEYS);
    assert!(waiting(&engine).is_empty(), "none is sealed by the old key");
    assert!(engine.deliver().is_empty(), "a server that still has it leaves them alone");
    let new = engine.peer().master_key(other_master_key()).build();
    let mut letters = new.deliver();
    letters.sort_by_key(|letter| letter.content.kind());
    assert_eq!(kinds(&letters), [(JANE, "reset_password"), (JANE, "verify_email")]);
    assert!(new.try_verify(&carried(&letters[1])).is_ok(), "links do not hang on the key");
    assert_eq!(new.count(jane, Action::PasswordResetAsked, Outcome::Success), 1);
}

#[test]
fn c6_what_a_server_with_the_old_key_queues_later_it_delivers_itself() {
    let old = TestEngine::new();
    old.join(JANE);
    old.deliver();
    old.rewrap_keys(&other_master_key()).unwrap();
    let new = old.peer().master_key(other_master_key()).build();
    old.ask(RequestKind::Verification, JANE);
    new.ask(RequestKind::Reset, JANE);
    assert_eq!(kinds(&new.deliver()), [(JANE, "reset_password")]);
    assert_eq!(kinds(&old.deliver()), [(JANE, "verify_email")]);
}

#[test]
fn c6_a_mail_that_cannot_be_opened_does_not_hold_up_a_new_master_key() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    engine.join(JOHN);
    let rows = waiting(&engine);
    let of_jane = rows.iter().find(|row| row.user == Some(jane)).unwrap();
    tamper(&engine, of_jane.id, b"damaged");
    let (server, told) = watched(&engine);
    assert_eq!(server.rewrap_keys(&other_master_key()).unwrap() as u64, KEYS);
    assert_eq!(told.0.lock().unwrap().len(), 1, "an operator is told");
    let new = engine.peer().master_key(other_master_key()).build();
    assert_eq!(kinds(&new.deliver()), [(JOHN, "verify_email")]);
    assert_eq!(waiting(&engine).len(), 1);
    new.clock.advance(Duration::DAY);
    new.clean().unwrap();
    assert!(waiting(&engine).is_empty(), "and it goes when it expires");
}

#[test]
fn c6_rewrapping_that_failed_left_every_mail_as_it_was() {
    for fault in [Fault::Unavailable, Fault::Failed] {
        for number in 0.. {
            let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
            let engine = TestEngine::builder().storage(faulty.clone()).build();
            engine.join(JANE);
            engine.join(JOHN);
            let before = waiting(&engine);
            faulty.fail_at(number, fault);
            let done = engine.rewrap_keys(&other_master_key()).is_ok();
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            let after = waiting(&engine);
            if done || failed == Some(portcullis_testkit::faults::Step::Committed) {
                assert!(after.is_empty(), "at {number}");
            } else {
                assert_eq!(after, before, "at {number}");
                assert_eq!(engine.deliver().len(), 2);
            }
            if failed.is_none() {
                break;
            }
        }
    }
}

fn message(subject: &str) -> Message {
    let text = format!("https://example.com/verify-email?token={subject}");
    Message { to: JANE.into(), subject: subject.into(), text: text.clone(), html: text }
}

#[test]
fn the_local_inbox_keeps_the_newest_200_sealed_and_shows_the_newest_first() {
    let engine = TestEngine::new();
    let mut ids = Vec::new();
    for index in 0..203 {
        engine.clock.advance(Duration::SECOND);
        let id = engine.queue_test_mail(&address(&engine, JANE)).unwrap();
        engine.put_in_inbox(id, &message(&format!("mail {index}"))).unwrap();
        ids.push(id);
    }
    let kept = engine.list_inbox().unwrap();
    assert_eq!(kept.len(), 200);
    assert_eq!((kept[0].id, kept[0].message.subject.as_str()), (ids[202], "mail 202"));
    assert_eq!((kept[0].received_at, kept[0].message.to.as_str()), (engine.now(), JANE));
    assert_eq!(kept[199].id, ids[3]);
    assert!(engine.find_in_inbox(ids[2]).unwrap().is_none());
    assert_eq!(engine.find_in_inbox(ids[3]).unwrap().unwrap().message, message("mail 3"));
    let stored = engine.storage.begin(TxMode::Read).unwrap().inbox().list(1).unwrap();
    assert!(!contains(&stored[0].sealed, "mail") && !contains(&stored[0].sealed, JANE));
    engine.clear_inbox().unwrap();
    assert!(engine.list_inbox().unwrap().is_empty());
}

#[test]
fn a_mail_delivered_twice_is_kept_once_and_one_of_another_key_is_not_shown() {
    let engine = TestEngine::new();
    let id = engine.queue_test_mail(&address(&engine, JANE)).unwrap();
    engine.put_in_inbox(id, &message("first")).unwrap();
    engine.put_in_inbox(id, &message("second")).unwrap();
    let kept = engine.list_inbox().unwrap();
    assert_eq!((kept.len(), kept[0].message.subject.as_str()), (1, "second"));
    engine.rewrap_keys(&other_master_key()).unwrap();
    let new = engine.peer().master_key(other_master_key()).build();
    assert!(new.list_inbox().unwrap().is_empty());
    assert!(new.find_in_inbox(id).unwrap().is_none());
}
