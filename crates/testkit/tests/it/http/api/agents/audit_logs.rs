use portcullis_audit::Actor;
use portcullis_identity::AgentStatus;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Bot, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

async fn logs(app: &TestApp, bot: &Bot, query: &str) -> Value {
    let path = bot.path(&format!("/audit-logs{query}"));
    app.client().get(&path).bearer(&bot.access).await.expect(200).json()
}

on_every_storage!(g3_an_agent_sees_what_it_did_and_what_was_done_to_it, |app| {
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    app.clock().advance(Duration::minutes(1));
    let home = app.client_at([203, 0, 113, 7]);
    let made = home.make_key(&bot, &json!({ "name": "x" })).await.expect(201);
    let reply = app.client().get(&bot.path("/audit-logs")).bearer(&bot.access).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (100, 99));
    let body = reply.json();
    assert_eq!((&body["next_cursor"], &body["has_more"]), (&Value::Null, &json!(false)));
    let events = body["logs"].as_array().unwrap();
    let newest = &events[0];
    let id = newest["event_id"].as_str().unwrap();
    assert!(id.starts_with("evn_") && id.len() == 36, "{id}");
    assert_eq!(
        newest,
        &json!({
            "event_id": id, "event": "api_key.created", "created_at": "2026-03-04T05:07:07Z",
            "ip": "203.0.113.7", "request_id": made.header("x-request-id"),
            "key_id": made.string("/key_id"), "details": { "outcome": "success", "actor": "agent" },
        })
    );
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    for name in ["agent.registered", "agent.email_verified", "api_key.created"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
});

on_every_storage!(where_others_are_is_not_told, |app| {
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let stranger = app.client_at([198, 51, 100, 9]);
    stranger.ask_recovery("bot@example.com").await.expect(200);
    app.mails();
    let revoked = app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
    let path = bot.path(&format!("/keys/{}", revoked.string("/key_id")));
    app.client().delete(&path).recovering(&bot).await.expect(200);
    stranger.exchange(&bot.id, &revoked.string("/api_key")).await.expect(401);
    let (operator, local) = (Actor::Operator, Origin::local());
    for status in [AgentStatus::Suspended, AgentStatus::Active] {
        app.engine().set_agent_status(bot.agent_id(), status, operator, &local).unwrap();
    }
    app.engine().flush_uses().unwrap();
    let body = logs(&app, &bot, "").await;
    assert!(!body.to_string().contains("198.51.100.9"), "{body}");
    let events = body["logs"].as_array().unwrap();
    let of = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    assert_eq!(of("agent.recovery_asked")["details"]["actor"], "anonymous");
    assert_eq!(of("agent.recovery_asked")["ip"], Value::Null);
    let refused = of("agent.credential_refused");
    assert_eq!(
        refused["details"],
        json!({ "outcome": "failure", "actor": "anonymous", "detail": "dead_key" })
    );
    assert_eq!(refused["key_id"], revoked.string("/key_id"));
    let suspended = of("agent.suspended");
    assert_eq!((&suspended["ip"], &suspended["request_id"]), (&Value::Null, &Value::Null));
    assert_eq!(suspended["details"]["actor"], "operator");
    for event in events {
        let own = event["details"]["actor"] == "agent";
        assert_eq!(event["ip"].is_string(), own, "{event}");
    }
});

on_every_storage!(only_its_own_events_are_an_agents_and_they_are_read_in_parts, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    for n in 0..5 {
        app.clock().advance(Duration::minutes(n % 2));
        app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
        app.client().make_key(&other, &json!({ "name": "x" })).await.expect(201);
    }
    let whole = logs(&app, &bot, "").await["logs"].as_array().unwrap().clone();
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let body = logs(&app, &bot, &query).await;
        seen.extend(body["logs"].as_array().unwrap().clone());
        assert_eq!(body["has_more"], !body["next_cursor"].is_null());
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, whole);
    let theirs = logs(&app, &other, "").await["logs"].as_array().unwrap().clone();
    assert!(!theirs.is_empty() && theirs.iter().all(|event| !whole.contains(event)));
});
