use portcullis_audit::Actor;
use portcullis_flows::{
    RegistrationMode,
    admin::{Invite, Invited},
};
use portcullis_kernel::{ExposeSecret as _, Field, Origin};
use portcullis_testkit::app::{AppOptions, PASSWORD, Reply, Stored, TestApp, all};
use serde_json::{Value, json};
use time::Duration;

const PATH: &str = "/v1/auth/register";

fn options(mode: RegistrationMode, domains: &[&str]) -> AppOptions {
    let mut options = AppOptions::default();
    options.engine.registration.mode = mode;
    options.engine.registration.domains = domains.iter().map(|&domain| domain.to_owned()).collect();
    options
}

fn invite(app: &TestApp, email: Option<&str>) -> Invited {
    let email = email.map_or(Field::Absent, Field::from);
    app.engine().invite(Invite { email }, Actor::Operator, &Origin::local()).unwrap()
}

async fn register(app: &TestApp, email: &str, token: impl Into<Value>) -> Reply {
    let body = json!({ "email": email, "password": PASSWORD, "invite_token": token.into() });
    app.client().post(PATH).json(&body).await
}

/// The same on every storage; the last two where they can be had.
async fn on_all(options: AppOptions, test: impl AsyncFn(TestApp)) {
    let stored = [Some(Stored::memory()), Some(Stored::sqlite()), Stored::postgres()];
    for stored in stored.into_iter().flatten() {
        test(TestApp::with(stored, options.clone()).await).await;
    }
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_registers() {
    let app = TestApp::memory_with(options(RegistrationMode::Closed, &[])).await;
    let secret = format!("inv_{}", "0".repeat(49));
    register(&app, "jane@example.com", secret).await.expect_error(403, "forbidden");
    // Not even to be told of broken fields.
    app.client().post(PATH).json(&json!({})).await.expect_error(403, "forbidden");
    assert!(app.engine().find_user("jane@example.com").is_err());
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn an_invitation_lets_one_person_in() {
    on_all(options(RegistrationMode::Invite, &[]), async |app| {
        let invited = invite(&app, None);
        let secret = invited.secret.expose_secret();
        let missing = register(&app, "jane@example.com", Value::Null).await;
        let missing = missing.expect_error(400, "validation_error");
        assert_eq!(missing.broken_fields(), ["invite_token"]);
        let reply = register(&app, "jane@example.com", secret).await.expect(201);
        assert_eq!(reply.string("/user/role"), "user");
        assert_eq!(app.told(), [("jane@example.com".to_owned(), "verify_email")]);
        register(&app, "john@example.com", secret).await.expect_error(401, "invalid_token");
        assert!(app.engine().find_user("john@example.com").is_err());
    })
    .await;
}

#[actix_web::test]
async fn o2_of_parallel_uses_of_an_invitation_one_succeeds() {
    on_all(options(RegistrationMode::Invite, &[]), async |app| {
        let invited = invite(&app, None);
        let secret = invited.secret.expose_secret();
        let requests = (0..6).map(|n| {
            let email = format!("p{n}@example.com");
            let body = json!({ "email": email, "password": PASSWORD, "invite_token": secret });
            app.client().post(PATH).json(&body).into_future()
        });
        let mut statuses: Vec<u16> =
            all(requests.collect()).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 401, 401, 401, 401, 401]);
    })
    .await;
}

