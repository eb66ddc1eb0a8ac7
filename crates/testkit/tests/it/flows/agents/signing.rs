//! The signing keys of agents' tokens: one for each algorithm, from the first start on.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_flows::keys::{KeyError, RetireKey};
use portcullis_testkit::{
    app::Stored,
    engine::{TestEngine, TestEngineBuilder},
};
use portcullis_tokens::{Algorithm, KeyPurpose, KeyState};
use serde_json::Value;
use time::Duration;

use super::{
    super::{JANE, KEYS, People as _, at_once},
    Agents as _, Key, everywhere,
};

const LEAD: Duration = Duration::minutes(6);

fn signing_by(builder: TestEngineBuilder, algorithm: Algorithm) -> TestEngine {
    builder.options(|options| options.agents.token.algorithm = algorithm).build()
}

fn with_key(engine: &TestEngine) -> Key {
    engine.make_key(&engine.sign_up_bot("bot"))
}

/// The states of the keys for agents, by algorithm, oldest first.
fn states(engine: &TestEngine) -> BTreeMap<&'static str, Vec<KeyState>> {
    let mut states: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let agents = |key: &portcullis_tokens::SigningKey| key.purpose == KeyPurpose::Agents;
    for key in engine.list_keys().unwrap().into_iter().filter(agents) {
        states.entry(key.algorithm.as_str()).or_default().push(key.state(engine.now()));
    }
    states
}

fn kid(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[test]
fn j9_a_first_start_makes_and_publishes_a_key_for_each_algorithm() {
    let engine = TestEngine::new();
    let active = vec![KeyState::Active];
    let all =
        BTreeMap::from([("ES256", active.clone()), ("EdDSA", active.clone()), ("RS256", active)]);
    assert_eq!(states(&engine), all);
    let jwks: Value = serde_json::from_str(&engine.jwks().unwrap()).unwrap();
    let published = |algorithm| {
        let kid = engine.active_kid_of(KeyPurpose::Agents, algorithm);
        let keys = jwks["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["kid"] == kid).unwrap().as_object().unwrap().clone();
        assert_eq!(
            (key["alg"].as_str(), key["use"].as_str()),
            (Some(algorithm.as_str()), Some("sig"))
        );
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let members: BTreeSet<&str> = key.keys().map(String::as_str).collect();
        let members: Vec<_> = members.into_iter().collect();
        (text("kty"), members.join(" "), key.get("crv").cloned())
    };
    let (kty, members, crv) = published(Algorithm::Es256);
    assert_eq!((kty.as_str(), members.as_str()), ("EC", "alg crv kid kty use x y"));
    assert_eq!(crv.unwrap(), "P-256");
    let (kty, members, crv) = published(Algorithm::EdDsa);
    assert_eq!((kty.as_str(), members.as_str()), ("OKP", "alg crv kid kty use x"));
    assert_eq!(crv.unwrap(), "Ed25519");
    let (kty, members, _) = published(Algorithm::Rs256);
    assert_eq!((kty.as_str(), members.as_str()), ("RSA", "alg e kid kty n use"));
    assert_eq!(jwks["keys"].as_array().unwrap().len() as u64, KEYS);
}

#[test]
fn j10_a_rotation_is_of_the_algorithm_in_use_and_its_older_tokens_stay_good() {
    for algorithm in Algorithm::ALL {
        let engine = signing_by(TestEngine::builder(), algorithm);
        let other = engine.peer().build();
        let key = with_key(&engine);
        let old = engine.token(&key);
        engine.rotate_key(KeyPurpose::Agents, false).unwrap();
        engine.reload_keys().unwrap();
        for (name, of_one) in states(&engine) {
            let rotated = [KeyState::Active, KeyState::Published];
            let wanted = if name == algorithm.as_str() { &rotated[..] } else { &rotated[..1] };
            assert_eq!(of_one, wanted, "{name}");
        }
        engine.clock.advance(LEAD - Duration::MICROSECOND);
        assert_eq!(kid(&engine.token(&key)), kid(&old));
        engine.clock.advance(Duration::MICROSECOND);
        let new = engine.token(&key);
        assert_ne!(kid(&new), kid(&old));
        assert!(engine.is_good(&old) && engine.is_good(&new));
        assert!(other.is_good(&new), "who does not know the key reads the keys anew");
        assert!(engine.is_alive(&engine.join(JANE).tokens), "people's is another key");
        engine.clock.advance(Duration::minutes(54) - Duration::SECOND);
        assert!(engine.is_good(&old), "until it dies by itself");
        engine.clock.advance(Duration::minutes(7) + Duration::SECOND);
        engine.reload_keys().unwrap();
        let ended = [KeyState::Removed, KeyState::Active];
        assert_eq!(states(&engine)[algorithm.as_str()], ended);
    }
}

#[test]
fn the_only_key_of_an_algorithm_cannot_be_retired() {
    let engine = TestEngine::new();
    for algorithm in Algorithm::ALL {
        let kid = engine.active_kid_of(KeyPurpose::Agents, algorithm);
        let refused = engine.retire_key(&kid, RetireKey::Gently);
        assert!(matches!(refused, Err(KeyError::LastActive)), "{algorithm:?}");
    }
    let kid = engine.active_kid_of(KeyPurpose::Agents, Algorithm::Es256);
    engine.rotate_key(KeyPurpose::Agents, true).unwrap();
    let key = with_key(&engine);
    let token = engine.token(&key);
    engine.retire_key(&kid, RetireKey::Compromised).unwrap();
    engine.reload_keys().unwrap();
    assert!(!engine.is_good(&token), "what a known key signed is refused at once");
    assert!(engine.is_good(&engine.token(&key)) && engine.can_sign());
}

#[test]
fn a_key_that_came_by_a_rotation_before_the_first_start_keeps_no_algorithm_out() {
    for stored in everywhere() {
        for algorithm in Algorithm::ALL {
            let stored = fresh(&stored);
            let closed = TestEngine::builder().storage(stored.storage());
            let closed = closed.options(|options| options.agents.token.algorithm = algorithm);
            let closed = closed.build_closed();
            for _ in 0..2 {
                closed.rotate_key(KeyPurpose::Agents, true).unwrap();
            }
            closed.open_keys().unwrap();
            assert!(closed.can_sign() && closed.check_ready().is_ok(), "{stored:?} {algorithm:?}");
            for (name, of_one) in states(&closed) {
                assert_eq!(of_one.last(), Some(&KeyState::Active), "{name}");
            }
            assert_eq!(states(&closed).len(), 3, "{algorithm:?}");
        }
    }
}

/// Another empty storage of the same kind.
fn fresh(stored: &Stored) -> Stored {
    match format!("{stored:?}").as_str() {
        "Stored(SQLite)" => Stored::sqlite(),
        "Stored(PostgreSQL)" => Stored::postgres().unwrap_or_else(Stored::memory),
        _ => Stored::memory(),
    }
}

#[test]
fn servers_that_start_at_once_on_an_empty_database_share_their_keys() {
    for stored in everywhere() {
        let one = TestEngine::builder().storage(stored.storage()).build_closed();
        let two = one.peer().storage(stored.another_instance().storage()).build_closed();
        for opened in at_once(6, |index| [&one, &two][index % 2].open_keys()) {
            opened.unwrap();
        }
        assert_eq!(one.list_keys().unwrap().len() as u64, KEYS, "{stored:?}");
        let key = with_key(&one);
        for algorithm in Algorithm::ALL {
            let server = signing_by(two.peer().storage(stored.storage()), algorithm);
            assert!(one.is_good(&server.token(&key)), "{stored:?} {algorithm:?}");
        }
    }
}
