//! Asking for a mail by an address alone.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::{Content, RequestKind};
use portcullis_flows::{admin::CreateUser, mail::AddressInput};
use portcullis_kernel::Origin;
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    entropy::FailingEntropy,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, from, home,
    mailbox::{Mail as _, address, carried, is_stored, kinds, presented, waiting},
};

const KINDS: [RequestKind; 2] = [RequestKind::Verification, RequestKind::Reset];

/// An unproven, a proven, a suspended and a passwordless account, and an address without one.
const MAILBOXES: [&str; 5] =
    [JANE, JOHN, "shut@example.com", "made@example.com", "nobody@example.com"];

fn town(engine: &TestEngine) {
    engine.join_verified(JOHN);
    engine.join(JANE);
    let shut = engine.join("shut@example.com").user.id;
    engine.suspend_user(shut, Actor::Operator, &Origin::local()).unwrap();
    let made = CreateUser { email: "made@example.com".into(), ..CreateUser::default() };
    engine.create_user(made, Actor::Operator, &Origin::local()).unwrap();
    engine.deliver();
}

#[test]
fn e3_e1_asking_takes_the_same_steps_for_every_address_within_the_limits_and_over_them() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    town(&engine);
    engine.clock.advance(Duration::HOUR);
    for kind in KINDS {
        for email in MAILBOXES {
            let steps: Vec<_> = (0..5)
                .map(|_| {
                    faulty.heal();
                    engine.ask(kind, email);
                    faulty.steps()
                })
                .collect();
            let queued = [Step::Begin(TxMode::Write), Step::Call, Step::Commit, Step::Committed];
            assert!(steps.iter().all(|steps| *steps == queued), "{kind:?} {email}: {steps:?}");
        }
    }
}

#[test]
fn what_is_mailed_depends_on_the_account_and_is_found_out_later() {
    let engine = TestEngine::new();
    town(&engine);
    engine.clock.advance(Duration::HOUR);
    for (kind, wanted) in [
        (RequestKind::Verification, [Some("verify_email"), None, None, Some("verify_email"), None]),
        (
            RequestKind::Reset,
            [Some("reset_password"), Some("reset_password"), None, Some("reset_password"), None],
        ),
    ] {
        for (email, wanted) in MAILBOXES.into_iter().zip(wanted) {
            engine.ask(kind, email);
            let letters = engine.deliver();
            let wanted: Vec<_> = wanted.map(|wanted| (email, wanted)).into_iter().collect();
            assert_eq!(kinds(&letters), wanted, "{kind:?}");
            assert!(waiting(&engine).is_empty(), "{kind:?} {email}: the request is gone");
        }
    }
}

#[test]
fn l9_mails_to_set_a_password_are_3_an_hour_and_address() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.deliver();
    let ask = || {
        engine.ask(RequestKind::Reset, "Jane@Example.com ");
        engine.deliver().len()
    };
    assert_eq!([ask(), ask(), ask(), ask(), ask()], [1, 1, 1, 0, 0]);
    engine.clock.advance(Duration::HOUR - Duration::MILLISECOND);
    engine.ask(RequestKind::Reset, JANE);
    assert!(engine.deliver().is_empty());
    engine.clock.advance(Duration::MILLISECOND);
    engine.ask(RequestKind::Reset, JANE);
    assert_eq!(engine.deliver().len(), 1);
    engine.ask(RequestKind::Verification, JANE);
    assert_eq!(engine.deliver().len(), 1, "proofs count for themselves");
}

#[test]
fn l9_parallel_requests_to_two_servers_share_one_limit() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let jane = one.join(JANE).user.id;
    one.deliver();
    at_once(8, |index| [&one, &two][index % 2].ask(RequestKind::Reset, JANE));
    assert_eq!(waiting(&one).len(), 8);
    at_once(2, |index| drop([&one, &two][index].deliver()));
    let asked = |outcome| {
        let mut events = one.events(jane);
        events
            .retain(|event| event.action == Action::PasswordResetAsked && event.outcome == outcome);
        events.len()
    };
    assert_eq!([asked(Outcome::Success), asked(Outcome::Failure)], [3, 5]);
}

