//! The database is away, under `/api`.

use std::sync::Arc;

use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    app::{Stored, TestApp},
    faults::{Fault, FaultyStorage, Step},
};
use serde_json::json;

use super::routes::{ROUTES, unknown_token};

async fn app() -> (TestApp, Arc<FaultyStorage>) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    (TestApp::over(Stored::given(faulty.clone())).await, faulty)
}

#[actix_web::test]
async fn l13_every_route_is_unavailable_and_comes_back() {
    let (app, storage) = app().await;
    for fault in [Fault::Unavailable, Fault::Contention] {
        for route in ROUTES {
            let bot = app.bot("weather-bot").await;
            let path = match route.path {
                // Without a token there is nothing to look for.
                "/api/auth/verify-email" if route.method == "GET" => {
                    format!("{}?token={}", route.path, unknown_token())
                }
                _ => route.path_of(&bot),
            };
            let ask = || {
                let request = app.client().request(route.method, &path);
                let body = route.good_body();
                let reads = route.reads != super::routes::Reads::Nothing;
                let request = if reads { request.json(&body) } else { request };
                route.authenticated(request, &bot)
            };
            storage.take_down(fault);
            let reply = ask().await.expect_error(503, "SERVICE_UNAVAILABLE");
            assert!((1..=5).contains(&reply.number("retry-after")), "F4 {route:?}");
            storage.heal();
            let healed = ask().await;
            assert_ne!(healed.status, 503, "{route:?}");
            assert_ne!(
                (healed.status, healed.status == 401 && healed.code() == "UNAUTHORIZED"),
                (401, true),
                "F4: a good credential stays good {route:?}"
            );
        }
    }
}

#[actix_web::test]
async fn g4_a_fault_of_ours_tells_no_cause() {
    let (app, storage) = app().await;
    for route in ROUTES {
        let bot = app.bot("weather-bot").await;
        if route.path == "/api/auth/verify-email" && route.method == "GET" {
            continue;
        }
        storage.take_down(Fault::Failed);
        let reply = route.ask_as(&app.client(), &bot).tolerating_500().await;
        let reply = reply.expect_error(500, "INTERNAL_ERROR");
        assert!(!reply.text().contains("on purpose"), "{}", reply.text());
        storage.heal();
    }
    let path = format!("/api/auth/verify-email?token={}", unknown_token());
    for accept in ["*/*", "text/html"] {
        storage.take_down(Fault::Failed);
        let request = app.client().get(&path).header("accept", accept).tolerating_500();
        let reply = request.await.expect(500);
        assert!(!reply.text().contains("on purpose"), "{}", reply.text());
        let page = accept == "text/html";
        assert_eq!(reply.header("content-type").unwrap().starts_with("text/html"), page);
        storage.heal();
    }
}

/// Of a registration whose work fails at any step all is done or nothing, and its mail goes with it.
#[actix_web::test]
async fn f3_a_registration_that_fails_anywhere_leaves_nothing_half_written() {
    let (app, storage) = app().await;
    for step in 0.. {
        let email = format!("p{step}@example.com");
        storage.fail_at(step, Fault::Unavailable);
        let reply = app.client().register_agent("weather-bot", Some(&email)).await;
        let steps = storage.steps();
        storage.heal();
        let mailed = app.mails().len();
        let lost = steps.last() == Some(&Step::Committed) && reply.status == 503;
        assert_eq!(mailed, usize::from(reply.status == 201 || lost), "step {step}");
        if step >= steps.len() {
            reply.expect(201);
            return;
        }
        assert!(matches!(reply.status, 201 | 503), "step {step}: {}", reply.status);
    }
}

/// Of a refresh whose work fails at any step the old token is spent exactly when the answer was lost
/// after it was written down.
#[actix_web::test]
async fn a_refresh_that_fails_before_its_commit_spends_nothing() {
    let (app, storage) = app().await;
    let bot = app.bot("weather-bot").await;
    let mut access = bot.access.clone();
    for step in 0.. {
        storage.fail_at(step, Fault::Unavailable);
        let reply = app.client().post("/api/auth/refresh").bearer(&access).await;
        let steps = storage.steps();
        storage.heal();
        app.clock().advance(time::Duration::minutes(1));
        if reply.status == 200 {
            access = reply.string("/access_token");
            if step >= steps.len() {
                return;
            }
            continue;
        }
        reply.expect_error(503, "SERVICE_UNAVAILABLE");
        let lost = steps.last() == Some(&Step::Committed);
        let again = app.client().post("/api/auth/refresh").bearer(&access).await;
        if lost {
            again.expect_error(401, "UNAUTHORIZED");
            let issued = app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
            access = issued.string("/access_token");
        } else {
            access = again.expect(200).string("/access_token");
        }
    }
}

#[actix_web::test]
async fn l12_an_exhausted_address_is_refused_without_the_database() {
    let (app, storage) = app().await;
    let bot = app.bot("weather-bot").await;
    let client = app.client();
    for _ in 0..61 {
        client.agent("x").await;
    }
    for _ in 0..6 {
        client.ask_recovery("a@example.com").await;
    }
    storage.take_down(Fault::Unavailable);
    client.agent(&bot.access).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    client.make_key(&bot, &json!({})).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    client.ask_recovery("a@example.com").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert!(storage.steps().is_empty());
}

#[actix_web::test]
async fn l13_limits_whose_store_is_away_close_for_mails_and_codes_and_open_for_the_rest() {
    let (app, storage) = app().await;
    // Step 0 is the limiter's: everything after it works.
    for (path, closed) in [
        ("/api/auth/register", true),
        ("/api/auth/verification/resend", true),
        ("/api/auth/recovery/request", true),
        ("/api/auth/recovery/verify", true),
        ("/api/auth/verify-email", false),
    ] {
        storage.fail_at(0, Fault::Unavailable);
        let reply = app.client().post(path).json(&json!({})).await;
        if closed {
            reply.expect_error(503, "SERVICE_UNAVAILABLE");
        } else {
            reply.expect_error(400, "INVALID_REQUEST");
        }
    }
}
