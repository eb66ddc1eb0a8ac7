//! `POST /oauth2/introspect`: what is told.

use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::{Value, json};

use super::callers::{SCOPES, another_key, granted, introspect, is_active, server, watcher};
use crate::http::jwt;

/// Where the clock stands, in seconds.
const NOW: i64 = 1_772_600_767;

on_every_storage!(a_key_and_its_token_are_told_of_in_full, |app| {
    let (bot, api, url) = (app.bot("weather-bot").await, watcher(&app), app.options().public_url);
    let reply = introspect(&app.client(), &api, &bot.api_key).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({
            "active": true, "sub": bot.id, "principal_type": "agent", "client_id": bot.id,
            "scope": SCOPES, "token_type": "Bearer", "iat": NOW, "key_id": bot.key_id,
            "email_verified": false,
        })
    );
    app.clock().advance(time::Duration::seconds(90));
    let token = granted(&app.client(), &bot, &[("scope", "presence:update messages:read")]).await;
    let told = introspect(&app.client(), &api, &token).await.json();
    assert_eq!(
        told,
        json!({
            "active": true, "sub": bot.id, "principal_type": "agent", "client_id": bot.id,
            "scope": "presence:update messages:read", "token_type": "Bearer", "iss": url,
            "aud": url, "iat": NOW + 90, "exp": NOW + 90 + 3600,
            "jti": jwt::claims(&token)["jti"], "key_id": bot.key_id, "email_verified": false,
        })
    );
    // What the token says is what is told of it.
    for name in ["iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti", "key_id"] {
        assert_eq!(told[name], jwt::claims(&token)[name], "{name}");
    }
});

on_every_storage!(owner_end_and_proven_address_are_told_where_there_are_any, |app| {
    let admin = app.admin("admin@example.com").await;
    let api = watcher(&app);
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let body = json!({ "name": "week", "expires_in_days": 7, "scopes": ["presence:update"] });
    let (id, key) = another_key(&app, &bot, &body).await;
    let told = introspect(&app.client(), &api, &key).await.json();
    assert_eq!(told["exp"], NOW + 7 * 24 * 3600);
    assert_eq!((&told["key_id"], &told["scope"]), (&json!(id), &json!("presence:update")));
    assert_eq!((&told["email_verified"], &told["owner"]), (&json!(true), &Value::Null));
    let body = json!({ "agent_name": "owned-bot", "owner": admin.id });
    let request = app.client().post("/v1/admin/agents").bearer(&admin.access).json(&body);
    let owned = request.await.expect(201).string("/agent_id");
    let request = app.client().post(&format!("/v1/admin/agents/{owned}/keys"));
    let made = request.bearer(&admin.access).json(&json!({ "name": "k" })).await.expect(201);
    let key = made.string("/api_key");
    let token = app.client().exchange(&owned, &key).await.expect(200).string("/access_token");
    for credential in [&key, &token] {
        let told = introspect(&app.client(), &api, credential).await.json();
        assert_eq!(told["owner"], admin.id);
    }
});

on_every_storage!(a_person_is_told_of_without_scopes_or_client, |app| {
    let (jane, api) = (app.verified("jane@example.com").await, watcher(&app));
    let claims = jwt::claims(&jane.access);
    let reply = introspect(&app.client(), &api, &jane.access).await;
    assert_eq!(
        reply.json(),
        json!({
            "active": true, "sub": jane.id, "principal_type": "user", "token_type": "Bearer",
            "iss": "api.vidivo.app", "iat": claims["iat"], "exp": claims["exp"],
            "jti": claims["jti"], "email_verified": true,
        })
    );
    let john = app.client().register("john@example.com").await;
    let told = introspect(&app.client(), &api, &john.access).await.json();
    assert_eq!(told["email_verified"], false);
});

/// A resource server with the name that the tables use.
fn servers(app: &TestApp) -> Vec<(&'static str, super::callers::Server)> {
    vec![
        ("reads", server(app, "messages:read billing", Some("https://a.example"), false)),
        ("people", server(app, "presence:update", None, true)),
        ("both", server(app, "presence:update messages:read", Some("https://b.example"), true)),
        ("others", server(app, "billing", Some("https://c.example"), false)),
    ]
}

