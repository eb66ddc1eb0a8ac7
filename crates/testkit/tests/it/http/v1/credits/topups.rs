//! `POST /v1/credits/topups`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_credits::WebhookSecret;
use portcullis_testkit::{
    app::{AppOptions, Client, Request, Stored, TestApp},
    on_every_storage,
};
use ring::hmac;
use serde_json::{Value, json};
use time::Duration;

use crate::http::{
    oauth2::callers::{INTROSPECT, ask},
    routes::limit_headers,
    v1::balance::{BALANCE, NOW},
};

const TOPUPS: &str = "/v1/credits/topups";
const CHARGE: &str = "/v1/meter/charge";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) fn hearing() -> AppOptions {
    let mut options = AppOptions::default();
    options.engine.credits.webhook_secrets = WebhookSecret::parse_all(&SECRET.into()).unwrap();
    options
}

fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

/// A delivery that was signed now.
pub(super) fn deliver<'a>(
    app: &TestApp,
    client: &Client<'a>,
    id: &str,
    body: &Value,
) -> Request<'a> {
    let (now, body) = (app.clock_seconds(), body.to_string());
    let signature = signature(SECRET, id, now, &body);
    signed(client, id, now, &signature).body("application/json", body)
}

fn signed<'a>(client: &Client<'a>, id: &str, timestamp: i64, signature: &str) -> Request<'a> {
    client
        .post(TOPUPS)
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
}

fn json<'a>(request: Request<'a>, body: &str) -> Request<'a> {
    request.body("application/json", body)
}

pub(super) fn topup(account: &str, amount: i64) -> Value {
    json!({ "type": "credits.topup", "data": { "account": account, "amount": amount } })
}

trait Seconds {
    fn clock_seconds(&self) -> i64;
}

impl Seconds for TestApp {
    fn clock_seconds(&self) -> i64 {
        self.engine().now().unix_timestamp()
    }
}

async fn records_once(stored: Stored) {
    let app = TestApp::with(stored, hearing()).await;
    let (bot, jane) = (app.bot("weather-bot").await, app.verified("jane@example.com").await);
    for _ in 0..2 {
        let reply = deliver(&app, &app.client(), "evt_1", &topup(&bot.id, 1000)).await.expect(200);
        let told = json!({ "account": bot.id, "credited": 1000, "balance": 1000 });
        assert_eq!(reply.json(), told);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        app.clock().advance(Duration::MINUTE);
    }
    let mut noted = topup(&jane.id, 7);
    noted["data"]["note"] = "Invoice 7".into();
    deliver(&app, &app.client(), "evt_2", &noted).await.expect(200);
    let shown = app.client().get(BALANCE).bearer(&bot.api_key).await.expect(200).json();
    let ledger = json!([
        { "delta": 1000, "reason": "topup", "operationId": "evt_1", "createdAt": NOW },
    ]);
    assert_eq!(shown, json!({ "balance": 1000, "ledger": ledger }));
    let again = deliver(&app, &app.client(), "evt_1", &topup(&bot.id, 1001)).await;
    again.expect_error(409, "conflict");
}

#[actix_web::test]
async fn q6_a_signed_top_up_is_recorded_once() {
    records_once(Stored::memory()).await;
    records_once(Stored::sqlite()).await;
    let Some(stored) = Stored::postgres() else { return };
    records_once(stored).await;
}

on_every_storage!(without_a_secret_there_is_no_such_path, |app| {
    let bot = app.bot("weather-bot").await;
    let reply = deliver(&app, &app.client(), "evt_1", &topup(&bot.id, 1)).await;
    reply.expect_error(404, "not_found");
});

#[actix_web::test]
async fn q7_nothing_is_recorded_that_was_not_signed_just_like_this() {
    let app = TestApp::memory_with(hearing()).await;
    let bot = app.bot("weather-bot").await;
    let body = topup(&bot.id, 1).to_string();
    let now = app.clock_seconds();
    let good = signature(SECRET, "evt_1", now, &body);
    let client = || app.client();
    let (old, soon) = (now - 301, now + 301);
    let refused = [
        json(client().post(TOPUPS), &body),
        json(client().post(TOPUPS).header("webhook-id", "evt_1"), &body),
        json(signed(&client(), "evt_2", now, &good), &body),
        json(signed(&client(), "evt_1", now - 1, &good), &body),
        json(signed(&client(), "evt_1", now, &good), &body.replace(":1}", ":2}")),
        json(signed(&client(), "evt_1", now, &good), &format!("{body} ")),
        json(signed(&client(), "evt_1", now, &signature(OTHER, "evt_1", now, &body)), &body),
        json(signed(&client(), "evt_1", old, &signature(SECRET, "evt_1", old, &body)), &body),
        json(signed(&client(), "evt_1", soon, &signature(SECRET, "evt_1", soon, &body)), &body),
        json(signed(&client(), "evt_1", now, &good).header("webhook-id", "evt_1"), &body),
        json(signed(&client(), "evt_1", now, ""), &body),
        json(signed(&client(), "evt_1", now, "v1,x"), "not JSON at all"),
        json(client().post(TOPUPS).bearer(&bot.api_key), &body),
    ];
    for request in refused {
        request.await.expect_error(401, "unauthorized");
    }
    assert_eq!(app.client().get(BALANCE).bearer(&bot.access).await.json()["balance"], 0);
    for (id, at) in [("evt_1", now - 300), ("evt_2", now + 300)] {
        let signature = signature(SECRET, id, at, &body);
        json(signed(&client(), id, at, &signature), &body).await.expect(200);
    }
}

