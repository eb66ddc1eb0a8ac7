//! Every case of the table "One server, several surfaces", in the envelope of its prefix.

use portcullis_audit::Actor;
use portcullis_kernel::Origin;
use portcullis_testkit::app::{PASSWORD, Reply, TestApp};
use serde_json::{Value, json};

/// The body with everything that differs from run to run blanked.
pub(crate) fn shown(reply: &Reply) -> String {
    let mut body = reply.json();
    blank(&mut body);
    let kind = reply.header("content-type").unwrap();
    format!("{} {kind}\n{}", reply.status, serde_json::to_string_pretty(&body).unwrap())
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let secret =
                    ["id", "access_token", "refresh_token", "version", "kid", "n", "x", "y"];
                if secret.contains(&name.as_str()) {
                    *member = json!(format!("[{name}]"));
                } else {
                    blank(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        _ => {}
    }
}

#[actix_web::test]
async fn what_no_route_serves_is_told_in_the_envelope_of_its_prefix() {
    let app = TestApp::memory().await;
    let client = app.client();
    let cases: [(&str, &[&str]); 4] = [
        (
            "not_found",
            &[
                "/v1/auth/x",
                "/v1/auth",
                "/v1/auth/",
                "/v1/users/x",
                "/v1/users",
                "/v1/admin",
                "/v1/admin/x",
            ],
        ),
        ("NOT_FOUND", &["/api", "/api/auth", "/api/auth/x", "/health/x", "/ready/", "/api/%00"]),
        ("invalid_request", &["/oauth2", "/oauth2/x", "/oauth2/token/", "/oauth2/authorize"]),
        (
            "not_found",
            &[
                "/v1/auth/agent",
                "/v1/auth/agentx",
                "/v1/auth/agent/claim",
                "/agent/x",
                "/v1/balance/x",
                "/v1/meter/x",
                "/v1/credits",
                "/v1",
                "/v2/auth/login",
                "/nothing",
                "/.well-known/x",
                "/auth.md",
                "/v1/authx",
                "/v1/usersx",
                "/apix",
                "/healthz",
                "/oauth2x",
                "/admin",
                "/favicon.ico",
            ],
        ),
    ];
    for (code, paths) in cases {
        for path in paths {
            for method in ["GET", "POST", "DELETE", "OPTIONS", "TRACE"] {
                client.request(method, path).await.expect_error(404, code);
            }
        }
    }
}

#[actix_web::test]
async fn a_wrong_method_is_told_in_the_envelope_of_its_prefix() {
    let app = TestApp::memory().await;
    for (method, path, code, allow) in [
        ("GET", "/v1/auth/login", "method_not_allowed", "POST"),
        ("PATCH", "/v1/users/me", "method_not_allowed", "GET, HEAD, PUT, DELETE"),
        ("GET", "/v1/auth/verify-email", "method_not_allowed", "POST"),
        ("HEAD", "/v1/auth/password/reset", "method_not_allowed", "POST"),
        ("POST", "/v1/admin/users", "method_not_allowed", "GET, HEAD"),
        ("GET", "/v1/admin/users/invite", "method_not_allowed", "POST"),
        ("POST", "/v1/auth/sessions", "method_not_allowed", "GET, HEAD, DELETE"),
        ("GET", "/api/auth/register", "METHOD_NOT_ALLOWED", "POST"),
        ("PUT", "/api/auth/verify-email", "METHOD_NOT_ALLOWED", "GET, HEAD, POST"),
        ("POST", "/api/agents", "METHOD_NOT_ALLOWED", "GET, HEAD"),
        ("POST", "/api/agents/me", "METHOD_NOT_ALLOWED", "GET, HEAD"),
        ("POST", "/health", "METHOD_NOT_ALLOWED", "GET, HEAD"),
        ("DELETE", "/ready", "METHOD_NOT_ALLOWED", "GET, HEAD"),
        ("PUT", "/.well-known/jwks.json", "method_not_allowed", "GET, HEAD"),
        ("POST", "/", "method_not_allowed", "GET, HEAD"),
    ] {
        let reply = app.client().request(method, path).await.expect_error(405, code);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
}

#[actix_web::test]
async fn bodies_of_what_no_route_serves() {
    let app = TestApp::memory().await;
    let client = app.client();
    let people_404 = client.get("/v1/users/you").await;
    insta::assert_snapshot!(shown(&people_404), @r#"
    404 application/json
    {
      "error": {
        "code": "not_found",
        "message": "No such path.",
        "details": null
      }
    }
    "#);
    let agents_404 = client.get("/api/nothing").await;
    insta::assert_snapshot!(shown(&agents_404), @r#"
    404 application/json
    {
      "error": {
        "code": "NOT_FOUND",
        "message": "No such path."
      }
    }
    "#);
    let oauth_404 = client.get("/oauth2/nothing").await;
    insta::assert_snapshot!(shown(&oauth_404), @r#"
    404 application/json
    {
      "error": "invalid_request",
      "error_description": "No such path."
    }
    "#);
    let problem_404 = client.get("/nothing").await;
    insta::assert_snapshot!(shown(&problem_404), @r#"
    404 application/problem+json
    {
      "type": "about:blank",
      "title": "Not Found",
      "status": 404,
      "detail": "No such path.",
      "code": "not_found",
      "error": "not_found"
    }
    "#);
    let problem_405 = client.post("/openapi.json").await;
    insta::assert_snapshot!(shown(&problem_405), @r#"
    405 application/problem+json
    {
      "type": "about:blank",
      "title": "Method Not Allowed",
      "status": 405,
      "detail": "This path answers GET, HEAD.",
      "code": "method_not_allowed",
      "error": "method_not_allowed"
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_refused_input() {
    let app = TestApp::memory().await;
    let client = app.client();
    let malformed = client.post("/v1/auth/login").body("application/json", "{").await;
    insta::assert_snapshot!(shown(&malformed), @r#"
    400 application/json
    {
      "error": {
        "code": "validation_error",
        "message": "The body must be one JSON object.",
        "details": null
      }
    }
    "#);
    let invalid = client.post("/v1/auth/login").json(&json!({ "email": "x" })).await;
    insta::assert_snapshot!(shown(&invalid), @r#"
    400 application/json
    {
      "error": {
        "code": "validation_error",
        "message": "Request validation failed.",
        "details": {
          "email": "must be a valid email address",
          "password": "is required"
        }
      }
    }
    "#);
    let too_large = client.put("/v1/users/me").body("text/plain", vec![b'x'; 70_000]).await;
    insta::assert_snapshot!(shown(&too_large), @r#"
    413 application/json
    {
      "error": {
        "code": "payload_too_large",
        "message": "The body is over 64 KiB.",
        "details": null
      }
    }
    "#);
    let untyped = client.put("/v1/users/me").body("text/plain", "x").await;
    insta::assert_snapshot!(shown(&untyped), @r#"
    415 application/json
    {
      "error": {
        "code": "unsupported_media_type",
        "message": "Send the body as application/json, without Content-Encoding.",
        "details": null
      }
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_refused_callers() {
    let app = TestApp::memory().await;
    let client = app.client();
    let jane = app.client().register("jane@example.com").await;
    let shut = app.client().register("shut@example.com").await;
    app.engine().suspend_user(shut.user_id(), Actor::Operator, &Origin::local()).unwrap();
    let unauthorized = client.get("/v1/users/me").await;
    insta::assert_snapshot!(shown(&unauthorized), @r#"
    401 application/json
    {
      "error": {
        "code": "unauthorized",
        "message": "An access token is required.",
        "details": null
      }
    }
    "#);
    let forbidden = client.try_sign_in(&shut.email, PASSWORD).await;
    insta::assert_snapshot!(shown(&forbidden), @r#"
    403 application/json
    {
      "error": {
        "code": "forbidden",
        "message": "This account is suspended.",
        "details": null
      }
    }
    "#);
    let conflict = client.post("/v1/auth/register").json(&jane.credentials()).await;
    insta::assert_snapshot!(shown(&conflict), @r#"
    409 application/json
    {
      "error": {
        "code": "conflict",
        "message": "An account with this email already exists.",
        "details": null
      }
    }
    "#);
    let mut limited = None;
    for _ in 0..4 {
        limited = Some(client.post("/v1/auth/register").json(&jane.credentials()).await);
    }
    insta::assert_snapshot!(shown(&limited.unwrap()), @r#"
    429 application/json
    {
      "error": {
        "code": "rate_limited",
        "message": "Too many requests. Try again later.",
        "details": null
      }
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_tokens() {
    let app = TestApp::memory().await;
    let client = app.client();
    let body = json!({ "email": "jane@example.com", "password": PASSWORD });
    let registered = client.post("/v1/auth/register").json(&body).await;
    insta::assert_snapshot!(shown(&registered), @r#"
    201 application/json
    {
      "user": {
        "id": "[id]",
        "email": "jane@example.com",
        "display_name": null,
        "role": "user",
        "email_verified": false,
        "created_at": "2026-03-04T05:06:07Z"
      },
      "access_token": "[access_token]",
      "refresh_token": "[refresh_token]",
      "expires_in": 900
    }
    "#);
    let refreshed = client.refresh(&registered.string("/refresh_token")).await;
    insta::assert_snapshot!(shown(&refreshed), @r#"
    200 application/json
    {
      "access_token": "[access_token]",
      "refresh_token": "[refresh_token]",
      "expires_in": 900
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_what_is_shown() {
    let app = TestApp::memory().await;
    let client = app.client();
    let access = app.client().register("jane@example.com").await.access;
    let me = client.me(&access).await;
    insta::assert_snapshot!(shown(&me), @r#"
    200 application/json
    {
      "id": "[id]",
      "email": "jane@example.com",
      "display_name": "Jane Smith",
      "role": "user",
      "email_verified": false,
      "created_at": "2026-03-04T05:06:07Z"
    }
    "#);
    let sessions = client.get("/v1/auth/sessions").bearer(&access).await;
    insta::assert_snapshot!(shown(&sessions), @r#"
    200 application/json
    {
      "sessions": [
        {
          "id": "[id]",
          "created_at": "2026-03-04T05:06:07Z",
          "last_used_at": "2026-03-04T05:06:07Z",
          "ip": "10.0.0.2",
          "user_agent": null,
          "current": true
        }
      ]
    }
    "#);
    let mut jwks = client.get("/.well-known/jwks.json").await;
    let mut set = jwks.json();
    // Keys of one time stand in the order of their ids.
    set["keys"].as_array_mut().unwrap().sort_by_key(|key| key["kty"].to_string());
    jwks.body = set.to_string().into();
    insta::assert_snapshot!(shown(&jwks), @r#"
    200 application/json
    {
      "keys": [
        {
          "kty": "EC",
          "use": "sig",
          "alg": "ES256",
          "kid": "[kid]",
          "crv": "P-256",
          "x": "[x]",
          "y": "[y]"
        },
        {
          "kty": "OKP",
          "use": "sig",
          "alg": "EdDSA",
          "kid": "[kid]",
          "crv": "Ed25519",
          "x": "[x]"
        },
        {
          "kty": "RSA",
          "use": "sig",
          "alg": "RS256",
          "kid": "[kid]",
          "n": "[n]",
          "e": "AQAB"
        },
        {
          "kty": "RSA",
          "use": "sig",
          "alg": "RS256",
          "kid": "[kid]",
          "n": "[n]",
          "e": "AQAB"
        }
      ]
    }
    "#);
    let health = client.get("/health").await;
    insta::assert_snapshot!(shown(&health), @r#"
    200 application/json
    {
      "status": "healthy",
      "timestamp": "2026-03-04T05:06:07Z",
      "version": "[version]"
    }
    "#);
}
