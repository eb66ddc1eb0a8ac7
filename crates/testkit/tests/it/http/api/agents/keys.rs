use portcullis_testkit::{
    app::{AppOptions, Bot, Client, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

const SCOPES: [&str; 4] =
    ["messages:read", "messages:write", "conversations:read", "presence:update"];

async fn list(client: &Client<'_>, bot: &Bot, query: &str) -> Reply {
    client.get(&bot.path(query)).bearer(&bot.access).await
}

on_every_storage!(k1_k3_a_key_is_made_shown_once_and_listed_without_its_secret, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({
        "name": " ci ", "scopes": ["messages:write", "messages:read"], "expires_in_days": 30,
        "allowed_cidrs": ["192.0.2.7/24", "2001:db8::1"], "rate_limit_per_minute": 5,
    });
    let made = app.client().make_key(&bot, &body).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"), "W1");
    let (id, secret) = (made.string("/key_id"), made.string("/api_key"));
    let created_at = "2026-03-04T05:06:07Z";
    assert_eq!(
        made.json(),
        json!({
            "key_id": id, "name": "ci", "api_key": secret,
            "scopes": ["messages:write", "messages:read"], "created_at": created_at,
            "expires_at": "2026-04-03T05:06:07Z",
        })
    );
    assert!(id.starts_with("aky_") && id.len() == 36, "K1");
    assert!(secret.starts_with("sk_") && secret.len() == 3 + 43 + 6, "K2");

    let listed = list(&app.client(), &bot, "").await.expect(200);
    assert!(!listed.text().contains(&secret) && !listed.text().contains(&bot.api_key), "K3");
    let body = listed.json();
    assert_eq!((&body["next_cursor"], &body["has_more"]), (&Value::Null, &json!(false)));
    let keys = body["keys"].as_array().unwrap();
    let of = |id: &str| keys.iter().find(|key| key["key_id"] == id).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(
        of(&id),
        &json!({
            "key_id": id, "name": "ci", "prefix": secret[..7],
            "scopes": ["messages:write", "messages:read"], "created_at": created_at,
            "expires_at": "2026-04-03T05:06:07Z", "last_used_at": null, "revoked_at": null,
            "allowed_cidrs": ["192.0.2.0/24", "2001:db8::1/128"], "rate_limit_per_minute": 5,
        })
    );
    app.engine().flush_uses().unwrap();
    let listed = list(&app.client(), &bot, "").await.json();
    let first = listed["keys"].as_array().unwrap().iter().find(|k| k["key_id"] == bot.key_id);
    assert_eq!(
        first.unwrap(),
        &json!({
            "key_id": bot.key_id, "name": "first", "prefix": bot.api_key[..7], "scopes": SCOPES,
            "created_at": created_at, "expires_at": null, "last_used_at": created_at,
            "revoked_at": null,
        })
    );
});

on_every_storage!(a_list_is_read_in_parts_newest_first, |app| {
    let bot = app.bot("weather-bot").await;
    let mut made = vec![bot.key_id.clone()];
    for n in 0..4 {
        // Two at one time.
        app.clock().advance(Duration::minutes(n % 2));
        let key = app.client().make_key(&bot, &json!({ "name": format!("{n}") })).await;
        made.push(key.expect(201).string("/key_id"));
    }
    app.client()
        .delete(&bot.path(&format!("/keys/{}", made[1])))
        .recovering(&bot)
        .await
        .expect(200);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = list(&app.client(), &bot, &format!("?limit=2{cursor}")).await.expect(200);
        let body = reply.json();
        let keys = body["keys"].as_array().unwrap();
        assert!(keys.len() <= 2);
        seen.extend(keys.iter().map(|key| key["key_id"].as_str().unwrap().to_owned()));
        assert_eq!(body["has_more"], !body["next_cursor"].is_null());
        let Some(next) = body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let whole = list(&app.client(), &bot, "").await.json();
    let ids: Vec<_> =
        whole["keys"].as_array().unwrap().iter().map(|k| k["key_id"].clone()).collect();
    assert_eq!(ids, seen);
    let times: Vec<_> =
        whole["keys"].as_array().unwrap().iter().map(|k| k["created_at"].to_string()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let revoked =
        whole["keys"].as_array().unwrap().iter().find(|k| k["key_id"] == made[1]).unwrap();
    assert!(revoked["revoked_at"].is_string());
    made.sort_unstable();
    seen.sort_unstable();
    assert_eq!(made, seen);
});

#[actix_web::test]
async fn i17_a_part_that_is_none_is_refused() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=-1",
        "?limit=4294967296",
        "?limit=",
        "?limit=x",
        "?limit=1.5",
        "?limit=1&limit=2",
        "?cursor=x",
        "?cursor=",
        "?cursor=%ff",
        "?cursor=MS5hZ3RfMA",
    ] {
        for path in ["", "/audit-logs"] {
            let reply = list(&app.client(), &bot, &format!("{path}{query}")).await;
            reply.expect_error(400, "INVALID_REQUEST");
        }
        let reply = app.client().get(&format!("/api/agents{query}")).await;
        reply.expect_error(400, "INVALID_REQUEST");
    }
    for query in ["?limit=1", "?limit=200", "?x=1&x=2"] {
        list(&app.client(), &bot, query).await.expect(200);
    }
    // A cursor of another list leads nowhere.
    app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
    let cursor = list(&app.client(), &bot, "?limit=1").await.string("/next_cursor");
    let reply = list(&app.client(), &bot, &format!("/audit-logs?cursor={cursor}")).await;
    reply.expect_error(400, "INVALID_REQUEST");
}

