//! The code that proves a new address: how often it is tried, how long, by whom.

use std::sync::Arc;

use portcullis_audit::{Action, Outcome};
use portcullis_flows::{
    MasterKey,
    people::{Caller, ConfirmEmail, ConfirmEmailError},
};
use portcullis_kernel::{Classify as _, ErrorKind, Field, TokenDigest};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    entropy::SeededEntropy,
    faults::{Fault, FaultyStorage},
};
use time::Duration;

use super::{
    JANE, PASSWORD, People as _, Stored as _, at_once, broken,
    mailbox::{Mail as _, waiting},
    told,
};

const NEW: &str = "new@example.com";

/// Somebody who asked for a change, and the code.
fn asked(engine: &TestEngine) -> (Caller, String) {
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    (caller, engine.receive("confirm_new_email"))
}

/// Another code than this one.
fn other_than(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

fn is_refused<T>(result: &Result<T, ConfirmEmailError>) -> bool {
    matches!(result, Err(ConfirmEmailError::InvalidCode))
}

/// Whether a try at the pending change would be taken. Takes none.
fn is_open(engine: &TestEngine, caller: &Caller) -> bool {
    let mut uow = engine.storage.begin(TxMode::Write).unwrap();
    let most = engine.options().mailed.code_tries;
    let taken = uow.email_changes().take_try(caller.user.id, caller.session, most, engine.now());
    taken.unwrap().is_some()
}

#[test]
fn o3_after_five_wrong_tries_the_right_code_is_refused_too() {
    for wrong in [4, 5, 6] {
        let engine = TestEngine::new();
        let (caller, code) = asked(&engine);
        for _ in 0..wrong {
            let refused = engine.try_confirm(&caller, &other_than(&code)).unwrap_err();
            let (kind, name, text) = told(&refused);
            assert_eq!((kind, name), (ErrorKind::Unauthenticated, "invalid_token"));
            assert_eq!(text, "The code is wrong, expired or was tried too often.");
        }
        let right = engine.try_confirm(&caller, &code);
        assert_eq!(right.is_ok(), wrong < 5, "after {wrong}");
        assert!(right.is_ok() || is_refused(&right));
        let counted = engine.count(caller.user.id, Action::EmailChanged, Outcome::Failure);
        assert_eq!(counted, wrong.min(5), "each try that was judged is one event");
    }
}

#[test]
fn o4_parallel_wrong_tries_do_not_outrun_the_count() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let (caller, code) = asked(&one);
    let results =
        at_once(16, |index| [&one, &two][index % 2].try_confirm(&caller, &other_than(&code)));
    assert!(results.iter().all(is_refused));
    assert_eq!(one.count(caller.user.id, Action::EmailChanged, Outcome::Failure), 5);
    assert!(is_refused(&one.try_confirm(&caller, &code)));
}

#[test]
fn o1_o2_of_parallel_right_tries_one_changes_the_address() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let (caller, code) = asked(&one);
    let results = at_once(8, |index| [&one, &two][index % 2].try_confirm(&caller, &code));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| result.is_ok() || is_refused(result)));
    assert_eq!(one.count(caller.user.id, Action::EmailChanged, Outcome::Success), 1);
    assert!(is_refused(&two.try_confirm(&caller, &code)), "and never again");
}

#[test]
fn o3_a_try_whose_answer_was_lost_was_counted_and_one_that_failed_told_nothing() {
    for fault in [Fault::Unavailable, Fault::Failed] {
        for number in 0.. {
            let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
            let engine = TestEngine::builder().storage(faulty.clone()).build();
            let (caller, code) = asked(&engine);
            let mut told = 0;
            for _ in 0..5 {
                faulty.fail_at(number, fault);
                match engine.try_confirm(&caller, &other_than(&code)) {
                    Err(ConfirmEmailError::InvalidCode) => told += 1,
                    // The same for every code: whoever makes the database fail learns nothing.
                    Err(error) => assert_ne!(error.kind(), ErrorKind::Unauthenticated),
                    Ok(_) => panic!("accepted"),
                }
            }
            let done = faulty.steps().len() <= number;
            faulty.heal();
            let counted = engine.count(caller.user.id, Action::EmailChanged, Outcome::Failure);
            assert!(told <= counted, "at {number}: told of {told}, counted {counted}");
            if counted == 5 {
                assert!(is_refused(&engine.try_confirm(&caller, &code)));
            }
            if done {
                assert_eq!((told, counted), (5, 5));
                break;
            }
        }
    }
}

