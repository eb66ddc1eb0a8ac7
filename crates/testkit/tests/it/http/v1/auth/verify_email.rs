use portcullis_audit::{Action, Actor, Outcome};
use portcullis_identity::Role;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{Client, Reply, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{headers::BEARER, jwt, routes::limit_headers};

const PATH: &str = "/v1/auth/verify-email";

async fn verify(client: &Client<'_>, token: &str) -> Reply {
    client.post(PATH).json(&json!({ "token": token })).await
}

fn role(access: &str) -> String {
    jwt::claims(access)["role"].as_str().unwrap().to_owned()
}

on_every_storage!(m1_the_token_mailed_at_registration_proves_the_address, |app| {
    let jane = app.client().register("Jane@Example.com").await;
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to(), mails[0].kind()), ("Jane@example.com", "verify_email"));
    let token = mails[0].secret().unwrap();
    assert!(token.starts_with("uvt_") && token.len() == 4 + 43 + 6, "{token}");
    let client = app.client();
    let reply = verify(&client, token).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (30, 29));
    assert_eq!(
        reply.json(),
        json!({ "user": {
            "id": jane.id, "email": "jane@example.com", "display_name": "Jane Smith",
            "role": "verified_user", "email_verified": true, "created_at": "2026-03-04T05:06:07Z",
        }})
    );
    assert_eq!(client.me(&jane.access).await.expect(200).json(), reply.json()["user"]);
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    let mut proofs = events.iter().filter(|event| event.action == Action::EmailVerified);
    let proof = proofs.next().expect("G3");
    assert_eq!((proof.outcome, proof.actor), (Outcome::Success, Actor::User(jane.user_id())));
    assert_eq!(proof.request_id.as_deref(), reply.header("x-request-id"));
    assert!(proofs.next().is_none(), "G3");
    assert!(app.mails().is_empty());
});

on_every_storage!(r12_a_verified_role_shows_from_the_next_refresh_or_sign_in, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    verify(&client, &app.mailed("verify_email")).await.expect(200);
    assert_eq!(role(&jane.access), "user");
    client.me(&jane.access).await.expect(200);
    let refreshed = client.refresh(&jane.refresh).await.expect(200);
    assert_eq!(role(&refreshed.string("/access_token")), "verified_user");
    let again = client.sign_in("jane@example.com").await;
    assert_eq!(role(&again.access), "verified_user");
});

on_every_storage!(v9_a_used_token_gives_nothing, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let token = app.mailed("verify_email");
    verify(&client, &token).await.expect(200);
    for _ in 0..2 {
        verify(&client, &token).await.expect_error(401, "invalid_token");
    }
    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 10));
    assert_eq!(events.iter().filter(|event| event.action == Action::EmailVerified).count(), 1);
});

on_every_storage!(a_token_is_good_for_a_day, |app| {
    let client = app.client();
    for (email, age, status) in [
        ("p1@example.com", Duration::DAY - Duration::SECOND, 200),
        ("p2@example.com", Duration::DAY, 401),
    ] {
        app.client().register(email).await;
        let token = app.mailed("verify_email");
        app.clock().advance(age);
        verify(&client, &token).await.expect(status);
    }
});

on_every_storage!(a_newer_token_kills_the_older, |app| {
    let client = app.client();
    client.register("jane@example.com").await;
    let older = app.mailed("verify_email");
    let body = json!({ "email": "jane@example.com" });
    client.post("/v1/auth/verify-email/resend").json(&body).await.expect(202);
    let newer = app.mailed("verify_email");
    assert_ne!(older, newer);
    verify(&client, &older).await.expect_error(401, "invalid_token");
    verify(&client, &newer).await.expect(200);
});

on_every_storage!(of_parallel_uses_of_a_token_one_succeeds, |app| {
    app.client().register("jane@example.com").await;
    let body = json!({ "token": app.mailed("verify_email") });
    let requests = (0..8).map(|_| app.client().post(PATH).json(&body).into_future()).collect();
    let mut statuses: Vec<u16> = all(requests).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
});

