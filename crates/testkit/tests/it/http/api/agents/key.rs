use portcullis_audit::{Action, Actor};
use portcullis_kernel::Slice;
use portcullis_testkit::{
    app::{Bot, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{api::headers::BASIC, headers::BEARER};

/// Another key of the bot: its id and secret.
async fn another(app: &TestApp, bot: &Bot, body: &Value) -> Bot {
    let made = app.client().make_key(bot, body).await.expect(201);
    let (key_id, api_key) = (made.string("/key_id"), made.string("/api_key"));
    let issued = app.client().exchange(&bot.id, &api_key).await.expect(200);
    Bot { key_id, api_key, access: issued.string("/access_token"), ..bot.clone() }
}

async fn rotate(app: &TestApp, bot: &Bot, body: &Value) -> Reply {
    let request = app.client().post(&format!("{}/rotate", bot.key_path())).recovering(bot);
    request.json(body).await
}

fn challenges(reply: &Reply) -> String {
    let all = reply.headers.get_all("www-authenticate").map(|value| value.to_str().unwrap());
    all.collect::<Vec<_>>().join("|")
}

on_every_storage!(k6_the_recovery_key_revokes_any_key_and_its_tokens_at_once, |app| {
    let bot = app.bot("weather-bot").await;
    let second = another(&app, &bot, &json!({ "name": "second" })).await;
    let reply = app.client().delete(&second.key_path()).recovering(&bot).await.expect(200);
    assert_eq!(
        reply.json(),
        json!({
            "key_id": second.key_id, "message": "API key revoked.",
            "revoked_at": "2026-03-04T05:06:07Z",
        })
    );
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        instance.client().agent(&second.access).await.expect_error(401, "UNAUTHORIZED");
        instance.client().exchange(&bot.id, &second.api_key).await.expect(401);
        instance.client().agent(&bot.access).await.expect(200);
        let again = instance.client().delete(&second.key_path()).recovering(&bot).await;
        again.expect_error(404, "NOT_FOUND");
    }
    let slice = Slice::first(50);
    let events = app.read(|uow| uow.audit().list_for_agent(bot.agent_id(), &slice)).items;
    let ends: Vec<_> = events.iter().filter(|e| e.action == Action::ApiKeyRevoked).collect();
    assert_eq!(ends.len(), 1, "G3");
    assert_eq!(ends[0].actor, Actor::Agent(bot.agent_id()));
});

on_every_storage!(a_token_revokes_its_own_key_and_no_other, |app| {
    let bot = app.bot("weather-bot").await;
    let second = another(&app, &bot, &json!({ "name": "second" })).await;
    for path in
        [bot.key_path(), bot.path("/keys/x"), bot.path(&format!("/keys/aky_{}", "0".repeat(32)))]
    {
        let reply = app.client().delete(&path).bearer(&second.access).await;
        reply.expect_error(403, "FORBIDDEN");
    }
    app.client().agent(&bot.access).await.expect(200);
    app.client().delete(&second.key_path()).bearer(&second.access).await.expect(200);
    let again = app.client().delete(&second.key_path()).bearer(&second.access).await;
    let again = again.expect_error(401, "UNAUTHORIZED");
    assert_eq!(challenges(&again), format!("{BASIC}|{BEARER}, error=\"invalid_token\""), "W6");
    app.client().exchange(&bot.id, &second.api_key).await.expect(401);
    app.client().agent(&bot.access).await.expect(200);
});

#[actix_web::test]
async fn w6_who_sends_neither_is_told_of_both() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for request in [
        app.client().delete(&bot.key_path()),
        app.client().delete(&bot.key_path()).basic(&bot.id, "wrong"),
        app.client().delete(&bot.key_path()).basic(&bot.id, &bot.api_key),
    ] {
        let reply = request.await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(challenges(&reply), format!("{BASIC}|{BEARER}"));
    }
    for request in [
        app.client().delete(&bot.path("/keys/x")),
        app.client().delete(&bot.path(&format!("/keys/aky_{}", "0".repeat(32)))),
    ] {
        request.recovering(&bot).await.expect_error(404, "NOT_FOUND");
    }
    app.client().agent(&bot.access).await.expect(200);
}

