use portcullis_testkit::{
    app::{Client, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};

use crate::http::routes::limit_headers;

pub(crate) const PATH: &str = "/v1/auth/agent";
pub(crate) const JANE: &str = "jane@example.com";
const DAY: i64 = 24 * 60 * 60 * 1000;

/// An agent that signed itself up, and what it was told.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) agent: String,
    pub(crate) claim: String,
    /// Its first key; empty when it named its person.
    pub(crate) key: String,
}

impl Newcomer {
    pub(crate) fn of(reply: &Reply) -> Self {
        let key = reply.json()["credential"].as_str().unwrap_or_default().to_owned();
        Self { agent: reply.string("/agent_id"), claim: reply.string("/claim_token"), key }
    }
}

pub(crate) fn anonymous() -> Value {
    json!({ "type": "anonymous" })
}

pub(crate) fn for_address(email: &str) -> Value {
    json!({ "type": "identity_assertion", "assertion_type": "verified_email", "assertion": email })
}

pub(crate) async fn newcomer(client: &Client<'_>, body: &Value) -> Newcomer {
    Newcomer::of(&client.post(PATH).json(body).await.expect(200))
}

pub(crate) async fn start(client: &Client<'_>, claim: &str, email: &str) -> Reply {
    let body = json!({ "claim_token": claim, "email": email });
    client.post("/v1/auth/agent/claim").json(&body).await
}

pub(crate) async fn complete(client: &Client<'_>, claim: &str, code: &str) -> Reply {
    let body = json!({ "claim_token": claim, "code": code });
    client.post("/v1/auth/agent/claim/complete").json(&body).await
}

/// Whether an agent gets a token for the key.
pub(crate) async fn works(app: &TestApp, agent: &str, key: &str) -> bool {
    app.client().exchange(agent, key).await.status == 200
}

/// Whole milliseconds since 1970.
pub(crate) fn millis(app: &TestApp) -> i64 {
    let nanos = app.engine().now().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(nanos).unwrap()
}

fn members(reply: &Reply) -> Vec<String> {
    reply.json().as_object().unwrap().keys().cloned().collect()
}

on_every_storage!(an_agent_that_names_nobody_has_a_key_at_once, |app| {
    let reply = app.client().post(PATH).json(&anonymous()).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let mut names = members(&reply);
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "agent_id",
            "claim_token",
            "claim_token_expires",
            "claim_url",
            "credential",
            "credential_expires",
            "credential_type",
            "post_claim_scopes",
            "registration_id",
            "registration_type",
            "scopes",
        ]
    );
    let body = reply.json();
    assert_eq!(body["registration_type"], "anonymous");
    assert_eq!(
        (&body["credential_type"], &body["credential_expires"]),
        (&json!("api_key"), &Value::Null)
    );
    assert_eq!(body["scopes"], json!(["api.read"]));
    assert_eq!(body["post_claim_scopes"], json!(["api.read", "api.write"]));
    assert_eq!(body["claim_token_expires"], millis(&app) + DAY);
    for (name, prefix) in [
        ("/registration_id", "rgn_"),
        ("/agent_id", "agt_"),
        ("/claim_token", "clm_"),
        ("/credential", "anon_"),
    ] {
        assert!(reply.string(name).starts_with(prefix), "{name}");
    }
    let view = format!("{}/claim?token=cvt_", app.options().public_url);
    assert!(reply.string("/claim_url").starts_with(&view));
    assert!(!reply.string("/claim_url").contains("clm_"), "the person gets no claim token");
    let newcomer = Newcomer::of(&reply);
    assert!(works(&app, &newcomer.agent, &newcomer.key).await);
    assert!(app.mails().is_empty());
});

on_every_storage!(an_agent_that_names_its_person_waits_for_the_code, |app| {
    let reply = app.client().post(PATH).json(&for_address("Jane@Example.com")).await.expect(200);
    let mut names = members(&reply);
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "agent_id",
            "claim_token",
            "claim_token_expires",
            "claim_url",
            "post_claim_scopes",
            "registration_id",
            "registration_type",
        ]
    );
    assert_eq!(reply.json()["registration_type"], "email-verification");
    let code = app.mailed("claim_code");
    let newcomer = Newcomer::of(&reply);
    let done = complete(&app.client(), &newcomer.claim, &code).await.expect(200);
    assert!(works(&app, &newcomer.agent, &done.string("/credential")).await);
});

