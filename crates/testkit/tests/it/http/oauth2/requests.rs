//! Who may ask, what a request must be, and whom it is counted for.

use portcullis_flows::agents::{CreateKey, RegisterAgent};
use portcullis_kernel::{ExposeSecret as _, Origin};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    app::{Client, Reply, Stored, TestApp},
    faults::{Fault, FaultyStorage},
    on_every_storage,
};
use serde_json::json;
use std::sync::Arc;

use super::callers::{
    BASIC, FORM, INTROSPECT, REVOKE, Server, TOKEN, another_key, ask, encoded, grant, server,
    watcher,
};
use crate::http::routes::limit_headers;

const PATHS: [&str; 3] = [TOKEN, INTROSPECT, REVOKE];

on_every_storage!(e1_every_wrong_resource_server_is_refused_alike, |app| {
    let (bot, jane) = (app.bot("weather-bot").await, app.client().register("j@example.com").await);
    let (api, other) = (watcher(&app), watcher(&app));
    let unknown = format!("rs_{}", "0".repeat(32));
    let mut first: Option<Reply> = None;
    for (id, secret) in [
        (api.id.as_str(), other.secret.as_str()),
        (&unknown, &api.secret),
        (&api.id, "rss_x"),
        (&api.id, ""),
        (&api.id, &bot.api_key),
        (&api.id.to_uppercase(), &api.secret),
        (&api.id, &format!("{} ", api.secret)),
        (&bot.id, &api.secret),
        (&bot.id, &bot.api_key),
        (&bot.id, &bot.recovery_key),
        (&jane.id, &jane.access),
        ("", ""),
        ("\0", "\0"),
        (&format!("{}\0", api.id), &api.secret),
    ] {
        let request = ask(&app.client(), INTROSPECT, &[("token", &bot.access)]);
        let reply = request.basic(id, secret).await.expect_error(401, "invalid_client");
        assert_eq!(reply.header("www-authenticate"), Some(BASIC), "W6");
        if let Some(first) = &first {
            assert_eq!(reply.text(), first.text(), "{id} {secret}");
            assert_eq!(reply.header_names(), first.header_names(), "{id} {secret}");
        }
        first = Some(reply);
    }
    for header in ["", "Basic !", "Digest x", &format!("Bearer {}", bot.access)] {
        let request = ask(&app.client(), INTROSPECT, &[("token", &bot.access)]);
        let reply = request.header("authorization", header).await;
        assert_eq!(reply.expect(401).text(), first.as_ref().unwrap().text(), "{header}");
    }
    let nobody = ask(&app.client(), INTROSPECT, &[("token", &bot.access)]).await;
    assert_eq!(nobody.expect(401).text(), first.unwrap().text());
    let fields =
        [("token", bot.access.as_str()), ("client_id", &api.id), ("client_secret", &api.secret)];
    ask(&app.client(), INTROSPECT, &fields).await.expect_error(401, "invalid_client");
    let query = format!("{INTROSPECT}?{}", encoded(&fields));
    ask(&app.client(), &query, &fields).await.expect_error(401, "invalid_client");
});

#[actix_web::test]
async fn k5_a_resource_servers_id_and_secret_may_be_encoded() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let encoded = |text: &str| text.replace('_', "%5F");
    for path in [INTROSPECT, REVOKE] {
        let request = ask(&app.client(), path, &[("token", &bot.access)]);
        request.basic(&encoded(&api.id), &encoded(&api.secret)).await.expect(200);
    }
}

