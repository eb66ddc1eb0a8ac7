use portcullis_audit::Action;
use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::{Value, json};

const PATH: &str = "/v1/users/me";

on_every_storage!(the_bare_user_object_is_shown_to_its_owner, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    app.client().register("john@example.com").await;
    let reply = client.me(&jane.access).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((reply.number("x-ratelimit-limit"), reply.remaining()), (100, 99));
    assert_eq!(
        reply.json(),
        json!({
            "id": jane.id, "email": "jane@example.com", "display_name": "Jane Smith",
            "role": "user", "email_verified": false, "created_at": "2026-03-04T05:06:07Z",
        })
    );
});

on_every_storage!(a_name_is_changed_kept_or_cleared, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    for (body, name) in [
        (json!({ "display_name": "  Jane 🦀 Doe " }), json!("Jane 🦀 Doe")),
        (json!({}), json!("Jane 🦀 Doe")),
        (json!({ "role": "admin", "email": "eve@example.com", "id": "x" }), json!("Jane 🦀 Doe")),
        (json!({ "display_name": null }), Value::Null),
        (json!({ "display_name": "x".repeat(80) }), json!("x".repeat(80))),
    ] {
        let reply = client.put(PATH).bearer(&jane.access).json(&body).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.json()["display_name"], name);
        assert_eq!(reply.json()["role"], "user", "I6");
        assert_eq!(client.me(&jane.access).await.expect(200).json(), reply.json());
    }
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    assert_eq!(events.iter().filter(|e| e.action == Action::ProfileChanged).count(), 3);
});

#[actix_web::test]
async fn a_broken_name_is_named_and_changes_nothing() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    for value in [
        json!(""),
        json!("   "),
        json!("x".repeat(81)),
        json!("x".repeat(60_000)),
        json!("a\0b"),
        json!("a\u{202e}b"),
        json!(7),
        json!(true),
        json!([]),
        json!(["Jane"]),
        json!({}),
    ] {
        let body = json!({ "display_name": value });
        let reply = client.put(PATH).bearer(&jane.access).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["display_name"], "{body}");
    }
    for (text, named) in [
        (r#"{"display_name":"a","display_name":"b"}"#, true),
        (r#"{"display_name":"\ud83e"}"#, true),
        ("", false),
        ("[]", false),
        (r#""Jane""#, false),
        (r#"{"display_name":"#, false),
    ] {
        let request = client.put(PATH).bearer(&jane.access).body("application/json", text);
        let reply = request.await.expect_error(400, "validation_error");
        assert_eq!(reply.json()["error"]["details"].is_object(), named, "{text}");
    }
    assert_eq!(client.me(&jane.access).await.json()["display_name"], "Jane Smith");
}
