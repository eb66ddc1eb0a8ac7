//! Headers of every answer.

use portcullis_testkit::app::{AppOptions, Client, Reply, Request, TestApp};

use super::routes::{
    ROUTES, UNKNOWN_AGENT, UNKNOWN_OWN_AGENT, UNKNOWN_USER, limit_headers, with_bearer,
};

const PROXY: [u8; 4] = [172, 16, 0, 1];

/// How a client is told to send a bearer token.
pub(crate) const BEARER: &str =
    r#"Bearer resource_metadata="http://127.0.0.1:8080/.well-known/oauth-protected-resource""#;

async fn behind_a_proxy() -> TestApp {
    let options =
        AppOptions { trusted_proxies: &["172.16.0.0/24", "fd00::/8"], ..AppOptions::default() };
    TestApp::memory_with(options).await
}

fn request_id(reply: &Reply) -> String {
    reply.header("x-request-id").unwrap().to_owned()
}

fn with_id<'a>(client: &Client<'a>, id: impl AsRef<[u8]>) -> Request<'a> {
    client.get("/health").header("x-request-id", id)
}

/// One answer of every route, by status: without anything, and with everything right.
async fn answers(app: &TestApp) -> Vec<(String, Reply)> {
    let mut answers = Vec::new();
    for (n, route) in ROUTES.into_iter().enumerate() {
        let jane = app.admin(&format!("p{n}@example.com")).await;
        let name = format!("{} {}", route.method, route.path);
        answers.push((name.clone(), route.ask(&app.client()).await));
        answers.push((name.clone(), route.ask_well(&app.client()).await));
        answers.push((name.clone(), route.ask_as(&app.client(), &jane).await));
        answers.push((name, app.client().request("PATCH", route.path).await));
    }
    answers
}

#[actix_web::test]
async fn an_id_from_nobody_trusted_is_replaced() {
    let app = TestApp::memory().await;
    let mut seen = Vec::new();
    for address in [[10, 0, 0, 1], [127, 0, 0, 1], PROXY] {
        let client = app.client_at(address);
        let id = request_id(&with_id(&client, "client-chosen-1").await);
        assert_ne!(id, "client-chosen-1");
        assert!(!seen.contains(&id), "each request has its own");
        seen.push(id);
    }
}

#[actix_web::test]
async fn an_id_from_a_trusted_proxy_is_kept_when_it_has_the_form() {
    let app = behind_a_proxy().await;
    let proxy = app.client_at(PROXY);
    let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
    for good in ["abcdefgh", "A-1_b-2_c", "00000000", &longest] {
        assert_eq!(request_id(&with_id(&proxy, good).await), good);
    }
    for bad in ["", "short", &too_long, "abcdefg h", "abc;defgh", "<script>", "abcdefgh\u{e9}"] {
        let id = request_id(&with_id(&proxy, bad).await);
        assert_ne!(id, bad);
    }
    let stranger = request_id(&with_id(&app.client(), "abcdefgh").await);
    assert_ne!(stranger, "abcdefgh");
    // Also of refusals, and of paths that nothing serves.
    let refused = proxy.get("/v1/users/me").header("x-request-id", "refused-1").await.expect(401);
    assert_eq!(request_id(&refused), "refused-1");
    let lost = proxy.get("/nothing").header("x-request-id", "nowhere-1").await.expect(404);
    assert_eq!(request_id(&lost), "nowhere-1");
}

#[actix_web::test]
async fn w1_nothing_with_a_secret_or_an_account_is_ever_cached() {
    let app = TestApp::memory().await;
    for (name, reply) in answers(&app).await {
        let caching = reply.header("cache-control");
        let public = name.contains("/.well-known/") || name == "GET /openapi.json";
        if public && reply.status == 200 {
            assert_eq!(caching, Some("public, max-age=300"), "{name}");
        } else if name.contains("/v1/") || name.contains("/ready") || name.contains("/health") {
            assert_eq!(caching, Some("no-store"), "{name} {}", reply.status);
        } else {
            assert!(caching.is_none_or(|caching| caching == "no-store"), "{name}");
        }
    }
}

#[actix_web::test]
async fn w6_a_401_of_any_route_names_the_scheme_and_whether_a_token_was_refused() {
    let app = TestApp::memory().await;
    let (plain, refused) = (BEARER, format!("{BEARER}, error=\"invalid_token\""));
    for route in with_bearer() {
        let challenge = async |header: Option<&str>| {
            let request = route.ask_well(&app.client());
            let request = match header {
                Some(header) => request.header("authorization", header),
                None => request,
            };
            let reply = request.await.expect_error(401, "unauthorized");
            reply.header("www-authenticate").unwrap().to_owned()
        };
        // RFC 6750 §3.1: no error code when there was no token to be wrong.
        for header in [None, Some("Basic YTpi"), Some("Bearer"), Some("")] {
            assert_eq!(challenge(header).await, plain, "{header:?}");
        }
        for header in ["Bearer x", "Bearer a.b.c", "bearer a.b.c"] {
            assert_eq!(challenge(Some(header)).await, refused, "{header:?}");
        }
    }
    for path in [
        "/v1/auth/login",
        "/v1/auth/refresh",
        "/v1/auth/verify-email",
        "/v1/auth/password/reset/confirm",
    ] {
        let body = serde_json::json!({
            "email": "a@example.com", "password": "wrong-Passw0rd", "refresh_token": "rt_x",
            "token": "uvt_x",
        });
        let reply = app.client().post(path).json(&body).await.expect(401);
        assert_eq!(reply.header("www-authenticate"), Some(plain));
    }
    // The token is good, what is asked for again is not.
    let jane = app.client().register("jane@example.com").await;
    for route in with_bearer().filter(|route| route.limit == Some(5)) {
        let reply = route.ask_as(&app.client(), &jane).await;
        let reply = reply.expect_error(401, "invalid_credentials");
        assert_eq!(reply.header("www-authenticate"), Some(plain));
    }
}

