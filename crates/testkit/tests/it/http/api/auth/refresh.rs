use portcullis_testkit::{
    app::{Bot, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/api/auth/refresh";

async fn refresh(app: &TestApp, access: &str) -> Reply {
    app.client().post(PATH).bearer(access).json(&json!({})).await
}

async fn revoke(app: &TestApp, bot: &Bot) {
    app.client().delete(&bot.key_path()).recovering(bot).await.expect(200);
}

on_every_storage!(j12_the_old_token_is_dead_and_the_new_one_lives, |app| {
    let bot = app.bot("weather-bot").await;
    let scope = jwt::claims(&bot.access)["scope"].as_str().unwrap().to_owned();
    let reply = refresh(&app, &bot.access).await.expect(200);
    let next = reply.string("/access_token");
    assert_eq!(
        reply.json(),
        json!({ "access_token": next, "token_type": "Bearer", "expires_in": 3600, "scope": scope })
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (30, 29));
    let (old, new) = (jwt::claims(&bot.access), jwt::claims(&next));
    for name in ["sub", "scope", "key_id", "iss", "aud", "client_id"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert_ne!(old["jti"], new["jti"]);

    refresh(&app, &bot.access).await.expect_error(401, "UNAUTHORIZED");
    app.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
    let logout = app.client().post("/api/auth/logout").bearer(&bot.access).await;
    let challenge = logout.expect_error(401, "UNAUTHORIZED");
    assert!(challenge.header("www-authenticate").unwrap().ends_with(r#", error="invalid_token""#));
    // J13: at once, on every instance.
    let peer = app.peer().await;
    peer.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
    peer.client().agent(&next).await.expect(200);
    refresh(&app, &next).await.expect(200);
});

on_every_storage!(r2_of_parallel_refreshes_over_two_instances_one_succeeds, |app| {
    let bot = app.bot("weather-bot").await;
    let peer = app.peer().await;
    let uses = (0..20).map(|n| {
        let instance = if n % 2 == 0 { &app } else { &peer };
        instance.client().post(PATH).bearer(&bot.access).into_future()
    });
    let replies = all(uses.collect()).await;
    let winners: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(winners.len(), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 401)));
    for loser in replies.iter().filter(|reply| reply.status == 401) {
        let challenge = loser.header("www-authenticate").unwrap();
        assert!(challenge.ends_with(r#", error="invalid_token""#), "{challenge}");
    }
    refresh(&peer, &winners[0].string("/access_token")).await.expect(200);
});

on_every_storage!(r8_a_refresh_that_races_a_logout_leaves_one_of_both, |app| {
    let bot = app.bot("weather-bot").await;
    for _ in 0..5 {
        let access = app.client().exchange(&bot.id, &bot.api_key).await.string("/access_token");
        let both = vec![
            app.client().post(PATH).bearer(&access).into_future(),
            app.client().post("/api/auth/logout").bearer(&access).into_future(),
        ];
        let mut statuses: Vec<u16> = all(both).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
        app.client().agent(&access).await.expect_error(401, "UNAUTHORIZED");
    }
});

on_every_storage!(k6_with_its_key_a_token_is_dead_at_once, |app| {
    let bot = app.bot("weather-bot").await;
    let peer = app.peer().await;
    let next = refresh(&app, &bot.access).await.string("/access_token");
    revoke(&app, &bot).await;
    for instance in [&app, &peer] {
        refresh(instance, &next).await.expect_error(401, "UNAUTHORIZED");
        instance.client().agent(&next).await.expect_error(401, "UNAUTHORIZED");
    }
    let exchange = app.client().exchange(&bot.id, &bot.api_key).await;
    exchange.expect_error(401, "UNAUTHORIZED");
});

on_every_storage!(a_token_dies_with_the_life_of_its_key, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({ "name": "short", "expires_in_days": 1 });
    let made = app.client().make_key(&bot, &body).await.expect(201);
    app.clock().advance(Duration::DAY - Duration::minutes(30));
    let issued = app.client().exchange(&bot.id, &made.string("/api_key")).await.expect(200);
    let access = issued.string("/access_token");
    app.clock().advance(Duration::minutes(30));
    refresh(&app, &access).await.expect_error(401, "UNAUTHORIZED");
    app.client().agent(&access).await.expect_error(401, "UNAUTHORIZED");
});

on_every_storage!(j6_a_token_dies_after_an_hour, |app| {
    let bot = app.bot("weather-bot").await;
    app.clock().advance(Duration::HOUR - Duration::SECOND);
    app.client().agent(&bot.access).await.expect(200);
    app.clock().advance(Duration::seconds(7));
    app.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
    refresh(&app, &bot.access).await.expect_error(401, "UNAUTHORIZED");
});

#[actix_web::test]
async fn a_body_that_is_none_spends_no_token() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for body in ["{", "[]", "null", r#"{"a":1,"a":2}"#, "\"x\""] {
        let request = app.client().post(PATH).bearer(&bot.access);
        request.body("application/json", body).await.expect_error(400, "INVALID_REQUEST");
    }
    // K8: nothing in it asks for more.
    let body = json!({ "scope": "admin", "expires_in": 999_999, "agent_id": "x" });
    let reply = app.client().post(PATH).bearer(&bot.access).json(&body).await.expect(200);
    assert_eq!(reply.json()["scope"], jwt::claims(&bot.access)["scope"]);
}

on_every_storage!(l11_thirty_a_minute_for_one_agent_wherever_it_is, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let mut access = bot.access.clone();
    for left in (0..30).rev() {
        let reply = refresh(&app, &access).await.expect(200);
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (30, left));
        access = reply.string("/access_token");
    }
    let over = refresh(&app, &access).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limit_headers(&over).0, 30);
    // The token was not spent by it.
    app.client().agent(&access).await.expect(200);
    refresh(&app, &other.access).await.expect(200);
    app.clock().advance(Duration::seconds(70));
    refresh(&app, &access).await.expect(200);
});
