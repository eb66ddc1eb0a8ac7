//! Agents and keys that administrators make.

use portcullis_audit::{Action, Actor};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{AgentId, Origin, Slice};
use portcullis_testkit::{
    app::{AppOptions, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};

use crate::http::jwt;

const PATH: &str = "/v1/admin/agents";

async fn create(app: &TestApp, admin: &Person, body: &Value) -> Reply {
    app.client().post(PATH).bearer(&admin.access).json(body).await
}

async fn make_key(app: &TestApp, admin: &Person, agent: &str, body: &Value) -> Reply {
    let path = format!("{PATH}/{agent}/keys");
    app.client().post(&path).bearer(&admin.access).json(body).await
}

fn events(app: &TestApp, agent: &str, action: Action) -> Vec<Actor> {
    let id: AgentId = agent.parse().unwrap();
    let events = app.read(|uow| uow.audit().list_for_agent(id, &Slice::first(99))).items;
    events.iter().filter(|event| event.action == action).map(|event| event.actor).collect()
}

on_every_storage!(an_agent_is_made_with_a_recovery_key_that_is_shown_once, |app| {
    let admin = app.admin("admin@example.com").await;
    app.mails();
    let body = json!({
        "agent_name": "weather-bot", "email": " Bot@Example.com ", "owner": admin.id,
        "metadata": { "description": "Weather", "owner": "Lensy Inc.", "version": "1.0.0" },
    });
    let reply = create(&app, &admin, &body).await.expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let (id, recovery) = (reply.string("/agent_id"), reply.string("/recovery_key"));
    assert!(recovery.starts_with("rk_") && recovery.len() == 52, "K1");
    let mut account = reply.json();
    account.as_object_mut().unwrap().remove("recovery_key");
    assert_eq!(
        account,
        json!({
            "agent_id": id, "agent_name": "weather-bot", "email": "bot@example.com",
            "email_verified": false, "pending_email": "bot@example.com", "owner": admin.id,
            "metadata": { "description": "Weather", "owner": "Lensy Inc.", "version": "1.0.0" },
            "profile": {
                "agent_id": id, "agent_name": "weather-bot", "display_name": null,
                "description": null, "tags": [], "visibility": "private",
            },
            "created_at": "2026-03-04T05:06:07Z", "status": "active",
        })
    );
    let path = format!("{PATH}/{id}");
    let shown = app.client().get(&path).bearer(&admin.access).await.expect(200);
    assert!(!shown.text().contains("recovery_key") && !shown.text().contains(&recovery), "K3");
    let own = app.client().post(&format!("/api/agents/{id}")).basic(&id, &recovery);
    own.json(&json!({ "name": "first" })).await.expect(201);
    // The address is proven like any other.
    let body = json!({ "token": app.mailed("agent_verify_email") });
    app.client().post("/api/auth/verify-email").json(&body).await.expect(200);
    let shown = app.client().get(&path).bearer(&admin.access).await.expect(200).json();
    assert_eq!((&shown["email_verified"], &shown["pending_email"]), (&json!(true), &Value::Null));
    assert_eq!(events(&app, &id, Action::AgentCreated), [Actor::User(admin.user_id())], "G3");
});

on_every_storage!(every_broken_member_of_an_agent_is_named, |app| {
    let admin = app.admin("admin@example.com").await;
    app.mails();
    let name = "weather-bot";
    for (body, named) in [
        (json!({}), vec!["agent_name"]),
        (json!({ "agent_name": null }), vec!["agent_name"]),
        (json!({ "agent_name": "ab" }), vec!["agent_name"]),
        (json!({ "agent_name": "abc\n" }), vec!["agent_name"]),
        (json!({ "agent_name": ["abc"] }), vec!["agent_name"]),
        (json!({ "agent_name": name, "email": "x" }), vec!["email"]),
        (json!({ "agent_name": name, "email": ["a@example.com", "b@example.com"] }), vec!["email"]),
        (json!({ "agent_name": name, "metadata": "x" }), vec!["metadata"]),
        (json!({ "agent_name": name, "metadata": { "version": 1 } }), vec!["metadata.version"]),
        (json!({ "agent_name": name, "owner": "admin@example.com" }), vec!["owner"]),
        (json!({ "agent_name": name, "owner": "01JN2X4K8M3F7QPZRVWT6YBHCE" }), vec!["owner"]),
        (json!({ "agent_name": name, "owner": admin.id.to_lowercase() }), vec!["owner"]),
        (json!({ "agent_name": name, "owner": [admin.id] }), vec!["owner"]),
        (
            json!({ "agent_name": "-", "email": 1, "metadata": [], "owner": "x" }),
            vec!["agent_name", "email", "metadata", "owner"],
        ),
    ] {
        let reply = create(&app, &admin, &body).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), named, "{body}");
        assert_eq!(reply.string("/error/message"), "Request validation failed.");
    }
    let listed = app.client().get(PATH).bearer(&admin.access).await.expect(200);
    assert_eq!((listed.json()["agents"].clone(), app.mails().len()), (json!([]), 0));
});

