//! The limit on failed sign-ins to one e-mail address, over all client addresses.

use std::sync::Arc;

use portcullis_audit::Actor;
use portcullis_flows::people::SignInError;
use portcullis_kernel::{Clock as _, ErrorKind, Origin};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage},
};
use time::Duration;

use super::{JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, from, home, told};

/// A server whose limit is this small, so that a test need not hash thirty times.
fn with_limit(limit: u32) -> TestEngine {
    let engine = TestEngine::builder();
    engine.options(|options| options.limits.sign_in_failures.limit = limit).build()
}

/// A client address that nobody used before.
fn stranger(index: usize) -> Origin {
    from(&format!("198.51.100.{index}"))
}

/// How many wrong passwords, each from another address, are judged.
fn judged(engine: &TestEngine, email: &str, tries: usize) -> usize {
    let wrong = |index| engine.try_enter(email, "wrong password", &stranger(index));
    let results = (0..tries).map(wrong);
    results.filter(|r| matches!(r, Err(SignInError::InvalidCredentials))).count()
}

fn is_shut(result: Result<portcullis_flows::people::SignedIn, SignInError>) -> bool {
    matches!(result, Err(SignInError::TooManyFailures(_)))
}

#[test]
fn l8_thirty_failures_from_as_many_addresses_are_judged_and_no_more() {
    let engine = TestEngine::new();
    engine.join(JANE);
    assert_eq!(judged(&engine, JANE, 32), 30);
    let refused = engine.try_enter(JANE, PASSWORD, &stranger(99)).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::RateLimited, "rate_limited"));
    let SignInError::TooManyFailures(standing) = refused else { panic!("{refused:?}") };
    assert_eq!((standing.limit, standing.remaining), (30, 0));
    assert_eq!(standing.retry_after(engine.clock.now()), 900);
}

#[test]
fn l8_the_owner_is_not_shut_out_where_they_signed_in_before() {
    let engine = with_limit(2);
    engine.join(JANE);
    engine.try_enter(JANE, PASSWORD, &from("2001:db8::1")).unwrap();
    assert_eq!(judged(&engine, JANE, 5), 2);
    assert!(is_shut(engine.try_enter(JANE, PASSWORD, &stranger(99))));
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_ok(), "where they registered");
    assert!(engine.try_enter(JANE, PASSWORD, &from("2001:db8::2")).is_ok(), "the same /64");
    let wrong = engine.try_enter(JANE, "wrong password", &home());
    assert!(matches!(wrong, Err(SignInError::InvalidCredentials)), "wrong stays wrong there");
}

#[test]
fn l8_an_address_is_known_for_30_days_after_the_last_sign_in() {
    let engine = with_limit(1);
    engine.join(JANE);
    engine.clock.advance(Duration::days(20));
    engine.enter(JANE);
    engine.clock.advance(Duration::days(30));
    assert_eq!(judged(&engine, JANE, 1), 1);
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_ok(), "which is a sign-in again");
    engine.clock.advance(Duration::days(30) + Duration::SECOND);
    assert_eq!(judged(&engine, JANE, 1), 1);
    assert!(is_shut(engine.try_enter(JANE, PASSWORD, &home())));
}

#[test]
fn l8_what_one_user_knows_says_nothing_of_another() {
    let engine = with_limit(1);
    engine.join(JANE);
    engine.try_enter(JANE, PASSWORD, &stranger(7)).unwrap();
    engine.join(JOHN);
    assert_eq!(judged(&engine, JOHN, 1), 1);
    assert!(is_shut(engine.try_enter(JOHN, PASSWORD, &stranger(7))));
    assert!(engine.try_enter(JANE, PASSWORD, &stranger(8)).is_ok(), "nor of another's failures");
}

#[test]
fn l8_a_right_password_gives_its_place_back() {
    let engine = with_limit(3);
    let user = engine.join(JANE).user.id;
    for index in 30..35 {
        engine.try_enter(JANE, PASSWORD, &stranger(index)).unwrap();
    }
    engine.suspend_user(user, Actor::Operator, &Origin::local()).unwrap();
    for index in 10..15 {
        let refused = engine.try_enter(JANE, PASSWORD, &stranger(index));
        assert!(matches!(refused, Err(SignInError::Suspended)), "suspended, but right");
    }
    engine.resume_user(user, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(judged(&engine, JANE, 5), 3);
}

#[test]
fn l8_it_opens_again_after_15_minutes_and_not_before() {
    let engine = with_limit(2);
    engine.join(JANE);
    assert_eq!(judged(&engine, JANE, 3), 2);
    engine.clock.advance(Duration::minutes(15) - Duration::MILLISECOND);
    assert!(is_shut(engine.try_enter(JANE, PASSWORD, &stranger(99))), "refused tries do not count");
    engine.clock.advance(Duration::MILLISECOND);
    assert!(engine.try_enter(JANE, PASSWORD, &stranger(99)).is_ok());
}

#[test]
fn e6_an_address_without_account_is_counted_alike() {
    let engine = with_limit(2);
    assert_eq!(judged(&engine, "nobody@example.com", 4), 2);
    assert!(is_shut(engine.try_enter("NoBody@example.com", PASSWORD, &home())), "one mailbox");
    assert_eq!(judged(&engine, "somebody@example.com", 4), 2);
}

#[test]
fn o4_parallel_guesses_do_not_outrun_the_count() {
    let one = with_limit(3);
    one.join(JANE);
    let two = one.peer().build();
    let results = at_once(8, |index| {
        let engine = if index % 2 == 0 { &one } else { &two };
        engine.try_enter(JANE, "wrong password", &stranger(index))
    });
    let judged = |result: &Result<_, _>| matches!(result, Err(SignInError::InvalidCredentials));
    assert_eq!(results.iter().filter(|result| judged(result)).count(), 3);
}

#[test]
fn parallel_right_passwords_from_many_addresses_all_succeed() {
    let engine = with_limit(8);
    engine.join(JANE);
    let results = at_once(8, |index| engine.try_enter(JANE, PASSWORD, &stranger(index)));
    assert!(results.iter().all(Result::is_ok));
}

#[test]
fn a_limit_that_is_reached_is_written_down_once_until_it_opens_again() {
    let engine = with_limit(2);
    engine.join(JANE);
    let before = engine.event_count();
    judged(&engine, JANE, 5);
    assert_eq!(engine.event_count() - before, 2 + 1, "two failures, and the limit once");
    engine.clock.advance(Duration::minutes(15));
    judged(&engine, JANE, 4);
    assert_eq!(engine.event_count() - before, 2 * (2 + 1));
}

#[test]
fn l13_it_is_closed_when_the_store_cannot_be_asked() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    engine.join(JANE);
    faulty.heal();
    engine.try_enter(JANE, PASSWORD, &stranger(1)).unwrap();
    let charge = faulty.steps().iter().position(|step| {
        *step == portcullis_testkit::faults::Step::Begin(portcullis_storage::TxMode::Statement)
    });
    faulty.fail_at(charge.unwrap(), Fault::Unavailable);
    let refused = engine.try_enter(JANE, PASSWORD, &stranger(2)).unwrap_err();
    assert_eq!(told(&refused).1, "service_unavailable");
}