#[test]
fn m5_an_owner_gets_the_mail_at_the_stored_address_whatever_the_rules_are_by_now() {
    let lax = TestEngine::builder().options(|options| options.email.unicode_local = true).build();
    let joined = lax.join("J\u{e4}ne@example.com");
    lax.deliver();
    let strict = lax.peer().options(|options| options.email.unicode_local = false).build();
    strict.ask_for_verification(&strict.bearer(&joined.tokens), &home()).unwrap();
    assert_eq!(kinds(&strict.deliver()), [("J\u{e4}ne@example.com", "verify_email")]);
}

#[test]
fn m5_a_mail_goes_to_the_stored_address_and_says_who_asked_and_when() {
    let engine = TestEngine::new();
    engine.join("Jane.Doe@example.com");
    engine.deliver();
    let asked_at = engine.now();
    let ask = AddressInput { email: "JANE.DOE@EXAMPLE.com".into() };
    let ask = engine.check_ask_for_mail(RequestKind::Reset, ask).unwrap();
    engine.ask_for_mail(&ask, &from("198.51.100.9")).unwrap();
    engine.clock.advance(Duration::minutes(5));
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane.Doe@example.com", "reset_password")]);
    let asked = &letters[0].asked;
    assert_eq!(asked.at.unix_timestamp(), asked_at.unix_timestamp());
    assert_eq!(asked.client, from("198.51.100.9").client);
    let Content::ResetPassword { expires_at, .. } = letters[0].content else { unreachable!() };
    assert_eq!(expires_at.unix_timestamp(), engine.now().unix_timestamp() + 3600);
    assert!(carried(&letters[0]).starts_with("rst_"));
    let id = engine.find_user("jane.doe@example.com").unwrap().id;
    let events = engine.events(id);
    let event = events.iter().find(|e| e.action == Action::PasswordResetAsked).unwrap();
    assert_eq!((event.actor, event.subject), (Actor::Anonymous, Some(id)));
    assert_eq!((event.client, &event.request_id), (asked.client, &asked.request_id));
}

#[test]
fn g3_a_request_is_one_event_of_the_account_and_none_without_one() {
    let engine = TestEngine::new();
    town(&engine);
    engine.clock.advance(Duration::HOUR);
    let before = engine.event_count();
    for kind in KINDS {
        engine.ask(kind, "nobody@example.com");
        engine.ask(kind, "shut@example.com");
    }
    engine.ask(RequestKind::Verification, JOHN);
    engine.deliver();
    assert_eq!(engine.event_count(), before);
    engine.ask(RequestKind::Verification, JANE);
    engine.ask(RequestKind::Reset, JANE);
    engine.deliver();
    assert_eq!(engine.event_count(), before + 2);
    let jane = engine.find_user(JANE).unwrap().id;
    for action in [Action::VerificationAsked, Action::PasswordResetAsked] {
        assert_eq!(engine.count(jane, action, Outcome::Success), 1, "{action:?}");
    }
}

#[test]
fn a_request_that_nobody_took_in_time_is_dropped() {
    for (kind, life) in
        [(RequestKind::Reset, Duration::HOUR), (RequestKind::Verification, Duration::DAY)]
    {
        for (late, mails) in [(-Duration::SECOND, 1), (Duration::ZERO, 0)] {
            let engine = TestEngine::new();
            engine.join(JANE);
            engine.deliver();
            engine.ask(kind, JANE);
            engine.clock.advance(life + late);
            assert_eq!(engine.deliver().len(), mails, "{kind:?} {late}");
            assert!(waiting(&engine).is_empty());
        }
    }
}

