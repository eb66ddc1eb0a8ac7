use portcullis_audit::Actor;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Reply, TestApp},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/v1/auth/verify-email/resend";

async fn resend(app: &TestApp, email: &str) -> Reply {
    app.client().post(PATH).json(&json!({ "email": email })).await
}

/// Everything of an answer that does not differ from request to request.
fn shown(reply: &Reply) -> (u16, String, Vec<String>, (i64, i64, i64)) {
    (reply.status, reply.text().to_owned(), reply.header_names(), limit_headers(reply))
}

on_every_storage!(e3_every_address_gets_the_same_answer_and_one_a_mail, |app| {
    app.verified("verified@example.com").await;
    let shut = app.client().register("shut@example.com").await;
    app.engine().suspend_user(shut.user_id(), Actor::Operator, &Origin::local()).unwrap();
    app.client().register("jane@example.com").await;
    app.mails();
    let mut answers = Vec::new();
    for email in
        ["jane@example.com", "verified@example.com", "shut@example.com", "nobody@example.com"]
    {
        answers.push(shown(&resend(&app, email).await.expect(202)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "E1 {answers:#?}");
    assert!(answers[0].1.starts_with(r#"{"message":""#), "{}", answers[0].1);
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "verify_email")]);
});

on_every_storage!(l9_three_mails_an_hour_and_ten_a_day_to_one_address, |app| {
    app.client().register("jane@example.com").await;
    let mut mails = app.mails().len();
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(shown(&resend(&app, "jane@example.com").await.expect(202)));
        mails += app.mails().len();
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(mails, 3);
    for _ in 0..23 {
        app.clock().advance(Duration::HOUR - Duration::MINUTE);
        for _ in 0..5 {
            resend(&app, "jane@example.com").await.expect(202);
            mails += app.mails().len();
        }
    }
    assert_eq!(mails, 10);
    app.clock().advance(Duration::DAY);
    resend(&app, "jane@example.com").await.expect(202);
    assert_eq!(app.mails().len(), 1);
});

on_every_storage!(e6_requests_that_become_no_mail_take_nothing_from_who_registers_next, |app| {
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(shown(&resend(&app, "jane@example.com").await.expect(202)));
        assert!(app.mails().is_empty());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "E1 {answers:#?}");
    app.client().register("jane@example.com").await;
    let body = json!({ "token": app.mailed("verify_email") });
    let verified = app.client().post("/v1/auth/verify-email").json(&body).await.expect(200);
    assert_eq!(verified.json()["user"]["email"], "jane@example.com");
});

#[actix_web::test]
async fn m5_the_stored_spelling_is_mailed_and_not_the_one_just_typed() {
    let app = TestApp::memory().await;
    app.client().register("Jane.Smith@Example.com").await;
    app.mails();
    resend(&app, " JANE.SMITH@EXAMPLE.COM ").await.expect(202);
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to(), "Jane.Smith@example.com");
}

#[actix_web::test]
async fn i2_an_address_that_is_none_is_named_and_mails_nobody() {
    let app = TestApp::memory().await;
    app.client().register("jane@example.com").await;
    app.mails();
    for body in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": "" }),
        json!({ "email": "jane" }),
        json!({ "email": ["jane@example.com", "eve@example.com"] }),
        json!({ "email": "jane@example.com,eve@example.com" }),
        json!({ "email": "jane@example.com\r\nBcc: eve@example.com" }),
        json!({ "email": "\"jane\"@example.com" }),
        json!({ "email": "<jane@example.com>" }),
        json!({ "email": "jane@[127.0.0.1]" }),
        json!({ "email": 7 }),
        json!({ "email": format!("{}@example.com", "a".repeat(300)) }),
    ] {
        for path in [PATH, "/v1/auth/password/reset"] {
            let reply = app.client().post(path).json(&body).await;
            let reply = reply.expect_error(400, "validation_error");
            assert_eq!(reply.broken_fields(), ["email"], "{body}");
        }
    }
    assert!(app.mails().is_empty(), "M3");
}

#[actix_web::test]
async fn l11_thirty_requests_a_minute_from_one_address() {
    let app = TestApp::memory().await;
    let client = app.client();
    for n in 0..30 {
        let body = json!({ "email": format!("p{n}@example.com") });
        client.post(PATH).json(&body).await.expect(202);
    }
    let over = client.post(PATH).json(&json!({ "email": "x@example.com" })).await;
    assert_eq!(limit_headers(&over.expect_error(429, "rate_limited")).0, 30);
}
