//! Agents' tokens that nobody may be let in with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_tokens::{
    AgentToken, Algorithm,
    InvalidJwt::{self, Claims, Expired, Header, Malformed, Signature, UnknownKey},
    KeyPurpose,
};
use serde_json::{Value, json};

use super::{
    SERVER, changed, claims,
    server::{AGENT, Key, START, agents, at},
    without,
};

fn verify(token: &str) -> Result<AgentToken, InvalidJwt> {
    agents(Algorithm::Es256).verify(&SERVER.set, token, at(0))
}

/// With a good signature of ours.
fn signed(header: Value, claims: &Value) -> String {
    SERVER.agents_key().token(header, claims)
}

fn refuses_claims(cases: &[(&str, Value)], why: InvalidJwt) {
    assert!(verify(&signed(json!({}), &claims())).is_ok(), "unchanged they are accepted");
    for (name, value) in cases {
        let token = signed(json!({}), &changed(&claims(), json!({ *name: value })));
        assert_eq!(verify(&token), Err(why), "{name}: {value:.60}");
    }
}

fn refuses_header(name: &str, values: &[Value], why: InvalidJwt) {
    for value in values {
        let token = signed(json!({ name: value }), &claims());
        assert_eq!(verify(&token), Err(why), "{name}: {value:.60}");
    }
}

#[test]
fn j7_another_issuer_is_refused() {
    let others = ["http://auth.example", "https://auth.example/", "https://AUTH.example", ""];
    refuses_claims(&others.map(|other| ("iss", json!(other))), Claims);
}

#[test]
fn a_claim_of_another_shape_is_refused() {
    let other_agent = "agt_00112233445566778899aabbccddee00";
    let cases = [
        ("iss", json!(["https://auth.example"])),
        ("sub", json!(other_agent)),
        ("client_id", json!(other_agent)),
        ("aud", json!(["https://auth.example"])),
        ("aud", json!(null)),
        ("scope", json!("")),
        ("scope", json!("messages:read  messages:write")),
        ("scope", json!(["messages:read"])),
        ("key_id", json!(AGENT)),
        ("key_id", json!("")),
        ("owner", json!("")),
        ("owner", json!(AGENT)),
        ("owner", json!(1)),
        ("jti", json!("")),
        ("jti", json!("01hrhz2k00zzzzzzzzzzzzzzzz")),
        ("jti", json!("81HRHZ2K00ZZZZZZZZZZZZZZZZ")),
        ("jti", json!(1)),
    ];
    refuses_claims(&cases, Claims);
    for id in ["", "01JN2X4K8M3F7QPZRVWT6YBHCE", &AGENT.to_uppercase(), &format!("{AGENT} ")] {
        let both = json!({ "sub": id, "client_id": id });
        let token = signed(json!({}), &changed(&claims(), both));
        assert_eq!(verify(&token), Err(Claims), "{id}");
    }
}

#[test]
fn a_claim_that_is_missing_is_refused() {
    for name in claims().as_object().unwrap().keys() {
        let token = signed(json!({}), &without(&claims(), name));
        assert_eq!(verify(&token), Err(Claims), "{name}");
    }
}

#[test]
fn j5_times_of_another_type_are_refused_and_never_skipped() {
    let exp = START + 3600;
    let float = json!(f64::from(i32::try_from(exp).unwrap()) + 0.5);
    let wrong = [json!(exp.to_string()), float, json!(null), json!([exp]), json!(u64::MAX)];
    for name in ["exp", "iat", "nbf"] {
        refuses_claims(&wrong.clone().map(|value| (name, value)), Claims);
    }
    refuses_claims(&[("exp", json!(i64::MAX)), ("iat", json!(i64::MIN))], Claims);
    refuses_claims(&[("nbf", json!(i64::MAX))], Claims);
    let over = [0, -1, START - 5, i64::MIN];
    refuses_claims(&over.map(|value| ("exp", json!(value))), Expired);
}