#[actix_web::test]
async fn a_higher_role_is_kept() {
    let app = TestApp::memory().await;
    for (n, given) in [Role::Host, Role::Admin].into_iter().enumerate() {
        let person = app.client().register(&format!("p{n}@example.com")).await;
        let operator = (Actor::Operator, Origin::local());
        app.engine().set_role(person.user_id(), given, operator.0, &operator.1).unwrap();
        let reply = verify(&app.client(), &app.mailed("verify_email")).await.expect(200);
        assert_eq!(reply.json()["user"]["role"], given.as_str());
        assert_eq!(reply.json()["user"]["email_verified"], true);
    }
}

#[actix_web::test]
async fn nothing_of_a_suspended_account_is_proven() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let token = app.mailed("verify_email");
    let (id, local) = (jane.user_id(), Origin::local());
    app.engine().suspend_user(id, Actor::Operator, &local).unwrap();
    verify(&client, &token).await.expect_error(401, "invalid_token");
    app.engine().resume_user(id, Actor::Operator, &local).unwrap();
    verify(&client, &token).await.expect(200);
    let john = app.client().register("john@example.com").await;
    let token = app.mailed("verify_email");
    app.engine().delete_user(john.user_id(), Actor::Operator, &local).unwrap();
    verify(&client, &token).await.expect_error(401, "invalid_token");
}

#[actix_web::test]
async fn v8_only_a_post_proves_and_nothing_else_burns_the_token() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let body = json!({ "token": app.mailed("verify_email") });
    let in_query = format!("{PATH}?token={}", body["token"].as_str().unwrap());
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        for path in [PATH, &in_query] {
            let reply = client.request(method, path).json(&body).await.expect(405);
            assert_eq!(reply.header("allow"), Some("POST"));
        }
    }
    // A credential in the query string is none.
    client.post(&in_query).json(&json!({})).await.expect_error(400, "validation_error");
    assert_eq!(client.me(&jane.access).await.json()["email_verified"], false);
    client.post(PATH).json(&body).await.expect(200);
}

#[actix_web::test]
async fn i1_a_token_that_is_missing_empty_or_no_string_is_named() {
    let app = TestApp::memory().await;
    for body in [
        json!({}),
        json!({ "token": null }),
        json!({ "token": "" }),
        json!({ "token": 5 }),
        json!({ "token": ["uvt_x"] }),
        json!({ "token": {} }),
        json!({ "email": "jane@example.com" }),
    ] {
        let reply = app.client().post(PATH).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["token"], "{body}");
    }
    let empty = app.client().post(PATH).untyped("").await.expect_error(400, "validation_error");
    assert_eq!(empty.json()["error"]["details"], Value::Null);
}

#[actix_web::test]
async fn j4_no_other_secret_proves_an_address() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let good = app.mailed("verify_email");
    let body = json!({ "email": jane.email });
    client.post("/v1/auth/password/reset").json(&body).await.expect(202);
    let reset = app.mailed("reset_password");
    let twisted = good.replacen("uvt_", "rst_", 1);
    let (upper, mut mistyped) = (good.to_uppercase(), good.clone());
    mistyped.replace_range(10..11, if &good[10..11] == "x" { "y" } else { "x" });
    for other in [
        &reset,
        &twisted,
        &upper,
        &mistyped,
        &jane.access,
        &jane.refresh,
        &jane.id,
        &format!(" {good}"),
        &format!("{good}\n"),
        &good[..50],
        "uvt_",
        "null",
        &"x".repeat(60_000),
    ] {
        let reply = verify(&app.client(), other).await.expect_error(401, "invalid_token");
        assert_eq!(reply.header("www-authenticate"), Some(BEARER));
    }
    client.refresh(&good).await.expect_error(401, "invalid_token");
    client.me(&good).await.expect_error(401, "unauthorized");
    verify(&client, &good).await.expect(200);
}
