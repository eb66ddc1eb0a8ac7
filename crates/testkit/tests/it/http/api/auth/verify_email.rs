use portcullis_audit::{Action, Actor};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{AgentId, Origin, Slice};
use portcullis_testkit::{
    app::{Client, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{
    api::routes::unknown_token,
    pages::browser::{form, read},
    routes::limit_headers,
};

const PATH: &str = "/api/auth/verify-email";
/// What browsers send.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const HTML: Option<&str> = Some("text/html; charset=utf-8");

/// An agent whose address is still to be proven, and the token that proves it.
async fn waiting(app: &TestApp) -> (AgentId, String) {
    let reply = app.client().register_agent("weather-bot", Some("bot@example.com")).await;
    let id = reply.expect(201).string("/agent_id");
    (id.parse().unwrap(), app.mailed("agent_verify_email"))
}

fn is_verified(app: &TestApp, id: AgentId) -> bool {
    app.read(|uow| uow.agents().find(id)).unwrap().is_recovered_by("bot@example.com")
}

async fn post(client: &Client<'_>, token: &str) -> Reply {
    client.post(PATH).json(&json!({ "token": token })).await
}

async fn open(client: &Client<'_>, token: &str, accept: &str) -> Reply {
    client.get(&format!("{PATH}?token={token}")).header("accept", accept).await
}

fn success(id: AgentId) -> Value {
    let message = "Email verified successfully.";
    json!({ "agent_id": id.to_string(), "email_verified": true, "message": message })
}

on_every_storage!(v7_a_post_with_the_mailed_token_proves_the_address_once, |app| {
    let (id, token) = waiting(&app).await;
    assert!(!is_verified(&app, id));
    let client = app.client();
    let reply = post(&client, &token).await.expect(200);
    assert_eq!(reply.json(), success(id));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (60, 59));
    assert!(is_verified(&app, id));
    for _ in 0..2 {
        post(&client, &token).await.expect_error(401, "INVALID_TOKEN");
        open(&client, &token, "*/*").await.expect_error(401, "INVALID_TOKEN");
    }
    let events = app.read(|uow| uow.audit().list_for_agent(id, &Slice::first(10))).items;
    let proofs: Vec<_> =
        events.iter().filter(|event| event.action == Action::AgentEmailVerified).collect();
    assert_eq!(proofs.len(), 1, "G3");
    assert_eq!(proofs[0].actor, Actor::Anonymous);
    assert_eq!(proofs[0].request_id.as_deref(), reply.header("x-request-id"));
    assert!(app.mails().is_empty());
});

on_every_storage!(a_get_proves_it_as_json_for_who_does_not_prefer_a_page, |app| {
    for accept in ["application/json", "*/*", "text/html;q=0.5,application/json", ""] {
        let (id, token) = waiting(&app).await;
        let reply = open(&app.client(), &token, accept).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"), "{accept}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.json(), success(id));
        assert!(is_verified(&app, id));
        app.clock().advance(Duration::HOUR);
    }
});

on_every_storage!(a_get_proves_it_as_a_page_for_who_prefers_one, |app| {
    let (id, token) = waiting(&app).await;
    let client = app.client();
    let page = open(&client, &token, BROWSER).await.expect(200);
    assert_eq!(page.header("content-type"), HTML);
    assert_eq!((limit_headers(&page).0, page.remaining()), (60, 59));
    assert!(page.text().contains("<h1>The address is confirmed</h1>"));
    let text = read(&page);
    for fact in [&id.to_string(), "weather-bot (not checked by anybody)", "bot@example.com"] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    assert!(!page.text().contains(&token), "W2");
    assert!(is_verified(&app, id));
    // V9: within its hour a used token shows that it was used, and gives nothing.
    let again = open(&client, &token, BROWSER).await.expect(200);
    assert!(again.text().contains("<h1>Already confirmed</h1>"));
    for told in [&id.to_string(), "weather-bot", "bot@example.com", &token] {
        assert!(!again.text().contains(told), "{told}");
    }
    app.clock().advance(Duration::HOUR);
    let late = open(&client, &token, BROWSER).await.expect(401);
    assert!(late.text().contains("<h1>This link no longer works</h1>"));
});

