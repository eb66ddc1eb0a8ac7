use portcullis_audit::{Action, Actor};
use portcullis_kernel::Slice;
use portcullis_testkit::{
    app::{Bot, Reply, TestApp},
    on_every_storage,
};
use serde_json::json;

use crate::http::routes::limit_headers;

async fn give(app: &TestApp, bot: &Bot, email: &str) -> Reply {
    let request = app.client().post(&bot.path("/email")).recovering(bot);
    request.json(&json!({ "email": email })).await
}

async fn verify(app: &TestApp, token: &str) -> Reply {
    app.client().post("/api/auth/verify-email").json(&json!({ "token": token })).await
}

on_every_storage!(an_address_is_the_agents_own_once_it_is_proven, |app| {
    let bot = app.proven_bot("weather-bot", "old@example.com").await;
    let reply = give(&app, &bot, "new@example.com").await.expect(202);
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (5, 4));
    let message = "The address is the agent's own once it is confirmed by the message sent to it.";
    assert_eq!(reply.json(), json!({ "message": message }));
    let mails = app.mails();
    let mut told: Vec<_> = mails.iter().map(|mail| (mail.to(), mail.kind())).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("new@example.com", "agent_verify_email"),
            ("old@example.com", "agent_email_change_asked"),
        ]
    );
    // Until then the old one recovers it, and the new one does not.
    app.client().ask_recovery("new@example.com").await.expect(200);
    assert!(app.mails().is_empty(), "V2");
    app.client().ask_recovery("old@example.com").await.expect(200);
    let code = app.mailed_codes()[0].1.clone();
    let token = mails.iter().find_map(|mail| mail.secret()).unwrap();
    verify(&app, token).await.expect(200);
    assert_eq!(app.told(), [("old@example.com".to_owned(), "agent_email_changed")]);
    // What went to the old mailbox is worth nothing any more.
    app.client().recover("old@example.com", &code).await.expect_error(401, "INVALID_CODE");
    app.client().ask_recovery("new@example.com").await.expect(200);
    let code = app.mailed_codes()[0].1.clone();
    app.client().recover("new@example.com", &code).await.expect(200);
});

on_every_storage!(the_last_address_given_is_the_one_that_waits, |app| {
    let bot = app.bot("weather-bot").await;
    give(&app, &bot, "a@example.com").await.expect(202);
    let older = app.mailed("agent_verify_email");
    give(&app, &bot, "b@example.com").await.expect(202);
    let newer = app.mailed("agent_verify_email");
    verify(&app, &older).await.expect_error(401, "INVALID_TOKEN");
    verify(&app, &newer).await.expect(200);
    assert_eq!(app.client().agent(&bot.access).await.json()["email"], "b@example.com");
    // Its own address again: nothing is to be proven.
    give(&app, &bot, "B@example.com").await.expect(202);
    assert!(app.mails().is_empty());
});

#[actix_web::test]
async fn i2_what_is_no_address_is_refused() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    for email in ["", "nope", "a@b@c", "a@example.com,b@example.com", "\"a\"@example.com"] {
        give(&app, &bot, email).await.expect_error(400, "INVALID_EMAIL");
    }
    let bot = app.bot("weather-bot").await;
    for body in [
        json!({}),
        json!({ "email": null }),
        json!({ "email": 5 }),
        json!({ "email": ["a@example.com"] }),
    ] {
        let request = app.client().post(&bot.path("/email")).recovering(&bot).json(&body);
        request.await.expect_error(400, "INVALID_REQUEST");
    }
    assert!(app.mails().is_empty(), "M3");
    // A token or an API key does not manage the account.
    for request in [
        app.client().post(&bot.path("/email")).bearer(&bot.access),
        app.client().post(&bot.path("/email")).basic(&bot.id, &bot.api_key),
    ] {
        let reply = request.json(&json!({ "email": "a@example.com" })).await;
        reply.expect_error(401, "UNAUTHORIZED");
    }
}

on_every_storage!(an_erased_agent_is_gone_at_once_with_all_that_it_had, |app| {
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let reply = app.client().delete(&bot.path("")).recovering(&bot).await.expect(200);
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": bot.id, "message": "Agent deleted.", "deleted_at": "2026-03-04T05:06:07Z",
        })
    );
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        let client = instance.client();
        client.agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
        client.exchange(&bot.id, &bot.api_key).await.expect_error(401, "UNAUTHORIZED");
        let again = client.delete(&bot.path("")).recovering(&bot).await;
        again.expect_error(401, "UNAUTHORIZED");
        client.get(&bot.path("/profile")).await.expect_error(404, "NOT_FOUND");
    }
    assert_eq!(app.told(), [("bot@example.com".to_owned(), "agent_deleted")]);
    app.client().ask_recovery("bot@example.com").await.expect(200);
    assert!(app.mails().is_empty(), "the address is free");
    let slice = Slice::first(50);
    let events = app.read(|uow| uow.audit().list_for_agent(bot.agent_id(), &slice)).items;
    let ends: Vec<_> = events.iter().filter(|e| e.action == Action::AgentDeleted).collect();
    assert_eq!((ends.len(), ends[0].actor), (1, Actor::Agent(bot.agent_id())), "G3");
    assert!(events.iter().all(|event| event.client.is_none()), "its addresses are gone");
});

#[actix_web::test]
async fn only_the_recovery_key_erases_an_agent() {
    let app = TestApp::memory().await;
    let (bot, other) = (app.bot("weather-bot").await, app.bot("other-bot").await);
    for request in [
        app.client().delete(&bot.path("")),
        app.client().delete(&bot.path("")).bearer(&bot.access),
        app.client().delete(&bot.path("")).basic(&bot.id, &bot.api_key),
        app.client().delete(&bot.path("")).basic(&bot.id, &other.recovery_key),
    ] {
        request.await.expect_error(401, "UNAUTHORIZED");
    }
    let foreign = app.client().delete(&bot.path("")).recovering(&other).await;
    foreign.expect_error(403, "FORBIDDEN");
    app.client().agent(&bot.access).await.expect(200);
    app.client().agent(&other.access).await.expect(200);
}
