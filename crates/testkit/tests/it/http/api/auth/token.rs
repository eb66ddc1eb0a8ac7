use portcullis_audit::Actor;
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Origin, Slice};
use portcullis_testkit::{
    app::{Bot, Client, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{jwt, routes::limit_headers};

const PATH: &str = "/api/auth/token";
const SCOPE: &str = "messages:read messages:write conversations:read presence:update";

/// A key of the bot with more than a name.
async fn key(app: &TestApp, bot: &Bot, more: &Value) -> Reply {
    let mut body = json!({ "name": "another" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.client().make_key(bot, &body).await.expect(201)
}

on_every_storage!(the_documented_exchange, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({ "grant_type": "client_credentials" });
    let request = app.client().post(PATH).basic(&bot.id, &bot.api_key);
    let reply = request.json(&body).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (60, 59));
    let access = reply.string("/access_token");
    assert_eq!(
        reply.json(),
        json!({
            "access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": SCOPE,
            "key_id": bot.key_id,
        })
    );
    let (header, claims) = (jwt::header(&access), jwt::claims(&access));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("at+jwt")));
    let now = app.clock().advance(Duration::ZERO).unix_timestamp();
    assert_eq!(
        claims,
        json!({
            "iss": "http://127.0.0.1:8080", "aud": "http://127.0.0.1:8080", "sub": bot.id,
            "client_id": bot.id, "scope": SCOPE, "key_id": bot.key_id, "iat": now,
            "exp": now + 3600, "jti": claims["jti"],
        })
    );
    assert_eq!(claims["jti"].as_str().map(str::len), Some(26));
    app.client().agent(&access).await.expect(200);
    app.engine().flush_uses().unwrap();
    let slice = Slice::first(10);
    let keys = app.read(|uow| uow.api_keys().list(bot.agent_id(), &slice)).items;
    assert_eq!(keys[0].last_used_at, Some(app.clock().advance(Duration::ZERO)));
});

#[actix_web::test]
async fn j8_two_tokens_of_one_second_differ() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let other = app.client().exchange(&bot.id, &bot.api_key).await.string("/access_token");
    assert_ne!(jwt::claims(&bot.access)["jti"], jwt::claims(&other)["jti"]);
    app.client().post("/api/auth/logout").bearer(&bot.access).await.expect(200);
    app.client().agent(&other).await.expect(200);
}

