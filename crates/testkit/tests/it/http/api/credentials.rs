//! Which credentials are accepted under `/api`, and that none of one kind passes for another.

use portcullis_testkit::{
    app::{AppOptions, Bot, TestApp},
    on_every_storage,
};
use serde_json::json;

use super::routes::{ROUTES, Route, Wants, closed};
use crate::http::{jwt, routes as peoples};

/// What a route refuses is in no way done.
async fn assert_untouched(app: &TestApp, bot: &Bot) {
    let me = app.client().agent(&bot.access).await.expect(200).json();
    assert_eq!((&me["email"], &me["profile"]["visibility"]), (&json!(null), &json!("private")));
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    let path = bot.path("?limit=200");
    let keys = app.client().get(&path).bearer(&bot.access).await.expect(200).json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
}

on_every_storage!(j4_k4_no_credential_of_one_kind_passes_for_another, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    let jane = app.client().register("jane@example.com").await;
    let mailed = app.mailed("verify_email");
    let forged = app.engine().sign_jwt(&app.engine().jwt_header(), &jwt::claims(&bot.access));
    for route in closed() {
        let ask = || route.ask_well(&app.client(), &bot);
        let bearers = [
            &bot.api_key,
            &bot.recovery_key,
            &bot.id,
            &jane.access,
            &jane.refresh,
            &mailed,
            &forged,
        ];
        for token in bearers {
            ask().bearer(token).await.expect_error(401, "UNAUTHORIZED");
        }
        let secrets =
            [&bot.access, &jane.access, &mailed, &other.api_key, &other.recovery_key, &bot.id];
        for secret in secrets {
            ask().basic(&bot.id, secret).await.expect_error(401, "UNAUTHORIZED");
        }
        // A recovery key exchanges nothing, an API key manages nothing.
        let request = match route.wants {
            Wants::Key => ask().recovering(&bot),
            _ => ask().basic(&bot.id, &bot.api_key),
        };
        request.await.expect_error(401, "UNAUTHORIZED");
        if !matches!(route.wants, Wants::Token | Wants::RecoveryOrToken) {
            ask().bearer(&bot.access).await.expect_error(401, "UNAUTHORIZED");
        }
        if route.wants == Wants::Token {
            ask().recovering(&bot).await.expect_error(401, "UNAUTHORIZED");
        }
    }
    assert_untouched(&app, &bot).await;
    for route in peoples::with_bearer() {
        for token in [&bot.access, &bot.api_key, &bot.recovery_key] {
            let request = route.ask_well(&app.client()).bearer(token);
            request.await.expect_error(401, "unauthorized");
        }
        let request = route.ask_well(&app.client()).recovering(&bot);
        request.await.expect_error(401, "unauthorized");
    }
    app.client().me(&jane.access).await.expect(200);
});

#[actix_web::test]
async fn j2_j4_an_agents_token_is_judged_like_a_persons() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let (header, claims) = (jwt::header(&bot.access), jwt::claims(&bot.access));
    let refused = async |token: &str| {
        app.client().agent(token).await.expect_error(401, "UNAUTHORIZED");
    };
    // A good signature of the same key is accepted: what follows is refused for its own sake.
    app.client().agent(&app.engine().sign_jwt(&header, &claims)).await.expect(200);
    for alg in ["none", "None", "", "HS256", "RS256", "ES384", "EdDSA", "es256"] {
        let mut header = header.clone();
        header["alg"] = json!(alg);
        refused(&jwt::forge(&header, &claims, b"")).await;
        refused(&app.engine().sign_jwt(&header, &claims)).await;
    }
    for typ in [json!("JWT"), json!("agent-identity+jwt"), json!(null), json!(["at+jwt"])] {
        let mut header = header.clone();
        header["typ"] = typ;
        refused(&app.engine().sign_jwt(&header, &claims)).await;
    }
    let exp = claims["exp"].as_i64().unwrap();
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!("api.vidivo.app")),
        ("aud", json!("https://rs.example")),
        ("aud", json!(null)),
        ("sub", json!("agt_00000000000000000000000000000000")),
        ("sub", json!("")),
        ("key_id", json!("aky_00000000000000000000000000000000")),
        ("key_id", json!(null)),
        ("exp", json!(exp.to_string())),
        ("exp", json!(null)),
        ("exp", json!(0)),
        ("jti", json!(5)),
        ("scope", json!(["messages:read"])),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        refused(&app.engine().sign_jwt(&header, &claims)).await;
    }
    // J11
    let long = format!("{}{}", bot.access, "A".repeat(60_000));
    let dots = ".".repeat(20_000);
    for token in [&long, &dots, "..", "a.b", &format!("{}.x", bot.access)] {
        refused(token).await;
    }
    app.client().agent(&bot.access).await.expect(200);
}

