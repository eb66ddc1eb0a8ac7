//! Headers of every answer under `/api`.

use portcullis_testkit::app::{AppOptions, Reply, Request, TestApp};

use super::routes::{EXCHANGE, ROUTES, Wants, closed};
use crate::http::{headers::BEARER, routes::limit_headers};

pub(crate) const BASIC: &str = r#"Basic realm="agents", charset="UTF-8""#;

fn challenges(reply: &Reply) -> Vec<&str> {
    reply.headers.get_all("www-authenticate").map(|value| value.to_str().unwrap()).collect()
}

#[actix_web::test]
async fn w6_every_401_says_how_to_authenticate_and_where_to_read_about_it() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let refused = format!("{BEARER}, error=\"invalid_token\"");
    for route in closed() {
        let wanted = |bearer| match route.wants {
            Wants::Nothing => Vec::new(),
            Wants::Key | Wants::Recovery => vec![BASIC],
            Wants::Token => vec![bearer],
            Wants::RecoveryOrToken => vec![BASIC, bearer],
        };
        let ask = || route.ask_well(&app.client(), &bot);
        for request in [ask(), ask().basic("x", "x"), ask().header("authorization", "Bearer")] {
            let reply = request.await.expect_error(401, "UNAUTHORIZED");
            // RFC 6750 §3.1: no error where there was no token to be wrong.
            assert_eq!(challenges(&reply), wanted(BEARER), "{route:?}");
        }
        for token in ["x", "a.b.c"] {
            let reply = ask().bearer(token).await.expect_error(401, "UNAUTHORIZED");
            assert_eq!(challenges(&reply), wanted(refused.as_str()), "{route:?}");
        }
    }
    for (path, body) in [
        ("/api/auth/verify-email", r#"{"token":"evt_x"}"#),
        ("/api/auth/recovery/verify", r#"{"email":"a@example.com","code":"000000"}"#),
    ] {
        let reply = app.client().post(path).body("application/json", body).await.expect(401);
        assert_eq!(challenges(&reply), [BEARER]);
    }
}

#[actix_web::test]
async fn w7_the_challenge_names_our_own_origin_and_never_the_requests() {
    let options = AppOptions { public_url: "https://auth.example.com", ..AppOptions::default() };
    let app = TestApp::memory_with(options).await;
    let bot = app.bot("weather-bot").await;
    for route in ROUTES {
        let mut request = route.ask_well(&app.client(), &bot);
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "javascript"),
            ("forwarded", "host=evil.example;proto=gopher"),
            ("origin", "https://evil.example"),
            ("x-original-url", "/evil.example"),
            ("x-rewrite-url", "/evil.example"),
        ] {
            request = request.header(name, value);
        }
        let reply = request.await;
        assert!(!reply.text().contains("evil") && !format!("{:?}", reply.headers).contains("evil"));
        assert!(route.wants == Wants::Nothing || reply.status == 401, "{route:?}");
        if route.wants == Wants::Token {
            assert!(challenges(&reply)[0].contains("\"https://auth.example.com/.well-known/"));
        }
    }
    app.mails();
    app.client().register_agent("weather-bot", Some("bot@example.com")).await.expect(201);
    let token = app.mailed("agent_verify_email");
    let path = format!("/api/auth/verify-email?token={token}");
    let request = app.client().get(&path).header("accept", "text/html");
    let page = request.header("host", "evil.example").await.expect(200);
    assert!(!page.text().contains("evil"), "M2");
}

/// One answer of every route: bare, well asked, authenticated, and by a method that it has not.
async fn answers(app: &TestApp) -> Vec<(String, Reply)> {
    let mut answers = Vec::new();
    for route in ROUTES {
        let bot = app.bot("weather-bot").await;
        let client = app.client();
        let requests: [Request<'_>; 4] = [
            route.ask(&client, &bot),
            route.ask_well(&client, &bot),
            route.ask_as(&client, &bot),
            client.request("PATCH", &route.path_of(&bot)),
        ];
        for request in requests {
            answers.push((format!("{} {}", route.method, route.path), request.await));
        }
    }
    answers
}

#[actix_web::test]
async fn w1_nothing_is_ever_cached() {
    let app = TestApp::memory().await;
    for (name, reply) in answers(&app).await {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{name} {}", reply.status);
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{name}");
        assert_eq!(reply.header("set-cookie"), None, "W5 {name}");
        assert_eq!(reply.header("vary"), None, "W4 {name}");
    }
}

#[actix_web::test]
async fn l10_every_route_shows_three_integers_that_count_down() {
    let app = TestApp::memory().await;
    let now = app.clock().advance(time::Duration::ZERO).unix_timestamp();
    for route in ROUTES {
        let client = app.client();
        // Where the first request ends the credential, the second one is not accepted.
        let ends = ["/api/auth/refresh", "/api/auth/logout"].contains(&route.path)
            || route.method == "DELETE"
            || route.path.ends_with("/rotate");
        let bot = app.bot("weather-bot").await;
        let made = i64::from(route.limit == 20);
        for spent in 1..=(if ends { 1 } else { 2 }) {
            // The exchange that equipped the bot came from elsewhere.
            let reply = route.ask_as(&client, &bot).await;
            let refused = reply.status == 401 && reply.code() == "UNAUTHORIZED";
            assert!(!refused, "{route:?}");
            let (shown, left, reset) = limit_headers(&reply);
            assert_eq!((shown, left), (route.limit, route.limit - spent - made), "{route:?}");
            assert!(now < reset && reset <= now + 3601, "{reset}");
            assert_eq!(reply.header("retry-after"), None);
        }
        if route.wants != Wants::Nothing {
            // An accepted credential counts for its agent alone, a refused one for the address.
            let refused = route.ask_well(&app.client(), &bot).await.expect(401);
            let limit = if route.path == EXCHANGE.path { 600 } else { 60 };
            assert_eq!((limit_headers(&refused).0, refused.remaining()), (limit, limit - 1));
        }
    }
}

#[actix_web::test]
async fn head_works_where_get_does_and_has_no_effect() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let body = serde_json::json!({ "visibility": "public" });
    app.client().put(&bot.path("/profile")).bearer(&bot.access).json(&body).await.expect(200);
    for route in ROUTES {
        let path = route.path_of(&bot);
        let head = app.client().request("HEAD", &path).bearer(&bot.access).await;
        if route.method == "GET" {
            let get = route.ask_as(&app.client(), &bot).await;
            let wanted = if route.path == "/api/auth/verify-email" { 400 } else { 200 };
            assert_eq!((get.status, head.status), (wanted, wanted), "{route:?}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
        } else if !ROUTES.iter().any(|other| other.method == "GET" && other.path == route.path) {
            head.expect(405);
        }
    }
}

#[actix_web::test]
async fn w4_no_origin_is_allowed_anything() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8080", "*"] {
        for route in ROUTES {
            // That no answer has a CORS header is checked of every answer.
            route.ask(&app.client(), &bot).header("origin", origin).await;
            let preflight = app.client().request("OPTIONS", &route.path_of(&bot));
            let preflight = preflight.header("origin", origin);
            let preflight = preflight.header("access-control-request-method", route.method);
            preflight.header("access-control-request-headers", "authorization").await.expect(405);
        }
    }
}