on_every_storage!(json_a_form_and_nothing_are_taken_and_any_grant_type, |app| {
    let bot = app.bot("weather-bot").await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    for (media_type, body) in [
        (json, ""),
        (json, "{}"),
        (json, r#"{"grant_type":null}"#),
        (json, r#"{"grant_type":"client_credentials"}"#),
        (json, r#"{"grant_type":"something_else","scope":"admin","x":[1]}"#),
        (json, r#"{"grant_type":""}"#),
        (form, ""),
        (form, "grant_type=client_credentials"),
        (form, "grant_type=password&scope=admin&username=x"),
        (form, "x=1&x=2"),
    ] {
        let request = app.client().post(PATH).basic(&bot.id, &bot.api_key);
        let reply = request.body(media_type, body).await.expect(200);
        assert_eq!(reply.string("/scope"), SCOPE, "K8 {body}");
    }
    app.client().post(PATH).basic(&bot.id, &bot.api_key).await.expect(200);
    for (media_type, body) in [
        (json, "{"),
        (json, "[]"),
        (json, "null"),
        (json, r#"{"grant_type":5}"#),
        (json, r#"{"grant_type":["client_credentials"]}"#),
        (json, r#"{"grant_type":"a","grant_type":"b"}"#),
        (json, r#"{"x":1,"x":2}"#),
        (form, "grant_type=a&grant_type=b"),
        (form, "grant_type=%ff"),
    ] {
        let request = app.client().post(PATH).basic(&bot.id, &bot.api_key);
        request.body(media_type, body).await.expect_error(400, "INVALID_REQUEST");
        // Only who may have a token is told what is wrong.
        let request = app.client().post(PATH).basic(&bot.id, "wrong");
        request.body(media_type, body).await.expect_error(401, "UNAUTHORIZED");
    }
});

#[actix_web::test]
async fn k5_id_and_secret_are_taken_form_encoded_and_as_they_are() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for encoded in ["%5F", "%5f"] {
        let (id, key) = (bot.id.replace('_', encoded), bot.api_key.replace('_', encoded));
        for (id, key) in [(&id, &key), (&id, &bot.api_key), (&bot.id, &key)] {
            app.client().exchange(id, key).await.expect(200);
        }
    }
    let twice = bot.id.replace('_', "%255F");
    app.client().exchange(&twice, &bot.api_key).await.expect_error(401, "UNAUTHORIZED");
}

on_every_storage!(e4_k4_every_credential_that_is_not_right_is_the_same_401, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let revoked = key(&app, &bot, &json!({})).await;
    let path = bot.path(&format!("/keys/{}", revoked.string("/key_id")));
    app.client().delete(&path).recovering(&bot).await.expect(200);
    let expired = key(&app, &bot, &json!({ "expires_in_days": 1 })).await;
    app.clock().advance(Duration::DAY);
    let unknown = format!("agt_{}", "0".repeat(32));
    let mut mistyped = bot.api_key.clone();
    mistyped.replace_range(8..9, if &mistyped[8..9] == "x" { "y" } else { "x" });
    let long = "x".repeat(5000);
    let mut seen = Vec::new();
    for (id, secret) in [
        (&unknown, &bot.api_key),
        (&bot.id, &other.api_key),
        (&bot.id, &mistyped),
        (&bot.id, &bot.recovery_key),
        (&bot.id, &revoked.string("/api_key")),
        (&bot.id, &expired.string("/api_key")),
        (&bot.id, &bot.access),
        (&bot.id.to_uppercase(), &bot.api_key),
        (&format!(" {}", bot.id), &bot.api_key),
        (&bot.id, &format!("{} ", bot.api_key)),
        (&bot.id, &long),
        (&String::new(), &String::new()),
    ] {
        let reply = app.client().exchange(id, secret).await.expect_error(401, "UNAUTHORIZED");
        seen.push((reply.text().to_owned(), reply.header_names(), reply.remaining()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
});

#[actix_web::test]
async fn a_header_that_is_no_basic_credential_is_none() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let good = {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.encode(format!("{}:{}", bot.id, bot.api_key))
    };
    for header in [
        "",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic YQ==",
        "Bearer x",
        &format!("Bearer {}", bot.api_key),
        &format!("Basic {} {}", bot.id, bot.api_key),
        &format!("Basic {good}x"),
        &format!("Digest {good}"),
        &good,
    ] {
        let reply = app.client().post(PATH).header("authorization", header).await;
        let reply = reply.expect_error(401, "UNAUTHORIZED");
        let challenge = r#"Basic realm="agents", charset="UTF-8""#;
        assert_eq!(reply.header("www-authenticate"), Some(challenge), "W6 {header}");
    }
    let twice = app.client().post(PATH).basic(&bot.id, &bot.api_key).basic(&bot.id, &bot.api_key);
    twice.await.expect_error(401, "UNAUTHORIZED");
    let request = app.client().post(PATH).header("authorization", format!("bAsIc  {good} "));
    request.await.expect(200);
}

on_every_storage!(a_suspended_agent_is_told_only_with_a_right_key, |app| {
    let bot = app.bot("weather-bot").await;
    let (operator, local) = (Actor::Operator, Origin::local());
    let set =
        |status| app.engine().set_agent_status(bot.agent_id(), status, operator, &local).unwrap();
    set(AgentStatus::Suspended);
    let reply = app.client().exchange(&bot.id, &bot.api_key).await;
    reply.expect_error(403, "FORBIDDEN");
    app.client().exchange(&bot.id, "wrong").await.expect_error(401, "UNAUTHORIZED");
    app.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
    let key = app.client().make_key(&bot, &json!({ "name": "x" })).await;
    key.expect_error(403, "FORBIDDEN");
    set(AgentStatus::Active);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
});

on_every_storage!(a_key_works_only_in_its_networks, |app| {
    let bot = app.bot("weather-bot").await;
    let made = key(&app, &bot, &json!({ "allowed_cidrs": ["198.51.100.0/24"] })).await;
    let secret = made.string("/api_key");
    let inside = app.client_at([198, 51, 100, 9]);
    let access = inside.exchange(&bot.id, &secret).await.expect(200).string("/access_token");
    inside.agent(&access).await.expect(200);
    for outside in [app.client(), app.client_at([198, 51, 101, 9])] {
        outside.exchange(&bot.id, &secret).await.expect_error(403, "FORBIDDEN");
        outside.agent(&access).await.expect_error(403, "FORBIDDEN");
    }
});

on_every_storage!(a_key_with_a_limit_of_its_own_keeps_it, |app| {
    let bot = app.bot("weather-bot").await;
    let made = key(&app, &bot, &json!({ "rate_limit_per_minute": 3 })).await;
    let secret = made.string("/api_key");
    let issued = app.client().exchange(&bot.id, &secret).await.expect(200);
    assert_eq!((limit_headers(&issued).0, issued.remaining()), (3, 2));
    let access = issued.string("/access_token");
    assert_eq!(app.client().agent(&access).await.expect(200).remaining(), 1);
    assert_eq!(app.client().agent(&access).await.expect(200).remaining(), 0);
    let over = app.client().agent(&access).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limit_headers(&over).0, 3);
    let over = app.client().exchange(&bot.id, &secret).await;
    over.expect_error(429, "RATE_LIMIT_EXCEEDED");
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    app.clock().advance(Duration::seconds(70));
    app.client().exchange(&bot.id, &secret).await.expect(200);
});

/// Sixty a minute for an id as it was typed from one client address, good or bad.
async fn sixty(client: &Client<'_>, id: &str, secret: &str, status: u16) {
    for left in (0..60).rev() {
        let reply = client.exchange(id, secret).await.expect(status);
        if status == 200 {
            assert_eq!((limit_headers(&reply).0, reply.remaining()), (60, left));
        }
    }
    let over = client.exchange(id, secret).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(limit_headers(&over).0, 60);
    assert!((1..=66).contains(&over.number("retry-after")));
}

on_every_storage!(l11_sixty_a_minute_for_one_id_from_one_address, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let client = app.client();
    sixty(&client, &bot.id, "wrong", 401).await;
    // L8: charged before verification, so the right key is refused there, and nowhere else.
    client.exchange(&bot.id, &bot.api_key).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    sixty(&client, &other.id, &other.api_key, 200).await;
    app.clock().advance(Duration::seconds(70));
    client.exchange(&bot.id, &bot.api_key).await.expect(200);
});

#[actix_web::test]
async fn l11_six_hundred_a_minute_from_one_address() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let client = app.client();
    for n in 0..600 {
        let reply = client.exchange(&format!("agt_{n}"), "wrong").await;
        assert_eq!(limit_headers(&reply.expect(401)).0, 600);
    }
    let over = client.exchange(&bot.id, &bot.api_key).await;
    assert_eq!(limit_headers(&over.expect_error(429, "RATE_LIMIT_EXCEEDED")).0, 600);
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
}
