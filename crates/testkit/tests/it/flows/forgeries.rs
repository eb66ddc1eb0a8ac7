//! Access tokens that nobody may be let in with.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use openssl::{bn::BigNum, pkey::Public, rsa::Rsa};
use portcullis_flows::people::Tokens;
use portcullis_kernel::{ExposeSecret as _, UserId};
use portcullis_testkit::engine::TestEngine;
use ring::hmac;
use serde_json::{Value, json};
use time::Duration;

use super::{JANE, JOHN, People as _};

/// A live session of somebody, and the parts of its token.
struct Victim {
    engine: TestEngine,
    tokens: Tokens,
    header: Value,
    claims: Value,
}

impl Victim {
    fn new() -> Self {
        let engine = TestEngine::new();
        let tokens = engine.join(JANE).tokens;
        let mut parts = tokens.access.token.expose_secret().split('.').map(|part| {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).ok()
        });
        let (header, claims) = (parts.next().flatten(), parts.next().flatten());
        drop(parts);
        Self { engine, tokens, header: header.unwrap(), claims: claims.unwrap() }
    }

    fn token(&self) -> &str {
        self.tokens.access.token.expose_secret()
    }

    /// The header with members set, or removed by null.
    fn header(&self, changes: &Value) -> Value {
        changed(&self.header, changes)
    }

    /// With a good signature of our key.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        self.engine.sign_jwt(header, claims)
    }

    /// Each is refused, and what is real works on.
    fn refuses(&self, forgeries: &[(&str, String)]) {
        for (what, token) in forgeries {
            assert!(self.engine.authenticate(token).is_err(), "{what}: {token:.200}");
        }
        assert!(self.engine.try_bearer(&self.tokens).is_some(), "the session is alive");
    }

    /// A good signature over the real claims with one changed.
    fn refuses_claims(&self, changes: &[(&str, Value)]) {
        let real = self.signed(&self.header, &self.claims);
        assert!(self.engine.authenticate(&real).is_ok(), "unchanged they are accepted");
        let forge = |(name, value): &(&str, Value)| {
            let mut claims = self.claims.clone();
            claims[*name] = value.clone();
            (format!("{name}: {value:.50}"), self.signed(&self.header, &claims))
        };
        let forged: Vec<_> = changes.iter().map(forge).collect();
        self.refuses(&forged.iter().map(|(w, t)| (w.as_str(), t.clone())).collect::<Vec<_>>());
    }

    fn public_key(&self) -> (Rsa<Public>, Value) {
        let jwks: Value = serde_json::from_str(&self.engine.jwks().unwrap()).unwrap();
        let kid = self.engine.active_kid();
        let mut keys = jwks["keys"].as_array().unwrap().iter();
        let jwk = keys.find(|key| key["kid"] == kid).unwrap().clone();
        let number = |name: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            BigNum::from_slice(&bytes).unwrap()
        };
        (Rsa::from_public_components(number("n"), number("e")).unwrap(), jwk)
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

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

#[test]
fn j2_no_algorithm_but_ours_is_accepted() {
    let victim = Victim::new();
    let signature = victim.token().rsplit('.').next().unwrap();
    let mut forgeries = Vec::new();
    for alg in
        ["none", "None", "NONE", "nOnE", "", "rs256", "RS384", "RS512", "PS256", "ES256", "EdDSA"]
    {
        let header = victim.header(&json!({ "alg": alg }));
        let unsigned = format!("{}.{}", encode(&header), encode(&victim.claims));
        forgeries.push((alg, format!("{unsigned}.")));
        forgeries.push((alg, unsigned.clone()));
        forgeries.push((alg, format!("{unsigned}.{signature}")));
        forgeries.push((alg, victim.signed(&header, &victim.claims)));
    }
    for alg in [json!(null), json!(["RS256"]), json!(256), json!({ "alg": "RS256" })] {
        let mut header = victim.header.clone();
        header["alg"] = alg;
        forgeries.push(("alg of another type", victim.signed(&header, &victim.claims)));
    }
    victim.refuses(&forgeries);
}

