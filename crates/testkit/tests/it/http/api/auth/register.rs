use portcullis_audit::{Action, Actor, Outcome};
use portcullis_testkit::{
    app::{AppOptions, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/api/auth/register";
const WARNING: &str = "Save recovery_key securely. It will NOT be shown again.";

on_every_storage!(k1_the_documented_registration, |app| {
    let metadata =
        json!({ "description": "Weather assistant", "owner": "Lensy Inc.", "version": "1.0.0" });
    let body =
        json!({ "agent_name": "weather-bot", "email": "Bot@Example.com", "metadata": metadata });
    let reply = app.client().post(PATH).json(&body).await.expect(201);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (10, 9));
    let (id, key) = (reply.string("/agent_id"), reply.string("/recovery_key"));
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": id, "agent_name": "weather-bot", "recovery_key": key,
            "created_at": "2026-03-04T05:06:07Z", "warning": WARNING,
            "email_verification_sent": true,
            "email_verification_expires_at": "2026-03-04T06:06:07Z",
        })
    );
    let digits = id.strip_prefix("agt_").unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{id}");
    let body = key.strip_prefix("rk_").unwrap();
    assert!(body.len() == 49 && body.bytes().all(|b| b.is_ascii_alphanumeric()), "K1");

    let mails = app.mails();
    assert_eq!(mails.len(), 1, "M1");
    assert_eq!((mails[0].to(), mails[0].kind()), ("Bot@example.com", "agent_verify_email"));
    let token = mails[0].secret().unwrap();
    assert!(token.starts_with("evt_") && token.len() == 4 + 43 + 6, "{token}");
    let events = app.read(|uow| {
        uow.audit().list_for_agent(id.parse().unwrap(), &portcullis_kernel::Slice::first(10))
    });
    assert_eq!(events.items.len(), 1, "G3");
    let event = &events.items[0];
    assert_eq!((event.action, event.outcome), (Action::AgentRegistered, Outcome::Success));
    assert_eq!(event.actor, Actor::Agent(id.parse().unwrap()));
    assert_eq!(event.request_id.as_deref(), reply.header("x-request-id"));
});

on_every_storage!(without_an_address_nothing_is_mailed, |app| {
    for body in [
        json!({ "agent_name": "weather-bot" }),
        json!({ "agent_name": "weather-bot", "email": null, "metadata": null }),
        json!({ "agent_name": "weather-bot", "metadata": {} }),
    ] {
        let reply = app.client().post(PATH).json(&body).await.expect(201).json();
        assert_eq!(reply["email_verification_sent"], false);
        assert_eq!(reply["email_verification_expires_at"], Value::Null);
    }
    assert!(app.mails().is_empty());
});