#[actix_web::test]
async fn the_one_parameter_is_judged_after_the_client() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let token = bot.api_key.as_str();
    for path in [INTROSPECT, REVOKE] {
        for body in [
            String::new(),
            "token".into(),
            "token=".into(),
            "token_type_hint=access_token".into(),
            format!("Token={token}"),
            format!("token={token}&token={token}"),
            format!("token=&token={token}"),
            format!("token={token}&%74oken=x"),
            format!("token={token}&x=%ff"),
            format!("token={token}%c3%28"),
            format!("{{\"token\":\"{token}\"}}"),
        ] {
            let request = app.client().post(path).body(FORM, body.as_str());
            let reply = request.basic(&api.id, &api.secret).await;
            reply.expect_error(400, "invalid_request");
            let request = app.client().post(path).body(FORM, body.as_str());
            let reply = request.basic(&api.id, &bot.api_key).await;
            reply.expect_error(401, "invalid_client");
        }
        let query = format!("{path}?token={token}");
        let request = app.client().post(&query).basic(&api.id, &api.secret);
        request.await.expect_error(400, "invalid_request");
    }
    assert_eq!(app.client().exchange(&bot.id, &bot.api_key).await.status, 200, "it lives");
    for hint in ["access_token", "refresh_token", "api_key", "", "x", &"x".repeat(9_000)] {
        let fields = [("token", token), ("token_type_hint", hint)];
        let request = ask(&app.client(), INTROSPECT, &fields).basic(&api.id, &api.secret);
        assert_eq!(request.await.expect(200).json()["active"], true, "{hint}");
    }
}

#[actix_web::test]
async fn methods_sizes_and_types_are_refused_in_the_surfaces_form() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let secrets = [(&bot.id, &bot.api_key), (&api.id, &api.secret), (&api.id, &api.secret)];
    for (path, (id, secret)) in PATHS.into_iter().zip(secrets) {
        let well = format!("grant_type=client_credentials&token={}", bot.access);
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let client = app.client();
            let reply = client.request(method, &format!("{path}?{well}")).basic(id, secret).await;
            assert_eq!(reply.expect(405).header("allow"), Some("POST"));
        }
        for signed in [true, false] {
            let sent = |media_type: &str, body: Vec<u8>| {
                let request = app.client().post(path).body(media_type, body);
                if signed { request.basic(id, secret) } else { request }
            };
            let large = vec![b'x'; 64 * 1024 + 1];
            sent(FORM, large.clone()).await.expect_error(413, "invalid_request");
            sent("text/plain", large).await.expect_error(413, "invalid_request");
            for media_type in [
                "application/json",
                "multipart/form-data",
                "text/plain",
                "",
                "x-www-form-urlencoded",
            ] {
                let reply = sent(media_type, well.clone().into_bytes()).await;
                reply.expect_error(415, "invalid_request");
            }
            let zipped = sent(FORM, well.clone().into_bytes()).header("content-encoding", "gzip");
            zipped.await.expect_error(415, "invalid_request");
        }
        let typed = format!("{FORM}; charset=UTF-8");
        let request = app.client().post(path).body(&typed, well).basic(id, secret);
        request.await.expect(200);
    }
}

#[actix_web::test]
async fn i3_hostile_forms_are_refused() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let bodies: [Vec<u8>; 8] = [
        b"\xff\xfe\x00".to_vec(),
        b"token=\xed\xa0\x80".to_vec(),
        b"%".repeat(60_000),
        b"&".repeat(60_000),
        b"=".repeat(60_000),
        b"token=a&".repeat(8_000),
        (0..8_000).flat_map(|n| format!("k{n}=&").into_bytes()).collect(),
        b"\x1f\x8b\x08\x00garbage".to_vec(),
    ];
    for body in bodies {
        for path in [INTROSPECT, REVOKE] {
            let request = app.client().post(path).body(FORM, body.clone());
            let reply = request.basic(&api.id, &api.secret).await;
            reply.expect_error(400, "invalid_request");
        }
        let request = app.client().post(TOKEN).body(FORM, body);
        let reply = request.basic(&bot.id, &bot.api_key).await;
        reply.expect_error(400, "invalid_request");
    }
}

async fn introspected(client: &Client<'_>, api: &Server) -> Reply {
    ask(client, INTROSPECT, &[("token", "x")]).basic(&api.id, &api.secret).await
}