#[test]
fn j2_the_public_key_is_no_shared_secret() {
    let victim = Victim::new();
    let (key, jwk) = victim.public_key();
    let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
    let spki_pem = text(key.public_key_to_pem().unwrap());
    let spki_der = key.public_key_to_der().unwrap();
    let secrets: Vec<Vec<u8>> = vec![
        spki_pem.clone().into(),
        spki_pem.trim_end().into(),
        spki_pem.replace('\n', "\r\n").into(),
        key.public_key_to_pem_pkcs1().unwrap(),
        spki_der.clone(),
        STANDARD.encode(spki_der).into(),
        key.public_key_to_der_pkcs1().unwrap(),
        key.n().to_vec(),
        jwk["n"].as_str().unwrap().into(),
        jwk.to_string().into(),
        victim.engine.jwks().unwrap().into(),
        jwk["kid"].as_str().unwrap().into(),
        Vec::new(),
    ];
    let mut forgeries = Vec::new();
    for (alg, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let header = victim.header(&json!({ "alg": alg }));
        let input = format!("{}.{}", encode(&header), encode(&victim.claims));
        for secret in &secrets {
            let mac = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
            forgeries.push((alg, format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))));
        }
    }
    victim.refuses(&forgeries);
}

#[test]
fn j4_a_token_of_another_type_is_refused() {
    let victim = Victim::new();
    for typ in [
        json!("jwt"),
        json!("at+jwt"),
        json!("agent-identity+jwt"),
        json!("application/jwt"),
        json!(""),
        json!(["JWT"]),
        json!(1),
        json!(null),
    ] {
        let header = victim.header(&json!({ "typ": typ }));
        victim.refuses(&[("typ", victim.signed(&header, &victim.claims))]);
    }
}