#[actix_web::test]
async fn administrators_make_agents_where_none_may_register() {
    let mut options = AppOptions::default();
    options.engine.agents.open = false;
    let app = TestApp::memory_with(options).await;
    let admin = app.admin("admin@example.com").await;
    app.client().register_agent("weather-bot", None).await.expect_error(403, "FORBIDDEN");
    let made = create(&app, &admin, &json!({ "agent_name": "weather-bot" })).await.expect(201);
    assert_eq!((&made.json()["email"], &made.json()["owner"]), (&Value::Null, &Value::Null));
}

on_every_storage!(a_key_is_made_whose_secret_is_shown_once, |app| {
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let body = json!({
        "name": " production ", "scopes": ["presence:update"], "expires_in_days": 30,
        "allowed_cidrs": ["10.0.0.0/8"], "rate_limit_per_minute": 100,
        "agent_id": app.bot("other-bot").await.id,
    });
    let reply = make_key(&app, &admin, &bot.id, &body).await.expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let key = reply.string("/api_key");
    assert!(key.starts_with("sk_") && key.len() == 52, "K1 {key}");
    assert_eq!(
        reply.json(),
        json!({
            "key_id": reply.string("/key_id"), "name": "production", "api_key": key,
            "scopes": ["presence:update"], "created_at": "2026-03-04T05:06:07Z",
            "expires_at": "2026-04-03T05:06:07Z",
        })
    );
    let token = app.client().exchange(&bot.id, &key).await.expect(200).string("/access_token");
    assert_eq!(jwt::claims(&token)["sub"], bot.id, "K7");
    let path = format!("{PATH}/{}", bot.id);
    let shown = app.client().get(&path).bearer(&admin.access).await.expect(200);
    assert!(!shown.text().contains(&key), "K3");
    let by = [Actor::User(admin.user_id()), Actor::Agent(bot.agent_id())];
    let made = events(&app, &bot.id, Action::ApiKeyCreated);
    assert!(made.len() == 2 && by.iter().all(|actor| made.contains(actor)), "G3 {made:?}");
});

on_every_storage!(every_broken_member_of_a_key_is_named, |app| {
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let with = |name: &str, value: Value| {
        let mut body = json!({ "name": "key" });
        body[name] = value;
        body
    };
    for (name, values) in [
        ("name", vec![json!(null), json!(""), json!(" "), json!(1), json!("a\nb")]),
        (
            "scopes",
            vec![json!([]), json!("messages:read"), json!(["admin"]), json!([1]), json!([""])],
        ),
        ("expires_in_days", vec![json!(0), json!(3651), json!("1"), json!(1.5), json!(-1)]),
        (
            "allowed_cidrs",
            vec![json!([]), json!(["x"]), json!("10.0.0.0/8"), json!(["10.0.0.0/33"])],
        ),
        ("rate_limit_per_minute", vec![json!(0), json!(-1), json!(1_000_001), json!("5")]),
    ] {
        for value in values {
            let reply = make_key(&app, &admin, &bot.id, &with(name, value.clone())).await;
            let reply = reply.expect_error(400, "validation_error");
            assert_eq!(reply.broken_fields(), [name], "{value}");
        }
    }
    let reply = make_key(&app, &admin, &bot.id, &json!([])).await;
    reply.expect_error(400, "validation_error");
});

on_every_storage!(no_key_is_made_for_whom_it_would_not_work, |app| {
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let body = json!({ "name": "key" });
    let status = |status| {
        let (id, local) = (bot.agent_id(), Origin::local());
        app.engine().set_agent_status(id, status, Actor::Operator, &local).unwrap();
    };
    status(AgentStatus::Suspended);
    make_key(&app, &admin, &bot.id, &body).await.expect_error(409, "conflict");
    status(AgentStatus::Active);
    for _ in 1..50 {
        make_key(&app, &admin, &bot.id, &body).await.expect(201);
    }
    make_key(&app, &admin, &bot.id, &body).await.expect_error(409, "conflict");
    let path = format!("{PATH}/{}/keys/{}", bot.id, bot.key_id);
    app.client().delete(&path).bearer(&admin.access).await.expect(204);
    make_key(&app, &admin, &bot.id, &body).await.expect(201);
});

on_every_storage!(k6_a_key_revoked_by_an_administrator_is_dead_with_its_tokens, |app| {
    let (admin, bot) = (app.admin("admin@example.com").await, app.bot("weather-bot").await);
    let other = app.bot("other-bot").await;
    let revoke = async |agent: &str, key: &str| {
        let path = format!("{PATH}/{agent}/keys/{key}");
        app.client().delete(&path).bearer(&admin.access).await
    };
    for key in [other.key_id.as_str(), "x", "%00", &bot.id, &format!("aky_{}", "0".repeat(32))] {
        revoke(&bot.id, key).await.expect_error(404, "not_found");
    }
    app.client().agent(&other.access).await.expect(200);
    revoke(&bot.id, &bot.key_id).await.expect(204);
    revoke(&bot.id, &bot.key_id).await.expect_error(404, "not_found");
    app.client().agent(&bot.access).await.expect(401);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    app.client().agent(&other.access).await.expect(200);
    let by = Actor::User(admin.user_id());
    assert_eq!(events(&app, &bot.id, Action::ApiKeyRevoked), [by], "G3");
});