#[actix_web::test]
async fn w4_no_origin_is_allowed_anything() {
    let app = TestApp::memory().await;
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8080.evil.example",
        "*",
    ] {
        for route in ROUTES {
            // That no answer has a CORS header is checked of every answer.
            let request = route.ask(&app.client()).header("origin", origin);
            let reply = request.await;
            assert_eq!(reply.header("vary"), None);
            let preflight = app.client().request("OPTIONS", route.path).header("origin", origin);
            let preflight = preflight.header("access-control-request-method", route.method);
            preflight.header("access-control-request-headers", "authorization").await.expect(405);
        }
    }
}

#[actix_web::test]
async fn w10_transport_security_is_asked_for_when_the_origin_is_https() {
    let hsts = "strict-transport-security";
    let plain = TestApp::memory().await;
    assert_eq!(plain.client().get("/health").await.header(hsts), None);
    let options = AppOptions { public_url: "https://auth.example.com", ..AppOptions::default() };
    let secure = TestApp::memory_with(options).await;
    for (name, reply) in answers(&secure).await {
        let value = reply.header(hsts).unwrap_or_default();
        assert!(value.starts_with("max-age=31536000"), "{name}: {value}");
    }
}

#[actix_web::test]
async fn w7_what_the_request_says_of_its_host_is_in_no_answer() {
    let app = behind_a_proxy().await;
    for route in ROUTES {
        app.clock().advance(time::Duration::MINUTE);
        let mut request = route.ask_well(&app.client_at(PROXY));
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "javascript"),
            ("forwarded", "host=evil.example;proto=gopher"),
            ("origin", "https://evil.example"),
            ("x-original-url", "/evil.example"),
            ("x-rewrite-url", "/evil.example"),
            ("x-forwarded-uri", "/evil.example"),
        ] {
            request = request.header(name, value);
        }
        let reply = request.await;
        assert!(!reply.text().contains("evil") && !format!("{:?}", reply.headers).contains("evil"));
        assert!(!route.bearer || reply.status == 401, "{route:?}");
    }
}

#[actix_web::test]
async fn l10_limited_routes_show_three_integers_that_count_down() {
    let app = TestApp::memory().await;
    let now = app.clock().advance(time::Duration::ZERO).unix_timestamp();
    for (n, route) in ROUTES.into_iter().enumerate() {
        let jane = app.client().register(&format!("p{n}@example.com")).await;
        let client = app.client();
        let Some(limit) = route.limit.map(i64::from) else {
            let reply = route.ask(&client).await.expect(200);
            assert!(!reply.header_names().iter().any(|name| name.contains("ratelimit")));
            continue;
        };
        for spent in 1..=2 {
            let reply = route.ask_as(&client, &jane).await;
            let (shown, left, reset) = limit_headers(&reply);
            assert_eq!((shown, left), (limit, limit - spent), "{route:?}");
            assert!(now < reset && reset <= now + 3601, "{reset}");
            assert_eq!(reply.header("retry-after"), None);
        }
        if route.bearer {
            let refused = route.ask_well(&client).await.expect(401);
            // An accepted token counts for its user alone, a refused one for the address.
            assert_eq!((limit_headers(&refused).0, refused.remaining()), (30, 29));
        }
    }
}

#[actix_web::test]
async fn head_works_where_get_does() {
    let app = TestApp::memory().await;
    let jane = app.admin("jane@example.com").await;
    for route in ROUTES {
        let head = app.client().request("HEAD", route.path).bearer(&jane.access).await;
        if route.method == "GET" {
            let get = route.ask_as(&app.client(), &jane).await;
            let unknown = [UNKNOWN_USER, UNKNOWN_AGENT, UNKNOWN_OWN_AGENT].contains(&route.path);
            get.clone().expect(if unknown { 404 } else { 200 });
            let head = head.expect(get.status);
            assert_eq!(head.header("content-type"), get.header("content-type"));
            app.client().request("HEAD", route.path).await;
        } else if !ROUTES.iter().any(|other| other.method == "GET" && other.path == route.path) {
            head.expect(405);
        }
    }
}

#[test]
fn head_has_no_body_on_the_wire() {
    let app = actix_web::rt::System::new().block_on(TestApp::memory());
    let socket = app.listen();
    for path in [
        "/health",
        "/ready",
        "/",
        "/openapi.json",
        "/.well-known/jwks.json",
        "/v1/users/me",
        "/nothing",
    ] {
        let head = socket.ask(&format!("HEAD {path}"), &[], b"");
        let get = socket.ask(&format!("GET {path}"), &[], b"");
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(head.body(), "", "{path}");
        assert!(!get.body().is_empty(), "{path}");
        let length = format!("content-length: {}", get.body().len());
        assert!(head.head().contains(&length), "{path}: {}", head.head());
    }
}
