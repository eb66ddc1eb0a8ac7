//! Which of several keys signs, and which verify.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_jose::Josekit;
use portcullis_kernel::{ExposeSecret as _, Instant};
use portcullis_tokens::{
    Algorithm, InvalidJwt, KeyPurpose, KeySet, LoadKeysError, SignError, SigningKey,
};
use serde_json::Value;

use super::{
    SERVER,
    server::{Key, Steps, agents, at, grant, load, master},
};

fn issue(keys: &KeySet, algorithm: Algorithm, now: Instant) -> Result<String, SignError> {
    let policy = agents(algorithm);
    let token = policy.token(grant(), now, &Steps)?;
    Ok(policy.sign(keys, &token, now)?.token.expose_secret().to_owned())
}

#[test]
fn each_algorithm_needs_a_key_of_its_own() {
    let one = Key::new(KeyPurpose::Agents, Algorithm::Es256, 1);
    let other = Key::new(KeyPurpose::Agents, Algorithm::EdDsa, 2);
    let keys = load([&one, &other], at(0));
    assert!(issue(&keys, Algorithm::Es256, at(0)).is_ok());
    assert!(issue(&keys, Algorithm::EdDsa, at(0)).is_ok());
    assert!(matches!(issue(&keys, Algorithm::Rs256, at(0)), Err(SignError::NoActiveKey)));
    assert!(!keys.can_sign(KeyPurpose::Agents, at(0)), "a change of the setting would find no key");
    assert!(!keys.can_sign(KeyPurpose::People, at(0)));
    assert!(SERVER.set.can_sign(KeyPurpose::Agents, at(0)));
    assert!(SERVER.set.can_sign(KeyPurpose::People, at(0)));
    assert!(!SERVER.set.can_sign(KeyPurpose::People, at(-1)), "not yet active");
}

#[test]
fn j10_a_key_that_was_replaced_verifies_until_it_is_removed() {
    let mut old = Key::new(KeyPurpose::Agents, Algorithm::EdDsa, 1);
    let mut new = Key::new(KeyPurpose::Agents, Algorithm::EdDsa, 3);
    // A younger key of another algorithm does not take its place.
    let other = Key::new(KeyPurpose::Agents, Algorithm::Es256, 4);
    old.stored.retired_at = Some(at(100));
    old.stored.removed_at = Some(at(4000));
    new.stored.active_from = at(90);
    let keys = load([&old, &new, &other], at(0));
    let policy = agents(Algorithm::EdDsa);
    let signed_by = |token: &str| {
        let kid = |key: &&Key| token_kid(token) == key.kid();
        [&old, &new, &other].into_iter().find(kid).unwrap().stored.generation
    };
    let first = issue(&keys, Algorithm::EdDsa, at(89)).unwrap();
    let second = issue(&keys, Algorithm::EdDsa, at(90)).unwrap();
    assert_eq!((signed_by(&first), signed_by(&second)), (1, 3));
    assert!(policy.verify(&keys, &first, at(3600)).is_ok());
    assert!(policy.verify(&keys, &second, at(3600)).is_ok());
    assert_eq!(policy.verify(&keys, &first, at(4000)), Err(InvalidJwt::UnknownKey));
    let read_later = load([&old, &new], at(4000));
    assert_eq!(policy.verify(&read_later, &first, at(100)), Err(InvalidJwt::UnknownKey));
}

#[test]
fn j9_the_key_set_holds_public_halves_of_every_kind_and_nothing_private() {
    let set: Value = serde_json::from_str(SERVER.set.jwks()).unwrap();
    let listed = set["keys"].as_array().unwrap();
    assert_eq!(listed.len(), 4);
    for (key, jwk) in SERVER.keys.iter().zip(listed) {
        let mut names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let (kty, expected) = match key.stored.algorithm {
            Algorithm::Es256 => ("EC", &["alg", "crv", "kid", "kty", "use", "x", "y"][..]),
            Algorithm::EdDsa => ("OKP", &["alg", "crv", "kid", "kty", "use", "x"][..]),
            _ => ("RSA", &["alg", "e", "kid", "kty", "n", "use"][..]),
        };
        assert_eq!(names, expected);
        assert_eq!((&jwk["kty"], &jwk["use"]), (&kty.into(), &"sig".into()));
        assert_eq!(jwk["alg"], key.stored.algorithm.as_str());
        assert_eq!(jwk["kid"], key.kid());
    }
}

#[test]
fn a_key_whose_halves_do_not_belong_together_is_found_when_it_is_loaded() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let good = Key::new(KeyPurpose::Agents, algorithm, 1);
        let other = Key::new(KeyPurpose::Agents, algorithm, 2);
        let swapped = SigningKey { public: other.stored.public.clone(), ..good.stored.clone() };
        let renamed = SigningKey { algorithm: Algorithm::Rs256, ..good.stored.clone() };
        for (key, loads) in [(good.stored.clone(), true), (swapped, false), (renamed, false)] {
            match KeySet::load(vec![key], &master(), &Josekit, at(0)) {
                Ok(_) => assert!(loads),
                Err(error) => {
                    assert!(!loads, "{error}");
                    assert!(
                        matches!(error, LoadKeysError::Unusable { kid, .. } if kid == good.kid())
                    );
                }
            }
        }
    }
}

fn token_kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
