use portcullis_audit::Action;
use portcullis_credentials::MailedKind;
use portcullis_flows::people::PresentToken;
use portcullis_kernel::{Field, Origin};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::{
    app::{Client, PASSWORD, Person, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;

use crate::http::routes::limit_headers;

const PATH: &str = "/v1/users/me";
const WRONG: &str = "a-wrong-Passw0rd";

async fn delete(client: &Client<'_>, person: &Person, password: &str) -> Reply {
    client.delete(PATH).bearer(&person.access).json(&json!({ "password": password })).await
}

/// Takes the password of an account away, as a reclaimed one has none.
fn without_password(app: &TestApp, person: &Person) {
    let id = person.user_id();
    let removed = app.engine().storage.transact(|uow| uow.passwords().remove(id));
    assert!(removed.unwrap());
}

on_every_storage!(r9_an_erased_account_is_gone_with_everything_of_it, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    let phone = client.sign_in(&jane.email).await;
    let john = app.client().register("john@example.com").await;
    let body = json!({ "email": jane.email });
    client.post("/v1/auth/password/reset").json(&body).await.expect(202);
    let reset = app.mailed("reset_password");
    let reply = delete(&client, &jane, PASSWORD).await.expect(204);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for signed_in in [&jane, &phone] {
        client.me(&signed_in.access).await.expect_error(401, "unauthorized");
        client.refresh(&signed_in.refresh).await.expect_error(401, "invalid_token");
    }
    let sign_in = client.try_sign_in(&jane.email, PASSWORD).await;
    sign_in.expect_error(401, "invalid_credentials");
    let body = json!({ "token": reset, "password": WRONG });
    let confirm = client.post("/v1/auth/password/reset/confirm").json(&body).await;
    confirm.expect_error(401, "invalid_token");
    assert_eq!(app.told(), [("jane@example.com".to_owned(), "account_deleted")]);

    let events = app.read(|uow| uow.audit().list_for(jane.user_id(), 50));
    assert_eq!(events.iter().filter(|e| e.action == Action::UserDeleted).count(), 1, "G3");
    assert!(events.iter().all(|event| event.client.is_none()), "no address is left");
    assert!(!format!("{events:?}").contains("jane@example.com"));
    client.me(&john.access).await.expect(200);
    let anew = client.register("jane@example.com").await;
    assert_ne!(anew.id, jane.id);
});

on_every_storage!(a_wrong_password_erases_nothing_and_counts, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    for (left, wrong) in [(4, WRONG), (3, "")] {
        let reply = delete(&client, &jane, wrong).await.expect_error(401, "invalid_credentials");
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, left));
    }
    client.me(&jane.access).await.expect(200);
    for _ in 0..3 {
        client.try_sign_in(&jane.email, WRONG).await.expect(401);
    }
    delete(&client, &jane, PASSWORD).await.expect_error(429, "rate_limited");
    client.me(&jane.access).await.expect(200);
    assert!(app.mails().is_empty());
    delete(&app.client(), &jane, PASSWORD).await.expect(204);
});

on_every_storage!(an_account_without_a_password_is_erased_by_a_link, |app| {
    let (client, jane) = (app.client(), app.verified("jane@example.com").await);
    without_password(&app, &jane);
    let reply = client.delete(PATH).bearer(&jane.access).await.expect(202);
    assert_eq!(reply.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
    assert_eq!(limit_headers(&reply).0, 100, "no password was checked");
    client.me(&jane.access).await.expect(200);
    let token = app.mailed("confirm_deletion");
    assert!(token.starts_with("udt_"), "{token}");
    // J4: it erases, and does nothing else.
    for path in ["/v1/auth/verify-email", "/v1/auth/password/reset/confirm"] {
        let body = json!({ "token": token, "password": WRONG });
        client.post(path).json(&body).await.expect_error(401, "invalid_token");
    }
    let input = PresentToken { token: Field::Given(token.into()) };
    let token = input.check(MailedKind::DeleteAccount).unwrap();
    app.engine().confirm_deletion(&token, &Origin::local()).unwrap();
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    assert!(app.engine().confirm_deletion(&token, &Origin::local()).is_err(), "O1");
});

#[actix_web::test]
async fn three_links_an_hour_and_the_same_answers() {
    let app = TestApp::memory().await;
    let jane = app.verified("jane@example.com").await;
    without_password(&app, &jane);
    let mut mails = 0;
    for _ in 0..6 {
        let body = json!({ "password": "whatever they send" });
        app.client().delete(PATH).bearer(&jane.access).json(&body).await.expect(202);
        mails += app.mails().len();
    }
    assert_eq!(mails, 3);
}

#[actix_web::test]
async fn a_password_that_is_missing_or_no_string_is_named() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    for body in [json!({}), json!({ "password": null }), json!({ "password": [PASSWORD] })] {
        let reply = app.client().delete(PATH).bearer(&jane.access).json(&body).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["password"], "{body}");
        assert_eq!(limit_headers(&reply).0, 100);
    }
    let bare = app.client().delete(PATH).bearer(&jane.access).await;
    assert_eq!(bare.expect_error(400, "validation_error").broken_fields(), ["password"]);
    let in_query = format!("{PATH}?password={PASSWORD}");
    app.client().delete(&in_query).bearer(&jane.access).await.expect(400);
    app.client().me(&jane.access).await.expect(200);
}

#[actix_web::test]
async fn an_unverified_account_is_erased_without_a_word() {
    let app = TestApp::memory().await;
    let jane = app.client().register("jane@example.com").await;
    delete(&app.client(), &jane, PASSWORD).await.expect(204);
    assert!(app.mails().is_empty(), "the link to confirm went with the account");
}
