//! Input that nobody means well with.

use portcullis_testkit::app::{PASSWORD, Socket, TestApp};
use serde_json::json;

use super::routes::{ROUTES, with_body};

fn served() -> (TestApp, Socket) {
    let app = actix_web::rt::System::new().block_on(TestApp::memory());
    let socket = app.listen();
    (app, socket)
}

/// Texts that are no JSON object, or hold members that cannot be read.
pub(crate) fn hostile_bodies() -> [Vec<u8>; 12] {
    let wide: String = (0..4_000).map(|n| format!(r#""k{n}":{n},"#)).collect();
    [
        "[".repeat(60_000).into(),
        r#"{"a":"#.repeat(10_000).into(),
        format!("{{{wide}\"z\":{}{}}}", "[".repeat(200), "]".repeat(200)).into(),
        b"{\"refresh_token\":\"\\ud800\",\"email\":\"\\udfff\",\"display_name\":\"\\ud800x\"}".to_vec(),
        b"{\"refresh_token\":1e999,\"email\":1e999,\"display_name\":1e999}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"\x1f\x8b\x08\x00garbage".to_vec(),
        b"{\"email\":\"a\xff@example.com\",\"refresh_token\":\"\xc0\x80\",\"display_name\":\"\xed\xa0\x80\"}".to_vec(),
        b"{\"email\":\"a\x00\"}".to_vec(),
        b"\x00\x00\x00".to_vec(),
        b"{\"email\":NaN}".to_vec(),
        b"email=a&password=b".to_vec(),
    ]
}

/// Long texts of which a parser could make too much.
pub(crate) fn fillings() -> [String; 10] {
    ["a", "a.", "@", "\u{e9}", "xn--", " ", "\u{202e}", "a@b.", "%", "0"]
        .map(|text| text.repeat(20_000))
}

#[actix_web::test]
async fn i3_hostile_bodies_are_refused_by_every_route() {
    let app = TestApp::memory().await;
    let bodies = hostile_bodies();
    for (n, route) in with_body().enumerate() {
        let jane = app.admin(&format!("p{n}@example.com")).await;
        for body in &bodies {
            let request = route.ask_as(&app.client(), &jane).body("application/json", body.clone());
            request.await.expect_error(400, "validation_error");
        }
        app.client().me(&jane.access).await.expect(200);
    }
}

#[actix_web::test]
async fn i5_a_member_that_stands_twice_is_refused_by_every_route() {
    let app = TestApp::memory().await;
    let jane = app.admin("jane@example.com").await;
    for route in with_body() {
        let body = route.good_body();
        for (name, value) in body.as_object().unwrap() {
            let text = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
            let request = route.ask_as(&app.client(), &jane).body("application/json", text);
            let reply = request.await.expect_error(400, "validation_error");
            assert!(reply.broken_fields().contains(name), "{route:?} {name}");
        }
    }
}

/// Far above what it takes, and far below what anything quadratic would.
#[actix_web::test]
async fn i15_fields_of_sixty_kilobytes_are_judged_at_once() {
    let app = TestApp::memory().await;
    let jane = app.admin("jane@example.com").await;
    let fillings = fillings();
    for route in with_body() {
        for filling in &fillings {
            let mut body = route.good_body();
            for value in body.as_object_mut().unwrap().values_mut() {
                *value = filling.get(..20_000).unwrap_or(filling).into();
            }
            let began = std::time::Instant::now();
            let reply = route.ask_as(&app.client(), &jane).json(&body).await;
            assert!(began.elapsed().as_millis() < 1_000, "{route:?}");
            assert!(matches!(reply.status, 204 | 400..500), "{route:?} {}", reply.status);
        }
        app.clock().advance(time::Duration::seconds(40));
    }
}

#[actix_web::test]
async fn i17_numbers_beyond_every_size_are_of_the_wrong_type() {
    let app = TestApp::memory().await;
    for number in ["4294967296", "-1", "18446744073709551616", "1e308", "5368709120", "0.1"] {
        for (path, field) in [
            ("/v1/auth/register", "email"),
            ("/v1/auth/login", "password"),
            ("/v1/auth/refresh", "refresh_token"),
            ("/v1/auth/verify-email", "token"),
            ("/v1/auth/verify-email/resend", "email"),
            ("/v1/auth/password/reset", "email"),
            ("/v1/auth/password/reset/confirm", "password"),
        ] {
            let body = format!(r#"{{"{field}":{number}}}"#);
            let reply = app.client().post(path).body("application/json", body).await;
            let reply = reply.expect_error(400, "validation_error");
            assert!(reply.broken_fields().contains(&field.to_owned()));
        }
    }
}

#[actix_web::test]
async fn i13_no_other_spelling_of_a_path_reaches_a_handler_without_its_checks() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for path in [
        "//v1/users/me",
        "/v1//users/me",
        "/v1/users//me",
        "/v1/users/me/",
        "/v1/users/me//",
        "/v1/./users/me",
        "/v1/x/../users/me",
        "/v1/%2e/users/me",
        "/v1/x/%2e%2e/users/me",
        "/v1%2fusers%2fme",
        "/v1/users%2Fme",
        "/v1/users/me%00",
        "/v1/users/me%20",
        "/v1/users/me%0a",
        "/v1/users/ME",
        "/V1/users/me",
        "/v1/users/me;a=b",
        "/v1/users/me.json",
        "/v1/users/me%3f",
        "/v1/users/me%23",
        "/v1/users/%ff",
        "/v1/users/%zz",
        "/v1/users/%",
        "/v1/users/m%C3%A9",
        "/v1/users\\me",
        "/v1/users/me%5c",
        "/v1/users/%252e",
        "/.//v1/users/me",
        "/v1/users/*",
    ] {
        let reply = app.client().get(path).bearer(&jane.access).await;
        assert_eq!(reply.status, 404, "{path}");
        let login = app.client().post(&path.replace("users", "auth").replace("me", "login"));
        assert_eq!(login.json(&jane.credentials()).await.status, 404, "{path}");
    }
    // An encoded letter is that letter (RFC 3986 §6.2.2.2), and the same route with every check.
    for path in ["/v1/users/%6de", "/v1/%75sers/me", "/%76%31/users/me"] {
        app.client().get(path).await.expect_error(401, "unauthorized");
        let reply = app.client().get(path).bearer(&jane.access).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.remaining() % 100, reply.remaining());
    }
    let login = app.client().post("/v1/%61uth/login").json(&jane.credentials()).await.expect(200);
    assert_eq!(login.header("cache-control"), Some("no-store"), "W1");
}

#[actix_web::test]
async fn i10_methods_that_nobody_expects_are_refused() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for route in ROUTES {
        for method in ["TRACE", "CONNECT", "OPTIONS", "PATCH", "PROPFIND", "BREW", "get", "Post"] {
            let request = app.client().request(method, route.path).bearer(&jane.access);
            let override_to = request.header("x-http-method-override", route.method);
            override_to.json(&json!({})).await.expect(405);
        }
    }
}

