//! J4: a token is good for its purpose only, whoever signed it.

use portcullis_kernel::{ExposeSecret as _, SessionId, UserId};
use portcullis_tokens::{Algorithm, InvalidJwt, KeyPurpose, Subject};
use serde_json::{Value, json};

use super::{
    SERVER, claims,
    server::{ISSUER, START, Steps, agents, at, grant, people},
};

const USER: &str = "01JN2X4K8M3F7QPZRVWT6YBHCE";
const SESSION: &str = "ses_00000000000000000000000000000001";

fn person_claims() -> Value {
    json!({
        "sub": USER,
        "email": "jane@example.com",
        "role": "user",
        "iat": START,
        "exp": START + 900,
        "iss": ISSUER,
        "aud": ISSUER,
        "jti": "01HRHZ2K00ZZZZZZZZZZZZZZZZ",
        "sid": SESSION,
    })
}

fn agents_refuse(token: &str) -> InvalidJwt {
    agents(Algorithm::Es256).verify(&SERVER.set, token, at(0)).unwrap_err()
}

fn people_refuse(token: &str) -> InvalidJwt {
    people().verify(&SERVER.set, token, at(0)).unwrap_err()
}

#[test]
fn j4_a_persons_token_is_no_agents() {
    let (user, session): (UserId, SessionId) = (USER.parse().unwrap(), SESSION.parse().unwrap());
    let subject = Subject { user, email: "jane@example.com", role: "user", session };
    let issued = people().issue(&SERVER.set, &subject, at(0), &Steps).unwrap();
    let token = issued.token.expose_secret();
    let read = people().verify(&SERVER.set, token, at(0)).unwrap();
    assert_eq!((read.user, read.session), (user, session));
    assert_eq!((read.issued_at, read.expires_at), (at(0), at(900)));
    assert_eq!(read.audience.as_deref(), Some(ISSUER));
    assert_eq!(agents_refuse(token), InvalidJwt::Header);
}

#[test]
fn j4_an_agents_token_is_no_persons_even_with_the_same_algorithm() {
    for algorithm in Algorithm::ALL {
        let policy = agents(algorithm);
        let token = policy.token(grant(), at(0), &Steps).unwrap();
        let issued = policy.sign(&SERVER.set, &token, at(0)).unwrap();
        assert_eq!(people_refuse(issued.token.expose_secret()), InvalidJwt::Header);
    }
}

/// Whatever claims and type a key is brought to sign.
#[test]
fn j4_no_key_signs_for_another_purpose() {
    let (agent, person) = (claims(), person_claims());
    let people_key = SERVER.key(KeyPurpose::People, Algorithm::Rs256);
    let good = people_key.token(json!({}), &person);
    assert!(people().verify(&SERVER.set, &good, at(0)).is_ok());
    for typ in ["JWT", "at+jwt"] {
        let typ = json!({ "typ": typ });
        assert_eq!(agents_refuse(&people_key.token(typ.clone(), &agent)), InvalidJwt::Header);
        for algorithm in Algorithm::ALL {
            let agents_key = SERVER.key(KeyPurpose::Agents, algorithm);
            let token = agents_key.token(typ.clone(), &person);
            assert_eq!(people_refuse(&token), InvalidJwt::Header, "{algorithm:?}");
        }
    }
}

/// Signed by one purpose's key under the name of the other's.
#[test]
fn j4_the_key_of_one_purpose_does_not_pass_for_that_of_another() {
    let people_key = SERVER.key(KeyPurpose::People, Algorithm::Rs256);
    let agents_key = SERVER.key(KeyPurpose::Agents, Algorithm::Rs256);
    let header = json!({ "typ": "at+jwt", "kid": agents_key.kid() });
    assert_eq!(agents_refuse(&people_key.token(header, &claims())), InvalidJwt::Signature);
    let header = json!({ "typ": "JWT", "kid": people_key.kid() });
    assert_eq!(people_refuse(&agents_key.token(header, &person_claims())), InvalidJwt::Signature);
}

#[test]
fn j4_claims_of_the_other_kind_are_refused_under_a_good_key() {
    let agents_key = SERVER.agents_key();
    assert_eq!(agents_refuse(&agents_key.token(json!({}), &person_claims())), InvalidJwt::Claims);
    let people_key = SERVER.key(KeyPurpose::People, Algorithm::Rs256);
    assert_eq!(people_refuse(&people_key.token(json!({}), &claims())), InvalidJwt::Claims);
}
