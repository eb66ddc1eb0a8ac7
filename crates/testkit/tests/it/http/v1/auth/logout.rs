use portcullis_audit::Action;
use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::json;

const PATH: &str = "/v1/auth/logout";

on_every_storage!(r6_a_sign_out_kills_both_tokens_at_once, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let reply = client.sign_out(&jane.access, &jane.refresh).await.expect(204);
    assert_eq!(reply.header("content-type"), None);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((reply.number("x-ratelimit-limit"), reply.remaining()), (100, 99));

    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    client.sign_out(&jane.access, &jane.refresh).await.expect_error(401, "unauthorized");
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    assert_eq!(events.iter().filter(|e| e.action == Action::SignedOut).count(), 1, "G3");
});

on_every_storage!(two_sign_ins_are_two_sessions, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let (a, b) = (client.sign_in(&jane.email).await, client.sign_in(&jane.email).await);
    client.sign_out(&a.access, &a.refresh).await.expect(204);
    client.refresh(&a.refresh).await.expect(401);
    client.me(&b.access).await.expect(200);
    client.refresh(&b.refresh).await.expect(200);
    // The other session may be named from this one.
    client.sign_out(&b.access, &jane.refresh).await.expect(204);
    client.refresh(&jane.refresh).await.expect(401);
    client.me(&b.access).await.expect(200);
});

on_every_storage!(a_used_token_signs_its_session_out_too, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let next = client.refresh(&jane.refresh).await.expect(200);
    client.sign_out(&jane.access, &jane.refresh).await.expect(204);
    client.refresh(&next.string("/refresh_token")).await.expect(401);
    client.me(&next.string("/access_token")).await.expect(401);
});

on_every_storage!(r7_nobody_ends_the_session_of_another, |app| {
    let jane = app.client().register("jane@example.com").await;
    let (client, eve) = (app.client(), app.client().register("eve@example.com").await);
    for foreign in [jane.refresh.as_str(), "rt_01JN2X4K8M3F7QPZRVWT6YBHCE", "x", "rt_\0"] {
        let reply = client.sign_out(&eve.access, foreign).await.expect(204);
        assert_eq!(reply.text(), "");
    }
    client.me(&eve.access).await.expect(200);
    client.me(&jane.access).await.expect(200);
    client.refresh(&jane.refresh).await.expect(200);
});

#[actix_web::test]
async fn a_broken_token_field_is_named_and_ends_nothing() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    for body in [
        json!({}),
        json!({ "refresh_token": null }),
        json!({ "refresh_token": "" }),
        json!({ "refresh_token": [jane.refresh] }),
        json!({ "refresh_token": 1 }),
    ] {
        let reply = client.post(PATH).bearer(&jane.access).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["refresh_token"], "{body}");
    }
    let twice = format!(r#"{{"refresh_token":"x","refresh_token":"{}"}}"#, jane.refresh);
    for body in [twice.as_str(), "", "[]", "null", "{"] {
        let request = client.post(PATH).bearer(&jane.access).body("application/json", body);
        request.await.expect_error(400, "validation_error");
    }
    client.refresh(&jane.refresh).await.expect(200);
}

#[actix_web::test]
async fn without_a_good_access_token_nothing_is_signed_out() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let body = json!({ "refresh_token": jane.refresh });
    client.post(PATH).json(&body).await.expect_error(401, "unauthorized");
    for header in ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "bearer", "Bearer  "] {
        let request = client.post(PATH).header("authorization", header).json(&body);
        request.await.expect_error(401, "unauthorized");
    }
    client.refresh(&jane.refresh).await.expect(200);
}