#[test]
fn j2_no_algorithm_but_that_of_the_key_is_accepted() {
    let names =
        ["none", "None", "", "es256", "HS256", "ES384", "ES256K", "RS256", "EdDSA", "PS256"];
    refuses_header("alg", &names.map(Value::from), Header);
    refuses_header("alg", &[json!(null), json!(1), json!(["ES256"])], Malformed);
    let good = signed(json!({}), &claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = input.split_once('.').unwrap();
    let header = json!({ "alg": "none", "typ": "at+jwt", "kid": SERVER.agents_key().kid() });
    let none = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    assert_eq!(verify(&format!("{none}.")), Err(Header));
    assert_eq!(verify(&format!("{none}.{signature}")), Err(Header));
    assert_eq!(verify(&none), Err(Malformed));
}

#[test]
fn j4_a_token_of_another_type_is_refused() {
    let types = ["JWT", "jwt", "AT+JWT", "application/at+jwt", "agent-identity+jwt", ""];
    refuses_header("typ", &types.map(Value::from), Header);
    refuses_header("typ", &[json!(null)], Header);
    refuses_header("typ", &[json!(["at+jwt"]), json!(1)], Malformed);
    let header = json!({ "alg": "ES256", "kid": SERVER.agents_key().kid() }).to_string();
    let token = SERVER.agents_key().sign(&header, &claims().to_string());
    assert_eq!(verify(&token), Err(Header), "none at all");
}

#[test]
fn j3_a_kid_names_a_key_of_ours_or_nothing() {
    let kid = SERVER.agents_key().kid();
    let cut = &kid[1..];
    let unknown = ["", "0", "../../etc/passwd", "' OR 1=1 --", cut].map(Value::from);
    refuses_header("kid", &unknown, UnknownKey);
    refuses_header("kid", &[json!(null), json!(0), json!([kid])], Malformed);
    let header = json!({ "alg": "ES256", "typ": "at+jwt" }).to_string();
    let token = SERVER.agents_key().sign(&header, &claims().to_string());
    assert_eq!(verify(&token), Err(Malformed), "none at all");
}

#[test]
fn j3_the_token_never_chooses_its_key() {
    let thief = Key::new(KeyPurpose::Agents, Algorithm::Es256, 1);
    assert_eq!(verify(&thief.token(json!({}), &claims())), Err(UnknownKey));
    let jwk = serde_json::to_value(&thief.stored.public).unwrap();
    let kid = SERVER.agents_key().kid();
    for extra in [json!({}), json!({ "jwk": jwk }), json!({ "jku": "http://127.0.0.1:9/" })] {
        let header = changed(&extra, json!({ "kid": kid }));
        assert_eq!(verify(&thief.token(header, &claims())), Err(Signature), "{extra}");
    }
}

/// Each of our keys, under the name of each other.
#[test]
fn a_signature_of_another_algorithm_is_refused() {
    let key = |algorithm| SERVER.key(KeyPurpose::Agents, algorithm);
    for named in Algorithm::ALL {
        for signing in Algorithm::ALL.into_iter().filter(|signing| *signing != named) {
            let kid = json!({ "kid": key(named).kid() });
            assert_eq!(verify(&key(signing).token(kid.clone(), &claims())), Err(Header));
            let both = changed(&kid, json!({ "alg": named.as_str() }));
            let token = key(signing).token(both, &claims());
            assert_eq!(verify(&token), Err(Signature), "{signing:?} as {named:?}");
        }
    }
}

#[test]
fn j11_a_critical_extension_and_duplicate_members_are_refused() {
    refuses_header("crit", &[json!(["exp"]), json!([]), json!(false)], Header);
    let (key, claims) = (SERVER.agents_key(), claims().to_string());
    let header =
        |more: &str| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"{more}}}"#, key.kid());
    assert!(verify(&key.sign(&header(""), &claims)).is_ok());
    for more in [r#","alg":"ES256""#, r#","typ":"at+jwt""#, r#","kid":"x""#] {
        assert_eq!(verify(&key.sign(&header(more), &claims)), Err(Malformed), "{more}");
    }
    let open = claims.strip_suffix('}').unwrap();
    for more in [r#""exp":9999999999"#, r#""scope":"admin""#, r#""jti":"x""#, r#""aud":"x""#] {
        let twice = format!("{open},{more}}}");
        assert_eq!(verify(&key.sign(&header(""), &twice)), Err(Claims), "{more}");
    }
}

#[test]
fn a_token_changed_anywhere_is_refused() {
    let real = signed(json!({}), &claims());
    for (at, octet) in real.bytes().enumerate() {
        let other = if octet == b'A' { "B" } else { "A" };
        let mut changed = real.clone();
        changed.replace_range(at..=at, other);
        assert!(verify(&changed).is_err(), "at {at}");
    }
    for other in [format!("{real}="), format!(" {real}"), format!("{real}.x"), "..".to_owned()] {
        assert_eq!(verify(&other), Err(Malformed), "{other}");
    }
    let (input, _) = real.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{input}.")), Err(Signature));
}
