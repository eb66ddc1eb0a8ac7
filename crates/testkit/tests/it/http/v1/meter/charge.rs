//! `POST /v1/meter/charge`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_testkit::{
    app::{AppOptions, Bot, Client, Request, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};

use crate::http::{
    oauth2::callers::{BASIC, Server, revoke, server, watcher},
    routes::limit_headers,
    v1::balance::{BALANCE, NOW, give},
};

const CHARGE: &str = "/v1/meter/charge";

fn body(token: &str, cost: i64, operation: &str) -> Value {
    json!({ "token": token, "cost": cost, "operation_id": operation })
}

fn charge<'a>(client: &Client<'a>, api: &Server, body: &Value) -> Request<'a> {
    client.post(CHARGE).basic(&api.id, &api.secret).json(body)
}

async fn rich_bot(app: &TestApp, credits: i64) -> Bot {
    let bot = app.bot("weather-bot").await;
    give(app, &bot.id, credits, None);
    bot
}

/// A parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, rest) = challenge.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

on_every_storage!(a_charge_is_made_once_and_shown_in_the_ledger, |app| {
    let (api, bot) = (watcher(&app), rich_bot(&app, 100).await);
    for _ in 0..2 {
        let reply = charge(&app.client(), &api, &body(&bot.api_key, 5, "req-1")).await.expect(200);
        assert_eq!(reply.json(), json!({ "charged": 5, "balance": 95 }));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let reply = charge(&app.client(), &api, &body(&bot.access, 90, "req-2")).await.expect(200);
    assert_eq!(reply.json(), json!({ "charged": 90, "balance": 5 }));
    let shown = app.client().get(BALANCE).bearer(&bot.api_key).await.expect(200).json();
    assert_eq!(shown["balance"], 5);
    let entry =
        json!({ "delta": -5, "reason": "charge", "operationId": "req-1", "createdAt": NOW });
    assert!(shown["ledger"].as_array().unwrap().contains(&entry), "{shown}");
    let again = charge(&app.client(), &api, &body(&bot.api_key, 6, "req-1")).await;
    again.expect_error(409, "conflict");
});

on_every_storage!(q2_want_of_credits_is_told_as_the_payment_scheme_wants_it, |app| {
    let (api, bot) = (watcher(&app), rich_bot(&app, 3).await);
    let reply = charge(&app.client(), &api, &body(&bot.api_key, 5, "req-1")).await;
    let reply = reply.expect_error(402, "payment_required");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({
            "type": "https://paymentauth.org/problems/payment-required",
            "title": "Payment Required", "status": 402,
            "detail": "This call costs 5 credits, and the balance is 3.",
            "required": 5, "balance": 3,
            "code": "payment_required", "error": "payment_required",
        })
    );
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Payment id=\""), "{challenge}");
    assert_eq!(parameter(challenge, "realm"), app.options().public_url);
    assert_eq!(
        (parameter(challenge, "method"), parameter(challenge, "intent")),
        ("credits", "charge")
    );
    assert_eq!(parameter(challenge, "expires"), "2026-03-04T05:11:07Z");
    let request = URL_SAFE_NO_PAD.decode(parameter(challenge, "request")).unwrap();
    assert_eq!(request, br#"{"amount":"5","currency":"credits","externalId":"req-1"}"#);
    // The refusal is not remembered.
    give(&app, &bot.id, 2, None);
    let reply = charge(&app.client(), &api, &body(&bot.api_key, 5, "req-1")).await.expect(200);
    assert_eq!(reply.json(), json!({ "charged": 5, "balance": 0 }));
});

#[actix_web::test]
async fn where_credits_are_got_is_told_if_it_is_set() {
    let mut options = AppOptions::default();
    let url = "https://pay.example.com/credits";
    options.engine.credits.topup_url = Some(url.to_owned());
    let app = TestApp::memory_with(options).await;
    let (api, bot) = (watcher(&app), app.bot("weather-bot").await);
    let reply = charge(&app.client(), &api, &body(&bot.api_key, 1, "req-1")).await;
    let reply = reply.expect_error(402, "payment_required");
    assert_eq!((&reply.json()["topupUrl"], &reply.json()["balance"]), (&json!(url), &json!(0)));
    let challenge = reply.header("www-authenticate").unwrap();
    let request = URL_SAFE_NO_PAD.decode(parameter(challenge, "request")).unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    assert_eq!(request["methodDetails"], json!({ "topupUrl": url }));
}

