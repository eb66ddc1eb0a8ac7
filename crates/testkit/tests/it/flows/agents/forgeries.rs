//! Agents' access tokens that nobody may be let in with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_kernel::ExposeSecret as _;
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::{Algorithm, KeyPurpose};
use serde_json::{Value, json};

use super::{
    super::{JANE, People as _},
    Agents as _, BOX,
};

/// A live token of an agent, and its parts.
struct Victim {
    engine: TestEngine,
    token: String,
    header: Value,
    claims: Value,
}

impl Victim {
    fn new() -> Self {
        Self::signed_by(Algorithm::Es256)
    }

    fn signed_by(algorithm: Algorithm) -> Self {
        let engine = TestEngine::builder().options(|options| {
            options.agents.token.algorithm = algorithm;
        });
        let engine = engine.build();
        let bot = engine.sign_up_at("bot", BOX);
        let token = engine.token(&engine.make_key(&bot));
        let part = |index| {
            let part = token.split('.').nth(index).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (part(0), part(1));
        Self { engine, token, header, claims }
    }

    /// Each is refused, and what is real works on.
    fn refuses(&self, what: &str, forged: &str) {
        assert!(!self.engine.is_good(forged), "{what}: {forged:.200}");
        assert!(self.engine.is_good(&self.token), "the real one lives");
    }

    /// A good signature over real parts with members of them changed.
    fn refuses_with(&self, header: &Value, claims: &Value) {
        let forged =
            self.engine.sign_jwt(&changed(&self.header, header), &changed(&self.claims, claims));
        self.refuses(&format!("{header} {claims:.80}"), &forged);
    }
}

fn changed(object: &Value, changes: &Value) -> Value {
    let mut object = object.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

#[test]
fn j4_tokens_of_people_and_of_agents_do_not_mix() {
    for algorithm in Algorithm::ALL {
        let victim = Victim::signed_by(algorithm);
        let engine = &victim.engine;
        let tokens = engine.join(JANE).tokens;
        let persons = tokens.access.token.expose_secret();
        victim.refuses("a person's", persons);
        assert!(engine.authenticate(&victim.token).is_err(), "an agent's");
        assert!(engine.try_bearer(&tokens).is_some());
        // Even with the claims of the other, by the key of the other, under the type of the other.
        let people = engine.active_kid();
        victim.refuses_with(&json!({ "kid": people }), &json!({}));
        victim.refuses_with(&json!({ "kid": people, "alg": "RS256" }), &json!({}));
        victim.refuses_with(&json!({ "kid": people, "alg": "RS256", "typ": "JWT" }), &json!({}));
        victim.refuses_with(&json!({ "typ": "JWT" }), &json!({}));
        let session = json!({ "sid": engine.bearer(&tokens).session.to_string() });
        let both = changed(&victim.claims, &session);
        let agents = engine.sign_jwt(&changed(&victim.header, &json!({ "typ": "JWT" })), &both);
        assert!(engine.authenticate(&agents).is_err());
    }
}

#[test]
fn j2_a_key_signs_by_its_own_algorithm_only() {
    let victim = Victim::new();
    let real = victim.engine.sign_jwt(&victim.header, &victim.claims);
    assert!(victim.engine.is_good(&real), "unchanged it is accepted");
    for kid in Algorithm::ALL {
        let named = victim.engine.active_kid_of(KeyPurpose::Agents, kid);
        for alg in ["ES256", "EdDSA", "RS256", "HS256", "none", "es256", "ES384", "PS256", ""] {
            let header = json!({ "kid": named, "alg": alg });
            if alg == kid.as_str() {
                let other = changed(&victim.header, &header);
                let good = victim.engine.sign_jwt(&other, &victim.claims);
                assert!(victim.engine.is_good(&good), "{alg}: it is a key for agents, too");
            } else {
                victim.refuses_with(&header, &json!({}));
            }
        }
    }
}

#[test]
fn j2_no_signature_and_none_that_was_changed_is_accepted() {
    for algorithm in Algorithm::ALL {
        let victim = Victim::signed_by(algorithm);
        let (signed, signature) = victim.token.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        victim.refuses("none", &format!("{signed}."));
        victim.refuses("two parts", signed);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            victim.refuses("flipped", &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(other)));
        }
        victim.refuses(
            "zeros",
            &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(vec![0; bytes.len()])),
        );
        victim.refuses("shorter", &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&bytes[1..])));
        let longer = [&bytes[..], &[0]].concat();
        victim.refuses("longer", &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(longer)));
        victim.refuses("other claims", &{
            let claims = changed(&victim.claims, &json!({ "scope": "admin" }));
            let header = signed.split('.').next().unwrap();
            format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()))
        });
    }
}

#[test]
fn j7_every_claim_is_judged() {
    let victim = Victim::new();
    let engine = &victim.engine;
    let other = engine.sign_up_bot("other");
    let others = engine.make_key(&other);
    let (sub, iat) = (other.id.to_string(), victim.claims["iat"].as_i64().unwrap());
    for claims in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": ["http://127.0.0.1:8080"] }),
        json!({ "aud": "https://evil.example" }),
        json!({ "aud": ["http://127.0.0.1:8080"] }),
        json!({ "aud": "" }),
        json!({ "sub": sub }),
        json!({ "sub": sub, "client_id": sub }),
        json!({ "client_id": sub }),
        json!({ "key_id": others.id.to_string() }),
        json!({ "key_id": format!("aky_{}", "0".repeat(32)) }),
        json!({ "key_id": 1 }),
        json!({ "scope": "" }),
        json!({ "scope": "a  b" }),
        json!({ "scope": ["messages:read"] }),
        json!({ "jti": "x" }),
        json!({ "owner": "me" }),
        json!({ "exp": iat - 6 }),
        json!({ "exp": (iat + 3600).to_string() }),
        json!({ "exp": 1e300 }),
        json!({ "nbf": iat + 60 }),
        json!({ "nbf": "0" }),
    ] {
        victim.refuses_with(&json!({}), &claims);
    }
    for claim in ["iss", "aud", "sub", "client_id", "key_id", "scope", "iat", "exp", "jti"] {
        victim.refuses_with(&json!({}), &json!({ claim: null }));
    }
    // The pair of another agent and its key is a good token of that agent, and of no other.
    let theirs = json!({ "sub": sub, "client_id": sub, "key_id": others.id.to_string() });
    let signed = engine.sign_jwt(&victim.header, &changed(&victim.claims, &theirs));
    assert_eq!(engine.try_agent(&signed).unwrap().agent.id, other.id);
}

#[test]
fn j4_a_token_of_another_type_is_refused() {
    let victim = Victim::new();
    for typ in [
        json!("jwt"),
        json!("AT+JWT"),
        json!("application/at+jwt"),
        json!("agent-identity+jwt"),
        json!("logout+jwt"),
        json!(""),
        json!(["at+jwt"]),
        json!(null),
    ] {
        victim.refuses_with(&json!({ "typ": typ }), &json!({}));
    }
    for header in [json!({ "kid": null }), json!({ "kid": "x" }), json!({ "crit": ["exp"] })] {
        victim.refuses_with(&header, &json!({}));
    }
}

#[test]
fn k4_secrets_of_every_kind_are_no_access_tokens() {
    let victim = Victim::new();
    let bot = victim.engine.sign_up_bot("other");
    let key = victim.engine.make_key(&bot);
    for secret in [key.secret.as_str(), &bot.recovery, "", ".", "..", "a.b.c"] {
        victim.refuses("a secret", secret);
    }
}
