//! What every kind of refusal under `/api` looks like.

use portcullis_testkit::app::TestApp;
use serde_json::json;

use crate::http::envelopes::shown;

#[actix_web::test]
async fn bodies_of_refused_input() {
    let app = TestApp::memory().await;
    let client = app.client();
    let malformed = client.post("/api/auth/register").body("application/json", "{").await;
    insta::assert_snapshot!(shown(&malformed), @r#"
    400 application/json
    {
      "error": {
        "code": "INVALID_REQUEST",
        "message": "The body must be one JSON object."
      }
    }
    "#);
    let body = json!({ "agent_name": "a", "email": "x" });
    let invalid = client.post("/api/auth/register").json(&body).await;
    insta::assert_snapshot!(shown(&invalid), @r#"
    400 application/json
    {
      "error": {
        "code": "INVALID_AGENT_NAME",
        "message": "agent_name must be 3 to 50 letters (a-z, A-Z), digits or hyphens; email must be a valid email address."
      }
    }
    "#);
    let twice = r#"{"agent_name":"abc","agent_name":"abd"}"#;
    let twice = client.post("/api/auth/register").body("application/json", twice).await;
    insta::assert_snapshot!(shown(&twice), @r#"
    400 application/json
    {
      "error": {
        "code": "INVALID_REQUEST",
        "message": "agent_name must be given only once."
      }
    }
    "#);
    let untyped = client.post("/api/auth/token").body("text/plain", "x").await;
    insta::assert_snapshot!(shown(&untyped), @r#"
    415 application/json
    {
      "error": {
        "code": "UNSUPPORTED_MEDIA_TYPE",
        "message": "Send the body as application/json or application/x-www-form-urlencoded, without Content-Encoding."
      }
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_refused_callers() {
    let app = TestApp::memory().await;
    let (client, bot) = (app.client(), app.bot("weather-bot").await);
    let missing = client.get("/api/agents/me").await;
    insta::assert_snapshot!(shown(&missing), @r#"
    401 application/json
    {
      "error": {
        "code": "UNAUTHORIZED",
        "message": "A credential is required."
      }
    }
    "#);
    let wrong = client.exchange(&bot.id, "wrong").await;
    insta::assert_snapshot!(shown(&wrong), @r#"
    401 application/json
    {
      "error": {
        "code": "UNAUTHORIZED",
        "message": "The credential is wrong, expired or revoked."
      }
    }
    "#);
    let other = app.bot("other-bot").await;
    let foreign = client.get(&other.path("")).bearer(&bot.access).await;
    insta::assert_snapshot!(shown(&foreign), @r#"
    403 application/json
    {
      "error": {
        "code": "FORBIDDEN",
        "message": "The credential is not of the agent that the path names."
      }
    }
    "#);
    let key = client.delete(&bot.path("/keys/x")).bearer(&bot.access).await;
    insta::assert_snapshot!(shown(&key), @r#"
    403 application/json
    {
      "error": {
        "code": "FORBIDDEN",
        "message": "An access token revokes its own API key only. Revoke others with the recovery key."
      }
    }
    "#);
    let token = client.post("/api/auth/verify-email").json(&json!({ "token": "evt_x" })).await;
    insta::assert_snapshot!(shown(&token), @r#"
    401 application/json
    {
      "error": {
        "code": "INVALID_TOKEN",
        "message": "The token is invalid or expired."
      }
    }
    "#);
    let code = client.recover("bot@example.com", "000000").await;
    insta::assert_snapshot!(shown(&code), @r#"
    401 application/json
    {
      "error": {
        "code": "INVALID_CODE",
        "message": "The code is wrong, expired or was tried too often."
      }
    }
    "#);
    let lost = client.delete(&bot.path("/keys/x")).recovering(&bot).await;
    insta::assert_snapshot!(shown(&lost), @r#"
    404 application/json
    {
      "error": {
        "code": "NOT_FOUND",
        "message": "No such API key, or it is revoked or expired already."
      }
    }
    "#);
}