#[actix_web::test]
async fn i8_texts_of_other_languages_are_data() {
    let app = TestApp::memory().await;
    for (n, text) in [
        "' OR '1'='1",
        "\"; DROP TABLE users; --",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "*)(uid=*",
        "%s%n",
        "../../etc/passwd",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "email": format!("p{n}@example.com"), "password": format!("{text}-pass"), "display_name": text });
        let reply = app.client().post("/v1/auth/register").json(&body).await.expect(201);
        assert_eq!(reply.string("/user/display_name"), text);
        app.client().try_sign_in(text, text).await.expect_error(400, "validation_error");
        app.client().refresh(text).await.expect_error(401, "invalid_token");
        let unknown = app.client().try_sign_in(&format!("p{n}@example.com"), text).await;
        unknown.expect_error(401, "invalid_credentials");
    }
}

/// Eight megabytes in chunks; the head says to close the connection afterwards, or does not.
fn in_chunks(line: &str, connection: &str) -> Vec<u8> {
    let mut request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{connection}\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..1024 {
        request.extend_from_slice(b"2000\r\n");
        request.extend_from_slice(&[b'x'; 0x2000]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

#[test]
fn i4_a_body_of_megabytes_ends_its_connection_wherever_it_goes() {
    let (_app, socket) = served();
    let huge = vec![b'x'; 8 * 1024 * 1024];
    std::thread::scope(|scope| {
        for (line, wanted) in [
            ("POST /v1/auth/refresh", 413),
            ("POST /v1/auth/logout", 413),
            ("PUT /v1/users/me", 413),
            ("DELETE /v1/users/me", 413),
            ("POST /v1/auth/password/reset", 413),
            ("POST /v1/auth/password/change", 413),
            ("POST /v1/admin/users/invite", 413),
            ("GET /v1/users/me", 401),
            ("DELETE /v1/auth/sessions", 401),
            ("GET /ready", 200),
            ("POST /nothing", 404),
        ] {
            let (socket, huge) = (&socket, &huge);
            let typed = ["Content-Type: application/json"];
            scope.spawn(move || {
                for raw in [
                    socket.ask(line, &typed, huge),
                    socket.send(&in_chunks(line, "Connection: close\r\n")),
                    // A rest that nobody reads ends the connection also when it was to be kept.
                    socket.send(&in_chunks(line, "")),
                ] {
                    // Who still writes when the server closes may lose the answer.
                    assert!(raw.status().is_none_or(|status| status == wanted), "{line}: {raw:?}");
                }
            });
        }
    });
    assert_eq!(socket.ask("GET /health", &[], b"").status(), Some(200));
}

#[test]
fn a_connection_outlives_its_refusals() {
    let (_app, socket) = served();
    let head = "HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let mut requests = Vec::new();
    for line in ["POST /nothing", "GET /v1/users/me", "POST /v1/auth/login", "PUT /v1/users/me"] {
        requests.push(format!("{line} {head}Content-Length: 2\r\n\r\n{{}}"));
        let chunks = "2\r\n{}\r\n0\r\n\r\n";
        requests.push(format!("{line} {head}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
    }
    requests.push("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned());
    let raw = socket.send(requests.concat().as_bytes());
    assert_eq!(raw.answers(), 9, "{raw:?}");
}

#[test]
fn i4_a_body_that_is_announced_as_too_large_is_refused_before_it_comes() {
    let (_app, socket) = served();
    for path in ["/v1/auth/register", "/v1/auth/logout", "/v1/users/me/email"] {
        let headers = ["Content-Type: application/json", "Content-Length: 5368709120"];
        let reply = socket.ask(&format!("POST {path}"), &headers, b"");
        assert_eq!(reply.status(), Some(413), "{path}: {}", reply.head());
        assert!(reply.body().contains("payload_too_large"), "{}", reply.body());
    }
}

#[test]
fn i9_bytes_that_are_no_request_get_one_answer_at_most() {
    let (_app, socket) = served();
    let body = format!(r#"{{"email":"a@example.com","password":"{PASSWORD}"}}"#);
    let n = body.len();
    let head = "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let hidden = "GET /v1/users/me HTTP/1.1\r\nHost: x\r\n\r\n";
    let many = "A: b\r\n".repeat(2_000);
    let long = "x".repeat(200_000);
    let requests = [
        format!("{head}Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: {n}\r\nContent-Length: 3\r\n\r\n{body}"),
        format!("{head}Content-Length: +{n}\r\n\r\n{body}"),
        format!("{head}Content-Length: -1\r\n\r\n{body}"),
        format!("{head}Content-Length: 0x10\r\n\r\n{body}"),
        format!("{head}Content-Length: 18446744073709551617\r\n\r\n{body}"),
        format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{body}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{body}"),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned() + "\r\n\r\n",
    ];
    for request in &requests {
        let raw = socket.send_and_close(request.as_bytes());
        let shown: String = request.chars().take(160).collect();
        assert!(raw.answers() <= 1, "{shown:?}: {raw:?}");
        assert!(
            raw.status().is_none_or(|status| (400..500).contains(&status)),
            "{shown:?}: {raw:?}"
        );
    }
    assert_eq!(socket.ask("GET /health", &[], b"").status(), Some(200));
}

#[test]
fn j11_a_token_of_sixty_kilobytes_is_refused_on_the_wire() {
    let (_app, socket) = served();
    for token in ["A".repeat(60_000), ".".repeat(20_000)] {
        let raw = socket.ask("GET /v1/users/me", &[&format!("Authorization: Bearer {token}")], b"");
        assert!(raw.status().is_some_and(|status| (400..500).contains(&status)), "{}", raw.head());
    }
    assert_eq!(socket.ask("GET /health", &[], b"").status(), Some(200));
}

#[test]
fn w10_no_banner_on_the_wire() {
    let (_app, socket) = served();
    for line in ["GET /health", "GET /nothing", "POST /v1/auth/login", "GET /v1/users/me"] {
        let head = socket.ask(line, &[], b"").head();
        for banner in ["\nserver:", "actix", "\nx-powered-by:", "rust"] {
            assert!(!head.contains(banner), "{head}");
        }
    }
}