#[actix_web::test]
async fn l11_exchanges_are_counted_with_those_of_the_agents_surface() {
    let app = TestApp::memory().await;
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let client = app.client();
    for n in 1..=60 {
        let reply = if n % 2 == 0 {
            client.exchange(&bot.id, &bot.api_key).await
        } else {
            grant(&client, &bot, &[]).await
        };
        let (limit, remaining, _) = limit_headers(&reply.expect(200));
        assert_eq!((limit, remaining), (60, 60 - n));
    }
    let reply = grant(&client, &bot, &[]).await.expect_error(429, "slow_down");
    assert!((1..=66).contains(&reply.number("retry-after")));
    client.exchange(&bot.id, &bot.api_key).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    // Others are not, and neither is the agent elsewhere.
    grant(&client, &other, &[]).await.expect(200);
    grant(&app.client(), &bot, &[]).await.expect(200);
    app.clock().advance(time::Duration::seconds(66));
    grant(&client, &bot, &[]).await.expect(200);
}

#[actix_web::test]
async fn l11_an_address_has_six_hundred_exchanges_a_minute() {
    let app = TestApp::memory().await;
    let (bot, client) = (app.bot("weather-bot").await, app.client());
    for n in 0..600 {
        let request = ask(&client, TOKEN, &[]).basic(&format!("agt_{n}"), "sk_x");
        request.await.expect_error(401, "invalid_client");
    }
    grant(&client, &bot, &[]).await.expect_error(429, "slow_down");
    client.exchange(&bot.id, &bot.api_key).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    // Before size and type.
    let large = client.post(TOKEN).body("text/plain", vec![b'x'; 70_000]);
    large.await.expect_error(429, "slow_down");
    grant(&app.client(), &bot, &[]).await.expect(200);
}

#[actix_web::test]
async fn a_key_with_a_limit_of_its_own_has_it_here_too() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let body = json!({ "name": "slow", "rate_limit_per_minute": 2 });
    let (_, key) = another_key(&app, &bot, &body).await;
    let slow = portcullis_testkit::app::Bot { api_key: key, ..bot.clone() };
    for left in [1, 0] {
        let reply = grant(&app.client(), &slow, &[]).await.expect(200);
        assert_eq!(limit_headers(&reply).1, left);
    }
    grant(&app.client(), &slow, &[]).await.expect_error(429, "slow_down");
    grant(&app.client(), &bot, &[]).await.expect(200);
}

#[actix_web::test]
async fn a_resource_server_has_six_hundred_questions_a_minute_from_wherever() {
    let app = TestApp::memory().await;
    let (api, other) = (watcher(&app), watcher(&app));
    let clients = [app.client(), app.client()];
    for n in 1..=600 {
        let client = &clients[n % 2];
        let reply = if n % 3 == 0 {
            ask(client, REVOKE, &[("token", "x")]).basic(&api.id, &api.secret).await
        } else {
            introspected(client, &api).await
        };
        let (limit, remaining, _) = limit_headers(&reply.expect(200));
        assert_eq!((limit, remaining), (600, 600 - i64::try_from(n).unwrap()));
    }
    for client in &clients {
        introspected(client, &api).await.expect_error(429, "slow_down");
        let request = ask(client, REVOKE, &[("token", "x")]).basic(&api.id, &api.secret);
        request.await.expect_error(429, "slow_down");
        introspected(client, &other).await.expect(200);
    }
}

