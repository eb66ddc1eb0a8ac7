//! What is issued to an agent, and when it is good.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_kernel::{ExposeSecret as _, Instant};
use portcullis_tokens::{AgentGrant, Algorithm, InvalidJwt, KeyPurpose, SpentToken};
use serde_json::{Value, json};
use time::Duration;

use super::{
    SERVER, changed, claims,
    server::{AGENT, ISSUER, KEY, START, Steps, agents, at, grant},
};

const OWNER: &str = "01JN2X4K8M3F7QPZRVWT6YBHCE";

/// Header and claims of a token.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).ok());
    (parts.next().flatten().unwrap(), parts.next().flatten().unwrap())
}

fn issue(algorithm: Algorithm, grant: AgentGrant, now: Instant) -> String {
    let policy = agents(algorithm);
    let token = policy.token(grant, now, &Steps).unwrap();
    let issued = policy.sign(&SERVER.set, &token, now).unwrap();
    assert_eq!(issued.expires_in, 3600);
    issued.token.expose_secret().to_owned()
}

#[test]
fn what_is_issued_comes_back_whichever_algorithm_is_set() {
    for algorithm in Algorithm::ALL {
        let policy = agents(algorithm);
        let owner = Some(OWNER.parse().unwrap());
        let grant = AgentGrant { owner, audience: "https://api.example".into(), ..grant() };
        // Within a second: claims are whole seconds, and so is what is remembered of the token.
        let now = at(7) + Duration::milliseconds(900);
        let token = policy.token(grant, now, &Steps).unwrap();
        assert_eq!((token.issued_at, token.expires_at), (at(7), at(3607)));
        let issued = policy.sign(&SERVER.set, &token, now).unwrap();
        let read = policy.verify(&SERVER.set, issued.token.expose_secret(), now).unwrap();
        assert_eq!(read, token, "{algorithm:?}");
    }
}

#[test]
fn header_and_claims_are_those_of_rfc_9068() {
    for algorithm in Algorithm::ALL {
        let (header, claims) = parts(&issue(algorithm, grant(), at(0)));
        let kid = SERVER.key(KeyPurpose::Agents, algorithm).kid();
        assert_eq!(header, json!({ "alg": algorithm.as_str(), "typ": "at+jwt", "kid": kid }));
        let jti = claims["jti"].as_str().unwrap();
        assert_eq!(jti.len(), 26);
        let expected = json!({
            "iss": ISSUER,
            "sub": AGENT,
            "aud": ISSUER,
            "client_id": AGENT,
            "scope": "messages:read messages:write",
            "key_id": KEY,
            "iat": START,
            "exp": START + 3600,
            "jti": jti,
        });
        assert_eq!(claims, expected, "and no owner where there is none");
    }
    let owned = AgentGrant { owner: Some(OWNER.parse().unwrap()), ..grant() };
    assert_eq!(parts(&issue(Algorithm::Es256, owned, at(0))).1["owner"], OWNER);
}

#[test]
fn a_token_outlives_a_change_of_the_setting() {
    for issued_with in Algorithm::ALL {
        let token = issue(issued_with, grant(), at(0));
        for set_to in Algorithm::ALL {
            let read = agents(set_to).verify(&SERVER.set, &token, at(60));
            assert_eq!(read.map(|token| token.grant), Ok(grant()), "{issued_with:?} {set_to:?}");
        }
    }
}

#[test]
fn whom_it_is_for_is_left_to_who_asks() {
    let grant = AgentGrant { audience: "https://elsewhere.example".into(), ..grant() };
    let token = issue(Algorithm::Es256, grant.clone(), at(0));
    let read = agents(Algorithm::Es256).verify(&SERVER.set, &token, at(0)).unwrap();
    assert_eq!(read.grant, grant);
}

#[test]
fn j6_a_token_expires_within_the_leeway() {
    let policy = agents(Algorithm::EdDsa);
    let token = issue(Algorithm::EdDsa, grant(), at(0));
    let verify = |seconds| policy.verify(&SERVER.set, &token, at(seconds)).map(|_| ());
    assert_eq!([verify(0), verify(3599), verify(3604)], [Ok(()); 3]);
    assert_eq!([verify(3605), verify(9999)], [Err(InvalidJwt::Expired); 2]);
}

#[test]
fn j13_a_spent_token_is_remembered_for_as_long_as_it_would_be_accepted() {
    let policy = agents(Algorithm::Es256);
    let now = at(0) + Duration::milliseconds(900);
    let token = policy.token(grant(), now, &Steps).unwrap();
    let signed = policy.sign(&SERVER.set, &token, now).unwrap();
    let spent = SpentToken::of(&token, None, now);
    let verify = |now| policy.verify(&SERVER.set, signed.token.expose_secret(), now);
    // An instance whose clock is a minute behind this one still knows it as spent.
    let behind = Duration::MINUTE;
    assert_eq!(verify(spent.forget_at - behind), Err(InvalidJwt::Expired));
    assert!(verify(spent.forget_at - behind - Duration::NANOSECOND).is_ok());
    let read = verify(now).unwrap();
    assert_eq!(SpentToken::of(&read, None, now), spent, "the same of the token that came back");
}

#[test]
fn a_token_of_the_future_is_refused_until_then() {
    let (policy, key) = (agents(Algorithm::Es256), SERVER.agents_key());
    let token = key.token(json!({}), &changed(&claims(), json!({ "nbf": START + 60 })));
    let verify = |seconds| policy.verify(&SERVER.set, &token, at(seconds)).map(|_| ());
    assert_eq!([verify(0), verify(54)], [Err(InvalidJwt::Claims); 2]);
    assert_eq!([verify(55), verify(60)], [Ok(()); 2]);
}
