//! The order of refusals: 404, 405, 429 by address, 413, 415, 401, 403, 400.

use portcullis_testkit::app::{Bot, Client, Request, TestApp};

use super::routes::{CREATE_KEY, EXCHANGE, ROUTES, Reads, Route, Wants, closed, with_body};

const TOO_LARGE: usize = 64 * 1024 + 1;

fn too_large(request: Request<'_>) -> Request<'_> {
    request.body("text/plain", vec![b'x'; TOO_LARGE])
}

/// Spends the address's bucket of the route.
async fn exhaust(client: &Client<'_>, route: Route, bot: &Bot) {
    let tries = match route.wants {
        Wants::Nothing => route.limit,
        Wants::Key => 600,
        // A refused credential counts towards the address.
        Wants::Token | Wants::Recovery | Wants::RecoveryOrToken => 60,
    };
    for _ in 0..tries {
        assert_ne!(too_large(route.ask(client, bot)).await.status, 429, "{route:?}");
    }
    route.ask(client, bot).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
}

#[actix_web::test]
async fn unknown_paths_and_wrong_methods_come_before_the_limit_and_count_nothing() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in ROUTES {
        let client = app.client();
        for _ in 0..61 {
            let reply = client.request("PATCH", &route.path_of(&bot)).await;
            let reply = reply.expect_error(405, "METHOD_NOT_ALLOWED");
            assert_eq!(reply.header("x-ratelimit-limit"), None);
        }
        let path = format!("{}/nothing/here", route.path_of(&bot));
        too_large(client.post(&path)).await.expect_error(404, "NOT_FOUND");
        assert_ne!(route.ask(&client, &bot).await.status, 429, "{route:?}");
        exhausted_still_tells(&app, route, &bot).await;
    }
}

async fn exhausted_still_tells(app: &TestApp, route: Route, bot: &Bot) {
    let client = app.client();
    exhaust(&client, route, bot).await;
    let path = route.path_of(bot);
    too_large(client.request("PATCH", &path)).await.expect_error(405, "METHOD_NOT_ALLOWED");
    let lost = format!("{path}/nothing/here");
    client.request(route.method, &lost).await.expect_error(404, "NOT_FOUND");
}

#[actix_web::test]
async fn the_limit_comes_before_size_type_and_credential() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in ROUTES {
        let client = app.client();
        exhaust(&client, route, &bot).await;
        for request in [
            too_large(route.ask(&client, &bot)),
            route.ask(&client, &bot).body("text/plain", "x"),
            route.ask(&client, &bot).bearer("x"),
            route.ask(&client, &bot).basic("x", "x"),
            route.ask_as(&client, &bot),
        ] {
            request.await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        }
    }
    app.client().agent(&bot.access).await.expect(200);
}

#[actix_web::test]
async fn size_comes_before_type_and_type_before_credential_and_content() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in with_body() {
        let reply = too_large(route.ask(&app.client(), &bot)).await;
        reply.expect_error(413, "PAYLOAD_TOO_LARGE");
        let signed = route.authenticated(route.ask(&app.client(), &bot), &bot);
        too_large(signed).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        let form = "application/x-www-form-urlencoded";
        for media_type in
            ["text/plain", "multipart/form-data", "application/jsonp", "json", "", form]
        {
            if media_type == form && route.reads == Reads::JsonOrForm {
                continue;
            }
            for request in [
                route.ask(&app.client(), &bot),
                route.authenticated(route.ask(&app.client(), &bot), &bot),
            ] {
                let reply = request.body(media_type, "{").await;
                reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
            }
        }
        let request = route.ask_as(&app.client(), &bot).header("content-encoding", "gzip");
        request.await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        let untyped = route.ask(&app.client(), &bot).untyped("{}").await;
        untyped.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[actix_web::test]
async fn a_credential_is_asked_for_before_the_content_is_looked_at() {
    let app = TestApp::memory().await;
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    for route in closed() {
        for body in ["{", "[]", "{}", r#"{"a":1,"a":2}"#] {
            let request = route.ask(&app.client(), &bot).body("application/json", body);
            request.await.expect_error(401, "UNAUTHORIZED");
            if !route.path.contains("{agent_id}") {
                continue;
            }
            // Nor does one of another agent get to hear of it.
            let request = route.ask(&app.client(), &bot).body("application/json", body);
            route.authenticated(request, &other).await.expect_error(403, "FORBIDDEN");
        }
    }
    let request = app.client().post("/api/agents/x").basic("x", "x");
    request.await.expect_error(401, "UNAUTHORIZED");
}

#[actix_web::test]
async fn refusals_of_a_body_count_like_any_other() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in with_body() {
        let (client, mut before) = (app.client(), None);
        for n in 0..3 {
            let request = route.ask_as(&client, &bot);
            let reply = if n % 2 == 0 {
                too_large(request).await.expect(413)
            } else {
                request.body("text/plain", "x").await.expect(415)
            };
            let remaining = reply.remaining();
            assert!(before.is_none_or(|before| remaining == before - 1), "{route:?}");
            before = Some(remaining);
        }
    }
}

#[actix_web::test]
async fn json_is_json_however_it_is_spelled_and_nothing_has_no_type() {
    let app = TestApp::memory().await;
    for media_type in
        ["Application/JSON", "application/json; charset=utf-8", "application/json ;x=y"]
    {
        let bot = app.bot("weather-bot").await;
        for route in [EXCHANGE, CREATE_KEY] {
            let request = route.authenticated(route.ask(&app.client(), &bot), &bot);
            let reply = request.body(media_type, route.good_body().to_string()).await;
            assert!(matches!(reply.status, 200 | 201), "{media_type}: {}", reply.text());
        }
    }
    let bot = app.bot("weather-bot").await;
    for route in with_body() {
        let request = route.authenticated(route.ask(&app.client(), &bot), &bot);
        let reply = request.body("text/plain", "").await;
        assert_ne!(reply.status, 415, "{route:?}");
    }
}