async fn seen(
    app: &TestApp,
    token: &str,
    servers: &[(&'static str, super::callers::Server)],
) -> Value {
    let mut seen = json!({});
    for (name, api) in servers {
        let told = introspect(&app.client(), api, token).await;
        if told.json()["active"] == true {
            let body = told.json();
            seen[*name] =
                if body["scope"].is_string() { body["scope"].clone() } else { json!(true) };
        } else {
            assert_eq!(told.text(), r#"{"active":false}"#);
        }
    }
    seen
}

on_every_storage!(a_resource_server_sees_what_is_its_business_and_no_more, |app| {
    let (bot, jane) = (app.bot("weather-bot").await, app.verified("jane@example.com").await);
    let servers = servers(&app);
    let client = app.client();
    let narrow = json!({ "name": "narrow", "scopes": ["messages:read"] });
    let (_, narrow) = another_key(&app, &bot, &narrow).await;
    let for_url = [("resource", app.options().public_url), ("scope", "messages:write")];
    for (what, token, wanted) in [
        (
            "a key",
            bot.api_key.clone(),
            json!({
                "reads": "messages:read", "people": "presence:update",
                "both": "messages:read presence:update",
            }),
        ),
        (
            "a key of one scope",
            narrow,
            json!({ "reads": "messages:read", "both": "messages:read" }),
        ),
        (
            "a token for everybody",
            granted(&client, &bot, &[]).await,
            json!({
                "reads": "messages:read", "people": "presence:update",
                "both": "messages:read presence:update",
            }),
        ),
        (
            "one of one scope",
            granted(&client, &bot, &[("scope", "presence:update")]).await,
            json!({ "people": "presence:update", "both": "presence:update" }),
        ),
        ("one of a scope that none shares", granted(&client, &bot, &for_url).await, json!({})),
        (
            "one for a resource",
            granted(&client, &bot, &[("resource", "https://a.example")]).await,
            json!({ "reads": SCOPES }),
        ),
        (
            "one for another, whose server shares no scope",
            granted(&client, &bot, &[("resource", "https://c.example")]).await,
            json!({ "others": SCOPES }),
        ),
        ("a person", jane.access.clone(), json!({ "people": true, "both": true })),
    ] {
        assert_eq!(seen(&app, &token, &servers).await, wanted, "{what}");
    }
});

#[actix_web::test]
async fn a_persons_token_for_a_resource_is_that_ones_business() {
    let url = portcullis_testkit::app::AppOptions::default().public_url;
    for (audience, wanted) in [
        ("https://a.example", json!({ "reads": true })),
        ("https://b.example", json!({ "both": true })),
        ("https://nobody.example", json!({})),
        (url, json!({ "people": true, "both": true })),
    ] {
        let mut options = portcullis_testkit::app::AppOptions::default();
        options.engine.access.audience = Some(audience.to_owned());
        let app = TestApp::memory_with(options).await;
        let jane = app.client().register("jane@example.com").await;
        assert_eq!(seen(&app, &jane.access, &servers(&app)).await, wanted, "{audience}");
    }
}

on_every_storage!(j4_what_is_no_key_or_access_token_is_inactive, |app| {
    let (bot, api) = (app.proven_bot("weather-bot", "bot@example.com").await, watcher(&app));
    let jane = app.client().register("jane@example.com").await;
    let mailed = app.mailed("verify_email");
    let other = watcher(&app);
    let header = json!({ "alg": "none", "typ": "at+jwt" });
    let forged = jwt::forge(&header, &jwt::claims(&bot.access), b"");
    // Of the right key, but of the other surface's form.
    let crossed = app.engine().sign_jwt(&app.engine().jwt_header(), &jwt::claims(&bot.access));
    let (body, _) = bot.access.rsplit_once('.').unwrap();
    for token in [
        "x",
        " ",
        "\0",
        "null",
        "..",
        &bot.id,
        &bot.key_id,
        &bot.recovery_key,
        &jane.refresh,
        &jane.id,
        &mailed,
        &api.secret,
        &other.secret,
        &forged,
        &crossed,
        &format!("{body}."),
        &format!("{} ", bot.access),
        &format!("{} ", bot.api_key),
        &format!("Bearer {}", bot.access),
        &bot.api_key.to_uppercase(),
        &".".repeat(20_000),
        &"a".repeat(50_000),
    ] {
        assert!(!is_active(&app, &api, token).await, "{token}");
    }
    assert!(is_active(&app, &api, &bot.access).await && is_active(&app, &api, &bot.api_key).await);
});