#[actix_web::test]
async fn k8_every_rule_of_a_key_is_kept() {
    let mut options = AppOptions::default();
    options.engine.limits.enabled = false;
    let app = TestApp::memory_with(options).await;
    let bot = app.bot("weather-bot").await;
    let made = async |more: Value| {
        let mut body = json!({ "name": "x" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.client().make_key(&bot, &body).await
    };
    for good in [
        json!({}),
        json!({ "name": "é".repeat(100) }),
        json!({ "scopes": null, "expires_in_days": null, "allowed_cidrs": null }),
        json!({ "scopes": ["messages:read", "messages:read"] }),
        json!({ "expires_in_days": 1 }),
        json!({ "expires_in_days": 3650 }),
        json!({ "rate_limit_per_minute": 1 }),
        json!({ "allowed_cidrs": ["0.0.0.0/0", "::/0"] }),
    ] {
        made(good).await.expect(201);
    }
    for name in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
        made(json!({ "name": name })).await.expect_error(400, "INVALID_KEY_NAME");
    }
    for broken in [
        json!({ "name": null }),
        json!({ "name": 5 }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["admin"] }),
        json!({ "scopes": ["messages:read", "admin"] }),
        json!({ "scopes": ["messages:read messages:write"] }),
        json!({ "scopes": [""] }),
        json!({ "scopes": "messages:read" }),
        json!({ "scopes": [5] }),
        json!({ "expires_in_days": 0 }),
        json!({ "expires_in_days": 3651 }),
        json!({ "expires_in_days": -1 }),
        json!({ "expires_in_days": 1.5 }),
        json!({ "expires_in_days": "1" }),
        json!({ "expires_in_days": 5_368_709_120_i64 }),
        json!({ "allowed_cidrs": [] }),
        json!({ "allowed_cidrs": "10.0.0.0/8" }),
        json!({ "allowed_cidrs": ["10.0.0.0/33"] }),
        json!({ "allowed_cidrs": ["example.com"] }),
        json!({ "allowed_cidrs": vec!["10.0.0.0/8"; 21] }),
        json!({ "rate_limit_per_minute": 0 }),
        json!({ "rate_limit_per_minute": 1_000_001 }),
        json!({ "rate_limit_per_minute": "5" }),
    ] {
        made(broken).await.expect_error(400, "INVALID_REQUEST");
    }
    let mut body = json!({ "scopes": ["messages:read"] });
    app.client().make_key(&bot, &body).await.expect_error(400, "INVALID_REQUEST");
    body["name"] = json!("");
    body["scopes"] = json!([]);
    let reply = app.client().make_key(&bot, &body).await.expect_error(400, "INVALID_KEY_NAME");
    assert!(reply.text().contains("name ") && reply.text().contains("scopes "));
}

