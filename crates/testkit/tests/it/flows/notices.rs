//! What the owner of a proven address is told without having asked.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::{admin::CreateUser, people::SignInError};
use portcullis_kernel::{Field, Origin};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use portcullis_tokens::OnReplay;
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, from,
    mailbox::{Mail as _, OTHER_PASSWORD, kinds, waiting},
};

/// How many mails a sign-in from there brings.
fn told(engine: &TestEngine, client: &str) -> usize {
    engine.try_enter(JANE, PASSWORD, &from(client)).unwrap();
    let letters = engine.deliver();
    assert!(kinds(&letters).iter().all(|mail| *mail == (JANE, "new_sign_in")), "{letters:?}");
    letters.len()
}

#[test]
fn v5_a_sign_in_from_a_network_not_seen_before_is_told_once() {
    let engine = TestEngine::new();
    engine.join_verified(JANE);
    // Registered from 203.0.113.7.
    for (client, mails) in [
        ("203.0.113.7", 0),
        ("203.0.113.200", 0),
        ("::ffff:203.0.113.9", 0),
        ("203.0.114.7", 1),
        ("203.0.114.8", 0),
        ("2001:db8:1:2::1", 1),
        ("2001:db8:1:ffff::1", 0),
        ("2001:db8:2::1", 1),
        ("203.0.113.7", 0),
    ] {
        assert_eq!(told(&engine, client), mails, "{client}");
    }
}

#[test]
fn a_notice_says_from_where_and_goes_to_the_stored_address() {
    let engine = TestEngine::new();
    engine.join_verified("Jane@Example.com");
    engine.try_enter(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane@example.com", "new_sign_in")]);
    assert_eq!(letters[0].asked.client, from("198.51.100.9").client);
    assert_eq!(letters[0].asked.network().as_deref(), Some("198.51.100.0/24"));
}

#[test]
fn the_first_sign_in_of_all_is_no_news() {
    let engine = TestEngine::new();
    let made = CreateUser {
        email: JANE.into(),
        password: Field::Given(PASSWORD.into()),
        email_verified: true,
        ..CreateUser::default()
    };
    engine.create_user(made, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(told(&engine, "198.51.100.9"), 0);
    assert_eq!(told(&engine, "192.0.2.1"), 1);
}

#[test]
fn v5_a_sign_in_to_an_account_that_was_silent_for_longer_than_addresses_are_known_is_told() {
    let engine = TestEngine::new();
    engine.join_verified(JANE);
    engine.clock.advance(Duration::days(31));
    engine.clean().unwrap();
    assert_eq!(told(&engine, "198.51.100.9"), 1);
}

#[test]
fn a_sign_in_to_an_address_that_was_never_proven_or_with_a_wrong_password_is_not_told() {
    let engine = TestEngine::new();
    engine.join(JANE);
    let link = engine.receive("verify_email");
    assert_eq!(told(&engine, "198.51.100.9"), 0);
    engine.try_verify(&link).unwrap();
    assert!(engine.try_enter(JANE, "wrong password", &from("192.0.2.1")).is_err());
    assert!(waiting(&engine).is_empty());
    assert_eq!(told(&engine, "198.51.100.9"), 0, "known by now");
    assert_eq!(told(&engine, "192.0.2.1"), 1);
}

#[test]
fn a_sign_in_on_the_pages_is_told_like_any_other() {
    let engine = TestEngine::new();
    engine.join_verified(JANE);
    engine.try_enter_page(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "new_sign_in")]);
}

#[test]
fn a_network_is_known_for_30_days_after_the_last_sign_in_from_it() {
    let engine = TestEngine::new();
    engine.join_verified(JANE);
    assert_eq!(told(&engine, "198.51.100.9"), 1);
    engine.clock.advance(Duration::days(20));
    assert_eq!(told(&engine, "203.0.113.7"), 0);
    engine.clock.advance(Duration::days(10));
    assert_eq!(told(&engine, "198.51.100.10"), 0);
    engine.clock.advance(Duration::days(20) + Duration::SECOND);
    assert_eq!(told(&engine, "203.0.113.7"), 1, "thirty days and a second");
}

