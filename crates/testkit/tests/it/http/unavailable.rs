//! The database is away.

use std::sync::Arc;

use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    app::{PASSWORD, Person, Stored, TestApp},
    faults::{Fault, FaultyStorage, Step},
};
use serde_json::json;

use super::routes::{ROUTES, limit_headers, with_bearer};

async fn app() -> (TestApp, Arc<FaultyStorage>) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    (TestApp::over(Stored::given(faulty.clone())).await, faulty)
}

#[actix_web::test]
async fn l13_every_route_that_needs_it_is_unavailable_and_comes_back() {
    let (app, storage) = app().await;
    let jane = app.admin("jane@example.com").await;
    for fault in [Fault::Unavailable, Fault::Contention] {
        for route in ROUTES {
            storage.take_down(fault);
            let reply = route.ask_as(&app.client(), &jane).await;
            let code = match route.path {
                "/health" | "/" | "/openapi.json" => {
                    reply.expect(200);
                    continue;
                }
                path if path.starts_with("/.well-known/") => {
                    reply.expect(200);
                    continue;
                }
                "/ready" => "SERVICE_UNAVAILABLE",
                _ => "service_unavailable",
            };
            let reply = reply.expect_error(503, code);
            assert!((1..=5).contains(&reply.number("retry-after")), "F4");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            storage.heal();
            let healed = route.ask_as(&app.client(), &jane).await;
            assert_ne!(healed.status, 503, "{route:?}");
        }
    }
}

#[actix_web::test]
async fn g4_a_fault_of_ours_tells_no_cause() {
    let (app, storage) = app().await;
    let jane = app.admin("jane@example.com").await;
    for route in ROUTES.into_iter().filter(|route| route.limit.is_some()) {
        storage.take_down(Fault::Failed);
        let request = route.ask_as(&app.client(), &jane).tolerating_500();
        let reply = request.await.expect_error(500, "internal_error");
        assert!(!reply.text().contains("on purpose"), "{}", reply.text());
        assert_eq!(reply.json()["error"]["details"], serde_json::Value::Null);
        storage.heal();
    }
}

#[actix_web::test]
async fn z1_the_process_lives_while_it_is_not_ready() {
    let (app, storage) = app().await;
    storage.take_down(Fault::Unavailable);
    app.client().get("/health").await.expect(200);
    app.client().get("/ready").await.expect_error(503, "SERVICE_UNAVAILABLE");
    storage.heal();
    app.client().get("/ready").await.expect(200);
}

#[actix_web::test]
async fn a_good_token_is_never_refused_because_the_database_is_away() {
    let (app, storage) = app().await;
    let jane = app.client().register("jane@example.com").await;
    let client = app.client();
    storage.take_down(Fault::Unavailable);
    client.me(&jane.access).await.expect(503);
    client.refresh(&jane.refresh).await.expect(503);
    client.sign_out(&jane.access, &jane.refresh).await.expect(503);
    // A bad one is bad without a database.
    client.me("a.b.c").await.expect_error(401, "unauthorized");
    storage.heal();
    client.me(&jane.access).await.expect(200);
    client.refresh(&jane.refresh).await.expect(200);
}

#[actix_web::test]
async fn a_registration_that_fails_anywhere_leaves_nothing_half_written() {
    let (app, storage) = app().await;
    for step in 0.. {
        let email = format!("p{step}@example.com");
        let body = json!({ "email": email, "password": PASSWORD });
        storage.fail_at(step, Fault::Unavailable);
        let reply = app.client().post("/v1/auth/register").json(&body).await;
        let steps = storage.steps().len();
        storage.heal();
        let exists = app.engine().find_user(&email).is_ok();
        let signed_in = app.client().try_sign_in(&email, PASSWORD).await.status == 200;
        assert_eq!(exists, signed_in, "step {step}");
        if step >= steps {
            reply.expect(201);
            return;
        }
        assert!(matches!(reply.status, 201 | 503), "step {step}: {}", reply.status);
        assert!(reply.status == 503 || exists, "step {step}");
    }
}

