use portcullis_audit::{Action, Actor};
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Client, PASSWORD, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;

use crate::http::{
    jwt,
    routes::{UNKNOWN_USER, of_administrators},
};

fn path(person: &Person, rest: &str) -> String {
    format!("/v1/admin/users/{}{rest}", person.id)
}

async fn show(client: &Client<'_>, admin: &Person, person: &Person) -> Reply {
    client.get(&path(person, "")).bearer(&admin.access).await
}

async fn set_role(client: &Client<'_>, admin: &Person, person: &Person, role: &str) -> Reply {
    let request = client.put(&path(person, "/role")).bearer(&admin.access);
    request.json(&json!({ "role": role })).await
}

/// The events of an action upon a person.
fn events(app: &TestApp, person: &Person, action: Action) -> Vec<Actor> {
    let events = app.read(|uow| uow.audit().list_for(person.user_id(), 50));
    events.iter().filter(|event| event.action == action).map(|event| event.actor).collect()
}

on_every_storage!(an_account_is_shown_with_what_belongs_to_it, |app| {
    let admin = app.admin("admin@example.com").await;
    let home = app.client_at([192, 0, 2, 7]);
    let jane = home.register("jane@example.com").await;
    let client = app.client();
    let reply = show(&client, &admin, &jane).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({
            "id": jane.id, "email": "jane@example.com", "display_name": "Jane Smith",
            "role": "user", "email_verified": false, "created_at": "2026-03-04T05:06:07Z",
            "status": "active", "has_password": true,
            "sessions": [{
                "id": jwt::claims(&jane.access)["sid"], "created_at": "2026-03-04T05:06:07Z",
                "last_used_at": "2026-03-04T05:06:07Z", "ip": "192.0.2.7", "user_agent": null,
            }],
        })
    );
});

on_every_storage!(r12_a_role_is_given_and_shows_at_the_next_refresh, |app| {
    let (admin, jane) =
        (app.admin("admin@example.com").await, app.client().register("jane@example.com").await);
    let client = app.client();
    for role in ["host", "admin", "verified_user", "user"] {
        let reply = set_role(&client, &admin, &jane, role).await.expect(200);
        assert_eq!(
            reply.json(),
            json!({
                "id": jane.id, "email": "jane@example.com", "display_name": "Jane Smith",
                "role": role, "email_verified": false, "created_at": "2026-03-04T05:06:07Z",
                "status": "active",
            })
        );
    }
    set_role(&client, &admin, &jane, "host").await.expect(200);
    client.me(&jane.access).await.expect(200);
    let refreshed = client.refresh(&jane.refresh).await.expect(200);
    assert_eq!(jwt::claims(&refreshed.string("/access_token"))["role"], "host");
    assert_eq!(events(&app, &jane, Action::RoleChanged), [Actor::User(admin.user_id()); 5], "G3");
    for (body, named) in [
        (json!({}), true),
        (json!({ "role": null }), true),
        (json!({ "role": "guest" }), true),
        (json!({ "role": "Admin" }), true),
        (json!({ "role": ["admin"] }), true),
        (json!([]), false),
    ] {
        let request = client.put(&path(&jane, "/role")).bearer(&admin.access).json(&body);
        let reply = request.await.expect_error(400, "validation_error");
        assert!(!named || reply.broken_fields() == ["role"], "{body}");
    }
});

on_every_storage!(r9_a_suspended_account_is_dead_until_it_is_resumed, |app| {
    let (admin, jane) =
        (app.admin("admin@example.com").await, app.client().register("jane@example.com").await);
    let client = app.client();
    let ask = async |what: &str| client.post(&path(&jane, what)).bearer(&admin.access).await;
    for _ in 0..2 {
        let reply = ask("/suspend").await.expect(200);
        assert_eq!(reply.string("/status"), "suspended");
    }
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.try_sign_in(&jane.email, PASSWORD).await.expect_error(403, "forbidden");
    let shown = show(&client, &admin, &jane).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["sessions"]), (&json!("suspended"), &json!([])));
    let reply = ask("/resume").await.expect(200);
    assert_eq!(reply.string("/status"), "active");
    // What ended stays ended.
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.sign_in(&jane.email).await;
    let by = Actor::User(admin.user_id());
    assert_eq!(events(&app, &jane, Action::UserSuspended), [by; 2]);
    assert_eq!(events(&app, &jane, Action::UserResumed), [by], "G3");
});