on_every_storage!(the_key_of_another_agent_is_nobodys, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let theirs = bot.path(&format!("/keys/{}", other.key_id));
    app.client().delete(&theirs).recovering(&bot).await.expect_error(404, "NOT_FOUND");
    let rotate = app.client().post(&format!("{theirs}/rotate")).recovering(&bot).await;
    rotate.expect_error(404, "NOT_FOUND");
    app.client().delete(&theirs).bearer(&bot.access).await.expect_error(403, "FORBIDDEN");
    for request in [
        app.client().delete(&other.key_path()).recovering(&bot),
        app.client().delete(&other.key_path()).bearer(&bot.access),
        app.client().post(&format!("{}/rotate", other.key_path())).recovering(&bot),
    ] {
        request.await.expect_error(403, "FORBIDDEN");
    }
    app.client().agent(&other.access).await.expect(200);
    app.client().exchange(&other.id, &other.api_key).await.expect(200);
});

on_every_storage!(a_rotation_gives_a_key_with_the_same_rights, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({
        "name": "ci", "scopes": ["messages:read"], "expires_in_days": 10,
        "allowed_cidrs": ["10.0.0.0/8"], "rate_limit_per_minute": 50,
    });
    let old = another(&app, &bot, &body).await;
    app.clock().advance(Duration::minutes(10));
    let request = app.client().post(&format!("{}/rotate", old.key_path())).recovering(&bot);
    let reply = request.await.expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let (id, secret) = (reply.string("/key_id"), reply.string("/api_key"));
    assert_eq!(
        reply.json(),
        json!({
            "key_id": id, "name": "ci", "api_key": secret, "scopes": ["messages:read"],
            "created_at": "2026-03-04T05:16:07Z", "expires_at": "2026-03-14T05:16:07Z",
        })
    );
    assert!(id != old.key_id && secret != old.api_key);
    // Without an overlap the old one is dead at once, with its tokens.
    app.client().exchange(&bot.id, &old.api_key).await.expect(401);
    app.client().agent(&old.access).await.expect(401);
    app.client().exchange(&bot.id, &secret).await.expect(200);
    let listed = app.client().get(&bot.path("")).bearer(&bot.access).await.json();
    let keys = listed["keys"].as_array().unwrap();
    let new = keys.iter().find(|key| key["key_id"] == id).unwrap();
    assert_eq!(new["allowed_cidrs"], json!(["10.0.0.0/8"]));
    assert_eq!(new["rate_limit_per_minute"], 50);
});

on_every_storage!(an_overlap_lets_the_old_key_live_so_long, |app| {
    let bot = app.bot("weather-bot").await;
    let reply = rotate(&app, &bot, &json!({ "overlap_seconds": 600 })).await.expect(201);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    rotate(&app, &bot, &json!({})).await.expect_error(409, "CONFLICT");
    app.clock().advance(Duration::seconds(600));
    app.client().exchange(&bot.id, &bot.api_key).await.expect(401);
    app.client().agent(&bot.access).await.expect(401);
    app.client().exchange(&bot.id, &reply.string("/api_key")).await.expect(200);
    rotate(&app, &bot, &json!({})).await.expect_error(404, "NOT_FOUND");
});

on_every_storage!(o2_of_parallel_rotations_one_succeeds, |app| {
    let bot = app.bot("weather-bot").await;
    let path = format!("{}/rotate", bot.key_path());
    let requests = (0..6).map(|_| app.client().post(&path).recovering(&bot).into_future());
    let replies = all(requests.collect()).await;
    let won = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(won, 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 201 | 404 | 409)));
});

#[actix_web::test]
async fn an_overlap_that_is_none_is_refused() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for overlap in [json!(-1), json!(604_801), json!(1.5), json!("60"), json!([60]), json!(true)] {
        let reply = rotate(&app, &bot, &json!({ "overlap_seconds": overlap })).await;
        reply.expect_error(400, "INVALID_REQUEST");
    }
    for body in ["{", "[]", r#"{"overlap_seconds":1,"overlap_seconds":2}"#] {
        let request = app.client().post(&format!("{}/rotate", bot.key_path())).recovering(&bot);
        request.body("application/json", body).await.expect_error(400, "INVALID_REQUEST");
    }
    rotate(&app, &bot, &json!({ "overlap_seconds": 604_800 })).await.expect(201);
}
