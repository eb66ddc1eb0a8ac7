use portcullis_audit::{Action, Outcome};
use portcullis_testkit::{
    app::{Client, PASSWORD, Person, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::json;

use crate::http::{headers::BEARER, routes::limit_headers};

const PATH: &str = "/v1/auth/password/change";
const NEW: &str = "a-brand-new-Passw0rd";
const WRONG: &str = "a-wrong-Passw0rd";

async fn change(client: &Client<'_>, person: &Person, current: &str, new: &str) -> Reply {
    let body = json!({ "current_password": current, "new_password": new });
    client.post(PATH).bearer(&person.access).json(&body).await
}

on_every_storage!(p10_a_change_ends_every_other_session_and_tells_the_owner, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let others = [client.sign_in(&jane.email).await, client.sign_in(&jane.email).await];
    let reply = change(&client, &jane, PASSWORD, NEW).await.expect(204);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for other in &others {
        client.me(&other.access).await.expect_error(401, "unauthorized");
        client.refresh(&other.refresh).await.expect_error(401, "invalid_token");
    }
    client.me(&jane.access).await.expect(200);
    client.refresh(&jane.refresh).await.expect(200);
    let old = app.client().try_sign_in(&jane.email, PASSWORD).await;
    old.expect_error(401, "invalid_credentials");
    app.client().try_sign_in(&jane.email, NEW).await.expect(200);

    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to(), mails[0].kind()), ("jane@example.com", "password_changed"));
    assert_eq!(mails[0].secret(), None);
    assert_eq!(mails[0].0.asked.client, Some(client.address()), "M9");
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 20));
    let changes: Vec<_> = events.iter().filter(|e| e.action == Action::PasswordChanged).collect();
    assert_eq!((changes.len(), changes[0].outcome), (1, Outcome::Success), "G3");
    assert_eq!(changes[0].request_id.as_deref(), reply.header("x-request-id"));
    assert!(changes[0].session.is_some());
});

on_every_storage!(p10_a_wrong_current_password_changes_nothing, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let phone = client.sign_in(&jane.email).await;
    for wrong in [WRONG, "", &"x".repeat(5000), &PASSWORD.to_lowercase()] {
        let reply = change(&app.client(), &jane, wrong, NEW).await;
        let reply = reply.expect_error(401, "invalid_credentials");
        assert_eq!(reply.header("www-authenticate"), Some(BEARER));
        assert_eq!(reply.json()["error"]["details"], serde_json::Value::Null);
    }
    for signed_in in [&jane, &phone] {
        client.me(&signed_in.access).await.expect(200);
    }
    client.sign_in(&jane.email).await;
    assert!(app.mails().is_empty());
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 20));
    let refused = events.iter().filter(|e| e.action == Action::PasswordRefused);
    assert!(refused.clone().all(|event| event.outcome == Outcome::Failure));
    assert_eq!(refused.count(), 4, "G3");
    assert!(!events.iter().any(|event| event.action == Action::PasswordChanged));
});

on_every_storage!(l1_a_change_counts_like_a_sign_in_of_its_client_address, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    for (left, current) in [(4, WRONG), (3, PASSWORD)] {
        let reply = change(&client, &jane, current, PASSWORD).await;
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, left));
    }
    for left in [2, 1, 0] {
        assert_eq!(client.try_sign_in(&jane.email, WRONG).await.expect(401).remaining(), left);
    }
    client.try_sign_in(&jane.email, PASSWORD).await.expect_error(429, "rate_limited");
    let over = change(&client, &jane, PASSWORD, NEW).await.expect_error(429, "rate_limited");
    assert_eq!((limit_headers(&over).0, over.number("retry-after")), (5, 900));
    // Such an address is refused before its body and its token are looked at.
    let blind = client.post(PATH).bearer("x").body("text/plain", vec![b'x'; 70_000]).await;
    assert_eq!(limit_headers(&blind.expect_error(429, "rate_limited")).0, 5);
    // Whatever checks no password goes on.
    client.me(&jane.access).await.expect(200);
    change(&app.client(), &jane, PASSWORD, NEW).await.expect(204);
});

