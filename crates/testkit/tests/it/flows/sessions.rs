use portcullis_audit::{Action, Outcome};
use portcullis_flows::people::SessionError;
use portcullis_kernel::{Clock as _, ErrorKind};
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::RefreshPolicy;
use time::Duration;

use super::{JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, from, home, told};

#[test]
fn only_own_live_sessions_are_listed_the_last_used_first() {
    let engine = TestEngine::new();
    let first = engine.join(JANE).tokens;
    engine.join(JOHN);
    let began = engine.clock.now();
    engine.clock.advance(Duration::MINUTE);
    let second = engine.try_enter(JANE, PASSWORD, &from("2001:db8::1")).unwrap().tokens;
    engine.clock.advance(Duration::MINUTE);
    let first = engine.rotate(&first.refresh).unwrap();
    let (caller, other) = (engine.bearer(&first), engine.bearer(&second));
    let views = engine.list_sessions(&caller).unwrap();
    let seen: Vec<_> = views.iter().map(|view| (view.session.id, view.current)).collect();
    assert_eq!(seen, [(caller.session, true), (other.session, false)]);
    assert_eq!(views[0].session.created_at, began);
    assert_eq!(views[0].session.last_used_at, engine.clock.now());
    assert_eq!(views[1].session.ip.as_deref(), Some("2001:db8::1"));
    engine.end_session(&caller, &other.session.to_string(), &home()).unwrap();
    assert_eq!(engine.list_sessions(&caller).unwrap().len(), 1);
}

#[test]
fn a_session_whose_token_has_expired_is_not_listed() {
    let engine = TestEngine::new();
    let unused = engine.join(JANE).tokens;
    engine.clock.advance(Duration::days(30) - Duration::SECOND);
    let caller = engine.bearer(&engine.enter(JANE).tokens);
    assert_eq!(engine.list_sessions(&caller).unwrap().len(), 2);
    engine.clock.advance(Duration::SECOND);
    assert_eq!(engine.list_sessions(&caller).unwrap().len(), 1);
    assert!(!engine.is_alive(&unused));
}

#[test]
fn ending_a_session_refuses_its_tokens_at_once() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let other = engine.enter(JANE).tokens;
    let caller = engine.bearer(&joined.tokens);
    let id = engine.bearer(&other).session;
    engine.end_session(&caller, &id.to_string(), &home()).unwrap();
    assert!(!engine.is_alive(&other) && engine.is_alive(&joined.tokens));
    assert_eq!(engine.count(joined.user.id, Action::SessionEnded, Outcome::Success), 1);
    engine.end_session(&caller, &caller.session.to_string(), &home()).unwrap();
    assert!(engine.try_bearer(&joined.tokens).is_none(), "one may end the session that asks");
}

#[test]
fn r7_foreign_dead_and_unreadable_ids_are_no_such_session() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let john = engine.join(JOHN).tokens;
    let dead = engine.enter(JANE).tokens;
    let (caller, foreign) = (engine.bearer(&joined.tokens), engine.bearer(&john).session);
    let dead = engine.bearer(&dead).session.to_string();
    engine.end_session(&caller, &dead, &home()).unwrap();
    let unknown = format!("ses_{}", "0".repeat(32));
    for id in [&foreign.to_string(), &dead, &unknown, "", "ses_", "../x", &"x".repeat(9999)] {
        let refused = engine.end_session(&caller, id, &home()).unwrap_err();
        assert!(matches!(refused, SessionError::NotFound), "{id}");
        assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::NotFound, "not_found"));
    }
    assert!(engine.is_alive(&john));
    assert_eq!(engine.count(joined.user.id, Action::SessionEnded, Outcome::Success), 1);
}

#[test]
fn ending_all_others_keeps_the_one_that_asks() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let others = [engine.enter(JANE).tokens, engine.enter(JANE).tokens];
    let john = engine.join(JOHN).tokens;
    let caller = engine.bearer(&joined.tokens);
    assert_eq!(engine.end_other_sessions(&caller, &home()).unwrap(), 2);
    assert_eq!(engine.end_other_sessions(&caller, &home()).unwrap(), 0);
    assert_eq!(engine.count(joined.user.id, Action::OtherSessionsEnded, Outcome::Success), 1);
    assert!(others.iter().all(|tokens| !engine.is_alive(tokens)));
    assert!(engine.is_alive(&joined.tokens) && engine.is_alive(&john));
}

#[test]
fn r13_beyond_the_most_the_longest_unused_session_ends() {
    assert_eq!(RefreshPolicy::default().max_sessions, 100);
    let engine = TestEngine::builder().options(|o| o.refresh.max_sessions = 3).build();
    let mut tokens = vec![engine.join(JANE).tokens];
    for _ in 0..2 {
        engine.clock.advance(Duration::MINUTE);
        tokens.push(engine.enter(JANE).tokens);
    }
    engine.clock.advance(Duration::MINUTE);
    tokens[0] = engine.rotate(&tokens[0].refresh).unwrap();
    let john = engine.join(JOHN).tokens;
    let newest = engine.enter(JANE).tokens;
    let alive: Vec<bool> = tokens.iter().map(|tokens| engine.is_alive(tokens)).collect();
    assert_eq!(alive, [true, false, true]);
    assert!(engine.is_alive(&newest) && engine.is_alive(&john));
}

#[test]
fn r13_the_session_that_begins_is_never_the_one_that_ends() {
    let engine = TestEngine::builder().options(|o| o.refresh.max_sessions = 2).build();
    engine.join(JANE);
    for _ in 0..8 {
        // The clock stands: all were last used at the same time.
        let newest = engine.enter(JANE).tokens;
        assert!(engine.try_bearer(&newest).is_some());
    }
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 2);
}

#[test]
fn r13_parallel_sign_ins_stay_within_the_most() {
    let engine = TestEngine::builder().options(|o| o.refresh.max_sessions = 3).build();
    engine.join(JANE);
    at_once(8, |_| engine.enter(JANE));
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 3);
}
