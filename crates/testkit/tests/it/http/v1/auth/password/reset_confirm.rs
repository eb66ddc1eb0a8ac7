use portcullis_audit::{Action, Actor};
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{PASSWORD, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::json;
use time::Duration;

use crate::http::jwt;

const PATH: &str = "/v1/auth/password/reset/confirm";
const NEW: &str = "a-brand-new-Passw0rd";

/// The token of a mail that somebody just asked for.
async fn token(app: &TestApp, email: &str) -> String {
    app.mails();
    let body = json!({ "email": email });
    app.client().post("/v1/auth/password/reset").json(&body).await.expect(202);
    app.mailed("reset_password")
}

async fn confirm(app: &TestApp, token: &str, password: &str) -> Reply {
    app.client().post(PATH).json(&json!({ "token": token, "password": password })).await
}

on_every_storage!(r9_v9_a_reset_sets_the_password_once_and_ends_every_session, |app| {
    let home = app.client();
    let jane = app.verified("jane@example.com").await;
    let phone = home.sign_in("jane@example.com").await;
    let token = token(&app, "jane@example.com").await;
    assert!(token.starts_with("rst_") && token.len() == 4 + 43 + 6, "{token}");
    let reply = confirm(&app, &token, NEW).await.expect(204);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for signed_in in [&jane, &phone] {
        home.me(&signed_in.access).await.expect_error(401, "unauthorized");
        home.refresh(&signed_in.refresh).await.expect_error(401, "invalid_token");
    }
    let old = app.client().try_sign_in("jane@example.com", PASSWORD).await;
    old.expect_error(401, "invalid_credentials");
    app.client().try_sign_in("jane@example.com", NEW).await.expect(200);
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "password_changed")]);
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 20));
    assert_eq!(events.iter().filter(|e| e.action == Action::PasswordReset).count(), 1, "G3");
    // Once is all it was good for.
    confirm(&app, &token, "yet-another-Passw0rd").await.expect_error(401, "invalid_token");
    app.client().try_sign_in("jane@example.com", NEW).await.expect(200);
});

on_every_storage!(v10_a_planted_account_does_not_outlive_the_owner_of_its_mailbox, |app| {
    let attacker = app.client();
    let planted = attacker.register("victim@example.com").await;
    app.mails();
    let owner = app.client();
    let token = token(&app, "victim@example.com").await;
    owner.post(PATH).json(&json!({ "token": token, "password": NEW })).await.expect(204);

    attacker.me(&planted.access).await.expect_error(401, "unauthorized");
    attacker.refresh(&planted.refresh).await.expect_error(401, "invalid_token");
    let theirs = attacker.try_sign_in("victim@example.com", PASSWORD).await;
    theirs.expect_error(401, "invalid_credentials");
    let signed_in = owner.try_sign_in("victim@example.com", NEW).await.expect(200);
    assert_eq!(signed_in.string("/user/id"), planted.id);
    assert_eq!(signed_in.json()["user"]["email_verified"], true);
    let access = signed_in.string("/access_token");
    assert_eq!(jwt::claims(&access)["role"], "verified_user");
    // The owner is told that somebody else had been there.
    assert_eq!(app.told(), [("victim@example.com".to_owned(), "account_reclaimed")]);
});

on_every_storage!(a_link_of_the_account_itself_dies_with_the_proof_by_reset, |app| {
    app.client().register("victim@example.com").await;
    let link = app.mailed("verify_email");
    let token = token(&app, "victim@example.com").await;
    confirm(&app, &token, NEW).await.expect(204);
    let body = json!({ "token": link });
    let reply = app.client().post("/v1/auth/verify-email").json(&body).await;
    reply.expect_error(401, "invalid_token");
});

on_every_storage!(a_token_is_good_for_an_hour, |app| {
    app.verified("jane@example.com").await;
    for (age, status) in [(Duration::HOUR - Duration::SECOND, 204), (Duration::HOUR, 401)] {
        let token = token(&app, "jane@example.com").await;
        app.clock().advance(age);
        confirm(&app, &token, NEW).await.expect(status);
    }
});

on_every_storage!(a_newer_token_kills_the_older, |app| {
    app.verified("jane@example.com").await;
    let older = token(&app, "jane@example.com").await;
    let newer = token(&app, "jane@example.com").await;
    confirm(&app, &older, NEW).await.expect_error(401, "invalid_token");
    confirm(&app, &newer, NEW).await.expect(204);
});