on_every_storage!(k7_the_body_never_chooses_whose_key_is_made, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let body = json!({
        "name": "x", "agent_id": other.id, "user_id": other.id, "owner": other.id,
        "key_id": other.key_id, "api_key": "sk_mine", "created_at": "2000-01-01T00:00:00Z",
    });
    let made = app.client().make_key(&bot, &body).await.expect(201);
    assert_ne!(made.string("/key_id"), other.key_id);
    app.client().exchange(&bot.id, &made.string("/api_key")).await.expect(200);
    let theirs = list(&app.client(), &other, "").await.json();
    assert_eq!(theirs["keys"].as_array().map(Vec::len), Some(1));
});

on_every_storage!(an_agent_has_at_most_so_many_live_keys, |app| {
    let mut options = AppOptions::default();
    options.engine.agents.most_keys = 3;
    let app = TestApp::with(app.stored().another_instance(), options).await;
    let bot = app.bot("weather-bot").await;
    let body = json!({ "name": "x" });
    // Parallel ones do not outrun the count.
    let requests =
        (0..5).map(|_| app.client().post(&bot.path("")).recovering(&bot).json(&body).into_future());
    let mut statuses: Vec<u16> = all(requests.collect()).await.iter().map(|r| r.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 409, 409, 409]);
    app.client().make_key(&bot, &body).await.expect_error(409, "CONFLICT");
    app.client().delete(&bot.key_path()).recovering(&bot).await.expect(200);
    app.client().make_key(&bot, &body).await.expect(201);
});

on_every_storage!(l11_twenty_keys_an_hour_made_or_rotated, |app| {
    let bot = app.bot("weather-bot").await;
    // The first was made with the bot.
    for left in (0..19).rev() {
        let reply = app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (20, left));
    }
    let over = app.client().make_key(&bot, &json!({ "name": "x" })).await;
    assert_eq!(limit_headers(&over.expect_error(429, "RATE_LIMIT_EXCEEDED")).0, 20);
    let rotate = app.client().post(&format!("{}/rotate", bot.key_path())).recovering(&bot).await;
    rotate.expect_error(429, "RATE_LIMIT_EXCEEDED");
    // What takes rights away is not held up.
    app.client().delete(&bot.key_path()).recovering(&bot).await.expect(200);
    app.clock().advance(Duration::HOUR);
    app.client().make_key(&bot, &json!({ "name": "x" })).await.expect(201);
});

#[actix_web::test]
async fn an_id_that_is_none_is_told_to_who_has_a_good_key() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let unknown = format!("/api/agents/agt_{}", "0".repeat(32));
    let body = json!({ "name": "x" });
    for bad in ["x", "agt_", "AGT_0", "agt_%00", &bot.id.to_uppercase(), &bot.id[..35], "%3Cb%3E"] {
        let path = format!("/api/agents/{bad}");
        let reply = app.client().post(&path).recovering(&bot).json(&body).await;
        reply.expect_error(400, "INVALID_AGENT_ID");
        let reply = app.client().post(&path).basic(&bot.id, "wrong").json(&body).await;
        reply.expect_error(401, "UNAUTHORIZED");
    }
    let reply = app.client().post(&unknown).recovering(&bot).json(&body).await;
    reply.expect_error(403, "FORBIDDEN");
}