on_every_storage!(l8_a_stolen_session_guesses_no_faster_than_a_stranger, |app| {
    let home = app.client();
    let jane = home.register("jane@example.com").await;
    for _ in 0..30 {
        let reply = change(&app.client(), &jane, WRONG, NEW).await;
        let reply = reply.expect_error(401, "invalid_credentials");
        assert_eq!(limit_headers(&reply).0, 5, "an account's bucket is not shown");
    }
    for current in [WRONG, PASSWORD] {
        let over = change(&app.client(), &jane, current, NEW).await;
        assert_eq!(limit_headers(&over.expect_error(429, "rate_limited")).0, 30);
    }
    // It is one bucket with sign-ins, and does not bind the owner where they are at home.
    app.client().try_sign_in(&jane.email, PASSWORD).await.expect_error(429, "rate_limited");
    change(&home, &jane, PASSWORD, NEW).await.expect(204);
});

on_every_storage!(p10_what_was_mailed_or_pending_before_is_dead_after_a_change, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let body = json!({ "email": jane.email });
    client.post("/v1/auth/password/reset").json(&body).await.expect(202);
    let reset = app.mailed("reset_password");
    let body = json!({ "email": "new@example.com", "password": PASSWORD });
    client.post("/v1/users/me/email").bearer(&jane.access).json(&body).await.expect(202);
    let code = app.mailed("confirm_new_email");
    change(&client, &jane, PASSWORD, NEW).await.expect(204);

    let body = json!({ "token": reset, "password": "yet-another-Passw0rd" });
    let reply = client.post("/v1/auth/password/reset/confirm").json(&body).await;
    reply.expect_error(401, "invalid_token");
    let confirm = client.post("/v1/users/me/email/confirm").bearer(&jane.access);
    confirm.json(&json!({ "code": code })).await.expect_error(401, "invalid_token");
    client.try_sign_in(&jane.email, NEW).await.expect(200);
});

on_every_storage!(of_parallel_changes_one_succeeds, |app| {
    let jane = app.client().register("jane@example.com").await;
    let body = |n| json!({ "current_password": PASSWORD, "new_password": format!("Passw0rd-{n}") });
    let requests =
        (0..4).map(|n| app.client().post(PATH).bearer(&jane.access).json(&body(n)).into_future());
    let replies = all(requests.collect()).await;
    let winners: Vec<usize> = (0..4).filter(|n| replies[*n].status == 204).collect();
    assert_eq!(winners.len(), 1, "{replies:?}");
    assert_eq!(replies.iter().filter(|reply| reply.status == 401).count(), 3);
    let set = format!("Passw0rd-{}", winners[0]);
    app.client().try_sign_in(&jane.email, &set).await.expect(200);
});

#[actix_web::test]
async fn every_broken_field_is_named_and_checks_no_password() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let long = "x".repeat(129);
    for (current, new, fields) in [
        (json!(null), json!(null), vec!["current_password", "new_password"]),
        (json!(5), json!([NEW]), vec!["current_password", "new_password"]),
        (json!(PASSWORD), json!("short"), vec!["new_password"]),
        (json!(PASSWORD), json!("password"), vec!["new_password"]),
        (json!(PASSWORD), json!("JANE@example.com"), vec!["new_password"]),
        (json!(PASSWORD), json!("jane smith"), vec!["new_password"]),
        (json!(PASSWORD), json!(long), vec!["new_password"]),
        (json!(null), json!(NEW), vec!["current_password"]),
    ] {
        let body = json!({ "current_password": current, "new_password": new });
        let reply = client.post(PATH).bearer(&jane.access).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
        assert_eq!(limit_headers(&reply).0, 100);
    }
    let reply = change(&client, &jane, PASSWORD, NEW).await.expect(204);
    assert_eq!(reply.remaining(), 4);
}

#[actix_web::test]
async fn an_unverified_owner_is_told_nothing_by_mail() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    app.mails();
    change(&app.client(), &jane, PASSWORD, NEW).await.expect(204);
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn five_notices_an_hour_of_one_kind() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    for _ in 0..7 {
        change(&app.client(), &jane, PASSWORD, PASSWORD).await.expect(204);
    }
    assert_eq!(app.mails().len(), 5);
}
