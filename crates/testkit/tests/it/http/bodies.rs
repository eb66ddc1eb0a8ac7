//! The bodies of the routes for mailed secrets and of administration.

use portcullis_testkit::app::{PASSWORD, TestApp};
use serde_json::json;

use super::envelopes::shown;

#[actix_web::test]
async fn bodies_of_refused_secrets() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let link = client.post("/v1/auth/verify-email").json(&json!({ "token": "uvt_x" })).await;
    insta::assert_snapshot!(shown(&link), @r#"
    401 application/json
    {
      "error": {
        "code": "invalid_token",
        "message": "The token is invalid, expired or already used.",
        "details": null
      }
    }
    "#);
    let body = json!({ "current_password": "wrong", "new_password": "a-new-Passw0rd" });
    let request = client.post("/v1/auth/password/change").bearer(&jane.access);
    let password = request.json(&body).await;
    insta::assert_snapshot!(shown(&password), @r#"
    401 application/json
    {
      "error": {
        "code": "invalid_credentials",
        "message": "The password is incorrect.",
        "details": null
      }
    }
    "#);
    let request = client.post("/v1/users/me/email/confirm").bearer(&jane.access);
    let code = request.json(&json!({ "code": "000000" })).await;
    insta::assert_snapshot!(shown(&code), @r#"
    401 application/json
    {
      "error": {
        "code": "invalid_token",
        "message": "The code is wrong, expired or was tried too often.",
        "details": null
      }
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_what_was_set_going() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let ask = json!({ "email": "jane@example.com" });
    let resend = client.post("/v1/auth/verify-email/resend").json(&ask).await;
    insta::assert_snapshot!(shown(&resend), @r#"
    202 application/json
    {
      "message": "If an account with this email is still to be verified, a mail is on its way."
    }
    "#);
    let reset = client.post("/v1/auth/password/reset").json(&ask).await;
    insta::assert_snapshot!(shown(&reset), @r#"
    202 application/json
    {
      "message": "If there is an account with this email, a mail is on its way."
    }
    "#);
    let body = json!({ "email": "new@example.com", "password": PASSWORD });
    let change = client.post("/v1/users/me/email").bearer(&jane.access).json(&body).await;
    insta::assert_snapshot!(shown(&change), @r#"
    202 application/json
    {
      "message": "A code is on its way to the new address."
    }
    "#);
}

#[actix_web::test]
async fn bodies_of_refused_administration() {
    let app = TestApp::memory().await;
    let (client, admin) = (app.client(), app.admin("admin@example.com").await);
    let jane = app.client().register("jane@example.com").await;
    let forbidden = client.get("/v1/admin/users").bearer(&jane.access).await;
    insta::assert_snapshot!(shown(&forbidden), @r#"
    403 application/json
    {
      "error": {
        "code": "forbidden",
        "message": "Only administrators may do this.",
        "details": null
      }
    }
    "#);
    let query = "/v1/admin/users?limit=0&cursor=x&role=root&status=x&email=";
    let invalid = client.get(query).bearer(&admin.access).await;
    insta::assert_snapshot!(shown(&invalid), @r#"
    400 application/json
    {
      "error": {
        "code": "validation_error",
        "message": "Request validation failed.",
        "details": {
          "cursor": "must be a cursor from an earlier answer",
          "email": "must be a part of an address, 1 to 254 bytes",
          "limit": "must be a whole number from 1 to 200",
          "role": "must be one of user, verified_user, host, admin",
          "status": "must be one of active, suspended"
        }
      }
    }
    "#);
    let own = client.delete(&format!("/v1/admin/users/{}", admin.id)).bearer(&admin.access).await;
    insta::assert_snapshot!(shown(&own), @r#"
    409 application/json
    {
      "error": {
        "code": "conflict",
        "message": "You cannot do this to your own account; ask another administrator.",
        "details": null
      }
    }
    "#);
    let unknown = client.get("/v1/admin/users/jane@example.com").bearer(&admin.access).await;
    insta::assert_snapshot!(shown(&unknown), @r#"
    404 application/json
    {
      "error": {
        "code": "not_found",
        "message": "No such user.",
        "details": null
      }
    }
    "#);
}
