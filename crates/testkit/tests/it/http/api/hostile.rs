//! Input under `/api` that nobody means well with.

use portcullis_testkit::app::{AppOptions, Bot, TestApp};
use serde_json::{Value, json};

use super::routes::{ROUTES, Reads, Route, with_body};
use crate::http::hostile::{fillings, hostile_bodies};

async fn without_limits() -> TestApp {
    let mut options = AppOptions::default();
    options.engine.limits.enabled = false;
    TestApp::memory_with(options).await
}

/// Asks with the credential that is wanted and this body.
async fn refused(app: &TestApp, route: Route, bot: &Bot, body: impl Into<Vec<u8>>) {
    let request = route.authenticated(route.ask(&app.client(), bot), bot);
    let reply = request.body("application/json", body).await;
    reply.expect_error(400, "INVALID_REQUEST");
}

#[actix_web::test]
async fn i3_hostile_bodies_are_refused_by_every_route() {
    let app = without_limits().await;
    for route in with_body() {
        let bot = app.bot("weather-bot").await;
        for body in hostile_bodies() {
            refused(&app, route, &bot, body).await;
        }
        for body in ["[]", "null", "5", "\"x\"", "{", "{}{}"] {
            refused(&app, route, &bot, body).await;
        }
        app.client().agent(&bot.access).await.expect(200);
        app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    }
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn i5_a_member_that_stands_twice_is_refused_by_every_route() {
    let app = without_limits().await;
    for route in with_body() {
        let bot = app.bot("weather-bot").await;
        let body = route.good_body();
        let mut members: Vec<(String, Value)> = vec![("unknown".to_owned(), json!(1))];
        members.extend(body.as_object().unwrap().clone());
        for (name, value) in members {
            let text = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
            refused(&app, route, &bot, text).await;
        }
    }
    assert!(app.mails().is_empty());
}

/// Values of other types than this one has.
fn of_other_types(value: &Value) -> Vec<Value> {
    let all = [json!("x"), json!(5), json!(true), json!([1]), json!({ "a": 1 }), json!(1.5)];
    let same = |one: &Value| std::mem::discriminant(one) == std::mem::discriminant(value);
    let mut others: Vec<Value> = all.into_iter().filter(|one| !same(one)).collect();
    if value.is_number() {
        others.extend([json!(1.5), json!(-1), json!(u64::MAX), json!(1e300)]);
    }
    if value.is_array() {
        others.extend([json!([1]), json!([null]), json!([["x"]]), json!([{}])]);
    }
    others
}

#[actix_web::test]
async fn i1_i17_members_of_other_types_are_refused_by_every_route() {
    let app = without_limits().await;
    for route in with_body() {
        let bot = app.bot("weather-bot").await;
        let good = route.good_body();
        for (name, value) in good.as_object().unwrap() {
            for other in of_other_types(value) {
                let mut body = good.clone();
                body[name] = other;
                refused(&app, route, &bot, body.to_string()).await;
            }
        }
        app.client().agent(&bot.access).await.expect(200);
    }
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn fields_of_sixty_kilobytes_are_judged_by_every_route() {
    let app = without_limits().await;
    for route in with_body().filter(|route| route.reads != Reads::JsonOrForm) {
        let bot = app.bot("weather-bot").await;
        for filling in fillings() {
            let good = route.good_body();
            for (name, value) in good.as_object().unwrap() {
                if !value.is_string() && !value.is_array() {
                    continue;
                }
                let text = filling.get(..20_000).unwrap_or(&filling);
                let mut body = good.clone();
                body[name] = if value.is_array() { json!([text]) } else { json!(text) };
                let request = route.authenticated(route.ask(&app.client(), &bot), &bot);
                let reply = request.json(&body).await;
                assert!(reply.status < 500, "{route:?} {name} {}", reply.status);
            }
        }
    }
    let bot = app.bot("weather-bot").await;
    for filling in fillings() {
        let encoded: String = form_urlencoded::byte_serialize(filling.as_bytes()).collect();
        let encoded = &encoded[..encoded.len().min(20_000)];
        for path in [
            format!("/api/agents?q={encoded}"),
            format!("/api/agents?cursor={encoded}"),
            format!("/api/auth/verify-email?token={encoded}"),
        ] {
            let reply = app.client().get(&path).await;
            assert!(reply.status < 500, "{}", reply.status);
        }
        for accept in [",".repeat(20_000), "text/html;q=0.1,".repeat(2_000), "/;q=".repeat(5_000)] {
            let request = app.client().get("/api/auth/verify-email?token=x");
            request.header("accept", accept).await.expect(401);
        }
    }
    app.client().agent(&bot.access).await.expect(200);
}

#[actix_web::test]
async fn i13_no_other_spelling_of_a_path_reaches_a_handler_without_its_checks() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for path in [
        "//api/agents/me",
        "/api//agents/me",
        "/api/agents//me",
        "/api/agents/me/",
        "/api/./agents/me",
        "/api/x/../agents/me",
        "/api/%2e/agents/me",
        "/api%2fagents%2fme",
        "/API/agents/me",
        "/api/agents/me.json/x",
        "/api/agents\\me",
        "/api/Agents/me",
    ] {
        let reply = app.client().get(path).bearer(&bot.access).await;
        assert_eq!(reply.status, 404, "{path}");
    }
    // These name an agent that nobody is.
    for path in ["/api/agents/ME", "/api/agents/me%00", "/api/agents/me%20", "/api/agents/me;x"] {
        let reply = app.client().get(path).bearer(&bot.access).await;
        reply.expect_error(403, "FORBIDDEN");
    }
    for path in ["/api/agents/%6de", "/%61pi/agents/me"] {
        app.client().get(path).await.expect_error(401, "UNAUTHORIZED");
        let reply = app.client().get(path).bearer(&bot.access).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[actix_web::test]
async fn i10_methods_that_nobody_expects_are_refused() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for route in ROUTES {
        for method in ["TRACE", "CONNECT", "OPTIONS", "PATCH", "PROPFIND", "BREW", "get", "Post"] {
            let request = app.client().request(method, &route.path_of(&bot));
            let request = route.authenticated(request, &bot);
            let request = request.header("x-http-method-override", route.method);
            request.json(&json!({})).await.expect(405);
        }
    }
    app.client().agent(&bot.access).await.expect(200);
}

#[actix_web::test]
async fn i8_texts_of_other_languages_are_data() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for text in [
        "' OR '1'='1",
        "\"; DROP TABLE agents; --",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "*)(uid=*",
        "%s%n",
        "../../etc/passwd",
        "<script>alert(1)</script>",
    ] {
        let metadata = json!({ "description": text, "owner": text, "version": text });
        let body = json!({ "agent_name": "weather-bot", "metadata": metadata });
        app.client().post("/api/auth/register").json(&body).await.expect(201);
        let body = json!({ "display_name": text, "description": text, "tags": [text] });
        let request = app.client().put(&bot.path("/profile")).bearer(&bot.access);
        let profile = request.json(&body).await.expect(200).json();
        assert_eq!((&profile["display_name"], &profile["tags"]), (&json!(text), &json!([text])));
        let made = app.client().make_key(&bot, &json!({ "name": text })).await.expect(201);
        assert_eq!(made.string("/name"), text);
        app.client().exchange(text, text).await.expect_error(401, "UNAUTHORIZED");
        app.client().recover("bot@example.com", text).await.expect_error(401, "INVALID_CODE");
        app.client().ask_recovery(text).await.expect_error(400, "INVALID_EMAIL");
    }
}
