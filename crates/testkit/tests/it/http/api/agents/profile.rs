use portcullis_audit::Actor;
use portcullis_identity::AgentStatus;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Bot, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

async fn put(app: &TestApp, bot: &Bot, body: &Value) -> Reply {
    app.client().put(&bot.path("/profile")).bearer(&bot.access).json(body).await
}

async fn show(app: &TestApp, bot: &Bot) -> Reply {
    app.client().get(&bot.path("/profile")).await
}

on_every_storage!(a_profile_is_private_until_its_agent_shows_it, |app| {
    let bot = app.bot("weather-bot").await;
    let nobody = app.client().get(&format!("/api/agents/agt_{}/profile", "0".repeat(32))).await;
    let nobody = nobody.expect_error(404, "NOT_FOUND");
    let private = show(&app, &bot).await.expect_error(404, "NOT_FOUND");
    assert_eq!(private.text(), nobody.text());
    let body = json!({
        "display_name": " Weather ", "description": "Tells the weather.",
        "tags": ["weather", " forecast ", "weather"], "visibility": "public",
    });
    let profile = json!({
        "agent_id": bot.id, "agent_name": "weather-bot", "display_name": "Weather",
        "description": "Tells the weather.", "tags": ["weather", "forecast"], "visibility": "public",
    });
    let reply = put(&app, &bot, &body).await.expect(200);
    assert_eq!(reply.json(), profile);
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (100, 99));
    let shown = show(&app, &bot).await.expect(200);
    assert_eq!(shown.json(), profile);
    assert_eq!((limit_headers(&shown).0, shown.remaining()), (60, 59));
    assert_eq!(app.client().agent(&bot.access).await.json()["profile"], profile);
    put(&app, &bot, &json!({ "visibility": "private" })).await.expect(200);
    show(&app, &bot).await.expect_error(404, "NOT_FOUND");
});

on_every_storage!(what_is_left_out_stays_and_null_clears, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({
        "display_name": "A", "description": "B", "tags": ["c"], "visibility": "public",
    });
    put(&app, &bot, &body).await.expect(200);
    let before = put(&app, &bot, &json!({})).await.expect(200).json();
    let mut wanted = before.clone();
    for (name, cleared) in
        [("display_name", Value::Null), ("description", Value::Null), ("tags", json!([]))]
    {
        wanted[name] = cleared;
        let after = put(&app, &bot, &json!({ name: null })).await.expect(200).json();
        assert_eq!(after, wanted, "{name}");
    }
    let after = put(&app, &bot, &json!({ "visibility": null })).await.expect(200).json();
    assert_eq!(after["visibility"], "private");
    let after = put(&app, &bot, &json!({ "description": "  ", "tags": [] })).await.expect(200);
    assert_eq!(after.json()["description"], Value::Null);
});

#[actix_web::test]
async fn every_rule_of_a_profile_is_kept() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    for broken in [
        json!({ "display_name": "" }),
        json!({ "display_name": "x".repeat(81) }),
        json!({ "display_name": "a\u{202e}b" }),
        json!({ "display_name": 5 }),
        json!({ "display_name": ["x"] }),
        json!({ "description": "x".repeat(501) }),
        json!({ "description": "a\0" }),
        json!({ "description": {} }),
        json!({ "tags": many }),
        json!({ "tags": ["x".repeat(33)] }),
        json!({ "tags": [""] }),
        json!({ "tags": "x" }),
        json!({ "tags": [5] }),
        json!({ "visibility": "Public" }),
        json!({ "visibility": "" }),
        json!({ "visibility": true }),
        json!({ "visibility": "friends" }),
    ] {
        put(&app, &bot, &broken).await.expect_error(400, "INVALID_REQUEST");
    }
    for body in ["", "{", "[]", r#"{"tags":["a"],"tags":["b"]}"#, r#"{"x":1,"x":2}"#] {
        let request = app.client().put(&bot.path("/profile")).bearer(&bot.access);
        request.body("application/json", body).await.expect_error(400, "INVALID_REQUEST");
    }
    // I6: nothing else can be set by it.
    let body =
        json!({ "agent_name": "other", "email_verified": true, "owner": "x", "role": "admin" });
    let profile = put(&app, &bot, &body).await.expect(200).json();
    assert_eq!(profile["agent_name"], "weather-bot");
    let fits = json!({
        "display_name": "é".repeat(80), "description": "🦀".repeat(500), "tags": many[..10],
    });
    put(&app, &bot, &fits).await.expect(200);
}