#[actix_web::test]
async fn what_is_wrong_with_a_top_up_is_named() {
    let app = TestApp::memory_with(hearing()).await;
    let bot = app.bot("weather-bot").await;
    let required = "data.account is required; data.amount is required";
    let cases = [
        (json!({}), format!("{required}; type is required.")),
        (json!({ "type": "credits.topup" }), format!("{required}.")),
        (
            json!({ "type": "credits.topup", "data": [] }),
            "data.account cannot be read: data must be an object; data.amount is required."
                .to_owned(),
        ),
        (
            json!({ "type": "other", "data": { "account": bot.id, "amount": 1 } }),
            "type must be credits.topup.".to_owned(),
        ),
        (
            topup("jane@example.com", 1),
            "data.account must be the id of a user or agent.".to_owned(),
        ),
        (topup(&bot.id, 0), "data.amount must be 1 to 1000000000000.".to_owned()),
    ];
    for (body, told) in cases {
        let reply = deliver(&app, &app.client(), "evt_1", &body).await;
        let reply = reply.expect_error(400, "invalid_request");
        assert_eq!(reply.json()["detail"], told, "{body}");
    }
    let unknown = format!("agt_{}", "0".repeat(32));
    let reply = deliver(&app, &app.client(), "evt_1", &topup(&unknown, 1)).await;
    reply.expect_error(404, "not_found");
    // None of it is remembered.
    deliver(&app, &app.client(), "evt_1", &topup(&bot.id, 1)).await.expect(200);
    let now = app.clock_seconds();
    let text = "[]";
    let request = signed(&app.client(), "evt_9", now, &signature(SECRET, "evt_9", now, text));
    request.body("application/json", text).await.expect_error(400, "invalid_request");
    let request = app.client().post(TOPUPS).body("text/plain", "x");
    request.await.expect_error(415, "unsupported_media_type");
    let request = app.client().post(TOPUPS).body("application/json", "x".repeat(65 * 1024));
    request.await.expect_error(413, "payload_too_large");
    app.client().get(TOPUPS).await.expect_error(405, "method_not_allowed");
}

#[actix_web::test]
async fn l2_deliveries_count_towards_the_sender_or_the_address() {
    let app = TestApp::memory_with(hearing()).await;
    let bot = app.bot("weather-bot").await;
    let client = app.client();
    let reply = deliver(&app, &client, "evt_1", &topup(&bot.id, 1)).await.expect(200);
    assert_eq!((limit_headers(&reply).0, limit_headers(&reply).1), (600, 599));
    for _ in 0..60 {
        client.post(TOPUPS).json(&json!({})).await.expect(401);
    }
    client.post(TOPUPS).json(&json!({})).await.expect_error(429, "rate_limited");
    deliver(&app, &client, "evt_2", &topup(&bot.id, 1)).await.expect_error(429, "rate_limited");
    deliver(&app, &app.client(), "evt_2", &topup(&bot.id, 1)).await.expect(200);
}

/// What a request is answered that has no credential, at another surface or here.
async fn bare(client: &Client<'_>, path: &str) -> u16 {
    match path {
        INTROSPECT => ask(client, path, &[("token", "x")]).await.status,
        CHARGE | TOPUPS => client.post(path).json(&json!({})).await.status,
        _ => client.get(path).await.status,
    }
}

#[actix_web::test]
async fn l7_credits_have_a_bucket_of_their_own_for_an_address() {
    let app = TestApp::memory_with(hearing()).await;
    let (credits, others) =
        ([TOPUPS, CHARGE, BALANCE], ["/api/agents/me", INTROSPECT, "/v1/users/me"]);
    // A payment system with a stale secret does not shut its address out elsewhere.
    for path in credits {
        let client = app.client();
        while bare(&client, path).await != 429 {}
        for other in others {
            assert_eq!(bare(&client, other).await, 401, "{other} after {path}");
        }
        for here in credits {
            assert_eq!(bare(&client, here).await, 429, "{here} after {path}");
        }
    }
    for path in others {
        let client = app.client();
        while bare(&client, path).await != 429 {}
        for here in credits {
            assert_eq!(bare(&client, here).await, 401, "{here} after {path}");
        }
    }
}

#[actix_web::test]
async fn l7_looking_at_a_balance_is_counted_apart_from_an_agents_other_requests() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let client = app.client();
    for _ in 0..100 {
        client.get(BALANCE).bearer(&bot.access).await.expect(200);
    }
    client.get(BALANCE).bearer(&bot.access).await.expect_error(429, "rate_limited");
    client.get("/api/agents/me").bearer(&bot.access).await.expect(200);
}
