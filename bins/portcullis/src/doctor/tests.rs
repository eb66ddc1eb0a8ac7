use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::{
    Fetch, Finding, Level, examine,
    fetch::{Answer, Body, origin_of, unreachable, well_known},
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
    let [_, everybody, cached] = JSON;
    let page = [("content-type", "text/markdown"), everybody, cached];
    let page = Answer::of(200, &page, &at("/agent"));
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
    assert_eq!(findings.len(), 11, "{findings:#?}");
}

#[test]
fn a_document_that_is_gone_moved_or_wrong_is_told() {
    let name = "/.well-known/oauth-protected-resource";
    let moved = Answer::of(301, &[("location", "https://elsewhere.example")], "");
    for (answer, text) in [
        (moved, "answers 301 (to https://elsewhere.example)"),
        (Answer::of(404, &[], ""), "answers 404"),
        (Answer::of(200, &JSON, "[]"), "is no JSON object"),
        (Answer::of(200, &[("content-type", "text/html")], "<p>"), "but \"text/html\""),
    ] {
        let mut fake = good();
        fake.gets.insert(at(name), answer);
        only(&fake, name, text);
    }
    let mut fake = good();
    fake.gets.remove(&at(name));
    only(&fake, name, "gives no answer: no route to host");
}

#[test]
fn what_is_wrong_somewhere_is_not_also_good_there() {
    let name = "/.well-known/oauth-protected-resource";
    let mut fake = good();
    let mut document = resource();
    document["resource"] = json!("https://other.example");
    fake.gets.insert(at(name), Answer::of(200, &JSON, &document.to_string()));
    let findings = examine(&fake, URL, None);
    let there: Vec<_> = findings.iter().filter(|found| found.place == at(name)).collect();
    assert_eq!(there.len(), 1, "{there:#?}");
}

#[test]
fn what_a_server_says_cannot_pass_for_a_finding() {
    let mut document = resource();
    document["authorization_servers"] = json!(["x\nok       all of it: is well"]);
    let mut fake = good();
    let name = "/.well-known/oauth-protected-resource";
    fake.gets.insert(at(name), Answer::of(200, &JSON, &document.to_string()));
    let findings = examine(&fake, URL, None);
    let in_lines = |found: &Finding| found.place.contains('\n') || found.text.contains('\n');
    assert!(!findings.iter().any(in_lines), "{findings:#?}");
    assert_eq!(stumbles(&fake).len(), 1, "{findings:#?}");
}

#[test]
fn a_route_of_an_api_is_told_how_to_be_asked_about() {
    let findings = examine(&good(), &at("/private"), None);
    let hint = findings.iter().find(|found| found.level == Level::Hint).unwrap();
    assert!(hint.text.contains("doctor https://auth.example.com --protected /private"), "{hint:?}");
}

#[test]
fn documents_that_browsers_cannot_read_are_told_and_keys_need_not_be() {
    let bare = [("content-type", "application/json")];
    for (path, hints) in [("/.well-known/oauth-authorization-server", 2), ("/keys", 0)] {
        let mut fake = good();
        let body = fake.gets[&at(path)].body.clone();
        fake.gets.insert(at(path), Answer::of(200, &bare, &body));
        let findings = examine(&fake, URL, None);
        let told: Vec<_> = findings.iter().filter(|found| found.level == Level::Hint).collect();
        assert_eq!(told.len(), hints, "{told:#?}");
        assert!(told.iter().all(|found| found.place == at(path)), "{told:#?}");
    }
}

#[test]
fn an_authorization_server_that_is_no_address_or_plain_http_is_told() {
    let name = "/.well-known/oauth-protected-resource";
    for (server, text) in [("auth", "must be an address"), ("http://a.example", "is plain http")] {
        let mut document = resource();
        document["authorization_servers"] = json!([server]);
        let mut fake = good();
        fake.gets.insert(at(name), Answer::of(200, &JSON, &document.to_string()));
        let found = stumbles(&fake);
        let told = found.iter().any(|found| found.place == server && found.text.contains(text));
        assert!(told, "{found:#?}");
    }
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
fn a_protected_path_is_one_of_the_server() {
    let findings = examine(&good(), URL, Some("private"));
    assert!(findings.iter().all(|found| found.level == Level::Good), "{findings:#?}");
    let findings = examine(&good(), URL, Some("https://other.example/private"));
    let last = findings.last().unwrap();
    assert_eq!((last.level, last.place.as_str()), (Level::Stumble, "--protected"));
    assert!(last.text.contains("must be a path of https://auth.example.com"), "{last:?}");
}

#[test]
fn https_where_http_is_spoken_is_told_in_words() {
    let error = anyhow!("io: received corrupt message of type InvalidContentType");
    assert!(unreachable("https://a.example", &error).ends_with("perhaps http"));
    assert!(!unreachable("http://a.example", &error).contains("TLS"));
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