on_every_storage!(v8_head_and_options_never_verify_or_burn, |app| {
    let (id, token) = waiting(&app).await;
    let path = format!("{PATH}?token={token}");
    let client = app.client();
    for accept in [BROWSER, "application/json"] {
        for _ in 0..2 {
            let head = client.request("HEAD", &path).header("accept", accept).await.expect(200);
            let kind = if accept == BROWSER { HTML } else { Some("application/json") };
            assert_eq!(head.header("content-type"), kind);
        }
        client.request("OPTIONS", &path).header("accept", accept).await.expect(405);
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE"] {
        client.request(method, &path).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
    assert!(!is_verified(&app, id));
    post(&client, &token).await.expect(200);
    // A look at a dead one says what a GET would.
    let head = client.request("HEAD", &path).header("accept", "*/*").await;
    assert_eq!((head.status, head.header("content-type")), (401, Some("application/json")));
    client.request("HEAD", &path).header("accept", BROWSER).await.expect(200);
});

on_every_storage!(v7_a_token_lives_an_hour, |app| {
    for (age, status) in [(Duration::HOUR - Duration::SECOND, 200), (Duration::HOUR, 401)] {
        let (id, token) = waiting(&app).await;
        app.clock().advance(age);
        post(&app.client(), &token).await.expect(status);
        assert_eq!(is_verified(&app, id), status == 200);
    }
});

on_every_storage!(o2_of_parallel_uses_of_a_token_one_succeeds, |app| {
    let (_, token) = waiting(&app).await;
    let body = json!({ "token": token });
    let uses = (0..8).map(|n| {
        let client = app.client();
        match n % 2 {
            0 => client.post(PATH).json(&body).into_future(),
            _ => client.get(&format!("{PATH}?token={token}")).into_future(),
        }
    });
    let mut statuses: Vec<u16> = all(uses.collect()).await.iter().map(|r| r.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
});

#[actix_web::test]
async fn i1_a_token_that_is_missing_empty_or_no_string_is_named() {
    let app = TestApp::memory().await;
    for body in [
        json!({}),
        json!({ "token": null }),
        json!({ "token": "" }),
        json!({ "token": 5 }),
        json!({ "token": ["evt_x"] }),
        json!({ "token": {} }),
        json!({ "email": "bot@example.com" }),
    ] {
        let reply = app.client().post(PATH).json(&body).await.expect_error(400, "INVALID_REQUEST");
        assert!(reply.string("/error/message").starts_with("token "), "{}", reply.text());
    }
    for body in ["", "{", "[]", "null", "token=evt_x"] {
        let reply = app.client().post(PATH).body("application/json", body).await;
        reply.expect_error(400, "INVALID_REQUEST");
    }
    for query in ["", "?", "?token=", "?token=a&token=b", "?token=%ff", "?Token=x"] {
        let path = format!("{PATH}{query}");
        let reply = app.client().get(&path).await.expect_error(400, "INVALID_REQUEST");
        assert!(reply.string("/error/message").starts_with("token "), "{}", reply.text());
        let page = app.client().get(&path).header("accept", BROWSER).await.expect(400);
        assert_eq!(page.header("content-type"), HTML);
    }
    // Of a POST nothing in the query is read.
    let (_, token) = waiting(&app).await;
    let reply = app.client().post(&format!("{PATH}?token={token}")).json(&json!({})).await;
    reply.expect_error(400, "INVALID_REQUEST");
    post(&app.client(), &token).await.expect(200);
}

#[actix_web::test]
async fn j4_w3_no_other_secret_proves_it_and_none_is_repeated() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    app.client().register("jane@example.com").await;
    let persons = app.mailed("verify_email");
    let twisted = persons.replacen("uvt_", "evt_", 1);
    let (upper, mut mistyped) = (token.to_uppercase(), token.clone());
    mistyped.replace_range(10..11, if &token[10..11] == "x" { "y" } else { "x" });
    for other in [
        &persons,
        &twisted,
        &upper,
        &mistyped,
        &unknown_token(),
        &token[..50],
        "evt_",
        "evt_unknown",
        "evt_' OR 1=1 --",
        "<script>alert(1)</script>",
        &id.to_string(),
    ] {
        post(&app.client(), other).await.expect_error(401, "INVALID_TOKEN");
        let encoded: String = form_urlencoded::byte_serialize(other.as_bytes()).collect();
        open(&app.client(), &encoded, "*/*").await.expect_error(401, "INVALID_TOKEN");
        let page = open(&app.client(), &encoded, BROWSER).await.expect(401);
        assert_eq!(page.header("content-type"), HTML);
        assert!(page.text().contains("<h1>This link no longer works</h1>"));
        let resend = form(&page, "/verify-email/agent/resend");
        assert_eq!(resend.buttons, ["Send another mail"]);
        assert!(!page.text().contains("alert(") && !page.text().contains(other), "W3 {other}");
    }
    // And the other way round.
    let body = json!({ "token": token });
    app.client().post("/v1/auth/verify-email").json(&body).await.expect(401);
    app.client().agent(&token).await.expect_error(401, "UNAUTHORIZED");
    post(&app.client(), &token).await.expect(200);
}

#[actix_web::test]
async fn nothing_of_a_suspended_or_erased_agent_is_proven() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    let (operator, local) = (Actor::Operator, Origin::local());
    let set = |status| app.engine().set_agent_status(id, status, operator, &local).unwrap();
    set(AgentStatus::Suspended);
    post(&app.client(), &token).await.expect_error(401, "INVALID_TOKEN");
    set(AgentStatus::Active);
    post(&app.client(), &token).await.expect(200);
    let (id, token) = waiting(&app).await;
    app.engine().delete_agent(id, operator, &local).unwrap();
    post(&app.client(), &token).await.expect_error(401, "INVALID_TOKEN");
}

#[actix_web::test]
async fn e7_guesses_are_limited_and_a_page_is_told_of_it_by_a_page() {
    let app = TestApp::memory().await;
    let (id, token) = waiting(&app).await;
    let client = app.client();
    for n in 0..60 {
        let reply = match n % 3 {
            0 => post(&client, "x").await,
            1 => open(&client, "x", "*/*").await,
            _ => open(&client, "x", BROWSER).await,
        };
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (60, 59 - n));
    }
    post(&client, &token).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    open(&client, &token, "*/*").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    let page = open(&client, &token, BROWSER).await.expect(429);
    assert!(page.header("content-type") == HTML && page.text().contains("wait"));
    client.request("HEAD", &format!("{PATH}?token={token}")).await.expect(429);
    assert!(!is_verified(&app, id));
    post(&app.client(), &token).await.expect(200);
}