on_every_storage!(e5_an_address_in_use_answers_just_as_a_fresh_one, |app| {
    app.proven_bot("first-bot", "bot@example.com").await;
    app.client().register("jane@example.com").await;
    app.mails();
    let mut seen = Vec::new();
    for email in ["bot@example.com", "jane@example.com", "nobody@example.com"] {
        let reply = app.client().register_agent("weather-bot", Some(email)).await.expect(201);
        let mut body = reply.json();
        for name in ["agent_id", "recovery_key"] {
            body[name] = Value::Null;
        }
        seen.push((body, reply.header_names()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert_eq!(app.mails().len(), 3);
});

#[actix_web::test]
async fn i7_names_are_judged_whole() {
    let app = TestApp::memory().await;
    for name in ["abc", "A-9", "---", "weather-bot", &"x".repeat(50)] {
        let reply = app.client().register_agent(name, None).await.expect(201);
        assert_eq!(reply.string("/agent_name"), name);
    }
    for name in [
        "ab",
        "",
        "has space",
        "under_score",
        "dot.ted",
        "a/b/c",
        "<b>x</b>",
        "weather-bot\n",
        "\nabc",
        "abc\0",
        "аbс-cyrillic",
        "ünicode",
        " abc",
        &"x".repeat(51),
    ] {
        let reply = app.client().register_agent(name, None).await;
        reply.expect_error(400, "INVALID_AGENT_NAME");
    }
}

#[actix_web::test]
async fn every_broken_field_is_told_and_the_first_gives_the_code() {
    let app = TestApp::memory().await;
    let long = "x".repeat(201);
    for (body, code, told) in [
        (json!({}), "INVALID_REQUEST", "agent_name is required"),
        (json!({ "agent_name": null }), "INVALID_REQUEST", "agent_name is required"),
        (json!({ "agent_name": 5 }), "INVALID_REQUEST", "agent_name must be a string"),
        (json!({ "agent_name": "a", "email": "x" }), "INVALID_AGENT_NAME", "email must be"),
        (json!({ "agent_name": "abc", "email": "nope" }), "INVALID_EMAIL", "email must be"),
        (json!({ "agent_name": "abc", "email": "" }), "INVALID_EMAIL", "email must be"),
        (json!({ "agent_name": "abc", "email": 5 }), "INVALID_REQUEST", "email must be a string"),
        (
            json!({ "agent_name": "abc", "email": ["a@example.com", "b@evil.example"] }),
            "INVALID_REQUEST",
            "email must be a string",
        ),
        (
            json!({ "agent_name": "abc", "metadata": "text" }),
            "INVALID_REQUEST",
            "metadata must be an object",
        ),
        (
            json!({ "agent_name": "abc", "metadata": { "version": 3 } }),
            "INVALID_REQUEST",
            "metadata.version must be a string",
        ),
        (
            json!({ "agent_name": "abc", "metadata": { "owner": long } }),
            "INVALID_REQUEST",
            "metadata.owner must be at most 200 characters",
        ),
        (
            json!({ "agent_name": "abc", "metadata": { "owner": "a\u{1b}[31m" } }),
            "INVALID_REQUEST",
            "metadata.owner must not contain control characters",
        ),
    ] {
        let reply = app.client().post(PATH).json(&body).await.expect_error(400, code);
        assert!(reply.string("/error/message").contains(told), "{}", reply.text());
    }
    let full = "🦀".repeat(200);
    let metadata = json!({ "description": full, "owner": full, "version": full });
    let body = json!({ "agent_name": "abc", "metadata": metadata });
    let reply = app.client().post(PATH).json(&body).await.expect_error(400, "INVALID_REQUEST");
    assert!(reply.text().contains("2 KiB"));
    assert!(app.mails().is_empty(), "I2");
}

#[actix_web::test]
async fn i5_members_that_stand_twice_are_refused_wherever_they_stand() {
    let app = TestApp::memory().await;
    for body in [
        r#"{"agent_name":"abc","agent_name":"abd"}"#,
        r#"{"agent_name":"abc","email":"a@example.com","email":"b@example.com"}"#,
        r#"{"agent_name":"abc","metadata":{"owner":"a","owner":"b"}}"#,
        r#"{"agent_name":"abc","x":1,"x":2}"#,
    ] {
        let reply = app.client().post(PATH).body("application/json", body).await;
        let reply = reply.expect_error(400, "INVALID_REQUEST");
        assert!(reply.text().contains("must be given only once"), "{}", reply.text());
    }
}

on_every_storage!(i6_unknown_members_never_assign, |app| {
    let body = json!({
        "agent_name": "weather-bot", "agent_id": "agt_00000000000000000000000000000000",
        "email_verified": true, "status": "suspended", "owner": "01JN2X4K8M3F7QPZRVWT6YBHCE",
        "owner_id": "01JN2X4K8M3F7QPZRVWT6YBHCE", "created_at": "2000-01-01T00:00:00Z",
        "recovery_key": "rk_x", "visibility": "public", "scopes": ["admin"],
        "metadata": { "role": "admin" },
    });
    let reply = app.client().post(PATH).json(&body).await.expect(201);
    assert_ne!(reply.string("/agent_id"), body["agent_id"].as_str().unwrap());
    let id = reply.string("/agent_id").parse().unwrap();
    let agent = app.read(|uow| uow.agents().find(id)).unwrap();
    assert!(agent.is_active() && agent.owner.is_none() && agent.email.is_none());
    assert_eq!(agent.created_at, app.clock().advance(Duration::ZERO));
    app.client().get(&format!("/api/agents/{id}/profile")).await.expect(404);
});

#[actix_web::test]
async fn where_operators_make_the_agents_nobody_else_does() {
    let mut options = AppOptions::default();
    options.engine.agents.open = false;
    let app = TestApp::memory_with(options).await;
    let reply = app.client().register_agent("weather-bot", Some("bot@example.com")).await;
    reply.expect_error(403, "FORBIDDEN");
    // What is wrong in the body is told all the same.
    app.client().register_agent("x", None).await.expect_error(400, "INVALID_AGENT_NAME");
    assert!(app.mails().is_empty());
}

on_every_storage!(l1_ten_an_hour_from_one_client_address, |app| {
    let client = app.client();
    for left in (0..10).rev() {
        // Good ones count like bad ones.
        let name = if left % 2 == 0 { "weather-bot" } else { "x" };
        let reply = client.register_agent(name, None).await;
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (10, left));
    }
    let over = client.register_agent("weather-bot", None).await;
    let over = over.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert!((1..=3600).contains(&over.number("retry-after")));
    app.client().register_agent("weather-bot", None).await.expect(201);
    app.clock().advance(Duration::HOUR);
    client.register_agent("weather-bot", None).await.expect(201);
});

on_every_storage!(l9_over_the_mails_of_an_address_the_answer_is_the_same, |app| {
    for n in 0..5 {
        let reply = app.client().register_agent("weather-bot", Some("bot@example.com")).await;
        assert_eq!(reply.expect(201).json()["email_verification_sent"], true);
        assert_eq!(app.mails().len(), usize::from(n < 3), "{n}");
    }
});