on_every_storage!(e5_an_address_that_is_known_is_answered_as_any_other, |app| {
    app.verified(JANE).await;
    let mut shapes = Vec::new();
    for email in [JANE, "nobody@example.com"] {
        let reply = app.client().post(PATH).json(&for_address(email)).await.expect(200);
        let mut headers = reply.header_names();
        headers.retain(|name| name != "content-length");
        shapes.push((headers, members(&reply), limit_headers(&reply), reply.body.len()));
    }
    assert_eq!(shapes[0], shapes[1]);
});

#[actix_web::test]
async fn what_is_not_supported_is_named_and_nothing_is_made() {
    let app = TestApp::memory().await;
    let assertion = |kind: Value, value: Value| json!({ "type": "identity_assertion", "assertion_type": kind, "assertion": value });
    for (body, code) in [
        (json!({}), "invalid_request"),
        (json!({ "type": null }), "invalid_request"),
        (json!({ "type": 1 }), "invalid_request"),
        (json!({ "type": ["anonymous"] }), "invalid_request"),
        (json!({ "type": "service_auth" }), "unsupported_type"),
        (json!({ "type": "ANONYMOUS" }), "unsupported_type"),
        (
            json!({ "type": "anonymous", "requested_credential_type": "access_token" }),
            "unsupported_credential_type",
        ),
        (json!({ "type": "anonymous", "requested_credential_type": 5 }), "invalid_request"),
        (assertion(json!("x"), json!(JANE)), "unsupported_assertion_type"),
        (assertion(Value::Null, json!(JANE)), "invalid_request"),
        (assertion(json!("verified_email"), Value::Null), "invalid_request"),
        (assertion(json!("verified_email"), json!(7)), "invalid_request"),
        (assertion(json!("verified_email"), json!("jane")), "invalid_email"),
        (
            assertion(json!("verified_email"), json!("a@b.example\r\nBcc: x@y.example")),
            "invalid_email",
        ),
    ] {
        let reply = app.client().post(PATH).json(&body).await.expect_error(400, code);
        assert_eq!(reply.json()["error"], code, "{body}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert!(app.mails().is_empty());
    assert_eq!(
        app.read(|uow| {
            let filter = portcullis_identity::AgentFilter::default();
            uow.agents().list(&filter, &portcullis_kernel::Slice::first(9))
        })
        .items
        .len(),
        0
    );
}

#[actix_web::test]
async fn a_credential_is_ignored_and_unknown_members_are() {
    let app = TestApp::memory().await;
    for value in ["Bearer x", "Basic !!!", "nonsense", ""] {
        let mut body = anonymous();
        body["scopes"] = json!(["admin"]);
        body["agent_id"] = json!("agt_00000000000000000000000000000000");
        let request = app.client().post(PATH).header("authorization", value).json(&body);
        let reply = request.await.expect(200);
        assert_eq!(reply.json()["scopes"], json!(["api.read"]), "K8");
        assert_ne!(reply.json()["agent_id"], body["agent_id"], "K7");
    }
}

on_every_storage!(l1_five_an_hour_that_name_nobody_and_ten_that_do, |app| {
    let client = app.client();
    for left in (0..5).rev() {
        let reply = client.post(PATH).json(&anonymous()).await.expect(200);
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, left));
    }
    let over = client.post(PATH).json(&anonymous()).await.expect_error(429, "rate_limited");
    assert!((1..=3600).contains(&over.number("retry-after")));
    assert_eq!(over.header("content-type"), Some("application/problem+json"));
    for left in (0..10).rev() {
        let reply = client.post(PATH).json(&for_address(JANE)).await.expect(200);
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (10, left));
    }
    client.post(PATH).json(&for_address(JANE)).await.expect_error(429, "rate_limited");
    app.client().post(PATH).json(&anonymous()).await.expect(200);
});