#[actix_web::test]
async fn an_invitation_is_for_its_address_for_a_week_and_until_it_is_withdrawn() {
    on_all(options(RegistrationMode::Invite, &[]), async |app| {
        let invited = invite(&app, Some("Jane@example.com"));
        let secret = invited.secret.expose_secret();
        assert_eq!(app.mailed("invitation"), secret);
        register(&app, "eve@example.com", secret).await.expect_error(401, "invalid_token");
        register(&app, "JANE@example.com", secret).await.expect(201);

        for (age, status) in [(Duration::days(7) - Duration::SECOND, 201), (Duration::days(7), 401)]
        {
            let invited = invite(&app, None);
            app.clock().advance(age);
            let email = format!("p{status}@example.com");
            register(&app, &email, invited.secret.expose_secret()).await.expect(status);
        }
        let invited = invite(&app, None);
        let id = invited.invitation.id;
        app.engine().withdraw_invitation(id, Actor::Operator, &Origin::local()).unwrap();
        let reply = register(&app, "x@example.com", invited.secret.expose_secret()).await;
        reply.expect_error(401, "invalid_token");
    })
    .await;
}

#[actix_web::test]
async fn e1_nobody_uninvited_learns_which_addresses_are_taken() {
    let app = TestApp::memory_with(options(RegistrationMode::Invite, &[])).await;
    let first = invite(&app, None);
    register(&app, "jane@example.com", first.secret.expose_secret()).await.expect(201);
    let mut answers = Vec::new();
    for email in ["jane@example.com", "nobody@example.com"] {
        for token in [first.secret.expose_secret(), "inv_x", "x"] {
            let reply = register(&app, email, token).await.expect_error(401, "invalid_token");
            answers.push((reply.text().to_owned(), reply.header_names()));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    // Who was invited is told, and keeps the invitation.
    let second = invite(&app, None);
    let secret = second.secret.expose_secret();
    register(&app, "jane@example.com", secret).await.expect_error(409, "conflict");
    register(&app, "john@example.com", secret).await.expect(201);
}

#[actix_web::test]
async fn j4_no_other_secret_is_an_invitation_and_an_invitation_is_no_other_secret() {
    let app = TestApp::memory_with(options(RegistrationMode::Invite, &[])).await;
    let invited = invite(&app, None);
    let secret = invited.secret.expose_secret();
    for value in [json!(""), json!(5), json!([secret])] {
        let reply = register(&app, "eve@example.com", value).await;
        let reply = reply.expect_error(400, "validation_error");
        assert_eq!(reply.broken_fields(), ["invite_token"]);
    }
    let id = invited.invitation.id.to_string();
    for other in [secret.replacen("inv_", "uvt_", 1), secret.to_uppercase(), id] {
        register(&app, "eve@example.com", other).await.expect_error(401, "invalid_token");
    }
    let client = app.client();
    let body = json!({ "token": secret, "password": PASSWORD });
    for path in ["/v1/auth/verify-email", "/v1/auth/password/reset/confirm"] {
        client.post(path).json(&body).await.expect_error(401, "invalid_token");
    }
    client.refresh(secret).await.expect_error(401, "invalid_token");
    client.me(secret).await.expect_error(401, "unauthorized");
    register(&app, "jane@example.com", secret).await.expect(201);
}

#[actix_web::test]
async fn registration_can_be_limited_to_domains() {
    let domains = ["example.com", "xn--bcher-kva.example"];
    let app = TestApp::memory_with(options(RegistrationMode::Open, &domains)).await;
    for (email, status) in [
        ("jane@example.com", 201),
        ("jane@EXAMPLE.com", 409),
        ("jane@bücher.example", 201),
        ("jane@sub.example.com", 403),
        ("jane@notexample.com", 403),
        ("jane@example.com.evil.example", 403),
    ] {
        let reply = register(&app, email, Value::Null).await.expect(status);
        if status == 403 {
            assert_eq!(reply.code(), "forbidden", "{email}");
            assert!(app.engine().find_user(email).is_err());
        }
    }
    // An invitation goes before, and is spent only where it is needed.
    let invited = invite(&app, None);
    let secret = invited.secret.expose_secret();
    register(&app, "john@example.com", secret).await.expect(201);
    register(&app, "john@elsewhere.example", secret).await.expect(201);
    register(&app, "eve@elsewhere.example", secret).await.expect_error(401, "invalid_token");
}
