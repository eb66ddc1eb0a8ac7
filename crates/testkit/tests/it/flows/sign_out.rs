use std::sync::Arc;

use portcullis_audit::{Action, Outcome};
use portcullis_flows::people::{Caller, SignOut, SignOutError, Tokens};
use portcullis_kernel::{ErrorKind, ExposeSecret as _, Field};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};

use super::{JANE, JOHN, People as _, Stored as _, at_once, broken, home, told};

fn leave(engine: &TestEngine, caller: &Caller, token: &str) -> Result<(), SignOutError> {
    let refresh_token = Field::Given(token.into());
    engine.sign_out(caller, SignOut { refresh_token }, &home())
}

fn text(tokens: &Tokens) -> &str {
    tokens.refresh.expose_secret()
}

#[test]
fn r6_signing_out_ends_the_session_of_the_token_and_no_other() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let sibling = engine.enter(JANE).tokens;
    let caller = engine.bearer(&joined.tokens);
    leave(&engine, &caller, text(&joined.tokens)).unwrap();
    assert!(!engine.is_alive(&joined.tokens), "its access token is refused at once");
    assert!(engine.is_alive(&sibling));
    let user = joined.user.id;
    assert_eq!(engine.count(user, Action::SignedOut, Outcome::Success), 1);
    let event = engine.events(user).into_iter().find(|e| e.action == Action::SignedOut).unwrap();
    assert_eq!(event.session, Some(caller.session));
    assert_eq!(engine.count(user, Action::RefreshReplayed, Outcome::Failure), 0);
}

#[test]
fn r6_a_used_token_signs_out_too() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    let last = engine.rotate(&next.refresh).unwrap();
    leave(&engine, &engine.bearer(&last), text(&joined.tokens)).unwrap();
    assert!(!engine.is_alive(&last));
    assert_eq!(engine.count(joined.user.id, Action::SignedOut, Outcome::Success), 1);
    assert_eq!(engine.count(joined.user.id, Action::RefreshReplayed, Outcome::Failure), 0);
}

#[test]
fn r6_the_token_of_another_own_session_ends_that_one() {
    let engine = TestEngine::new();
    let here = engine.join(JANE).tokens;
    let there = engine.enter(JANE).tokens;
    leave(&engine, &engine.bearer(&here), text(&there)).unwrap();
    assert!(engine.is_alive(&here) && !engine.is_alive(&there));
}

#[test]
fn r7_a_foreign_unknown_or_dead_token_changes_nothing_and_is_told_so_to_nobody() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    let john = engine.join(JOHN);
    let dead = engine.enter(JANE).tokens;
    let caller = engine.bearer(&jane.tokens);
    leave(&engine, &caller, text(&dead)).unwrap();
    let events = engine.event_count();
    let unknown = format!("rt_{}", "0".repeat(26));
    for token in [text(&john.tokens), text(&dead), &unknown, "x", &"x".repeat(60_000)] {
        leave(&engine, &caller, token).unwrap();
    }
    assert_eq!(engine.event_count(), events);
    assert!(engine.is_alive(&john.tokens) && engine.is_alive(&jane.tokens));
}

#[test]
fn a_missing_empty_or_mistyped_token_is_broken_input() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    let caller = engine.bearer(&tokens);
    for field in [Field::Absent, Field::Given("".into()), Field::Invalid("must be a string".into())]
    {
        let refused = engine.sign_out(&caller, SignOut { refresh_token: field }, &home());
        let refused = refused.unwrap_err();
        let SignOutError::Invalid(invalid) = &refused else { panic!("{refused:?}") };
        assert_eq!(broken(invalid)[0].0, "refresh_token");
        assert_eq!(told(&refused).0, ErrorKind::InvalidInput);
    }
    assert!(engine.is_alive(&tokens));
}

#[test]
fn r8_a_refresh_that_comes_after_the_sign_out_finds_nothing() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    leave(&engine, &engine.bearer(&tokens), text(&tokens)).unwrap();
    assert!(engine.rotate(&tokens.refresh).is_err());
}

#[test]
fn r8_a_sign_out_with_a_token_that_a_refresh_just_spent_ends_the_successor() {
    let memory = MemoryStorage::default();
    let other = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let tokens = other.join(JANE).tokens;
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = other.peer().storage(faulty.clone()).build();
    let caller = engine.bearer(&tokens);
    let successor = Arc::new(std::sync::Mutex::new(None));
    let (acting, token, put) = (Arc::clone(&other), tokens.clone(), Arc::clone(&successor));
    faulty.run_at(0, move || *put.lock().unwrap() = Some(acting.rotate(&token.refresh).unwrap()));
    leave(&engine, &caller, text(&tokens)).unwrap();
    assert_eq!(faulty.position(Step::Begin(TxMode::Write)), Some(0));
    let successor = successor.lock().unwrap().take().unwrap();
    assert!(!other.is_alive(&successor));
}

#[test]
fn r8_a_sign_out_beside_a_refresh_leaves_nothing_alive() {
    let engine = TestEngine::new();
    engine.join(JANE);
    for _ in 0..10 {
        let tokens = engine.enter(JANE).tokens;
        let caller = engine.bearer(&tokens);
        let rotated = at_once(2, |index| {
            if index == 0 {
                return engine.rotate(&tokens.refresh).ok();
            }
            leave(&engine, &caller, text(&tokens)).unwrap();
            None
        });
        for successor in rotated.into_iter().flatten() {
            assert!(!engine.is_alive(&successor));
        }
        assert!(!engine.is_alive(&tokens));
    }
}