#[test]
fn a_request_for_an_account_that_went_or_moved_meanwhile_comes_to_nothing() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let john = engine.bearer(&engine.join(JOHN).tokens);
    engine.deliver();
    engine.ask(RequestKind::Reset, JANE);
    engine.ask(RequestKind::Reset, JOHN);
    engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    let mut moved = john.user.clone();
    moved.email = address(&engine, "moved@example.com");
    engine.storage.transact(|uow| uow.users().update(&moved)).unwrap();
    assert!(engine.deliver().is_empty());
    assert!(waiting(&engine).is_empty());
}

#[test]
fn an_account_deleted_while_its_request_is_in_hand_gets_no_mail() {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let jane = others.join(JANE).user.id;
    others.deliver();
    let faulty = FaultyStorage::over(Arc::new(memory));
    let worker = others.peer().storage(faulty.clone()).build();
    others.ask(RequestKind::Reset, JANE);
    let acting = Arc::clone(&others);
    // It looks whether anything is due, takes it, and then begins to fulfil it.
    faulty.run_at(4, move || {
        acting.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    });
    assert!(worker.deliver().is_empty());
    assert_eq!(faulty.steps()[4], Step::Begin(TxMode::Write));
    assert!(waiting(&others).is_empty());
    assert_eq!(others.count(jane, Action::PasswordResetAsked, Outcome::Success), 0);
}

#[test]
fn a_newer_request_kills_the_older_link_when_it_is_fulfilled() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.deliver();
    let older = engine.reset_token(JANE);
    engine.ask(RequestKind::Reset, JANE);
    let looked = presented(MailedKind::ResetPassword, &older);
    assert!(engine.preview_reset(&looked).is_ok(), "nobody has looked into it yet");
    let newer = engine.receive("reset_password");
    assert!(engine.preview_reset(&looked).is_err());
    assert!(is_stored(&engine, MailedKind::ResetPassword, &newer));
    assert!(engine.try_reset(&newer, PASSWORD).is_ok());
}

#[test]
fn a_malformed_address_is_broken_input_and_without_entropy_nothing_is_queued() {
    let engine = TestEngine::new();
    for kind in KINDS {
        let nothing = engine.check_ask_for_mail(kind, AddressInput::default()).unwrap_err();
        assert_eq!(broken(&nothing), [("email", "is required")]);
        let wrong = AddressInput { email: "\"jane\"@example.com".into() };
        let wrong = engine.check_ask_for_mail(kind, wrong).unwrap_err();
        assert_eq!(broken(&wrong), [("email", "must be a valid email address")]);
        let dry = engine.peer().entropy(Arc::new(FailingEntropy)).build();
        let ask = dry.check_ask_for_mail(kind, AddressInput { email: JANE.into() }).unwrap();
        assert!(dry.ask_for_mail(&ask, &home()).is_err());
    }
    assert!(waiting(&engine).is_empty());
}

#[test]
fn m7_two_workers_fulfil_a_request_once() {
    for _ in 0..4 {
        let one = TestEngine::new();
        let two = one.peer().build();
        let jane = one.join(JANE).user.id;
        one.deliver();
        one.ask(RequestKind::Reset, JANE);
        let letters: Vec<_> =
            at_once(2, |index| [&one, &two][index].deliver()).into_iter().flatten().collect();
        assert_eq!(kinds(&letters), [(JANE, "reset_password")]);
        assert_eq!(one.count(jane, Action::PasswordResetAsked, Outcome::Success), 1);
    }
}

#[test]
fn a_worker_that_comes_back_after_its_lease_does_not_fulfil_what_another_took() {
    let memory = MemoryStorage::default();
    let other = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let jane = other.join(JANE).user.id;
    other.deliver();
    other.ask(RequestKind::Reset, JANE);
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = other.peer().storage(faulty.clone()).build();
    let faster = Arc::clone(&other);
    faulty.run_at(4, move || {
        faster.clock.advance(Duration::seconds(30));
        assert_eq!(faster.deliver().len(), 1);
    });
    assert!(slow.deliver().is_empty());
    assert_eq!(other.count(jane, Action::PasswordResetAsked, Outcome::Success), 1);
}
