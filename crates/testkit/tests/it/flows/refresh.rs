use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    Fault,
    people::{Refresh, RefreshError},
};
use portcullis_identity::Role;
use portcullis_kernel::{ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{JANE, JOHN, KEYS, People as _, Stored as _, at_once, broken, home, told};

pub(super) fn claim(
    engine: &TestEngine,
    tokens: &portcullis_flows::people::Tokens,
    name: &str,
) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    assert!(engine.try_bearer(tokens).is_some());
    let payload = tokens.access.token.expose_secret().split('.').nth(1).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims[name].as_str().unwrap().to_owned()
}

#[test]
fn r1_a_token_is_rotated_at_each_use_and_then_dead() {
    let engine = TestEngine::new();
    let first = engine.join(JANE).tokens;
    let session = engine.bearer(&first).session;
    engine.clock.advance(Duration::SECOND);
    let second = engine.rotate(&first.refresh).unwrap();
    assert_eq!(second.access.expires_in, 900);
    assert_eq!(engine.bearer(&second).session, session);
    assert_ne!(first.refresh.expose_secret(), second.refresh.expose_secret());
    assert!(engine.try_bearer(&first).is_some(), "the access token lives its time");
    let refused = engine.rotate(&first.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::InvalidToken));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Unauthenticated, "invalid_token"));
}

#[test]
fn a_missing_empty_or_mistyped_token_is_broken_input_and_any_other_shape_unknown() {
    let engine = TestEngine::new();
    for (field, why) in [
        (Field::Absent, "is required"),
        (Field::Given("".into()), "must not be empty"),
        (Field::Invalid("must be a string".into()), "must be a string"),
    ] {
        let invalid = Refresh { refresh_token: field }.check().unwrap_err();
        assert_eq!(broken(&invalid), [("refresh_token", why)]);
    }
    let never_issued = format!("rt_{}", "0".repeat(26));
    for text in ["x", " ", "rt_", &"x".repeat(60_000), &never_issued] {
        let refresh = Refresh { refresh_token: Field::Given(text.into()) };
        let refused = engine.refresh(refresh.check().unwrap(), &home());
        assert!(matches!(refused, Err(RefreshError::InvalidToken)), "{} bytes", text.len());
    }
    assert_eq!(engine.event_count(), KEYS, "those of the keys");
}

#[test]
fn r5_a_token_lives_30_days_unused_and_not_a_moment_longer() {
    let engine = TestEngine::new();
    let idle = Duration::days(30);
    let in_time = engine.join(JANE).tokens;
    let late = engine.join(JOHN).tokens;
    engine.clock.advance(idle - Duration::SECOND);
    let next = engine.rotate(&in_time.refresh).unwrap();
    engine.clock.advance(Duration::SECOND);
    assert!(engine.rotate(&late.refresh).is_err());
    engine.clock.advance(idle - Duration::seconds(2));
    let next = engine.rotate(&next.refresh).unwrap();
    engine.clock.advance(idle);
    assert!(engine.rotate(&next.refresh).is_err());
}

#[test]
fn r5_a_session_ends_180_days_after_its_sign_in_however_often_it_is_used() {
    let engine = TestEngine::new();
    let mut tokens = engine.join(JANE).tokens;
    for _ in 0..8 {
        engine.clock.advance(Duration::days(20));
        tokens = engine.rotate(&tokens.refresh).unwrap();
    }
    engine.clock.advance(Duration::days(20) - Duration::SECOND);
    tokens = engine.rotate(&tokens.refresh).unwrap();
    assert!(engine.try_bearer(&tokens).is_some());
    engine.clock.advance(Duration::SECOND);
    assert!(engine.try_bearer(&tokens).is_none(), "nor does its access token work");
    assert!(engine.rotate(&tokens.refresh).is_err());
    let events = engine.events(engine.enter(JANE).user.id);
    assert!(events.iter().all(|event| event.action != Action::RefreshReplayed));
}

