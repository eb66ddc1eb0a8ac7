use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::{
    Fetch, Finding, Level, examine,
    fetch::{Answer, Body, origin_of, well_known},
};

const URL: &str = "https://auth.example.com";
const JSON: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "public, max-age=300"),
];
const PROBLEM: [(&str, &str); 1] = [("content-type", "application/problem+json")];

/// A server that is right in everything, until a test changes it.
struct Fake {
    gets: BTreeMap<String, Answer>,
    posts: BTreeMap<String, Answer>,
}

impl Fetch for Fake {
    fn get(&self, url: &str) -> Result<Answer> {
        self.gets.get(url).cloned().ok_or_else(|| anyhow!("no route to host"))
    }

    fn post(&self, url: &str, _: Body) -> Result<Answer> {
        self.posts.get(url).cloned().ok_or_else(|| anyhow!("no route to host"))
    }
}

fn at(path: &str) -> String {
    format!("{URL}{path}")
}

fn resource() -> Value {
    json!({ "resource": URL, "authorization_servers": [URL], "bearer_methods_supported": ["header"],
        "scopes_supported": ["api.read"] })
}

fn server() -> Value {
    json!({ "issuer": URL, "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "response_types_supported": [], "agent_auth": {
            "manifest_url": at("/auth.md"), "registration_endpoint": at("/agent"),
            "claim_endpoint": at("/claim"), "claim_complete_endpoint": at("/complete"),
            "revocation_endpoint": at("/revoke"), "identity_types_supported": ["anonymous"] } })
}

fn good() -> Fake {
    let document = |value: Value| Answer::of(200, &JSON, &value.to_string());
    let page = Answer::of(200, &[("content-type", "text/markdown")], &at("/agent"));
    let bearer =
        format!("Bearer resource_metadata=\"{}\"", at("/.well-known/oauth-protected-resource"));
    let gets = [
        ("/.well-known/oauth-protected-resource", document(resource())),
        ("/.well-known/oauth-authorization-server", document(server())),
        ("/keys", document(json!({ "keys": [{ "kid": "1", "kty": "EC" }] }))),
        ("/auth.md", page),
        ("/private", Answer::of(401, &[("www-authenticate", &bearer)], "")),
    ];
    let problem = || Answer::of(400, &PROBLEM, "{}");
    let posts = [
        ("/agent", problem()),
        ("/claim", problem()),
        ("/complete", problem()),
        ("/revoke", Answer::of(401, &PROBLEM, "{}")),
        ("/token", Answer::of(401, &JSON, r#"{"error":"invalid_client"}"#)),
    ];
    let named = |(path, answer): (&str, Answer)| (at(path), answer);
    Fake {
        gets: gets.into_iter().map(named).collect(),
        posts: posts.into_iter().map(named).collect(),
    }
}

fn stumbles(fake: &Fake) -> Vec<Finding> {
    let findings = examine(fake, URL, Some("/private"));
    findings.into_iter().filter(|found| found.level == Level::Stumble).collect()
}

fn only(fake: &Fake, place: &str, text: &str) {
    let found = stumbles(fake);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].place.ends_with(place) && found[0].text.contains(text), "{:?}", found[0]);
}

#[test]
fn a_server_that_is_right_passes() {
    let findings = examine(&good(), URL, Some("/private"));
    assert!(findings.iter().all(|found| found.level == Level::Good), "{findings:#?}");
    assert_eq!(findings.len(), 10, "{findings:#?}");
}

#[test]
fn a_document_that_is_gone_moved_or_wrong_is_told() {
    let name = "/.well-known/oauth-protected-resource";
    let moved = Answer::of(301, &[("location", "https://elsewhere.example")], "");
    for (answer, text) in [
        (moved, "answers 301 (to https://elsewhere.example)"),
        (Answer::of(404, &[], ""), "answers 404"),
        (Answer::of(200, &JSON, "[]"), "is no JSON object"),
    ] {
        let mut fake = good();
        fake.gets.insert(at(name), answer);
        only(&fake, name, text);
    }
    let mut fake = good();
    fake.gets.remove(&at(name));
    only(&fake, name, "cannot be read: no route to host");
}

#[test]
fn a_member_that_misleads_is_told() {
    let (protected, server_name) =
        ("/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server");
    let cases: [(&str, Value, &str, Value, &str); 6] = [
        (protected, resource(), "resource", json!("https://other.example"), "RFC 9728 §3.3"),
        (protected, resource(), "bearer_methods_supported", json!(["query"]), "lacks \"header\""),
        (protected, resource(), "authorization_servers", json!([]), "names none"),
        (server_name, server(), "issuer", json!("https://other.example"), "RFC 8414 §3.3"),
        (server_name, server(), "response_types_supported", Value::Null, "RFC 8414 §2"),
        (server_name, server(), "agent_auth", Value::Null, "lacks agent_auth"),
    ];
    for (name, mut document, member, value, text) in cases {
        document[member] = value;
        let mut fake = good();
        fake.gets.insert(at(name), Answer::of(200, &JSON, &document.to_string()));
        only(&fake, name, text);
    }
}

#[test]
fn an_endpoint_that_is_not_there_or_gives_things_away_is_told() {
    for (answer, text) in [
        (Answer::of(404, &[], ""), "it is not there"),
        (Answer::of(200, &JSON, "{}"), "accepts a request without anything in it"),
        (Answer::of(400, &JSON, "{}"), "application/problem+json"),
        (Answer::of(500, &PROBLEM, "{}"), "answers 500"),
    ] {
        let mut fake = good();
        fake.posts.insert(at("/agent"), answer);
        only(&fake, "/agent", text);
    }
    let mut fake = good();
    fake.posts.insert(at("/token"), Answer::of(400, &JSON, "{}"));
    only(&fake, "/token", "RFC 6749 §5.2");
    fake.posts.insert(at("/token"), Answer::of(429, &[], ""));
    assert_eq!(stumbles(&fake), []);
}

#[test]
fn keys_that_are_private_or_missing_are_told() {
    for (keys, text) in [
        (json!([]), "holds no keys"),
        (json!([{ "kid": "1", "d": "x" }]), "a private key"),
        (json!([{ "kty": "EC" }]), "without kid"),
    ] {
        let mut fake = good();
        let body = json!({ "keys": keys }).to_string();
        fake.gets.insert(at("/keys"), Answer::of(200, &JSON, &body));
        only(&fake, "/keys", text);
    }
}

#[test]
fn a_401_that_leads_nowhere_is_told() {
    let mut fake = good();
    fake.gets.insert(at("/private"), Answer::of(401, &[("www-authenticate", "Bearer")], ""));
    only(&fake, "/private", "does not lead to the documents");
    fake.gets.insert(at("/private"), Answer::of(200, &[], ""));
    only(&fake, "/private", "answers 200");
}

#[test]
fn addresses_are_taken_apart_strictly() {
    assert_eq!(well_known("https://a.example/x", "y"), "https://a.example/.well-known/y/x");
    assert!(origin_of("http://127.0.0.1:8080").unwrap().is_safe);
    assert!(origin_of("http://[::1]:8080").unwrap().is_safe);
    assert!(!origin_of("http://auth.example.com").unwrap().is_safe);
    for wrong in ["", "auth.example.com", "ftp://a.example", "https://u:p@a.example", "/x"] {
        assert!(origin_of(wrong).is_err(), "{wrong}");
        let found = examine(&good(), wrong, None);
        assert_eq!((found.len(), found[0].level), (1, Level::Stumble), "{wrong}");
    }
}
