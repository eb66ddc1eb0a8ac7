use std::{collections::BTreeSet, sync::Arc};

use portcullis_flows::{
    Fault,
    keys::{KeyError, OpenKeysError, RetireKey},
};
use portcullis_kernel::{Clock as _, ErrorKind};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::{MASTER_KEY, TestEngine},
    entropy::{FailingEntropy, SeededEntropy},
    faults::{self, FaultyStorage},
    jose::PooledJose,
};
use portcullis_tokens::{
    Algorithm, KeyPurpose, KeySet, KeyState, LoadKeysError, MasterKey, PublicJwk, SigningKey,
    ports::{Jose, JoseError, KeyPair, Signer, Verifier},
};
use serde_json::Value;
use time::Duration;

use super::{JANE, JOHN, KEYS, People as _, Stored as _, at_once, told};

const LEAD: Duration = Duration::minutes(6);
const LINGER: Duration = Duration::minutes(61);

/// The published keys for people's tokens.
fn published(engine: &TestEngine) -> BTreeSet<String> {
    let jwks: Value = serde_json::from_str(&engine.jwks().unwrap()).unwrap();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    let all: BTreeSet<_> = jwks["keys"].as_array().unwrap().iter().map(kid).collect();
    let agents = engine.list_keys().unwrap().into_iter().filter(|key| !is_people(key));
    let agents: BTreeSet<_> = agents.map(|key| key.kid).collect();
    assert!(agents.is_subset(&all));
    &all - &agents
}

fn rotate(engine: &TestEngine, at_once: bool) -> SigningKey {
    let key = engine.rotate_key(KeyPurpose::People, at_once).unwrap();
    engine.reload_keys().unwrap();
    key
}

/// Of the keys for people's tokens.
fn states(engine: &TestEngine) -> Vec<KeyState> {
    let (keys, now) = (engine.list_keys().unwrap(), engine.clock.now());
    keys.iter().filter(|key| is_people(key)).map(|key| key.state(now)).collect()
}

fn is_people(key: &SigningKey) -> bool {
    key.purpose == KeyPurpose::People
}

fn other_master_key() -> MasterKey {
    MasterKey::generate(&SeededEntropy::new(99)).unwrap()
}

#[test]
fn the_very_first_keys_sign_at_once() {
    let engine = TestEngine::builder().build_closed();
    assert!(!engine.can_sign());
    engine.open_keys().unwrap();
    assert!(engine.can_sign() && engine.check_ready().is_ok());
    assert_eq!(states(&engine), [KeyState::Active]);
    assert_eq!(engine.event_count(), KEYS);
    assert!(engine.is_alive(&engine.join(JANE).tokens));
    engine.open_keys().unwrap();
    assert_eq!(engine.list_keys().unwrap().len() as u64, KEYS, "and are the only ones");
}

#[test]
fn j9_the_key_set_has_rsa_keys_of_2048_bits_and_nothing_private() {
    let engine = TestEngine::new();
    let jwks: Value = serde_json::from_str(&engine.jwks().unwrap()).unwrap();
    let kid = engine.active_kid();
    let mut keys = jwks["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["kid"] == kid).unwrap().as_object().unwrap();
    let members: BTreeSet<&str> = key.keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["alg", "e", "kid", "kty", "n", "use"]));
    assert_eq!((key["kty"].as_str(), key["alg"].as_str()), (Some("RSA"), Some("RS256")));
    assert_eq!(key["n"].as_str().unwrap().len(), 342, "256 bytes");
}

#[test]
fn j10_a_new_key_is_published_before_it_signs_and_the_old_verifies_until_its_last_token_died() {
    let engine = TestEngine::new();
    let old = engine.active_kid();
    let joined = engine.join(JANE).tokens;
    let new = rotate(&engine, false).kid;
    assert_eq!(published(&engine), BTreeSet::from([old.clone(), new.clone()]));
    assert_eq!(states(&engine), [KeyState::Active, KeyState::Published]);
    engine.clock.advance(LEAD - Duration::MICROSECOND);
    assert_eq!(engine.active_kid(), old);
    let last = engine.rotate(&joined.refresh).unwrap();
    engine.clock.advance(Duration::MICROSECOND);
    assert_eq!(engine.active_kid(), new, "without being read anew");
    let next = engine.rotate(&last.refresh).unwrap();
    assert!(engine.try_bearer(&last).is_some() && engine.try_bearer(&next).is_some());
    engine.clock.advance(Duration::seconds(904));
    assert!(engine.try_bearer(&last).is_some());
    engine.clock.advance(LINGER - Duration::seconds(904));
    engine.reload_keys().unwrap();
    assert_eq!(states(&engine), [KeyState::Removed, KeyState::Active]);
    assert_eq!(published(&engine), BTreeSet::from([new]));
}