#[test]
fn r5_both_lives_are_settings() {
    let engine = TestEngine::builder().options(|options| {
        options.refresh.idle = Duration::HOUR;
        options.refresh.absolute = Duration::minutes(90);
    });
    let engine = engine.build();
    let tokens = engine.join(JANE).tokens;
    engine.clock.advance(Duration::minutes(59));
    let tokens = engine.rotate(&tokens.refresh).unwrap();
    engine.clock.advance(Duration::minutes(31));
    assert!(engine.rotate(&tokens.refresh).is_err());
}

#[test]
fn r12_a_new_role_shows_at_the_next_refresh_and_not_before() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    assert_eq!(claim(&engine, &joined.tokens, "role"), "user");
    engine.set_role(joined.user.id, Role::Host, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(claim(&engine, &joined.tokens, "role"), "user");
    assert_eq!(engine.bearer(&joined.tokens).user.role, Role::Host);
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    assert_eq!(claim(&engine, &next, "role"), "host");
    assert_eq!(claim(&engine, &engine.enter(JANE).tokens, "role"), "host");
}

#[test]
fn r9_nothing_of_a_suspended_user_works_nor_comes_back() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let entered = engine.enter(JANE);
    let other = engine.join(JOHN);
    engine.suspend_user(joined.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(!engine.is_alive(&joined.tokens) && !engine.is_alive(&entered.tokens));
    engine.resume_user(joined.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(!engine.is_alive(&joined.tokens) && !engine.is_alive(&entered.tokens));
    assert!(engine.is_alive(&other.tokens));
    assert_eq!(engine.count(joined.user.id, Action::RefreshReplayed, Outcome::Failure), 0);
}

#[test]
fn r9_nothing_of_a_deleted_user_works() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    engine.delete_user(joined.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(!engine.is_alive(&next));
    assert!(engine.rotate(&joined.tokens.refresh).is_err());
    let anew = engine.join(JANE);
    assert_ne!(anew.user.id, joined.user.id);
    assert!(!engine.is_alive(&next));
}

#[test]
fn r4_tokens_are_opaque_and_share_nothing_with_the_user_or_one_another() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let mut token = joined.tokens.refresh;
    let id = joined.user.id.to_string();
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..5 {
        let text = token.expose_secret().strip_prefix("rt_").unwrap().to_owned();
        assert_eq!(text.len(), 26);
        for other in seen.iter().chain([&id]) {
            let alike = text.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
            assert!(alike < 10, "{text} {other}");
        }
        seen.push(text);
        token = engine.rotate(&token).unwrap().refresh;
    }
}

#[test]
fn r2_of_32_parallel_uses_one_wins_and_its_successor_works() {
    for race_window in [Duration::seconds(10), Duration::ZERO] {
        let engine = TestEngine::builder().options(|o| o.refresh.race_window = race_window).build();
        let joined = engine.join(JANE);
        let results = at_once(32, |_| engine.rotate(&joined.tokens.refresh));
        let won: Vec<_> = results.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1);
        let user = joined.user.id;
        let raced = engine.count(user, Action::RefreshRaced, Outcome::Failure);
        let replayed = engine.count(user, Action::RefreshReplayed, Outcome::Failure);
        if race_window.is_zero() {
            assert!(!engine.is_alive(&won[0]), "without a window the others are thieves");
            assert_eq!((raced, replayed), (0, 1));
        } else {
            assert!(engine.is_alive(&won[0]));
            assert_eq!((raced, replayed), (1, 0));
        }
    }
}

#[test]
fn a_server_without_a_key_that_signs_spends_no_token() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    let closed = engine.peer().build_closed();
    let refused = closed.rotate(&tokens.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::Fault(Fault::Sign(_))));
    assert_eq!(told(&refused).0, ErrorKind::Unavailable);
    assert!(engine.rotate(&tokens.refresh).is_ok());
}
