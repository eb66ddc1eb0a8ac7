//! Access tokens that are accepted, and those that nobody may be let in with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_guard::{GuardOptions, Reason};
use portcullis_tokens::{Algorithm, PublicJwk};
use ring::hmac;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{AGENT, Api, ISSUER, Issuer, KEY_ID, START, at, options};

async fn refuses_all(api: &Api, tokens: impl IntoIterator<Item = (String, String)>) {
    assert!(api.show(&api.token()).await.is_ok(), "unchanged it is accepted");
    api.server.asked();
    for (what, token) in tokens {
        assert_eq!(api.refuses(&token).await, Reason::Invalid, "{what}");
    }
}

#[tokio::test]
async fn what_a_token_grants_is_told() {
    let api = Api::new();
    let owner = "01JN2X4K8M3F7QPZRVWT6YBHCE";
    let token = api.issuer.claiming(json!({ "owner": owner }));
    let principal = api.show(&token).await.unwrap();
    assert_eq!(principal.subject, AGENT.parse().unwrap());
    assert_eq!(principal.scopes.to_string(), "api.read api.write");
    assert!(principal.has("api.write") && !principal.has("api"));
    assert_eq!(principal.owner, Some(owner.parse().unwrap()));
    assert_eq!(principal.key_id, Some(KEY_ID.parse().unwrap()));
    assert_eq!(principal.token_id, Some("01HRHZ2K00ZZZZZZZZZZZZZZZZ".parse().unwrap()));
    assert_eq!(principal.audience.as_deref(), Some("https://api.example"));
    assert_eq!(principal.expires_at, Some(at(3600)));
    assert_eq!(principal.email_verified, None);
    assert!(!format!("{principal:?}").contains(&token), "no log may hold it");
}

#[tokio::test]
async fn each_algorithm_of_the_auth_server_is_verified() {
    for algorithm in Algorithm::ALL {
        let (api, issuer) = (Api::new(), Issuer::new(algorithm));
        api.server.publish(&[&issuer]);
        assert!(api.show(&issuer.token()).await.is_ok(), "{algorithm:?}");
        let mut token = issuer.token();
        let last = if token.pop() == Some('A') { 'Q' } else { 'A' };
        token.push(last);
        assert_eq!(api.refuses(&token).await, Reason::Invalid, "{algorithm:?}");
    }
}

#[tokio::test]
async fn no_request_asks_the_network() {
    let api = Api::new();
    for _ in 0..1000 {
        assert!(api.show(&api.token()).await.is_ok());
    }
    assert_eq!(api.server.count(), 1, "the key set, once");
}

#[tokio::test]
async fn j2_no_other_algorithm_is_accepted() {
    let api = Api::new();
    let PublicJwk::Ec { x, y, .. } = api.issuer.public() else { panic!("a key on a curve") };
    let public = [x, y].map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).concat();
    let mut tokens = Vec::new();
    let names = ["none", "None", "NONE", "", "HS256", "HS512", "es256", "ES384", "RS256", "EdDSA"];
    for alg in names {
        tokens.push((format!("alg {alg}"), api.issuer.headed(json!({ "alg": alg }))));
        let claims = Issuer::claims().to_string();
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": api.issuer.kid() }).to_string();
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        tokens.push((format!("alg {alg}, unsigned"), format!("{signed}.")));
        for secret in [&public[..], x.as_bytes(), api.issuer.published().to_string().as_bytes()] {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = hmac::sign(&key, signed.as_bytes());
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
            tokens.push((format!("alg {alg}, by the public key"), forged));
        }
    }
    refuses_all(&api, tokens).await;
    assert_eq!(api.server.count(), 0);
}

#[tokio::test]
async fn j3_a_token_never_brings_its_own_key() {
    let (api, thief) = (Api::new(), Issuer::es256());
    let kid = api.issuer.kid();
    let headers = [
        json!({ "kid": kid, "jwk": thief.published() }),
        json!({ "kid": kid, "jku": "https://thief.example/jwks.json" }),
        json!({ "kid": kid, "x5u": "https://thief.example/chain.pem", "x5c": ["MIIB"] }),
        json!({ "kid": kid }),
        json!({ "kid": null }),
        json!({ "kid": 7 }),
        json!({ "kid": "" }),
        json!({ "kid": "../../jwks.json", "jwk": thief.published() }),
    ];
    let forged = headers.map(|header| (header.to_string(), thief.headed(header)));
    refuses_all(&api, forged).await;
    // One of the last two made it look for a newer key set, and nothing else.
    let asked: Vec<String> = api.server.asked().into_iter().map(|asked| asked.url).collect();
    assert_eq!(asked, [format!("{ISSUER}/.well-known/jwks.json")]);
}

#[tokio::test]
async fn j4_other_types_of_token_are_refused() {
    let api = Api::new();
    let types = [
        json!("JWT"),
        json!("at+JWT"),
        json!("application/at+jwt"),
        json!("agent-identity+jwt"),
        json!(""),
        json!(null),
        json!(7),
    ];
    let tokens = types.map(|typ| (typ.to_string(), api.issuer.headed(json!({ "typ": typ }))));
    refuses_all(&api, tokens).await;
}

