//! `POST /oauth2/token`: what is refused.

use portcullis_identity::AgentStatus;
use portcullis_testkit::{
    app::{Bot, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;

use super::callers::{BASIC, FORM, TOKEN, another_key, ask, grant, set_status, watcher};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A refusal of the client: the same of every one.
#[track_caller]
fn expect_invalid_client(reply: Reply) -> Reply {
    let reply = reply.expect_error(401, "invalid_client");
    assert_eq!(reply.header("www-authenticate"), Some(BASIC), "W6");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply
}

on_every_storage!(k4_e4_every_wrong_client_is_refused_alike, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let (revoked, dead) = another_key(&app, &bot, &json!({ "name": "revoked" })).await;
    let path = bot.path(&format!("/keys/{revoked}"));
    app.client().delete(&path).recovering(&bot).await.expect(200);
    let body = json!({ "name": "expired", "expires_in_days": 1 });
    let (_, expired) = another_key(&app, &bot, &body).await;
    app.clock().advance(time::Duration::DAY);
    let (api, unknown) = (watcher(&app), format!("agt_{}", "0".repeat(32)));
    let mut changed = bot.api_key.clone();
    let last = if changed.pop() == Some('0') { '1' } else { '0' };
    changed.push(last);
    let mut first: Option<Reply> = None;
    for (id, secret) in [
        (bot.id.as_str(), other.api_key.as_str()),
        (&unknown, &bot.api_key),
        (&other.id, &bot.api_key),
        (&bot.id, &dead),
        (&bot.id, &expired),
        (&bot.id, &changed),
        (&bot.id, "sk_x"),
        (&bot.id, ""),
        ("", &bot.api_key),
        ("", ""),
        ("\0", "\0"),
        ("\u{fffd}é", "%00"),
        (&bot.id, &format!("{}\0", bot.api_key)),
        (&bot.id, &bot.recovery_key),
        (&bot.id, &bot.access),
        (&bot.key_id, &bot.api_key),
        (&api.id, &api.secret),
        (&bot.id.to_uppercase(), &bot.api_key),
        (&format!("{} ", bot.id), &bot.api_key),
        (&bot.id, &format!("{}:", bot.api_key)),
        (&"x".repeat(5_000), &bot.api_key),
    ] {
        let request = ask(&app.client(), TOKEN, &GRANT).basic(id, secret);
        let reply = expect_invalid_client(request.await);
        if let Some(first) = &first {
            assert_eq!(reply.text(), first.text(), "{id} {secret}");
            assert_eq!(reply.header_names(), first.header_names(), "{id} {secret}");
        }
        first = Some(reply);
    }
    grant(&app.client(), &bot, &[]).await.expect(200);
});

#[actix_web::test]
async fn j4_only_an_api_key_by_http_basic_is_a_client() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let jane = app.client().register("jane@example.com").await;
    let basic = |text: &str| {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!("Basic {}", STANDARD.encode(text))
    };
    let good = basic(&format!("{}:{}", bot.id, bot.api_key));
    for header in [
        "",
        "Basic",
        "Basic !",
        "Basic YTpi YTpi",
        "Digest x",
        &basic("no colon"),
        &basic(&bot.api_key),
        &good.replace("Basic ", "Bearer "),
        &format!("Bearer {}", bot.api_key),
        &format!("Bearer {}", bot.access),
        &format!("Bearer {}", jane.access),
        &basic(&format!("{}:{}", jane.id, jane.access)),
        &basic(&format!("{}:{}", jane.email, portcullis_testkit::app::PASSWORD)),
        &bot.api_key,
    ] {
        let request = ask(&app.client(), TOKEN, &GRANT).header("authorization", header);
        expect_invalid_client(request.await);
    }
    let twice = ask(&app.client(), TOKEN, &GRANT).header("authorization", &good);
    expect_invalid_client(twice.header("authorization", &good).await);
    ask(&app.client(), TOKEN, &GRANT).header("authorization", &good).await.expect(200);
    let lower = good.replace("Basic", "bAsIc");
    ask(&app.client(), TOKEN, &GRANT).header("authorization", &lower).await.expect(200);
}

