//! What every kind of refusal under `/api` looks like.

use portcullis_testkit::app::TestApp;
use serde_json::json;

use crate::http::envelopes::shown;

#[actix_web::test]
async fn bodies_of_refused_input() {
    let app = TestApp::memory().await;
    let client = app.client();
    let malformed = client.post("/api/auth/register").body("application/json", "{").await;
    insta::assert_snapshot!(shown(&malformed), @"");
    let body = json!({ "agent_name": "a", "email": "x" });
    let invalid = client.post("/api/auth/register").json(&body).await;
    insta::assert_snapshot!(shown(&invalid), @"");
    let twice = r#"{"agent_name":"abc","agent_name":"abd"}"#;
    let twice = client.post("/api/auth/register").body("application/json", twice).await;
    insta::assert_snapshot!(shown(&twice), @"");
    let untyped = client.post("/api/auth/token").body("text/plain", "x").await;
    insta::assert_snapshot!(shown(&untyped), @"");
}

#[actix_web::test]
async fn bodies_of_refused_callers() {
    let app = TestApp::memory().await;
    let (client, bot) = (app.client(), app.bot("weather-bot").await);
    let missing = client.get("/api/agents/me").await;
    insta::assert_snapshot!(shown(&missing), @"");
    let wrong = client.exchange(&bot.id, "wrong").await;
    insta::assert_snapshot!(shown(&wrong), @"");
    let other = app.bot("other-bot").await;
    let foreign = client.get(&other.path("")).bearer(&bot.access).await;
    insta::assert_snapshot!(shown(&foreign), @"");
    let key = client.delete(&bot.path("/keys/x")).bearer(&bot.access).await;
    insta::assert_snapshot!(shown(&key), @"");
    let token = client.post("/api/auth/verify-email").json(&json!({ "token": "evt_x" })).await;
    insta::assert_snapshot!(shown(&token), @"");
    let code = client.recover("bot@example.com", "000000").await;
    insta::assert_snapshot!(shown(&code), @"");
    let lost = client.delete(&bot.path("/keys/x")).recovering(&bot).await;
    insta::assert_snapshot!(shown(&lost), @"");
}