#[tokio::test]
async fn j5_j7_claims_that_are_wrong_or_of_another_shape_are_refused() {
    let api = Api::new();
    let other = "agt_00112233445566778899aabbccddee00";
    let cases = [
        ("iss", json!("https://auth.example/")),
        ("iss", json!("https://other.example")),
        ("iss", json!(null)),
        ("aud", json!("https://other.example")),
        ("aud", json!("https://api.example/")),
        ("aud", json!(["https://api.example"])),
        ("aud", json!(null)),
        ("sub", json!(other)),
        ("client_id", json!(other)),
        ("sub", json!(null)),
        ("scope", json!("")),
        ("scope", json!(["api.read"])),
        ("key_id", json!("aky_")),
        ("owner", json!("nobody")),
        ("jti", json!(null)),
        ("exp", json!(null)),
        ("exp", json!("1700003600")),
        ("exp", json!(1_700_003_600.5)),
        ("exp", json!(i64::MIN)),
        ("nbf", json!("0")),
        ("nbf", json!(START + 31)),
        ("nbf", json!(i64::MAX)),
    ];
    let forged = cases.map(|(name, value)| {
        (format!("{name}: {value}"), api.issuer.claiming(json!({ name: value })))
    });
    refuses_all(&api, forged).await;
    let critical = [json!(["exp"]), json!([]), json!("exp")];
    let critical = critical.map(|c| (format!("crit {c}"), api.issuer.headed(json!({ "crit": c }))));
    refuses_all(&api, critical).await;
}

#[tokio::test]
async fn j6_clocks_may_be_apart_by_the_leeway_and_no_more() {
    for leeway in [0, 30, 300] {
        let api = Api::with(GuardOptions { leeway: Duration::seconds(leeway), ..options() });
        let token = api.token();
        assert!(api.show(&token).await.is_ok());
        api.clock.seconds(3600 + leeway - 1);
        assert!(api.show(&token).await.is_ok(), "a second before its end, leeway {leeway}");
        api.clock.seconds(1);
        assert_eq!(api.refuses(&token).await, Reason::Invalid, "leeway {leeway}");

        let api = Api::with(GuardOptions { leeway: Duration::seconds(leeway), ..options() });
        assert!(api.show(&api.issuer.claiming(json!({ "nbf": START + leeway }))).await.is_ok());
        let early = api.issuer.claiming(json!({ "nbf": START + leeway + 1 }));
        assert_eq!(api.refuses(&early).await, Reason::Invalid, "leeway {leeway}");
    }
}

#[tokio::test]
async fn j6_the_leeway_is_30_seconds_unless_told_otherwise() {
    assert_eq!(options().leeway, Duration::seconds(30));
}

#[tokio::test]
async fn j7_other_audiences_are_accepted_when_they_are_named() {
    let public_url = json!({ "aud": ISSUER });
    let api = Api::new();
    assert_eq!(api.refuses(&api.issuer.claiming(public_url.clone())).await, Reason::Invalid);
    let api = Api::with(GuardOptions { more_audiences: vec![ISSUER.into()], ..options() });
    assert!(api.show(&api.issuer.claiming(public_url)).await.is_ok());
    assert!(api.show(&api.token()).await.is_ok());
}

#[tokio::test]
async fn j11_monsters_are_refused_without_a_question() {
    let api = Api::new();
    let parts = |length: usize| format!("{0}.{0}.{0}", "A".repeat(length));
    let monsters = [
        ".".repeat(20_000),
        parts(20_000),
        parts(8),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.e30.", URL_SAFE_NO_PAD.encode("[".repeat(4_000))),
        format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"kid":"#.repeat(500))),
        String::new(),
        "sk_".repeat(20_000),
        "x".repeat(60_000),
        "\u{0}".to_owned(),
    ];
    for token in monsters {
        assert_eq!(api.refuses(&token).await, Reason::Invalid, "{token:.40}");
    }
    assert_eq!(api.server.count(), 0, "not even for the key set");
}

#[tokio::test]
async fn a_key_set_with_other_keys_serves() {
    let api = Api::new();
    let more = json!({ "keys": [
        { "kty": "oct", "k": "AAAA", "kid": "a" },
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "x", "kid": "b" },
        Issuer::new(Algorithm::Rs256).published(),
        api.issuer.published(),
        "what is this",
    ] });
    api.server.publish_document(more);
    assert!(api.show(&api.token()).await.is_ok());
}

/// A key of one algorithm, published as of another, verifies nothing.
#[tokio::test]
async fn j2_a_key_serves_its_own_algorithm_only() {
    for (name, value) in [("alg", "EdDSA"), ("alg", "RS256"), ("use", "enc")] {
        let api = Api::new();
        let mut key = api.issuer.published();
        key[name] = Value::from(value);
        api.server.publish_document(json!({ "keys": [key] }));
        assert_eq!(api.refuses(&api.token()).await, Reason::Invalid, "{name} {value}");
    }
}