on_every_storage!(o2_of_parallel_uses_of_a_token_one_succeeds, |app| {
    app.verified("jane@example.com").await;
    let token = token(&app, "jane@example.com").await;
    let body = |n: usize| json!({ "token": token, "password": format!("Passw0rd-number-{n}") });
    let requests = (0..6).map(|n| app.client().post(PATH).json(&body(n)).into_future()).collect();
    let replies = all(requests).await;
    let winners: Vec<usize> = (0..6).filter(|n| replies[*n].status == 204).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 401).count(), 5);
    let set = format!("Passw0rd-number-{}", winners[0]);
    app.client().try_sign_in("jane@example.com", &set).await.expect(200);
});

on_every_storage!(a_refused_password_leaves_the_token_good, |app| {
    let jane = app.verified("jane@example.com").await;
    let token = token(&app, "jane@example.com").await;
    let long = "x".repeat(129);
    let monstrous = "x".repeat(50_000);
    for password in
        ["", "short", "password", "jane@example.com", "JANE SMITH", long.as_str(), &monstrous]
    {
        let reply = confirm(&app, &token, password).await.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["password"], "{password}");
    }
    app.client().me(&jane.access).await.expect(200);
    confirm(&app, &token, NEW).await.expect(204);
});

#[actix_web::test]
async fn i1_every_broken_field_is_named_at_once() {
    let app = TestApp::memory().await;
    for (body, fields) in [
        (json!({}), vec!["password", "token"]),
        (json!({ "token": null, "password": null }), vec!["password", "token"]),
        (json!({ "token": "", "password": "short" }), vec!["password", "token"]),
        (json!({ "token": 5, "password": [NEW] }), vec!["password", "token"]),
        (json!({ "token": "rst_x", "password": "1234567" }), vec!["password"]),
        (json!({ "password": NEW }), vec!["token"]),
    ] {
        let reply = app.client().post(PATH).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), fields, "{body}");
    }
}

#[actix_web::test]
async fn j4_no_other_secret_sets_a_password() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    let link = app.mailed("verify_email");
    let good = token(&app, "jane@example.com").await;
    for other in [
        &link,
        &good.replacen("rst_", "uvt_", 1),
        &good.replacen("rst_", "udt_", 1),
        &good.to_lowercase(),
        &jane.access,
        &jane.refresh,
        &jane.id,
        "rst_",
    ] {
        confirm(&app, other, NEW).await.expect_error(401, "invalid_token");
    }
    let body = json!({ "token": good });
    let verify = app.client().post("/v1/auth/verify-email").json(&body).await;
    verify.expect_error(401, "invalid_token");
    app.client().me(&good).await.expect_error(401, "unauthorized");
    app.client().me(&jane.access).await.expect(200);
    confirm(&app, &good, NEW).await.expect(204);
}

#[actix_web::test]
async fn v6_without_a_mail_there_is_nothing_to_confirm() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for body in [
        json!({ "token": "rst_x", "password": NEW, "email": jane.email }),
        json!({ "token": jane.id, "password": NEW, "user_id": jane.id }),
    ] {
        app.client().post(PATH).json(&body).await.expect_error(401, "invalid_token");
    }
    app.client().sign_in("jane@example.com").await;
}

#[actix_web::test]
async fn a_suspended_or_erased_account_gets_no_password() {
    let app = TestApp::memory().await;
    let local = Origin::local();
    let jane = app.verified("jane@example.com").await;
    let good = token(&app, "jane@example.com").await;
    app.engine().suspend_user(jane.user_id(), Actor::Operator, &local).unwrap();
    confirm(&app, &good, NEW).await.expect_error(401, "invalid_token");
    app.engine().resume_user(jane.user_id(), Actor::Operator, &local).unwrap();
    app.engine().delete_user(jane.user_id(), Actor::Operator, &local).unwrap();
    confirm(&app, &good, NEW).await.expect_error(401, "invalid_token");
}

#[actix_web::test]
async fn v8_other_methods_burn_nothing() {
    let app = TestApp::memory().await;
    app.verified("jane@example.com").await;
    let body = json!({ "token": token(&app, "jane@example.com").await, "password": NEW });
    for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
        for path in [PATH, "/v1/auth/password/reset"] {
            app.client().request(method, path).json(&body).await.expect(405);
        }
    }
    app.client().post(PATH).json(&body).await.expect(204);
}
