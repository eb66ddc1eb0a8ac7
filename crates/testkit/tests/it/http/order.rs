//! The order of refusals: 404, 405, 429 by address, 413, 415, 401, 403, 400.

use portcullis_testkit::app::{Client, Request, TestApp};

use super::routes::{END_SESSION, REFRESH, ROUTES, Route, with_bearer, with_body};

const TOO_LARGE: usize = 64 * 1024 + 1;

/// Spends the address's bucket of the route.
async fn exhaust(client: &Client<'_>, route: Route) {
    // A refused token counts towards the address, which has 30 a minute.
    let tries = if route.bearer { 31 } else { 31.min(route.limit.unwrap() + 1) };
    for _ in 0..tries {
        route.ask(client).await;
    }
    route.ask(client).await.expect(429);
}

fn too_large(request: Request<'_>) -> Request<'_> {
    request.body("text/plain", vec![b'x'; TOO_LARGE])
}

#[actix_web::test]
async fn an_unknown_path_comes_before_everything() {
    let app = TestApp::memory().await;
    let client = app.client();
    exhaust(&client, REFRESH).await;
    for path in ["/v1/auth/nothing", "/v1/users", "/v1/auth", "/v1/auth/sessions/a/b"] {
        for method in ["GET", "POST", "PATCH"] {
            too_large(client.request(method, path)).await.expect_error(404, "not_found");
        }
    }
}

#[actix_web::test]
async fn a_wrong_method_comes_before_the_limit_and_counts_nothing() {
    let app = TestApp::memory().await;
    for route in ROUTES {
        let client = app.client();
        for _ in 0..40 {
            let reply = client.request("PATCH", route.path).await;
            assert_eq!(reply.expect(405).header("x-ratelimit-limit"), None);
        }
        if route.limit.is_some() && !route.bearer {
            assert_ne!(route.ask(&client).await.status, 429);
            exhaust(&client, route).await;
            too_large(client.request("PATCH", route.path)).await.expect(405);
        }
    }
}

#[actix_web::test]
async fn the_limit_comes_before_size_type_and_token() {
    let app = TestApp::memory().await;
    for route in ROUTES.into_iter().filter(|route| route.limit.is_some()) {
        let client = app.client();
        exhaust(&client, route).await;
        too_large(route.ask(&client)).await.expect_error(429, "rate_limited");
        route.ask(&client).body("text/plain", "x").await.expect_error(429, "rate_limited");
        route.ask(&client).bearer("x").await.expect_error(429, "rate_limited");
        route.ask_well(&client).await.expect_error(429, "rate_limited");
    }
}

#[actix_web::test]
async fn size_comes_before_type_and_token() {
    let app = TestApp::memory().await;
    for route in with_body() {
        let reply = too_large(route.ask(&app.client())).await;
        reply.expect_error(413, "payload_too_large");
        let full = vec![b' '; TOO_LARGE - 1];
        let reply = route.ask(&app.client()).body("application/json", full).await;
        let next = if route.bearer { (401, "unauthorized") } else { (400, "validation_error") };
        reply.expect_error(next.0, next.1);
    }
}

#[actix_web::test]
async fn type_comes_before_token_and_content() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for route in with_body() {
        for media_type in [
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonp",
            "application/json-patch+json",
            "application/problem+json",
            "json",
            "",
        ] {
            let client = app.client();
            let reply = route.ask(&client).body(media_type, "{").await;
            reply.expect_error(415, "unsupported_media_type");
            let signed = route.ask_as(&client, &jane).body(media_type, "{}").await;
            signed.expect_error(415, "unsupported_media_type");
        }
        let untyped = route.ask(&app.client()).untyped("{}").await;
        untyped.expect_error(415, "unsupported_media_type");
        for encoding in ["gzip", "deflate", "br", "x"] {
            let request = route.ask_well(&app.client()).header("content-encoding", encoding);
            request.await.expect_error(415, "unsupported_media_type");
        }
    }
}

#[actix_web::test]
async fn json_is_json_however_it_is_spelled() {
    let app = TestApp::memory().await;
    for route in with_body() {
        for media_type in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json ;x=y",
        ] {
            let reply = route.ask(&app.client()).body(media_type, "{").await;
            assert_eq!(reply.status, if route.bearer { 401 } else { 400 }, "{media_type}");
        }
        // Without a body there is no type to be wrong.
        let reply = route.ask(&app.client()).body("text/plain", "").await;
        assert_eq!(reply.status, if route.bearer { 401 } else { 400 });
    }
}

#[actix_web::test]
async fn a_token_is_asked_for_before_the_content_is_looked_at() {
    let app = TestApp::memory().await;
    for route in with_bearer() {
        for body in ["{", "[]", "{}", r#"{"a":1,"a":2}"#] {
            let request = route.ask(&app.client()).body("application/json", body);
            request.await.expect_error(401, "unauthorized");
        }
    }
    // A session that is not there is told only to whom could have it.
    let jane = app.client().register("jane@example.com").await;
    END_SESSION.ask(&app.client()).await.expect_error(401, "unauthorized");
    END_SESSION.ask_as(&app.client(), &jane).await.expect_error(404, "not_found");
}

#[actix_web::test]
async fn refusals_of_a_body_count_like_any_other() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for route in with_body() {
        let client = app.client();
        let mut before = None;
        for n in 0..3 {
            let request = route.ask_as(&client, &jane);
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