#[test]
fn five_notices_of_a_kind_go_to_an_account_in_an_hour() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    engine.join_verified(JOHN);
    let mails: usize = (0..8).map(|n| told(&engine, &format!("198.51.{n}.1"))).sum();
    assert_eq!(mails, 5);
    engine.try_enter(JOHN, PASSWORD, &from("198.51.100.9")).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JOHN, "new_sign_in")], "another account");
    let caller = engine.bearer(&jane.tokens);
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")], "another kind");
    engine.try_change_password(&caller, OTHER_PASSWORD, PASSWORD).unwrap();
    engine.deliver();
    engine.clock.advance(Duration::HOUR);
    assert_eq!(told(&engine, "192.0.2.1"), 1, "another hour");
}

#[test]
fn parallel_sign_ins_from_new_networks_share_one_limit_and_all_succeed() {
    let one = TestEngine::new();
    let two = one.peer().build();
    one.join_verified(JANE);
    let results = at_once(8, |index| {
        [&one, &two][index % 2].try_enter(JANE, PASSWORD, &from(&format!("198.51.{index}.1")))
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(waiting(&one).len(), 5);
}

#[test]
fn a_notice_goes_to_the_address_that_the_account_has_when_the_session_begins() {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let caller = others.bearer(&others.join_verified(JANE).tokens);
    others.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    let code = others.receive("confirm_new_email");
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = others.peer().storage(faulty.clone()).build();
    faulty.heal();
    engine.try_enter(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    others.deliver();
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let acting = Arc::clone(&others);
    faulty.run_at(writes, move || {
        acting.try_confirm(&caller, &code).unwrap();
        acting.deliver();
    });
    engine.try_enter(JANE, PASSWORD, &from("192.0.2.1")).unwrap();
    assert_eq!(kinds(&others.deliver()), [(JOHN, "new_sign_in")]);
}

#[test]
fn r3_a_replay_is_told_once_with_what_it_ended() {
    for (on_replay, wanted) in [(OnReplay::Session, false), (OnReplay::User, true)] {
        let engine = TestEngine::builder().options(|o| o.refresh.on_replay = on_replay).build();
        let jane = engine.join_verified(JANE);
        let second = engine.rotate(&jane.tokens.refresh).unwrap();
        engine.rotate(&second.refresh).unwrap();
        assert!(waiting(&engine).is_empty());
        for _ in 0..3 {
            assert!(engine.rotate(&jane.tokens.refresh).is_err());
        }
        let letters = engine.deliver();
        assert_eq!(kinds(&letters), [(JANE, "refresh_replayed")]);
        let Content::RefreshReplayed { everywhere } = letters[0].content else { unreachable!() };
        assert_eq!(everywhere, wanted);
        assert_eq!(engine.count(jane.user.id, Action::RefreshReplayed, Outcome::Failure), 1);
    }
}

#[test]
fn an_honest_race_and_a_replay_at_an_address_never_proven_are_told_to_nobody() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    engine.rotate(&jane.tokens.refresh).unwrap();
    assert!(engine.rotate(&jane.tokens.refresh).is_err());
    assert!(waiting(&engine).is_empty(), "a race");
    let john = engine.join(JOHN);
    engine.deliver();
    let second = engine.rotate(&john.tokens.refresh).unwrap();
    engine.rotate(&second.refresh).unwrap();
    assert!(engine.rotate(&john.tokens.refresh).is_err());
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.count(john.user.id, Action::RefreshReplayed, Outcome::Failure), 1);
}

#[test]
fn a_suspended_user_who_knows_the_password_is_not_told_of_a_sign_in() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE).user.id;
    engine.suspend_user(jane, Actor::Operator, &Origin::local()).unwrap();
    let refused = engine.try_enter(JANE, PASSWORD, &from("198.51.100.9"));
    assert!(matches!(refused, Err(SignInError::Suspended)));
    assert!(waiting(&engine).is_empty());
}