#[test]
fn rotation_at_once_signs_with_the_new_key_now_and_the_old_one_verifies_on() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE).tokens;
    let new = rotate(&engine, true);
    assert_eq!(states(&engine), [KeyState::Retired, KeyState::Active]);
    assert_eq!(engine.active_kid(), new.kid);
    assert!(engine.is_alive(&joined));
    assert_eq!(engine.event_count(), KEYS + 2, "another key and a registration");
}

#[test]
fn there_is_a_key_that_signs_at_every_moment_of_many_rotations() {
    let engine = TestEngine::new();
    for at_once in [false, false, true, false] {
        rotate(&engine, at_once);
        engine.clock.advance(Duration::minutes(2));
        assert!(engine.can_sign());
    }
    for _ in 0..20 {
        engine.clock.advance(Duration::MINUTE);
        assert!(engine.can_sign());
        let active = states(&engine).into_iter().filter(|state| *state == KeyState::Active);
        assert_eq!(active.count(), 1);
    }
}

#[test]
fn the_last_key_that_signs_cannot_be_retired() {
    let engine = TestEngine::new();
    let kid = engine.active_kid();
    for how in [RetireKey::Gently, RetireKey::Compromised] {
        assert!(matches!(engine.retire_key(&kid, how), Err(KeyError::LastActive)));
        rotate(&engine, false);
        assert!(matches!(engine.retire_key(&kid, how), Err(KeyError::LastActive)), "one to come");
    }
    assert!(engine.can_sign());
    assert!(matches!(engine.retire_key("x", RetireKey::Gently), Err(KeyError::NotFound)));
}

#[test]
fn the_tokens_of_a_compromised_key_are_refused_at_once() {
    let engine = TestEngine::new();
    let old = engine.active_kid();
    let joined = engine.join(JANE).tokens;
    rotate(&engine, true);
    let safe = engine.enter(JANE).tokens;
    assert!(engine.try_bearer(&joined).is_some());
    assert!(matches!(engine.retire_key(&old, RetireKey::Gently), Err(KeyError::Retired)));
    let removed = engine.retire_key(&old, RetireKey::Compromised).unwrap();
    assert_eq!(removed.state(engine.clock.now()), KeyState::Removed);
    engine.reload_keys().unwrap();
    assert!(engine.try_bearer(&joined).is_none() && engine.try_bearer(&safe).is_some());
    assert!(!published(&engine).contains(&old));
    assert!(engine.rotate(&joined.refresh).is_ok(), "sessions are another matter");
    assert!(matches!(engine.retire_key(&old, RetireKey::Compromised), Err(KeyError::Retired)));
}

#[test]
fn a_key_retired_before_it_signs_leaves_the_one_before_it_signing() {
    for how in [RetireKey::Gently, RetireKey::Compromised] {
        let engine = TestEngine::new();
        let first = engine.active_kid();
        let second = rotate(&engine, false);
        engine.retire_key(&second.kid, how).unwrap();
        engine.reload_keys().unwrap();
        for _ in 0..5 {
            engine.clock.advance(LEAD);
            engine.reload_keys().unwrap();
            assert!(engine.can_sign(), "{how:?}");
        }
        assert_eq!(engine.active_kid(), first);
        let third = rotate(&engine, false);
        engine.clock.advance(LEAD);
        assert_eq!(engine.active_kid(), third.kid);
    }
}

#[test]
fn a_key_retired_between_two_others_leaves_no_gap_and_no_two_that_sign() {
    let engine = TestEngine::new();
    let first = engine.active_kid();
    let second = rotate(&engine, false);
    engine.clock.advance(Duration::minutes(2));
    let third = rotate(&engine, false);
    engine.retire_key(&second.kid, RetireKey::Compromised).unwrap();
    engine.reload_keys().unwrap();
    engine.clock.advance(LEAD - Duration::MICROSECOND);
    assert_eq!(engine.active_kid(), first);
    assert!(engine.can_sign());
    engine.clock.advance(Duration::MICROSECOND);
    assert_eq!(engine.active_kid(), third.kid);
    assert_eq!(states(&engine), [KeyState::Retired, KeyState::Removed, KeyState::Active]);
}

#[test]
fn c2_a_wrong_master_key_opens_nothing_and_makes_nothing() {
    let engine = TestEngine::new();
    let wrong = engine.peer().master_key(other_master_key()).build_closed();
    let before = (engine.list_keys().unwrap(), engine.event_count());
    let refused = [
        wrong.open_keys().unwrap_err(),
        wrong.reload_keys().unwrap_err(),
        match wrong.rotate_key(KeyPurpose::People, true).unwrap_err() {
            KeyError::Open(error) => error,
            other => panic!("{other:?}"),
        },
        match wrong.rewrap_keys(&other_master_key()).unwrap_err() {
            KeyError::Open(error) => error,
            other => panic!("{other:?}"),
        },
    ];
    for error in refused {
        let OpenKeysError::Load(LoadKeysError::WrongMasterKey { kid, given, .. }) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(given, &other_master_key().id());
        assert!(before.0.iter().any(|key| key.kid == *kid), "{kid}");
        assert!(!error.is_transient());
    }
    assert!(!wrong.can_sign());
    assert_eq!((engine.list_keys().unwrap(), engine.event_count()), before);
}