#[actix_web::test]
async fn i16_a_credential_anywhere_but_in_its_header_is_ignored() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in closed() {
        for query in [
            format!("access_token={}", bot.access),
            format!("token={}", bot.access),
            format!("agent_id={}&api_key={}", bot.id, bot.api_key),
            format!("agent_id={}&recovery_key={}", bot.id, bot.recovery_key),
            format!("client_id={}&client_secret={}", bot.id, bot.api_key),
            format!("Authorization=Bearer%20{}", bot.access),
        ] {
            let path = format!("{}?{query}", route.path_of(&bot));
            let reply = app.client().request(route.method, &path).await;
            reply.expect_error(401, "UNAUTHORIZED");
        }
        let secrets = json!({
            "access_token": bot.access, "api_key": bot.api_key, "recovery_key": bot.recovery_key,
            "agent_id": bot.id, "client_id": bot.id, "client_secret": bot.api_key,
        });
        let request = route.ask(&app.client(), &bot).json(&secrets);
        request.await.expect_error(401, "UNAUTHORIZED");
        let cookie = format!("access_token={0}; __Host-portcullis={0}", bot.access);
        let request = route.ask_well(&app.client(), &bot).header("cookie", cookie);
        request.await.expect_error(401, "UNAUTHORIZED");
        for name in ["x-api-key", "x-access-token", "proxy-authorization", "x-authorization"] {
            let value = format!("Bearer {}", bot.access);
            let request = route.ask_well(&app.client(), &bot).header(name, value);
            request.await.expect_error(401, "UNAUTHORIZED");
        }
    }
    assert_untouched(&app, &bot).await;
}

#[actix_web::test]
async fn a_header_that_stands_twice_is_no_credential() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in closed() {
        let once = || route.authenticated(route.ask_well(&app.client(), &bot), &bot);
        route.authenticated(once(), &bot).await.expect_error(401, "UNAUTHORIZED");
        once().header("authorization", "Basic YTpi").await.expect_error(401, "UNAUTHORIZED");
    }
    assert_untouched(&app, &bot).await;
}

/// Those whose path names an agent and that want its credential.
fn of_one_agent() -> impl Iterator<Item = Route> {
    closed().filter(|route| route.path.contains("{agent_id}"))
}

on_every_storage!(r7_nobody_reaches_another_agent_by_naming_it, |app| {
    let bot = app.bot("weather-bot").await;
    let nobody = Bot { id: format!("agt_{}", "0".repeat(32)), ..bot.clone() };
    for route in of_one_agent() {
        let eve = app.bot("eve-bot").await;
        // It is told the same of what is not there.
        for named in [&bot, &nobody] {
            let request = route.authenticated(route.ask_well(&app.client(), named), &eve);
            request.await.expect_error(403, "FORBIDDEN");
        }
        assert_untouched(&app, &eve).await;
    }
    assert_untouched(&app, &bot).await;
});