on_every_storage!(every_session_of_an_account_can_be_ended, |app| {
    let (admin, jane) =
        (app.admin("admin@example.com").await, app.client().register("jane@example.com").await);
    let client = app.client();
    let phone = client.sign_in(&jane.email).await;
    client.delete(&path(&jane, "/sessions")).bearer(&admin.access).await.expect(204);
    for signed_in in [&jane, &phone] {
        client.me(&signed_in.access).await.expect_error(401, "unauthorized");
        client.refresh(&signed_in.refresh).await.expect_error(401, "invalid_token");
    }
    client.sign_in(&jane.email).await;
    let by = Actor::User(admin.user_id());
    assert_eq!(events(&app, &jane, Action::SessionsRevoked), [by], "G3");
    // One's own may go as well.
    client.delete(&path(&admin, "/sessions")).bearer(&admin.access).await.expect(204);
    client.me(&admin.access).await.expect_error(401, "unauthorized");
});

on_every_storage!(r9_an_account_erased_by_an_administrator_is_gone, |app| {
    let (admin, jane) =
        (app.admin("admin@example.com").await, app.client().register("jane@example.com").await);
    app.mails();
    let client = app.client();
    let body = json!({ "email": jane.email });
    client.post("/v1/auth/password/reset").json(&body).await.expect(202);
    client.delete(&path(&jane, "")).bearer(&admin.access).await.expect(204);
    client.delete(&path(&jane, "")).bearer(&admin.access).await.expect_error(404, "not_found");
    show(&client, &admin, &jane).await.expect_error(404, "not_found");
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.try_sign_in(&jane.email, PASSWORD).await.expect_error(401, "invalid_credentials");
    assert!(app.mails().is_empty());
    assert_eq!(events(&app, &jane, Action::UserDeleted), [Actor::User(admin.user_id())], "G3");
    let anew = client.register("jane@example.com").await;
    assert_ne!(anew.id, jane.id);
});

on_every_storage!(an_administrator_cannot_shut_themselves_out, |app| {
    let admin = app.admin("admin@example.com").await;
    let client = app.client();
    for (method, rest) in [("PUT", "/role"), ("POST", "/suspend"), ("DELETE", "")] {
        let request = client.request(method, &path(&admin, rest)).bearer(&admin.access);
        request.json(&json!({ "role": "user" })).await.expect_error(409, "conflict");
    }
    let shown = show(&client, &admin, &admin).await.expect(200).json();
    assert_eq!((&shown["role"], &shown["status"]), (&json!("admin"), &json!("active")));
    // Another one may.
    let other = app.admin("other@example.com").await;
    set_role(&client, &other, &admin, "user").await.expect(200);
    show(&client, &admin, &other).await.expect_error(403, "forbidden");
});

#[actix_web::test]
async fn what_is_no_id_of_a_user_is_not_found_and_an_address_is_none() {
    let app = TestApp::memory().await;
    let admin = app.admin("admin@example.com").await;
    let jane = app.client().register("jane@example.com").await;
    let lower = jane.id.to_lowercase();
    for id in [
        "jane@example.com",
        "jane%40example.com",
        "x",
        "0",
        "4294967296",
        "%00",
        "%ff",
        "ses_00000000000000000000000000000000",
        "01JN2X4K8M3F7QPZRVWT6YBHCE",
        "'%20OR%20'1'='1",
        "..%2f..",
        &lower,
        &"x".repeat(20_000),
    ] {
        for (n, route) in
            of_administrators().filter(|r| r.path.starts_with(UNKNOWN_USER)).enumerate()
        {
            let rest = route.path.strip_prefix(UNKNOWN_USER).unwrap();
            let path = format!("/v1/admin/users/{id}{rest}");
            let request = app.client().request(route.method, &path).bearer(&admin.access);
            let reply = request.json(&json!({ "role": "host" })).await;
            assert_eq!(reply.expect(404).code(), "not_found", "{n} {id}");
        }
        app.clock().advance(time::Duration::seconds(20));
    }
    let user = app.engine().find_user("jane@example.com").unwrap();
    assert_eq!(user.id, jane.user_id());
    assert_eq!(app.read(|uow| uow.audit().list_for(user.id, 10)).len(), 1, "nothing was done");
    let local = Origin::local();
    assert!(app.engine().suspend_user(user.id, Actor::Operator, &local).is_ok());
}