#[actix_web::test]
async fn q3_what_the_resource_server_may_not_see_is_unknown_to_it() {
    let app = TestApp::memory().await;
    let (api, bot) = (watcher(&app), rich_bot(&app, 100).await);
    let blind = server(&app, "billing", None, false);
    let jane = app.verified("jane@example.com").await;
    give(&app, &jane.id, 1, None);
    for (api, token) in [
        (&blind, &bot.api_key),
        (&blind, &bot.access),
        (&blind, &jane.access),
        (&api, &bot.recovery_key),
        (&api, &"x".to_owned()),
        (&api, &"a.b.c".to_owned()),
    ] {
        let reply = charge(&app.client(), api, &body(token, 1, "req-1")).await;
        let reply = reply.expect_error(404, "invalid_token");
        assert_eq!(reply.header("www-authenticate"), None);
    }
    charge(&app.client(), &api, &body(&jane.access, 1, "req-2")).await.expect(200);
    revoke(&app, &bot.api_key).await;
    for dead in [&bot.api_key, &bot.access] {
        let reply = charge(&app.client(), &api, &body(dead, 1, "req-1")).await;
        reply.expect_error(404, "invalid_token");
    }
}

#[actix_web::test]
async fn only_a_resource_server_may_charge() {
    let app = TestApp::memory().await;
    let (api, bot) = (watcher(&app), rich_bot(&app, 100).await);
    let body = body(&bot.api_key, 1, "req-1");
    let refused = [
        app.client().post(CHARGE).json(&body).await,
        app.client().post(CHARGE).json(&body).basic(&bot.id, &bot.recovery_key).await,
        app.client().post(CHARGE).json(&body).basic(&api.id, "rss_x").await,
        app.client().post(CHARGE).json(&body).basic("rs_x", &api.secret).await,
        app.client().post(CHARGE).json(&body).bearer(&api.secret).await,
    ];
    for reply in refused {
        let reply = reply.expect_error(401, "unauthorized");
        assert_eq!(reply.header("www-authenticate"), Some(BASIC));
    }
    assert_eq!(
        app.client().get(BALANCE).bearer(&bot.access).await.json()["balance"],
        100,
        "nothing was charged"
    );
}

#[actix_web::test]
async fn what_is_wrong_with_a_charge_is_named() {
    let app = TestApp::memory().await;
    let (api, bot) = (watcher(&app), rich_bot(&app, 100).await);
    let token = bot.access.as_str();
    let cases = [
        (json!({}), "cost is required; operation_id is required; token is required."),
        (body("", 1, "x"), "token must not be empty."),
        (body(token, 0, "x"), "cost must be 1 to 1000000."),
        (body(token, -1, "x"), "cost must be 1 to 1000000."),
        (body(token, 1_000_001, "x"), "cost must be 1 to 1000000."),
        (body(token, 1, ""), "operation_id must be 1 to 128 printable ASCII characters."),
        (body(token, 1, "é"), "operation_id must be 1 to 128 printable ASCII characters."),
        (
            json!({ "token": 1, "cost": "1", "operation_id": [] }),
            "cost must be a whole number; operation_id must be a string; token must be a string.",
        ),
        (
            json!({ "token": token, "cost": 1.5, "operation_id": "x" }),
            "cost must be a whole number.",
        ),
    ];
    for (body, told) in cases {
        let reply = charge(&app.client(), &api, &body).await.expect_error(400, "invalid_request");
        assert_eq!(reply.json()["detail"], told, "{body}");
    }
    for text in ["", "[]", "{", "{\"cost\":1,\"cost\":2}"] {
        let request = app.client().post(CHARGE).basic(&api.id, &api.secret);
        request.body("application/json", text).await.expect_error(400, "invalid_request");
    }
    let request = app.client().post(CHARGE).basic(&api.id, &api.secret);
    request.body("text/plain", "{}").await.expect_error(415, "unsupported_media_type");
    let request = app.client().post(CHARGE).basic(&api.id, &api.secret);
    let large = "x".repeat(65 * 1024);
    request.body("application/json", large).await.expect_error(413, "payload_too_large");
    app.client().get(CHARGE).await.expect_error(405, "method_not_allowed");
    app.client().post("/v1/meter/other").await.expect_error(404, "not_found");
}

#[actix_web::test]
async fn l2_charges_count_towards_the_resource_server_or_the_address() {
    let app = TestApp::memory().await;
    let (api, bot) = (watcher(&app), rich_bot(&app, 100).await);
    let client = app.client();
    let reply = charge(&client, &api, &body(&bot.access, 1, "a")).await.expect(200);
    assert_eq!(limit_headers(&reply).0, 600);
    for left in (0..60).rev() {
        let reply = client.post(CHARGE).json(&json!({})).await.expect(401);
        assert_eq!((limit_headers(&reply).0, limit_headers(&reply).1), (60, left));
    }
    client.post(CHARGE).json(&json!({})).await.expect_error(429, "rate_limited");
    let refused = charge(&client, &api, &body(&bot.access, 1, "b")).await;
    refused.expect_error(429, "rate_limited");
    charge(&app.client(), &api, &body(&bot.access, 1, "b")).await.expect(200);
}
