//! `POST /oauth2/token`: what is granted.

use portcullis_credentials::ApiKey;
use portcullis_testkit::{
    app::{Bot, TestApp},
    on_every_storage,
};
use serde_json::json;

use super::callers::{SCOPES, TOKEN, ask, grant, granted, server};
use crate::http::jwt;

on_every_storage!(a_key_is_exchanged_for_a_token_that_works, |app| {
    let bot = app.bot("weather-bot").await;
    let reply = grant(&app.client(), &bot, &[]).await.expect(200);
    let token = reply.string("/access_token");
    assert_eq!(
        reply.json(),
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": SCOPES })
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    assert_eq!(reply.header("pragma"), Some("no-cache"));
    let (header, claims) = (jwt::header(&token), jwt::claims(&token));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let url = app.options().public_url;
    for (name, value) in [
        ("iss", url),
        ("aud", url),
        ("sub", bot.id.as_str()),
        ("client_id", bot.id.as_str()),
        ("key_id", bot.key_id.as_str()),
        ("scope", SCOPES),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600, "J12");
    let me = app.client().agent(&token).await.expect(200);
    assert_eq!(me.string("/agent_id"), bot.id);
});

#[actix_web::test]
async fn j8_two_tokens_of_one_second_differ_and_die_alone() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let first = granted(&app.client(), &bot, &[]).await;
    let second = granted(&app.client(), &bot, &[]).await;
    assert_ne!(jwt::claims(&first)["jti"], jwt::claims(&second)["jti"]);
    app.client().post("/api/auth/logout").bearer(&first).await.expect(200);
    app.client().agent(&first).await.expect(401);
    app.client().agent(&second).await.expect(200);
}

#[actix_web::test]
async fn k5_standard_clients_encode_id_and_secret_and_are_read() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let encoded = |text: &str| text.replace('_', "%5F");
    let lower = |text: &str| text.replace('_', "%5f");
    for spell in [encoded, lower] {
        let (id, key) = (spell(&bot.id), spell(&bot.api_key));
        let request = ask(&app.client(), TOKEN, &[("grant_type", "client_credentials")]);
        request.basic(&id, &key).await.expect(200);
        let request = ask(&app.client(), TOKEN, &[("grant_type", "client_credentials")]);
        request.basic(&id, &bot.api_key).await.expect(200);
    }
}

on_every_storage!(k8_scopes_are_narrowed_and_never_widened, |app| {
    let bot = app.bot("weather-bot").await;
    for (asked, given) in [
        ("messages:read", "messages:read"),
        ("presence:update messages:read", "presence:update messages:read"),
        ("messages:read messages:read", "messages:read"),
        (SCOPES, SCOPES),
        ("", SCOPES),
    ] {
        let reply = grant(&app.client(), &bot, &[("scope", asked)]).await.expect(200);
        assert_eq!(reply.string("/scope"), given, "{asked}");
        assert_eq!(jwt::claims(&reply.string("/access_token"))["scope"], given);
    }
    let narrow = json!({ "name": "narrow", "scopes": ["messages:read"] });
    let made = app.client().make_key(&bot, &narrow).await.expect(201);
    let narrow = Bot { api_key: made.string("/api_key"), ..bot.clone() };
    let reply = grant(&app.client(), &narrow, &[]).await.expect(200);
    assert_eq!(reply.string("/scope"), "messages:read");
    for asked in [
        "messages:write",
        "messages:read messages:write",
        "admin",
        "*",
        "messages:read  messages:read",
        " messages:read",
        "messages:read ",
        " ",
        "messages:read,messages:write",
        "messages:read\tx",
        "\"messages:read\"",
        "MESSAGES:READ",
        "messages:read\0",
        &"a ".repeat(5_000),
    ] {
        let request = grant(&app.client(), &narrow, &[("scope", asked)]);
        request.await.expect_error(400, "invalid_scope");
    }
});

on_every_storage!(j7_a_token_is_bound_to_the_resource_asked_for, |app| {
    let (bot, url) = (app.bot("weather-bot").await, app.options().public_url);
    let api = "https://api.example.com/v1?x=1";
    server(&app, "messages:read", Some(api), false);
    for (asked, audience) in [(api, api), (url, url), ("", url)] {
        let token = granted(&app.client(), &bot, &[("resource", asked)]).await;
        assert_eq!(jwt::claims(&token)["aud"], audience);
        let here = if audience == url { 200 } else { 401 };
        assert_eq!(app.client().agent(&token).await.status, here, "{asked}");
    }
    for foreign in [
        "https://api.example.com",
        "https://api.example.com/v1",
        "https://api.example.com/v1?x=1/",
        "https://evil.example",
        "/v1",
        "x",
        " ",
        "\0",
        "https://api.example.com/v1?x=1#a",
        "HTTPS://api.example.com/v1?x=1",
        &"https://a.example/".repeat(2_000),
    ] {
        let request = grant(&app.client(), &bot, &[("resource", foreign)]);
        request.await.expect_error(400, "invalid_target");
    }
    let several = [("resource", api), ("resource", url)];
    for fields in [several, [several[0]; 2]] {
        grant(&app.client(), &bot, &fields).await.expect_error(400, "invalid_target");
    }
});

#[actix_web::test]
async fn k7_no_parameter_chooses_whose_token_is_issued() {
    let app = TestApp::memory().await;
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let fields = [
        ("client_id", other.id.as_str()),
        ("client_secret", other.api_key.as_str()),
        ("agent_id", &other.id),
        ("sub", &other.id),
        ("key_id", &other.key_id),
    ];
    let claims = jwt::claims(&granted(&app.client(), &bot, &fields).await);
    assert_eq!((&claims["sub"], &claims["key_id"]), (&json!(bot.id), &json!(bot.key_id)));
}

on_every_storage!(an_exchange_is_a_use_of_the_key, |app| {
    let bot = app.bot("weather-bot").await;
    app.engine().flush_uses().unwrap();
    app.clock().advance(time::Duration::HOUR);
    grant(&app.client(), &bot, &[]).await.expect(200);
    app.engine().flush_uses().unwrap();
    let id = bot.key_id.parse().unwrap();
    let key: ApiKey = app.read(|uow| uow.api_keys().find(id)).unwrap();
    assert_eq!(key.last_used_at, Some(app.engine().now()));
});
