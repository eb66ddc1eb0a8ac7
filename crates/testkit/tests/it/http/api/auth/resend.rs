use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/api/auth/verification/resend";
const MESSAGE: &str =
    "If an account with this email exists and is unverified, a verification message was sent.";

fn body(email: &str) -> Value {
    json!({ "email": email })
}

/// The agents that got a mail, and their tokens.
fn tokens(app: &TestApp) -> Vec<String> {
    let mails = app.mails();
    assert!(mails.iter().all(|mail| mail.kind() == "agent_verify_email"), "{mails:?}");
    mails.iter().map(|mail| mail.secret().unwrap().to_owned()).collect()
}

on_every_storage!(e3_the_answer_is_the_same_for_every_address, |app| {
    app.proven_bot("done-bot", "done@example.com").await;
    app.client().register("jane@example.com").await;
    app.client().register_agent("open-bot", Some("open@example.com")).await.expect(201);
    app.mails();
    let mut seen = Vec::new();
    for email in ["open@example.com", "done@example.com", "jane@example.com", "nobody@example.com"]
    {
        let reply = app.client().post(PATH).json(&body(email)).await.expect(200);
        assert_eq!(reply.json(), json!({ "message": MESSAGE }));
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, 4));
        seen.push((reply.text().to_owned(), reply.header_names()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert_eq!(app.told(), [("open@example.com".to_owned(), "agent_verify_email")]);
});

on_every_storage!(a_new_mail_kills_the_older_token, |app| {
    app.client().register_agent("weather-bot", Some("bot@example.com")).await.expect(201);
    let older = app.mailed("agent_verify_email");
    app.client().post(PATH).json(&body("BOT@Example.com")).await.expect(200);
    let newer = app.mailed("agent_verify_email");
    let verify = async |token: &str| {
        let body = json!({ "token": token });
        app.client().post("/api/auth/verify-email").json(&body).await
    };
    verify(&older).await.expect_error(401, "INVALID_TOKEN");
    verify(&newer).await.expect(200);
    app.client().post(PATH).json(&body("bot@example.com")).await.expect(200);
    assert!(app.mails().is_empty(), "it is verified");
});

on_every_storage!(l9_each_agent_that_waits_gets_a_mail_under_the_limit_of_the_address, |app| {
    for n in 0..2 {
        let reply = app.client().register_agent(&format!("bot-{n}"), Some("bot@example.com")).await;
        reply.expect(201);
    }
    assert_eq!(tokens(&app).len(), 2);
    app.clock().advance(Duration::HOUR);
    app.client().post(PATH).json(&body("bot@example.com")).await.expect(200);
    assert_eq!(tokens(&app).len(), 2);
    for (round, mails) in [(1, 1), (2, 0), (3, 0)] {
        app.client().post(PATH).json(&body("bot@example.com")).await.expect(200);
        assert_eq!(tokens(&app).len(), mails, "{round}");
    }
});

#[actix_web::test]
async fn i2_an_address_that_is_none_is_refused() {
    let app = TestApp::memory().await;
    for email in ["", "nope", "a@b", "a@example.com,b@example.com", "a\r\nb@example.com"] {
        let reply = app.client().post(PATH).json(&body(email)).await;
        reply.expect_error(400, "INVALID_EMAIL");
    }
    for broken in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": 5 }),
        json!({ "email": ["a@example.com", "b@evil.example"] }),
        json!({ "email": { "a": "b" } }),
    ] {
        let reply = app.client().post(PATH).json(&broken).await;
        reply.expect_error(400, "INVALID_REQUEST");
    }
    assert!(app.mails().is_empty(), "M3");
}

on_every_storage!(l1_five_an_hour_from_one_client_address, |app| {
    let client = app.client();
    for left in (0..5).rev() {
        let reply = client.post(PATH).json(&body("nobody@example.com")).await.expect(200);
        assert_eq!(reply.remaining(), left);
    }
    let over = client.post(PATH).json(&body("nobody@example.com")).await;
    assert!(
        (1..=3600).contains(&over.expect_error(429, "RATE_LIMIT_EXCEEDED").number("retry-after"))
    );
    let peer = app.peer().await;
    let elsewhere = peer.client_at(client.address()).post(PATH).json(&body("a@example.com")).await;
    elsewhere.expect_error(429, "RATE_LIMIT_EXCEEDED");
    app.clock().advance(Duration::HOUR);
    client.post(PATH).json(&body("nobody@example.com")).await.expect(200);
});