#[actix_web::test]
async fn i13_a_text_that_is_no_id_names_nobody() {
    let mut options = AppOptions::default();
    options.engine.limits.enabled = false;
    let app = TestApp::memory_with(options).await;
    let bot = app.bot("weather-bot").await;
    for route in of_one_agent() {
        let upper = bot.id.to_uppercase();
        for id in ["x", "agt_x", "%00", "%2e%2e", "agt_%2a", &upper, &bot.id[..35]] {
            let named = Bot { id: id.to_owned(), ..bot.clone() };
            let request = route.authenticated(route.ask_well(&app.client(), &named), &bot);
            let create = route.path == "/api/agents/{agent_id}" && route.method == "POST";
            let wanted = if create { (400, "INVALID_AGENT_ID") } else { (403, "FORBIDDEN") };
            request.await.expect_error(wanted.0, wanted.1);
        }
    }
    assert_untouched(&app, &bot).await;
}

#[actix_web::test]
async fn l11_refused_credentials_are_counted_for_the_address_over_all_routes() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let client = app.client();
    let counted = || closed().filter(|route| route.wants != Wants::Key).cycle();
    for (n, route) in (0..60).zip(counted()) {
        let request = route.ask_well(&client, &bot);
        let request =
            if n % 2 == 0 { request.bearer("wrong") } else { request.basic("x", "wrong") };
        assert_eq!(request.await.expect_error(401, "UNAUTHORIZED").remaining(), 59 - n);
    }
    client.agent("wrong").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    // The address is looked at first, before whatever credential.
    for route in closed().filter(|route| route.wants != Wants::Key) {
        let reply = route.ask_as(&client, &bot).await;
        reply.expect_error(429, "RATE_LIMIT_EXCEEDED");
    }
    client.exchange(&bot.id, &bot.api_key).await.expect(200);
    assert_untouched(&app, &bot).await;
}

on_every_storage!(l11_an_agent_has_a_hundred_requests_a_minute_wherever_it_is, |app| {
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    for left in (0..100).rev() {
        // By whichever credential.
        let reply = if left % 2 == 0 {
            app.client().agent(&bot.access).await.expect(200)
        } else {
            app.client().delete(&bot.path("/keys/x")).recovering(&bot).await.expect(404)
        };
        assert_eq!((reply.number("x-ratelimit-limit"), reply.remaining()), (100, left));
    }
    let over = app.client().agent(&bot.access).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert!((1..=66).contains(&over.number("retry-after")));
    let peer = app.peer().await;
    peer.client().agent(&bot.access).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    app.client().agent(&other.access).await.expect(200);
    app.clock().advance(time::Duration::seconds(70));
    app.client().agent(&bot.access).await.expect(200);
});

#[actix_web::test]
async fn the_table_is_what_the_description_tells() {
    let document: serde_json::Value = serde_json::from_str(&portcullis_http::openapi()).unwrap();
    let mut described = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !path.starts_with("/api/") {
                continue;
            }
            described += 1;
            let route = ROUTES
                .iter()
                .find(|route| route.path == path && route.method.eq_ignore_ascii_case(method));
            let route = route.unwrap_or_else(|| panic!("{method} {path}"));
            let wanted: &[&str] = match route.wants {
                Wants::Nothing => &[],
                Wants::Key => &["api_key"],
                Wants::Token => &["agent_token"],
                Wants::Recovery => &["recovery_key"],
                Wants::RecoveryOrToken => &["recovery_key", "agent_token"],
            };
            let schemes = operation["security"].as_array().cloned().unwrap_or_default();
            let named: Vec<&String> =
                schemes.iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
            assert_eq!(named, wanted, "{method} {path}");
            assert_eq!(operation["tags"], json!(["agents"]));
            let reads = route.reads != super::routes::Reads::Nothing;
            assert_eq!(operation["requestBody"].is_object(), reads, "{method} {path}");
        }
    }
    assert_eq!(described, ROUTES.len());
}
