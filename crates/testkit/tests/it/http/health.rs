use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::json;

on_every_storage!(z1_the_process_lives_and_is_ready, |app| {
    for (path, status) in [("/health", "healthy"), ("/ready", "ready")] {
        let reply = app.client().get(path).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let version = env!("CARGO_PKG_VERSION");
        let body =
            json!({ "status": status, "timestamp": "2026-03-04T05:06:07Z", "version": version });
        assert_eq!(reply.json(), body);
    }
});

#[actix_web::test]
async fn neither_is_ever_limited() {
    let app = TestApp::memory().await;
    let client = app.client();
    for _ in 0..40 {
        client.post("/v1/auth/refresh").await;
    }
    client.post("/v1/auth/refresh").await.expect(429);
    for path in ["/health", "/ready", "/.well-known/jwks.json", "/openapi.json", "/"] {
        for _ in 0..50 {
            let reply = client.get(path).await.expect(200);
            assert_eq!(reply.header("x-ratelimit-limit"), None, "{path}");
        }
    }
}