#[test]
fn a_right_code_that_met_a_fault_changed_the_address_wholly_or_not_at_all() {
    for fault in [Fault::Unavailable, Fault::Failed] {
        for number in 0.. {
            let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
            let engine = TestEngine::builder().storage(faulty.clone()).build();
            let (caller, code) = asked(&engine);
            faulty.fail_at(number, fault);
            let result = engine.try_confirm(&caller, &code);
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            let changed = engine.find_user(NEW).is_ok();
            assert_eq!(engine.find_user(JANE).is_err(), changed);
            let events = engine.count(caller.user.id, Action::EmailChanged, Outcome::Success);
            assert_eq!(events, usize::from(changed), "at {number}, {failed:?}");
            assert!(changed || result.is_err());
            assert_eq!(engine.try_confirm(&caller, &code).is_ok(), !changed, "at {number}");
            if failed.is_none() {
                break;
            }
        }
    }
}

#[test]
fn o7_a_code_lives_15_minutes_and_not_a_moment_longer() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let (_, code) = asked(&engine);
        // The access token is as old; a new one is of the same session.
        let tokens = engine.show_user(JANE).unwrap().sessions;
        let caller = Caller { user: engine.find_user(JANE).unwrap(), session: tokens[0].id };
        engine.clock.advance(Duration::minutes(15) + late);
        assert_eq!(engine.try_confirm(&caller, &code).is_ok(), good, "{late}");
    }
}

#[test]
fn o8_a_code_is_six_ascii_digits_and_other_texts_are_not_even_counted() {
    let engine = TestEngine::new();
    let (caller, code) = asked(&engine);
    let spaced = format!(" {code}");
    for text in [&code[..5], "1234567", spaced.as_str(), "１２３４５６", "12345a", "-12345", "rst_"]
    {
        assert!(is_refused(&engine.try_confirm(&caller, text)), "{text}");
    }
    for (field, why) in [
        (Field::Absent, "is required"),
        (Field::Given("".into()), "must not be empty"),
        (Field::Invalid("must be a string".into()), "must be a string"),
    ] {
        let input = ConfirmEmail { code: field };
        let Err(ConfirmEmailError::Invalid(invalid)) =
            engine.confirm_email(&caller, input, &super::home())
        else {
            panic!("{why}");
        };
        assert_eq!(broken(&invalid), [("code", why)]);
    }
    assert!(engine.try_confirm(&caller, &code).is_ok());
}

#[test]
fn o9_a_code_is_stored_under_a_key_that_is_not_in_the_database() {
    let engine = TestEngine::new();
    let (caller, code) = asked(&engine);
    let mut uow = engine.storage.begin(TxMode::Write).unwrap();
    let taken = uow.email_changes().take_try(caller.user.id, caller.session, 5, engine.now());
    drop(uow);
    let stored = taken.unwrap().unwrap();
    assert_ne!(stored.code.as_bytes(), TokenDigest::of(&code).as_bytes());
    assert!(!format!("{stored:?}").contains(&code));
    let other = MasterKey::generate(&SeededEntropy::new(99)).unwrap();
    let thief = engine.peer().master_key(other).build_closed();
    assert!(is_refused(&thief.try_confirm(&caller, &code)), "the rows alone prove no code");
    assert!(engine.try_confirm(&caller, &code).is_ok());
}

#[test]
fn o6_the_code_of_one_wish_is_no_code_of_another() {
    let engine = TestEngine::new();
    let (caller, first) = asked(&engine);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let second = engine.receive("confirm_new_email");
    assert_ne!(first, second);
    assert!(is_refused(&engine.try_confirm(&caller, &first)));
    assert!(engine.try_confirm(&caller, &second).is_ok());
}

#[test]
fn a_try_in_another_session_is_not_counted() {
    let engine = TestEngine::new();
    let (caller, code) = asked(&engine);
    let other = engine.bearer(&engine.enter(JANE).tokens);
    for _ in 0..6 {
        assert!(is_refused(&engine.try_confirm(&other, &code)));
    }
    assert!(engine.try_confirm(&caller, &code).is_ok());
}

#[test]
fn l9_codes_and_confirmations_to_one_address_share_its_limit() {
    let engine = TestEngine::new();
    let (caller, _) = asked(&engine);
    let mut mails = 1;
    for _ in 0..4 {
        engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
        mails += waiting(&engine).len();
        engine.deliver();
    }
    assert_eq!(mails, 3);
    // Somebody else who registers the address meets the same bucket.
    engine.join(NEW);
    assert!(waiting(&engine).is_empty());
}

#[test]
fn o5_a_code_that_is_mailed_to_nobody_is_nobodys_to_guess() {
    let engine = TestEngine::new();
    let (caller, code) = asked(&engine);
    for wish in 1..=3 {
        assert!(is_open(&engine, &caller), "{wish}");
        engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    }
    // The fourth within an hour: no mail went out, so five more guesses must not be had for it.
    assert!(!is_open(&engine, &caller));
    assert!(is_refused(&engine.try_confirm(&caller, &code)));
    engine.clock.advance(Duration::HOUR);
    let caller = engine.bearer(&engine.enter(JANE).tokens);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    assert!(engine.try_confirm(&caller, &engine.receive("confirm_new_email")).is_ok());
}