#[test]
fn j3_the_token_never_chooses_its_key() {
    let victim = Victim::new();
    let thief = Rsa::generate(2048).unwrap();
    let thief = openssl::pkey::PKey::from_rsa(thief).unwrap();
    let sign = |header: &Value| {
        let input = format!("{}.{}", encode(header), encode(&victim.claims));
        let mut signer =
            openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &thief).unwrap();
        let signature = signer.sign_oneshot_to_vec(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let rsa = thief.rsa().unwrap();
    let jwk = json!({
        "kty": "RSA",
        "n": URL_SAFE_NO_PAD.encode(rsa.n().to_vec()),
        "e": URL_SAFE_NO_PAD.encode(rsa.e().to_vec()),
    });
    let x5c = STANDARD.encode(rsa.public_key_to_der().unwrap());
    let url = "http://127.0.0.1:9/jwks.json";
    let changes = [
        json!({}),
        json!({ "jwk": jwk }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": [x5c] }),
        json!({ "jwk": jwk, "kid": null }),
        json!({ "jku": url, "kid": "thief" }),
    ];
    let forged: Vec<_> = changes
        .iter()
        .map(|change| ("a key of the thief's own", sign(&victim.header(change))))
        .collect();
    victim.refuses(&forged);
}

#[test]
fn j3_a_kid_names_a_key_of_ours_or_nothing() {
    let victim = Victim::new();
    for kid in [
        json!(null),
        json!(""),
        json!("../../etc/passwd"),
        json!("' OR 1=1 --"),
        json!("0"),
        json!(0),
        json!([victim.engine.active_kid()]),
        json!(victim.engine.active_kid().to_lowercase()),
        json!("x".repeat(4000)),
    ] {
        let header = victim.header(&json!({ "kid": kid }));
        victim.refuses(&[("kid", victim.signed(&header, &victim.claims))]);
    }
}

#[test]
fn j11_a_critical_extension_is_refused_whatever_it_says() {
    let victim = Victim::new();
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp"), json!(false)] {
        let header = victim.header(&json!({ "crit": crit, "b64": false }));
        victim.refuses(&[("crit", victim.signed(&header, &victim.claims))]);
    }
}

#[test]
fn j11_duplicate_members_are_refused_even_when_signed() {
    let victim = Victim::new();
    let kid = victim.engine.active_kid();
    let claims = victim.claims.to_string();
    let twice = |member: &str| format!("{}{member}}}", &claims[..claims.len() - 1]);
    let header = victim.header.to_string();
    let headers = [
        format!(r#"{{"alg":"none","alg":"RS256","typ":"JWT","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","alg":"RS256","typ":"JWT","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","typ":"JWT","kid":"x","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","typ":"JWT","typ":"JWT","kid":"{kid}"}}"#),
    ];
    for header in headers {
        victim.refuses(&[("header", victim.engine.sign_parts(&header, &claims))]);
    }
    for member in [r#","exp":9999999999"#, r#","sub":"x""#, r#","iss":"portcullis""#] {
        victim.refuses(&[("claim", victim.engine.sign_parts(&header, &twice(member)))]);
    }
}

#[test]
fn j11_giant_and_malformed_tokens_are_refused() {
    let victim = Victim::new();
    let real = victim.token();
    let (signed, signature) = real.rsplit_once('.').unwrap();
    let padding = json!({ "x": "x".repeat(60_000) });
    let big_header = victim.header(&padding);
    let big_claims = changed(&victim.claims, &padding);
    let flipped: String = if signature.starts_with('A') { "B".into() } else { "A".into() };
    victim.refuses(&[
        ("60 KB of header", victim.signed(&big_header, &victim.claims)),
        ("60 KB of claims", victim.signed(&victim.header, &big_claims)),
        ("20 000 dots", ".".repeat(20_000)),
        ("dots after it", format!("{real}{}", ".".repeat(20_000))),
        ("nothing", String::new()),
        ("two parts", signed.into()),
        ("four parts", format!("{real}.x")),
        ("a dot before it", format!(".{real}")),
        ("space around it", format!(" {real}")),
        ("a line after it", format!("{real}\n")),
        ("padding", format!("{real}=")),
        ("no signature", format!("{signed}.")),
        ("another signature", format!("{signed}.{flipped}{}", &signature[1..])),
        ("not base64", format!("{signed}.é")),
        ("JSON serialization", json!({ "payload": signed, "signature": signature }).to_string()),
        ("no header", format!(".{}.{signature}", encode(&victim.claims))),
        ("an array", victim.engine.sign_parts("[]", &victim.claims.to_string())),
        ("no claims", victim.engine.sign_parts(&victim.header.to_string(), "")),
        ("array of claims", victim.engine.sign_parts(&victim.header.to_string(), "[]")),
    ]);
}

#[test]
fn j5_times_of_another_type_are_refused_and_never_skipped() {
    let victim = Victim::new();
    let exp = victim.claims["exp"].as_i64().unwrap();
    let float = json!(f64::from(i32::try_from(exp).unwrap()) + 0.5);
    let wrong =
        [json!(exp.to_string()), float, json!(null), json!([exp]), json!(true), json!(u64::MAX)];
    for claim in ["exp", "iat", "nbf"] {
        victim.refuses_claims(&wrong.clone().map(|value| (claim, value)));
    }
    let later = json!(victim.engine.now().unix_timestamp() + 60);
    victim.refuses_claims(&[("exp", json!(0)), ("exp", json!(-1)), ("nbf", later)]);
}

#[test]
fn j7_a_token_of_another_issuer_audience_or_shape_is_refused() {
    let victim = Victim::new();
    victim.refuses_claims(&[
        ("iss", json!("Portcullis")),
        ("iss", json!("https://evil.example")),
        ("iss", json!(["portcullis"])),
        ("iss", json!(null)),
        ("aud", json!("portcullis")),
        ("aud", json!(["portcullis"])),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("sid", json!("")),
        ("jti", json!(1)),
        ("role", json!(["admin"])),
    ]);
    for claim in ["exp", "iat", "iss", "sub", "sid", "jti", "email", "role"] {
        let claims = changed(&victim.claims, &json!({ claim: null }));
        victim.refuses(&[(claim, victim.signed(&victim.header, &claims))]);
    }
}

#[test]
fn j4_user_and_session_must_belong_together() {
    let victim = Victim::new();
    let other = victim.engine.join(JOHN);
    let caller = victim.engine.bearer(&other.tokens);
    let stranger: UserId = "01JN2X4K8M3F7QPZRVWT6YBHCE".parse().unwrap();
    victim.refuses_claims(&[
        ("sub", json!(caller.user.id.to_string())),
        ("sid", json!(caller.session.to_string())),
        ("sub", json!(stranger.to_string())),
        ("sid", json!(format!("ses_{}", "0".repeat(32)))),
    ]);
}

#[test]
fn j2_a_good_token_of_another_server_is_refused() {
    let victim = Victim::new();
    let other = victim
        .engine
        .peer()
        .storage(std::sync::Arc::new(portcullis_storage::MemoryStorage::default()))
        .build();
    other.clock.advance(Duration::SECOND);
    let elsewhere = other.join(JANE).tokens;
    assert!(victim.engine.try_bearer(&elsewhere).is_none());
    assert!(other.try_bearer(&victim.tokens).is_none());
}
