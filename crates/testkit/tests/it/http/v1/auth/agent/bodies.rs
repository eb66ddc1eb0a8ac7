//! Bodies that are no JSON object of the kind that is asked for.

use portcullis_testkit::app::TestApp;

const PATHS: [&str; 3] =
    ["/v1/auth/agent", "/v1/auth/agent/claim", "/v1/auth/agent/claim/complete"];

#[actix_web::test]
async fn a_malformed_body_is_400_on_every_route() {
    let app = TestApp::memory().await;
    let bodies: [&[u8]; 12] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\"x\"",
        b"1",
        b"{\"type\":}",
        b"{\"type\":\"anonymous\"} x",
        b"{\"type\":\"anonymous\",\"type\":\"anonymous\"}",
        b"{\"claim_token\":\"clm_x\",\"claim_token\":\"clm_x\",\"email\":\"a@example.com\",\"code\":\"1\"}",
        b"{\"type\":\"\xff\"}",
        b"\xef\xbb\xbf",
    ];
    for path in PATHS {
        for body in bodies {
            let reply = app.client().post(path).body("application/json", body).await;
            let reply = reply.expect_error(400, "invalid_request");
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
    }
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn another_media_type_is_415_and_too_much_is_413() {
    let app = TestApp::memory().await;
    for path in PATHS {
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
            let request = app.client().post(path).body(media_type, "{\"type\":\"anonymous\"}");
            request.await.expect_error(415, "unsupported_media_type");
        }
        let large = format!("{{\"type\":\"{}\"}}", "x".repeat(65 * 1024));
        let reply = app.client().post(path).body("application/json", large).await;
        reply.expect_error(413, "payload_too_large");
    }
}

#[actix_web::test]
async fn other_methods_are_405_in_the_envelope_of_this_surface() {
    let app = TestApp::memory().await;
    for path in PATHS.into_iter().chain(["/v1/auth/agent/revoke"]) {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let reply = app.client().request(method, path).await;
            let reply = reply.expect_error(405, "method_not_allowed");
            assert_eq!(reply.header("allow"), Some("POST"), "{method} {path}");
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        }
    }
}
