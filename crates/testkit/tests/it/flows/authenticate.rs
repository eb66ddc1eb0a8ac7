use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_flows::people::{AuthenticateError, SignedIn};
use portcullis_kernel::{Clock as _, ErrorKind, ExposeSecret as _, TokenId, UserId};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    clock::FixedClock,
    engine::TestEngine,
    faults::{Fault, FaultyStorage},
};
use portcullis_tokens::KeyPurpose;
use serde_json::Value;
use time::Duration;

use super::{JANE, People as _, told};

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn token(joined: &SignedIn) -> &str {
    joined.tokens.access.token.expose_secret()
}

#[test]
fn j1_a_token_says_what_the_contract_wants_and_no_more() {
    let engine = TestEngine::builder().options(|o| o.access.issuer = "api.vidivo.app".into());
    let engine = engine.build();
    let joined = engine.join(JANE);
    let (header, claims) = (part(token(&joined), 0), part(token(&joined), 1));
    assert_eq!(header, engine.jwt_header());
    let iat = engine.clock.now().unix_timestamp();
    assert_eq!(claims["sub"].as_str().unwrap().parse::<UserId>(), Ok(joined.user.id));
    assert_eq!((claims["email"].as_str(), claims["role"].as_str()), (Some(JANE), Some("user")));
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(iat), Some(iat + 900)));
    assert_eq!(claims["iss"], "api.vidivo.app");
    assert!(claims["jti"].as_str().unwrap().parse::<TokenId>().is_ok());
    assert_eq!(claims["sid"], engine.bearer(&joined.tokens).session.to_string());
    assert_eq!(claims.as_object().unwrap().len(), 8, "no aud unless it is set: {claims}");
}

#[test]
fn j7_an_audience_is_said_and_asked_for_when_it_is_set() {
    let plain = TestEngine::new();
    let bound = plain.peer().options(|o| o.access.audience = Some("api".into())).build();
    let joined = bound.join(JANE);
    assert_eq!(part(token(&joined), 1)["aud"], "api");
    assert!(bound.try_bearer(&joined.tokens).is_some());
    assert!(plain.try_bearer(&joined.tokens).is_none());
    assert!(bound.try_bearer(&plain.enter(JANE).tokens).is_none());
}

#[test]
fn j8_two_tokens_of_one_second_differ() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    let next = next.access.token.expose_secret();
    let jti = |token: &str| part(token, 1)["jti"].clone();
    assert_eq!(part(token(&joined), 1)["iat"], part(next, 1)["iat"]);
    assert_ne!(jti(token(&joined)), jti(next));
}

#[test]
fn j6_a_token_is_refused_5_seconds_after_its_end() {
    let second = FixedClock::START.replace_nanosecond(0).unwrap();
    let engine = TestEngine::builder().clock(Arc::new(FixedClock::at(second))).build();
    let joined = engine.join(JANE);
    engine.clock.advance(Duration::seconds(905) - Duration::MICROSECOND);
    assert!(engine.try_bearer(&joined.tokens).is_some());
    engine.clock.advance(Duration::MICROSECOND);
    assert!(engine.try_bearer(&joined.tokens).is_none());
    assert!(engine.rotate(&joined.tokens.refresh).is_ok());
}

#[test]
fn a_missing_and_a_refused_token_are_both_unauthorized() {
    let engine = TestEngine::new();
    for refused in [AuthenticateError::Missing, engine.authenticate("x").unwrap_err()] {
        let (kind, code, _) = told(&refused);
        assert_eq!((kind, code), (ErrorKind::Unauthenticated, "unauthorized"));
    }
}

#[test]
fn the_caller_is_the_user_as_stored_now() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let caller = engine.bearer(&joined.tokens);
    assert_eq!(caller.user, engine.find_user(JANE).unwrap());
    assert!(engine.list_sessions(&caller).unwrap()[0].current);
}

#[test]
fn j10_a_server_that_does_not_know_a_new_key_reads_the_keys_anew() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let joined = engine.join(JANE);
    engine.clock.advance(Duration::seconds(2));
    engine.rotate_key(KeyPurpose::People, true).unwrap();
    engine.reload_keys().unwrap();
    let entered = engine.enter(JANE);
    assert_ne!(part(token(&entered), 0)["kid"], part(token(&joined), 0)["kid"]);
    assert!(other.try_bearer(&entered.tokens).is_some());
    assert!(other.try_bearer(&joined.tokens).is_some(), "and the old key verifies on");
}

/// A server over storage that can be taken down.
fn fragile() -> (TestEngine, Arc<FaultyStorage>) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    (TestEngine::builder().storage(faulty.clone()).build(), faulty)
}

#[test]
fn j3_unknown_keys_ask_the_database_once_a_second_at_most() {
    let (engine, faulty) = fragile();
    let forged = |kid: &str| {
        let header = serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
        engine.sign_jwt(&header, &serde_json::json!({}))
    };
    let forged: Vec<String> = ["a", "b", "c", "d"].map(forged).into();
    engine.clock.advance(Duration::SECOND);
    faulty.heal();
    for token in &forged {
        assert!(matches!(engine.authenticate(token), Err(AuthenticateError::Refused)));
    }
    assert_eq!(faulty.steps().len(), 2, "one reading of the keys: {:?}", faulty.steps());
}

#[test]
fn while_the_database_is_away_no_good_token_is_called_bad() {
    let (engine, faulty) = fragile();
    let joined = engine.join(JANE);
    let other = engine.peer().build();
    engine.rotate_key(KeyPurpose::People, true).unwrap();
    engine.reload_keys().unwrap();
    let entered = engine.enter(JANE);
    engine.clock.advance(Duration::seconds(2));
    faulty.take_down(Fault::Unavailable);
    for joined in [joined, entered] {
        let refused = other.authenticate(token(&joined)).unwrap_err();
        assert_eq!(told(&refused).0, ErrorKind::Unavailable, "{refused:?}");
        assert!(matches!(refused, AuthenticateError::Fault(_)));
    }
    let garbage = other.authenticate("a.b.c").unwrap_err();
    assert!(matches!(garbage, AuthenticateError::Refused));
}