#[actix_web::test]
async fn a_refresh_that_fails_before_its_commit_spends_nothing() {
    let (app, storage) = app().await;
    let client = app.client();
    let mut token = app.client().register("jane@example.com").await.refresh;
    for step in 0.. {
        storage.fail_at(step, Fault::Unavailable);
        let reply = client.refresh(&token).await;
        let steps = storage.steps();
        storage.heal();
        app.clock().advance(time::Duration::minutes(2));
        if reply.status == 200 {
            token = reply.string("/refresh_token");
            if step >= steps.len() {
                return;
            }
        } else {
            let reply = reply.expect_error(503, "service_unavailable");
            assert!(reply.number("retry-after") >= 1);
            let lost = steps.last() == Some(&Step::Committed);
            let again = client.refresh(&token).await;
            if lost {
                again.expect_error(401, "invalid_token");
                token = app.client().sign_in("jane@example.com").await.refresh;
            } else {
                token = again.expect(200).string("/refresh_token");
            }
        }
    }
}

/// Of a change whose work fails at any step all is done or nothing, and its mail goes with it.
#[actix_web::test]
async fn m7_a_change_of_password_and_its_notice_are_stored_together() {
    let (app, storage) = app().await;
    let jane = app.verified("jane@example.com").await;
    let (mut current, mut told) = (PASSWORD.to_owned(), 0);
    for step in 0.. {
        app.clock().advance(time::Duration::minutes(20));
        let jane = Person::from_reply(&app.client().try_sign_in(&jane.email, &current).await);
        app.mails();
        let new = format!("Passw0rd-number-{step}");
        let body = json!({ "current_password": current, "new_password": new });
        storage.fail_at(step, Fault::Unavailable);
        let request = app.client().post("/v1/auth/password/change").bearer(&jane.access);
        let status = request.json(&body).await.status;
        let steps = storage.steps().len();
        storage.heal();
        let changed = app.client().try_sign_in(&jane.email, &new).await.status == 200;
        told += usize::from(changed);
        let notices = app.mails().iter().filter(|mail| mail.kind() == "password_changed").count();
        assert_eq!(notices, usize::from(changed), "step {step}");
        assert!(matches!(status, 204 | 503), "step {step}: {status}");
        assert!(status == 503 || changed, "step {step}");
        if changed {
            current = new;
        }
        if step >= steps {
            assert!(told >= 2, "with and without a fault");
            return;
        }
    }
}

/// A limit of mails that cannot be asked lets none out, and says so.
#[actix_web::test]
async fn l13_a_mail_that_cannot_be_counted_is_not_queued() {
    let (app, storage) = app().await;
    app.client().register("jane@example.com").await;
    app.mails();
    let body = json!({ "email": "jane@example.com" });
    for path in ["/v1/auth/verify-email/resend", "/v1/auth/password/reset"] {
        for step in 0.. {
            app.clock().advance(time::Duration::DAY);
            storage.fail_at(step, Fault::Unavailable);
            let status = app.client().post(path).json(&body).await.status;
            let steps = storage.steps();
            storage.heal();
            let queued = app.mails().len();
            let lost = steps.last() == Some(&Step::Committed) && status == 503;
            // The bucket of the client address alone is let go where it cannot be asked.
            assert_eq!(queued, usize::from(status == 202 || lost), "{path} {step}");
            if step >= steps.len() {
                assert_eq!(status, 202);
                break;
            }
        }
    }
}

#[actix_web::test]
async fn limits_whose_store_is_away_close_for_passwords_and_open_for_the_rest() {
    let (app, storage) = app().await;
    let jane = app.client().register("jane@example.com").await;
    // Step 0 is the limiter's: everything after it works.
    for (path, closed) in
        [("/v1/auth/login", true), ("/v1/auth/register", true), ("/v1/auth/refresh", false)]
    {
        storage.fail_at(0, Fault::Unavailable);
        let reply = app.client().post(path).json(&jane.credentials()).await;
        if closed {
            reply.expect_error(503, "service_unavailable");
        } else {
            reply.expect_error(400, "validation_error");
        }
    }
    storage.heal();
    let reply = app.client().refresh(&jane.refresh).await.expect(200);
    assert_eq!(limit_headers(&reply).0, 30);
}

#[actix_web::test]
async fn an_exhausted_address_is_refused_without_the_database() {
    let (app, storage) = app().await;
    let client = app.client();
    for _ in 0..6 {
        client.post("/v1/auth/login").await;
    }
    storage.take_down(Fault::Unavailable);
    client.post("/v1/auth/login").await.expect_error(429, "rate_limited");
    for route in with_bearer().filter(|route| route.limit == Some(5)) {
        route.ask(&client).bearer("x").await.expect_error(429, "rate_limited");
    }
    assert!(storage.steps().is_empty(), "L12");
}
