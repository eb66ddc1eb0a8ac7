//! `GET /v1/balance`

use portcullis_audit::Actor;
use portcullis_credits::AccountId;
use portcullis_flows::credits::GrantInput;
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Field, Origin};
use portcullis_testkit::{
    app::{AppOptions, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{
    oauth2::callers::{another_key, set_status},
    routes::limit_headers,
};

pub(crate) const BALANCE: &str = "/v1/balance";

/// Where the clock stands, in milliseconds.
pub(crate) const NOW: i64 = 1_772_600_767_123;

/// What a Bearer challenge says at least.
const BEARER: &str = "Bearer resource_metadata=\"http://127.0.0.1:8080/.well-known/\
    oauth-protected-resource\"";

/// Gives credits to a user or agent, named by id.
pub(crate) fn give(app: &TestApp, account: &str, credits: i64, note: Option<&str>) {
    let note = note.map_or(Field::Absent, Field::from);
    let grant = GrantInput { amount: credits.into(), note }.check().unwrap();
    let account: AccountId = account.parse().unwrap();
    app.engine().grant_credits(account, &grant, Actor::Operator, &Origin::local()).unwrap();
}

on_every_storage!(a_key_and_a_token_show_the_agents_ledger, |app| {
    let bot = app.bot("weather-bot").await;
    for credential in [&bot.api_key, &bot.access] {
        let reply = app.client().get(BALANCE).bearer(credential).await.expect(200);
        assert_eq!(reply.json(), json!({ "balance": 0, "ledger": [] }));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    give(&app, &bot.id, 100, Some("Welcome"));
    app.clock().advance(Duration::SECOND);
    give(&app, &bot.id, 5, None);
    let shown = app.client().get(BALANCE).bearer(&bot.api_key).await.expect(200);
    let ledger = json!([
        { "delta": 5, "reason": "grant", "createdAt": NOW + 1000 },
        { "delta": 100, "reason": "grant", "note": "Welcome", "createdAt": NOW },
    ]);
    assert_eq!(shown.json(), json!({ "balance": 105, "ledger": ledger }));
});

#[actix_web::test]
async fn the_ten_newest_entries_are_shown() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for credits in 1..=12 {
        app.clock().advance(Duration::SECOND);
        give(&app, &bot.id, credits, None);
    }
    let shown = app.client().get(BALANCE).bearer(&bot.access).await.expect(200).json();
    let deltas: Vec<_> =
        shown["ledger"].as_array().unwrap().iter().map(|entry| entry["delta"].clone()).collect();
    assert_eq!(deltas, (3..=12).rev().map(Value::from).collect::<Vec<_>>());
    assert_eq!(shown["balance"], 78);
}

#[actix_web::test]
async fn a_person_sees_their_own_ledger_and_their_agents_see_it_too() {
    let app = TestApp::memory().await;
    let jane = app.admin("jane@example.com").await;
    give(&app, &jane.id, 40, None);
    let shown = app.client().get(BALANCE).bearer(&jane.access).await.expect(200);
    assert_eq!(shown.json()["balance"], 40);
    let body = json!({ "agent_name": "owned-bot", "owner": jane.id });
    let made = app.client().post("/v1/admin/agents").bearer(&jane.access).json(&body).await;
    let owned = made.expect(201).string("/agent_id");
    let path = format!("/v1/admin/agents/{owned}/keys");
    let made = app.client().post(&path).bearer(&jane.access).json(&json!({ "name": "k" })).await;
    let key = made.expect(201).string("/api_key");
    let shown = app.client().get(BALANCE).bearer(&key).await.expect(200);
    assert_eq!(shown.json()["balance"], 40);
    app.client().request("HEAD", BALANCE).bearer(&key).await.expect(200);
}

#[actix_web::test]
async fn without_a_good_credential_nothing_is_told() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let bare = app.client().get(BALANCE).await.expect_error(401, "unauthorized");
    assert_eq!(bare.header("www-authenticate"), Some(BEARER));
    assert_eq!(bare.header("content-type"), Some("application/problem+json"));
    let refused = format!("{BEARER}, error=\"invalid_token\"");
    for wrong in ["x", "sk_x", "a.b.c", &"sk_".repeat(20), &bot.recovery_key] {
        let reply = app.client().get(BALANCE).bearer(wrong).await.expect_error(401, "unauthorized");
        assert_eq!(reply.header("www-authenticate"), Some(refused.as_str()), "{wrong}");
    }
    let basic = app.client().get(BALANCE).basic(&bot.id, &bot.api_key).await;
    basic.expect_error(401, "unauthorized");
    set_status(&app, &bot, AgentStatus::Suspended);
    for credential in [&bot.api_key, &bot.access] {
        let reply = app.client().get(BALANCE).bearer(credential).await;
        reply.expect_error(401, "unauthorized");
    }
}

#[actix_web::test]
async fn a_key_for_other_networks_is_forbidden() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let body = json!({ "name": "far", "allowed_cidrs": ["192.0.2.0/24"] });
    let (_, key) = another_key(&app, &bot, &body).await;
    app.client().get(BALANCE).bearer(&key).await.expect_error(403, "forbidden");
    app.client_at([192, 0, 2, 7]).get(BALANCE).bearer(&key).await.expect(200);
}

#[actix_web::test]
async fn l2_requests_count_towards_agent_key_and_person_or_towards_the_address() {
    let app = TestApp::memory().await;
    let (bot, jane) = (app.bot("weather-bot").await, app.verified("jane@example.com").await);
    let client = app.client();
    for left in [59, 58] {
        let reply = client.get(BALANCE).bearer("x").await.expect(401);
        let (limit, remaining, _) = limit_headers(&reply);
        assert_eq!((limit, remaining), (60, left));
    }
    let remaining = |reply: &portcullis_testkit::app::Reply| {
        let (limit, remaining, _) = limit_headers(reply);
        (limit, remaining)
    };
    let reply = client.get(BALANCE).bearer(&bot.access).await.expect(200);
    assert_eq!(remaining(&reply), (100, 99));
    let reply = app.client().get(BALANCE).bearer(&bot.api_key).await.expect(200);
    assert_eq!(remaining(&reply), (100, 98));
    let reply = client.get(BALANCE).bearer(&jane.access).await.expect(200);
    assert_eq!(reply.header("x-ratelimit-limit"), Some("100"));
    let (_, key) =
        another_key(&app, &bot, &json!({ "name": "slow", "rate_limit_per_minute": 1 })).await;
    client.get(BALANCE).bearer(&key).await.expect(200);
    client.get(BALANCE).bearer(&key).await.expect_error(429, "rate_limited");
    for _ in 0..58 {
        client.get(BALANCE).await.expect(401);
    }
    client.get(BALANCE).await.expect_error(429, "rate_limited");
    let refused = client.get(BALANCE).bearer(&bot.access).await;
    refused.expect_error(429, "rate_limited");
}

#[actix_web::test]
async fn limits_can_be_off() {
    let mut options = AppOptions::default();
    options.engine.limits.enabled = false;
    let app = TestApp::memory_with(options).await;
    let bot = app.bot("weather-bot").await;
    let reply = app.client().get(BALANCE).bearer(&bot.access).await.expect(200);
    assert_eq!(reply.header("x-ratelimit-limit"), None);
}