#[actix_web::test]
async fn whoever_is_no_resource_server_has_sixty_requests_a_minute() {
    let app = TestApp::memory().await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let client = app.client();
    for n in 1..=60 {
        let reply = match n % 6 {
            0 => ask(&client, INTROSPECT, &[("token", "x")]).await.expect(401),
            1 => introspected(&client, &Server { secret: "rss_x".into(), ..api.clone() })
                .await
                .expect(401),
            2 => ask(&client, REVOKE, &[("token", "x")]).await.expect(200),
            3 => {
                let request = ask(&client, REVOKE, &[("token", "x")]);
                request.basic(&bot.id, &bot.api_key).await.expect(200)
            }
            4 => ask(&client, REVOKE, &[("token", "x")]).bearer("y").await.expect(401),
            _ => client.post(INTROSPECT).body("text/plain", "x").await.expect(415),
        };
        let (limit, remaining, _) = limit_headers(&reply);
        assert_eq!((limit, remaining), (60, 60 - n), "{n}");
    }
    for path in [INTROSPECT, REVOKE] {
        ask(&client, path, &[("token", "x")]).await.expect_error(429, "slow_down");
        let large = client.post(path).body("text/plain", vec![b'x'; 70_000]);
        large.await.expect_error(429, "slow_down");
    }
    // Exchanges have a count of their own, and so have other surfaces.
    grant(&client, &bot, &[]).await.expect(200);
    client.agent(&bot.access).await.expect(200);
    introspected(&app.client(), &api).await.expect(200);
}

#[actix_web::test]
async fn l13_without_a_database_every_route_says_that_it_will_come_back() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let app = TestApp::over(Stored::given(faulty.clone())).await;
    let (bot, api) = (app.bot("weather-bot").await, watcher(&app));
    let revoked = app.bot("other-bot").await;
    for fault in [Fault::Unavailable, Fault::Contention, Fault::Failed] {
        let ask_all = async || {
            let asked = [("token", revoked.access.as_str())];
            let client = app.client();
            [
                grant(&client, &bot, &[]).tolerating_500().await,
                ask(&client, INTROSPECT, &asked).basic(&api.id, &api.secret).tolerating_500().await,
                ask(&client, REVOKE, &asked).basic(&api.id, &api.secret).tolerating_500().await,
                ask(&client, REVOKE, &asked).basic(&bot.id, &bot.api_key).tolerating_500().await,
                ask(&client, REVOKE, &asked).tolerating_500().await,
            ]
        };
        faulty.take_down(fault);
        for reply in ask_all().await {
            if let Fault::Failed = fault {
                let reply = reply.expect_error(500, "server_error");
                assert!(!reply.text().contains("on purpose"), "G4");
            } else {
                let reply = reply.expect_error(503, "temporarily_unavailable");
                assert!((1..=5).contains(&reply.number("retry-after")), "F4");
            }
        }
        faulty.heal();
    }
    app.client().agent(&revoked.access).await.expect(200);
}

#[actix_web::test]
async fn before_the_first_signing_key_an_exchange_is_to_be_tried_again() {
    let app = TestApp::without_keys().await;
    let (engine, local) = (app.engine(), Origin::local());
    let input = RegisterAgent { agent_name: "weather-bot".into(), ..RegisterAgent::default() };
    let registration = engine.check_register_agent(input).unwrap();
    let agent = engine.register_agent(registration, &local).unwrap().agent;
    let new = CreateKey { name: "first".into(), ..CreateKey::default() };
    let new = engine.check_create_key(new).unwrap();
    let actor = portcullis_audit::Actor::Operator;
    let key = engine.create_key(&agent, new, actor, &local).unwrap().secret.into_secret();
    let exchange = async || {
        let request = ask(&app.client(), TOKEN, &[("grant_type", "client_credentials")]);
        request.basic(&agent.id.to_string(), key.expose_secret()).await
    };
    exchange().await.expect_error(503, "temporarily_unavailable");
    engine.open_keys().unwrap();
    exchange().await.expect(200);
}

#[actix_web::test]
async fn j7_a_resource_servers_own_audience_is_no_wider_than_it_is_written() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let api = server(&app, "messages:read", Some("https://a.example/"), false);
    let other = server(&app, "messages:read", Some("https://a.example"), false);
    let client = app.client();
    let token = super::callers::granted(&client, &bot, &[("resource", "https://a.example/")]).await;
    assert!(super::callers::is_active(&app, &api, &token).await);
    assert!(!super::callers::is_active(&app, &other, &token).await);
}