on_every_storage!(a_suspended_agent_shows_nothing, |app| {
    let bot = app.bot("weather-bot").await;
    put(&app, &bot, &json!({ "visibility": "public" })).await.expect(200);
    let (operator, local) = (Actor::Operator, Origin::local());
    let id = bot.agent_id();
    let set = |status| app.engine().set_agent_status(id, status, operator, &local).unwrap();
    set(AgentStatus::Suspended);
    show(&app, &bot).await.expect_error(404, "NOT_FOUND");
    let listed = app.client().get("/api/agents").await.expect(200).json();
    assert_eq!(listed["agents"], json!([]));
    set(AgentStatus::Active);
    show(&app, &bot).await.expect(200);
});

#[actix_web::test]
async fn i13_an_id_that_is_none_is_no_profile() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    put(&app, &bot, &json!({ "visibility": "public" })).await.expect(200);
    for id in ["x", "me", "agt_", &bot.id.to_uppercase(), &bot.id[..35], "%00", "..%2f", "*"] {
        let reply = app.client().get(&format!("/api/agents/{id}/profile")).await;
        reply.expect_error(404, "NOT_FOUND");
    }
}

on_every_storage!(the_directory_lists_public_profiles_only_and_never_an_address, |app| {
    let mut shown = Vec::new();
    for n in 0..5 {
        app.clock().advance(Duration::hours(2));
        let name = format!("bot-{n}");
        let bot = app.proven_bot(&name, &format!("p{n}@example.com")).await;
        if n == 2 {
            continue;
        }
        let tags = if n % 2 == 0 { json!(["Even"]) } else { json!([]) };
        let body =
            json!({ "visibility": "public", "description": format!("Number {n}"), "tags": tags });
        shown.push(put(&app, &bot, &body).await.expect(200).json());
    }
    shown.reverse();
    let reply = app.client().get("/api/agents").await.expect(200);
    assert_eq!(reply.json(), json!({ "agents": shown, "next_cursor": null, "has_more": false }));
    assert!(!reply.text().contains('@') && !reply.text().contains("email"));
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (60, 59));

    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let body = app.client().get(&format!("/api/agents?{query}")).await.expect(200).json();
        seen.extend(body["agents"].as_array().unwrap().clone());
        assert_eq!(body["has_more"], !body["next_cursor"].is_null());
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(seen, shown);

    let found = async |q: &str| {
        let body = app.client().get(&format!("/api/agents?q={q}")).await.expect(200).json();
        let names = body["agents"].as_array().unwrap().clone();
        names.iter().map(|a| a["agent_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("BOT-1").await, ["bot-1"]);
    assert_eq!(found("even").await, ["bot-4", "bot-0"]);
    assert_eq!(found("number+3").await, ["bot-3"]);
    assert_eq!(found("").await.len(), 4);
    for none in ["bot-2", "%25", "_", "p1%40example.com", "' OR '1'='1"] {
        let encoded: String = form_urlencoded::byte_serialize(none.as_bytes()).collect();
        let q = if none.contains('%') { none } else { &encoded };
        assert_eq!(found(q).await, Vec::<String>::new(), "I8 {none}");
    }
    let long = "x".repeat(101);
    let reply = app.client().get(&format!("/api/agents?q={long}")).await;
    reply.expect_error(400, "INVALID_REQUEST");
    app.client().get("/api/agents?q=a&q=b").await.expect_error(400, "INVALID_REQUEST");
});
