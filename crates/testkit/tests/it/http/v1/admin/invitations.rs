use portcullis_audit::{Action, Actor};
use portcullis_flows::RegistrationMode;
use portcullis_testkit::{
    app::{AppOptions, PASSWORD, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::UNKNOWN_INVITATION;

const INVITE: &str = "/v1/admin/users/invite";
const PATH: &str = "/v1/admin/invitations";

async fn invite(app: &TestApp, admin: &Person, body: &Value) -> Reply {
    app.client().post(INVITE).bearer(&admin.access).json(body).await
}

async fn list(app: &TestApp, admin: &Person, query: &str) -> Reply {
    app.client().get(&format!("{PATH}?{query}")).bearer(&admin.access).await
}

on_every_storage!(an_invitation_for_an_address_is_shown_once_and_mailed, |app| {
    let admin = app.admin("admin@example.com").await;
    app.mails();
    let body = json!({ "email": " Jane@Example.com" });
    let reply = invite(&app, &admin, &body).await.expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let (id, token) = (reply.string("/id"), reply.string("/invite_token"));
    assert_eq!(
        reply.json(),
        json!({
            "id": id, "invite_token": token, "email": "jane@example.com",
            "expires_at": "2026-03-11T05:06:07Z",
        })
    );
    assert!(id.starts_with("ivt_") && id.len() == 36, "{id}");
    assert!(token.starts_with("inv_") && token.len() == 4 + 43 + 6, "{token}");
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to(), mails[0].secret()), ("Jane@example.com", Some(token.as_str())));
    let listed = list(&app, &admin, "").await.expect(200);
    assert_eq!(
        listed.json(),
        json!({
            "invitations": [{
                "id": id, "email": "jane@example.com",
                "created_at": "2026-03-04T05:06:07Z", "expires_at": "2026-03-11T05:06:07Z",
            }],
            "next_cursor": null,
        })
    );
    let events = app.read(|uow| uow.audit().list_for(admin.user_id(), 10));
    let invited: Vec<_> = events.iter().filter(|e| e.action == Action::UserInvited).collect();
    assert_eq!((invited.len(), invited[0].actor), (1, Actor::User(admin.user_id())), "G3");
    assert_eq!(invited[0].detail.as_deref(), Some(id.as_str()));
});

on_every_storage!(an_invitation_for_anybody_is_mailed_to_nobody, |app| {
    let admin = app.admin("admin@example.com").await;
    app.mails();
    for body in [json!({}), json!({ "email": null })] {
        let reply = invite(&app, &admin, &body).await.expect(201);
        assert_eq!(reply.json()["email"], Value::Null);
    }
    let bare = app.client().post(INVITE).bearer(&admin.access).await.expect(201);
    assert_eq!(bare.json()["email"], Value::Null);
    assert!(app.mails().is_empty());
});

on_every_storage!(invitations_are_listed_in_pages_while_they_can_be_used, |app| {
    let admin = app.admin("admin@example.com").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(invite(&app, &admin, &json!({})).await.expect(201).string("/id"));
    }
    ids.sort_unstable();
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = list(&app, &admin, &query).await.expect(200).json();
        let of_page = page["invitations"].as_array().unwrap();
        seen.extend(of_page.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!((seen, pages), (ids, 3));
    app.clock().advance(Duration::days(7));
    let admin = app.client().sign_in("admin@example.com").await;
    assert_eq!(list(&app, &admin, "").await.expect(200).json()["invitations"], json!([]));
});

on_every_storage!(a_withdrawn_invitation_and_its_mail_are_gone, |app| {
    let admin = app.admin("admin@example.com").await;
    app.mails();
    let body = json!({ "email": "jane@example.com" });
    let id = invite(&app, &admin, &body).await.expect(201).string("/id");
    let withdraw =
        async || app.client().delete(&format!("{PATH}/{id}")).bearer(&admin.access).await;
    withdraw().await.expect(204);
    withdraw().await.expect_error(404, "not_found");
    assert!(app.mails().is_empty());
    assert_eq!(list(&app, &admin, "").await.expect(200).json()["invitations"], json!([]));
    let events = app.read(|uow| uow.audit().list_for(admin.user_id(), 10));
    assert_eq!(events.iter().filter(|e| e.action == Action::InvitationWithdrawn).count(), 1, "G3");
});

#[actix_web::test]
async fn who_is_invited_over_the_wire_registers_over_the_wire() {
    let mut options = AppOptions::default();
    options.engine.registration.mode = RegistrationMode::Open;
    options.engine.registration.domains = vec!["example.com".to_owned()];
    let app = TestApp::memory_with(options).await;
    let admin = app.admin("admin@example.com").await;
    app.mails();
    let body = json!({ "email": "guest@elsewhere.example" });
    invite(&app, &admin, &body).await.expect(201);
    let body = json!({
        "email": "guest@elsewhere.example", "password": PASSWORD,
        "invite_token": app.mailed("invitation"),
    });
    app.client().post("/v1/auth/register").json(&body).await.expect(201);
    let reply = invite(&app, &admin, &json!({ "email": "guest@elsewhere.example" })).await;
    reply.expect_error(409, "conflict");
}

#[actix_web::test]
async fn a_broken_question_is_named() {
    let app = TestApp::memory().await;
    let admin = app.admin("admin@example.com").await;
    let users = portcullis_kernel::Cursor::after(admin.id.clone()).encode();
    for (query, named) in [
        ("limit=201", vec!["limit"]),
        ("cursor=x&limit=x", vec!["cursor", "limit"]),
        (&format!("cursor={users}"), vec!["cursor"]),
    ] {
        let reply = list(&app, &admin, query).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), named, "{query}");
    }
    for email in [json!("x"), json!(5), json!(["a@example.com"]), json!("")] {
        let reply = invite(&app, &admin, &json!({ "email": email })).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["email"]);
    }
    for id in ["x", "%00", "ivt_", &admin.id, &UNKNOWN_INVITATION[21..].to_uppercase()] {
        let request = app.client().delete(&format!("{PATH}/{id}")).bearer(&admin.access);
        request.await.expect_error(404, "not_found");
    }
}
