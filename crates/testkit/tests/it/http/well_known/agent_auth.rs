//! How an agent that knows nothing but the address of a server gets a key, by what it is told.

use portcullis_testkit::app::{AppOptions, TestApp};
use serde_json::{Value, json};

use crate::http::{
    oauth2::callers::{TOKEN, ask},
    v1::auth::agent::sign_up::{JANE, Newcomer, works},
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

const SERVER: &str = "/.well-known/oauth-authorization-server";

fn path(app: &TestApp, url: &Value) -> String {
    url.as_str().unwrap().strip_prefix(app.options().public_url).unwrap().to_owned()
}

#[actix_web::test]
async fn w7_every_endpoint_that_is_named_does_what_is_said_of_it() {
    let app = TestApp::memory().await;
    let told = app.client().get(SERVER).await.expect(200).json()["agent_auth"].clone();
    for (one, other) in [
        ("registration_endpoint", "register_uri"),
        ("claim_endpoint", "claim_uri"),
        ("revocation_endpoint", "revocation_uri"),
        ("manifest_url", "skill"),
    ] {
        assert_eq!(told[one], told[other]);
    }
    let register = path(&app, &told["registration_endpoint"]);
    let credential = &told["anonymous"]["credential_types_supported"][0];
    let body = json!({
        "type": told["identity_types_supported"][0], "requested_credential_type": credential,
    });
    let first = Newcomer::of(&app.client().post(&register).json(&body).await.expect(200));
    let body = json!({
        "type": "identity_assertion",
        "assertion_type": told["identity_assertion"]["assertion_types_supported"][0],
        "assertion": "john@example.com",
        "requested_credential_type":
            told["identity_assertion"]["credential_types_supported"][0],
    });
    app.client().post(&register).json(&body).await.expect(200);
    app.mails();
    let body = json!({ "claim_token": first.claim, "email": JANE });
    app.client().post(&path(&app, &told["claim_uri"])).json(&body).await.expect(200);
    let body = json!({ "claim_token": first.claim, "code": app.mailed("claim_code") });
    let complete = path(&app, &told["claim_complete_endpoint"]);
    let done = app.client().post(&complete).json(&body).await.expect(200);
    let key = done.string("/credential");
    assert!(works(&app, &first.agent, &key).await);
    let supported = app.client().get(SERVER).await.json()["scopes_supported"].clone();
    for scope in supported.as_array().unwrap().iter().filter_map(Value::as_str) {
        if scope.starts_with("api.") {
            let asked = ask(&app.client(), TOKEN, &[GRANT, ("scope", scope)]);
            asked.basic(&first.agent, &key).await.expect(200);
        }
    }
    let revoke = path(&app, &told["revocation_uri"]);
    app.client().post(&revoke).bearer(&key).await.expect(200);
    assert!(!works(&app, &first.agent, &key).await);
}

#[actix_web::test]
async fn w7_the_page_for_agents_leads_to_a_key_by_its_own_words() {
    let app = TestApp::memory().await;
    let url = app.options().public_url;
    let page = app.client().get("/auth.md").await.expect(200);
    let page = page.text();
    // Whatever it tells an agent to send, in its order.
    let requests: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("POST ")?.strip_prefix(url)).collect();
    let bodies: Vec<Value> =
        page.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(
        requests,
        [
            "/v1/auth/agent",
            "/v1/auth/agent",
            "/v1/auth/agent/claim",
            "/v1/auth/agent/claim/complete",
            "/oauth2/token",
            "/v1/auth/agent/revoke",
        ]
    );
    let [anonymous, named, claim, complete] = &bodies[..] else { panic!("{bodies:?}") };
    let made = app.client().post(requests[0]).json(anonymous).await.expect(200);
    let first = Newcomer::of(&made);
    app.client().post(requests[1]).json(named).await.expect(200);
    let (mut claim, mut complete) = (claim.clone(), complete.clone());
    claim["claim_token"] = first.claim.as_str().into();
    // Over the limit of one mail a minute to that mailbox otherwise.
    app.clock().advance(time::Duration::MINUTE);
    app.mails();
    app.client().post(requests[2]).json(&claim).await.expect(200);
    complete["claim_token"] = first.claim.as_str().into();
    complete["code"] = app.mailed("claim_code").into();
    let key = app.client().post(requests[3]).json(&complete).await.expect(200);
    let key = key.string("/credential");
    let form = "application/x-www-form-urlencoded";
    let token = app.client().post(requests[4]).basic(&first.agent, &key);
    token.body(form, "grant_type=client_credentials").await.expect(200);
    app.client().post(requests[5]).bearer(&key).await.expect(200);
    // And the documents that it leads to are there.
    for address in page.split(url).skip(1) {
        let path = address.split(|c: char| c.is_whitespace() || "`,;)".contains(c)).next();
        let path = path.unwrap().trim_end_matches('.');
        if path.starts_with("/.well-known/") || path == "/auth.md" || path == "/account" {
            app.client().get(path).await.expect(200);
        }
    }
}

#[actix_web::test]
async fn w7_the_page_knows_the_settings_and_every_code_that_may_come() {
    let mut options =
        AppOptions { public_url: "https://auth.example.com", ..AppOptions::default() };
    options.engine.agent_registration.pre_claim_scopes = "see".parse().unwrap();
    options.engine.agent_registration.post_claim_scopes = "see touch".parse().unwrap();
    let app = TestApp::memory_with(options).await;
    let page = app.client().get("/auth.md").await.expect(200);
    let page = page.text();
    assert!(page.contains("`see`") && page.contains("`see touch`") && !page.contains("127.0.0.1"));
    for code in [
        "invalid_request",
        "unsupported_type",
        "unsupported_assertion_type",
        "unsupported_credential_type",
        "invalid_email",
        "otp_invalid",
        "otp_expired",
        "claim_denied",
        "invalid_claim_token",
        "already_claimed",
        "email_mismatch",
        "codes_exhausted",
        "rate_limited",
        "insufficient_scope",
    ] {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    let scopes = app.client().get(SERVER).await.expect(200).json()["scopes_supported"].clone();
    for scope in ["see", "touch"] {
        assert!(scopes.as_array().unwrap().contains(&scope.into()), "{scopes}");
    }
}