#[actix_web::test]
async fn i16_credentials_in_the_body_or_the_query_are_not_read() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let credentials = [("client_id", bot.id.as_str()), ("client_secret", &bot.api_key)];
    let fields = [GRANT[0], credentials[0], credentials[1]];
    let reply = expect_invalid_client(ask(&app.client(), TOKEN, &fields).await);
    assert!(reply.string("/error_description").contains("HTTP Basic"), "{}", reply.text());
    for query in [
        super::callers::encoded(&credentials),
        format!("access_token={}", bot.access),
        format!("api_key={}", bot.api_key),
    ] {
        let path = format!("{TOKEN}?{query}");
        expect_invalid_client(ask(&app.client(), &path, &GRANT).await);
    }
    let path = format!("{TOKEN}?grant_type=client_credentials");
    let request = app.client().post(&path).basic(&bot.id, &bot.api_key);
    request.await.expect_error(400, "invalid_request");
}

on_every_storage!(a_client_that_may_not_act_is_told_that_it_may_not, |app| {
    let bot = app.bot("weather-bot").await;
    let body = json!({ "name": "bound", "allowed_cidrs": ["192.0.2.0/24"] });
    let (_, bound) = another_key(&app, &bot, &body).await;
    let bound = Bot { api_key: bound, ..bot.clone() };
    let reply = grant(&app.client(), &bound, &[]).await.expect_error(400, "unauthorized_client");
    assert!(reply.string("/error_description").contains("network"));
    grant(&app.client_at([192, 0, 2, 9]), &bound, &[]).await.expect(200);
    set_status(&app, &bot, AgentStatus::Suspended);
    let reply = grant(&app.client(), &bot, &[]).await.expect_error(400, "unauthorized_client");
    assert!(reply.string("/error_description").contains("suspended"));
    // Only whoever has a good key is told so.
    let wrong = Bot { api_key: bot.recovery_key.clone(), ..bot.clone() };
    grant(&app.client(), &wrong, &[]).await.expect_error(401, "invalid_client");
    set_status(&app, &bot, AgentStatus::Active);
    grant(&app.client(), &bot, &[]).await.expect(200);
});

#[actix_web::test]
async fn parameters_are_judged_as_the_standard_says() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let good = "grant_type=client_credentials";
    for (body, code) in [
        ("", "invalid_request"),
        ("grant_type", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("scope=messages:read", "invalid_request"),
        ("Grant_Type=client_credentials", "invalid_request"),
        (&format!("{good}&{good}"), "invalid_request"),
        (&format!("grant_type=&{good}"), "invalid_request"),
        (&format!("{good}&%67rant_type=password"), "invalid_request"),
        (&format!("{good}&scope=messages:read&scope=messages:read"), "invalid_request"),
        (&format!("{good}&scope=a&scope="), "invalid_request"),
        (&format!("{good}&x=%ff"), "invalid_request"),
        (&format!("{good}&scope=%c3%28"), "invalid_request"),
        ("{\"grant_type\":\"client_credentials\"}", "invalid_request"),
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("grant_type=authorization_code&code=x", "unsupported_grant_type"),
        ("grant_type=refresh_token&refresh_token=x", "unsupported_grant_type"),
        ("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
        ("grant_type=client_credentials+", "unsupported_grant_type"),
        ("grant_type=CLIENT_CREDENTIALS", "unsupported_grant_type"),
        ("grant_type=%00", "unsupported_grant_type"),
        (&format!("grant_type=%22%5C%0a{}", "x".repeat(50_000)), "unsupported_grant_type"),
        (&format!("{good}&scope=none"), "invalid_scope"),
        (&format!("{good}&resource=none"), "invalid_target"),
        (&format!("{good}&scope=none&resource=none"), "invalid_scope"),
    ] {
        let request = app.client().post(TOKEN).body(FORM, body);
        let reply = request.basic(&bot.id, &bot.api_key).await.expect_error(400, code);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        // Whoever the client is comes first.
        let request = app.client().post(TOKEN).body(FORM, body);
        request.basic(&bot.id, &bot.recovery_key).await.expect_error(401, "invalid_client");
    }
    for body in [
        good,
        &format!("&{good}&&scope=&resource=&"),
        &format!("{good}&x=1&x=2&audience=a&audience=b"),
        "grant%5Ftype=client%5Fcredentials",
    ] {
        let request = app.client().post(TOKEN).body(FORM, body);
        request.basic(&bot.id, &bot.api_key).await.expect(200);
    }
}