#[test]
fn c2_after_rewrap_the_new_master_key_opens_and_the_old_is_refused() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE).tokens;
    rotate(&engine, false);
    assert_eq!(engine.rewrap_keys(&other_master_key()).unwrap() as u64, KEYS + 1);
    assert!(engine.try_bearer(&joined).is_some(), "a running server goes on");
    let old = engine.peer().build_closed().open_keys().unwrap_err();
    assert!(matches!(old, OpenKeysError::Load(LoadKeysError::WrongMasterKey { .. })));
    let new = engine.peer().master_key(other_master_key()).build();
    assert!(new.is_alive(&joined));
    assert_eq!(published(&new), published(&engine));
    assert!(matches!(engine.rewrap_keys(&other_master_key()), Err(KeyError::Open(_))), "once");
}

#[test]
fn two_servers_that_open_an_empty_database_at_once_share_their_keys() {
    let one = TestEngine::builder().build_closed();
    let two = one.peer().build_closed();
    for result in at_once(8, |index| [&one, &two][index % 2].open_keys()) {
        result.unwrap();
    }
    assert_eq!(one.list_keys().unwrap().len() as u64, KEYS);
    assert_eq!(one.event_count(), KEYS);
    let (jane, john) = (one.join(JANE).tokens, two.join(JOHN).tokens);
    assert!(two.is_alive(&jane) && one.is_alive(&john));
}

#[test]
fn of_two_rotations_at_once_one_is_told_that_it_lost() {
    let memory = MemoryStorage::default();
    let engine = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = engine.peer().storage(faulty.clone()).build();
    let faster = Arc::clone(&engine);
    faulty.run_at(2, move || drop(rotate(&faster, false)));
    assert!(matches!(slow.rotate_key(KeyPurpose::People, false), Err(KeyError::Raced)));
    assert_eq!(states(&engine).len(), 2);
    rotate(&slow, false);
}

#[test]
fn a_rotation_beside_a_retirement_does_not_bring_the_retired_key_back() {
    let memory = MemoryStorage::default();
    let engine = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let bad = rotate(&engine, false).kid;
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = engine.peer().storage(faulty.clone()).build();
    let (faster, kid) = (Arc::clone(&engine), bad.clone());
    faulty.run_at(2, move || drop(faster.retire_key(&kid, RetireKey::Compromised).unwrap()));
    slow.rotate_key(KeyPurpose::People, false).unwrap();
    let keys = engine.list_keys().unwrap();
    let bad = keys.iter().find(|key| key.kid == bad).unwrap();
    assert_eq!(bad.state(engine.clock.now()), KeyState::Removed);
    for _ in 0..3 {
        engine.reload_keys().unwrap();
        assert!(engine.can_sign());
        engine.clock.advance(LEAD);
    }
}

#[test]
fn without_the_database_the_keys_read_before_stay_in_use() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let before = engine.jwks().unwrap();
    faulty.take_down(faults::Fault::Unavailable);
    assert!(engine.reload_keys().unwrap_err().is_transient());
    assert_eq!(engine.jwks().unwrap(), before);
    assert!(engine.can_sign());
    assert_eq!(told(&engine.check_ready().unwrap_err()).0, ErrorKind::Unavailable);
}

#[test]
fn without_entropy_no_key_is_made() {
    let engine = TestEngine::builder().entropy(Arc::new(FailingEntropy)).build_closed();
    assert!(matches!(engine.open_keys(), Err(OpenKeysError::Seal(_))));
    assert_eq!(engine.list_keys().unwrap(), []);
    assert!(matches!(engine.check_ready(), Err(Fault::Sign(_))));
}

/// A library whose signatures are wrong.
struct Wrong(Arc<PooledJose>);

impl Jose for Wrong {
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError> {
        self.0.generate(algorithm)
    }

    fn signer(&self, algorithm: Algorithm, private: &[u8]) -> Result<Box<dyn Signer>, JoseError> {
        self.0.signer(algorithm, private).map(|_| Box::new(Zeros) as Box<dyn Signer>)
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        public: &PublicJwk,
    ) -> Result<Box<dyn Verifier>, JoseError> {
        self.0.verifier(algorithm, public)
    }
}

struct Zeros;

impl Signer for Zeros {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(vec![0; 256])
    }
}

#[test]
fn c3_a_library_that_signs_wrong_is_found_before_anything_is_served() {
    let engine = TestEngine::new();
    let master = MasterKey::parse(MASTER_KEY).unwrap();
    let load = |jose: &dyn Jose| {
        KeySet::load(engine.list_keys().unwrap(), &master, jose, engine.now()).map(drop)
    };
    load(engine.jose.as_ref()).unwrap();
    let refused = load(&Wrong(Arc::clone(&engine.jose))).unwrap_err();
    assert!(matches!(refused, LoadKeysError::Unusable { .. }), "{refused:?}");
}
