//! Used refresh tokens that come again (RFC 9700 §4.14).

use portcullis_audit::Action;
use portcullis_flows::EngineOptions;
use portcullis_testkit::{
    app::{AppOptions, Client, Person, TestApp},
    on_every_storage,
};
use portcullis_tokens::OnReplay;
use time::Duration;

async fn rotate(client: &Client<'_>, token: &str) -> String {
    client.refresh(token).await.expect(200).string("/refresh_token")
}

fn count(app: &TestApp, person: &Person, action: Action) -> usize {
    let events = app.read(|uow| uow.audit().list_for(person.user_id(), 50));
    events.iter().filter(|event| event.action == action).count()
}

on_every_storage!(r3_a_replay_ends_its_session_and_no_other, |app| {
    let client = app.client();
    let jane = app.client().register("jane@example.com").await;
    let elsewhere = app.client().sign_in(&jane.email).await;
    let second = rotate(&client, &jane.refresh).await;
    let reply = client.refresh(&second).await.expect(200);
    let (third, access) = (reply.string("/refresh_token"), reply.string("/access_token"));

    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.refresh(&third).await.expect_error(401, "invalid_token");
    client.me(&access).await.expect_error(401, "unauthorized");
    client.me(&jane.access).await.expect_error(401, "unauthorized");
    // A second replay finds nothing to end.
    client.refresh(&second).await.expect_error(401, "invalid_token");
    assert_eq!(count(&app, &jane, Action::RefreshReplayed), 1);

    client.me(&elsewhere.access).await.expect(200);
    client.refresh(&elsewhere.refresh).await.expect(200);
});

on_every_storage!(a_client_that_raced_itself_keeps_its_session, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let second = rotate(&client, &jane.refresh).await;
    app.clock().advance(Duration::seconds(9));
    for _ in 0..5 {
        client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    }
    assert_eq!(count(&app, &jane, Action::RefreshRaced), 1, "counted once per used token");
    rotate(&client, &second).await;
    assert_eq!(count(&app, &jane, Action::RefreshReplayed), 0);
});

on_every_storage!(the_race_window_ends_after_ten_seconds, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let second = rotate(&client, &jane.refresh).await;
    app.clock().advance(Duration::seconds(10));
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.refresh(&second).await.expect_error(401, "invalid_token");
    assert_eq!(count(&app, &jane, Action::RefreshReplayed), 1);
});

on_every_storage!(the_third_token_raced_within_an_hour_is_a_replay, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let mut current = jane.refresh.clone();
    for raced in 1..=3 {
        let next = rotate(&client, &current).await;
        client.refresh(&current).await.expect_error(401, "invalid_token");
        assert_eq!(count(&app, &jane, Action::RefreshRaced), raced.min(2));
        current = next;
    }
    client.refresh(&current).await.expect_error(401, "invalid_token");
    assert_eq!(count(&app, &jane, Action::RefreshReplayed), 1);
});

on_every_storage!(races_more_than_an_hour_apart_are_forgiven, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let mut current = jane.refresh.clone();
    for _ in 0..5 {
        let next = rotate(&client, &current).await;
        client.refresh(&current).await.expect(401);
        current = next;
        app.clock().advance(Duration::minutes(31));
    }
    rotate(&client, &current).await;
});

fn options(change: impl FnOnce(&mut EngineOptions)) -> AppOptions {
    let mut options = AppOptions::default();
    change(&mut options.engine);
    options
}

#[actix_web::test]
async fn without_a_race_window_every_reuse_is_a_replay() {
    let strict = options(|engine| engine.refresh.race_window = Duration::ZERO);
    let app = TestApp::memory_with(strict).await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let second = rotate(&client, &jane.refresh).await;
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.refresh(&second).await.expect_error(401, "invalid_token");
}

#[actix_web::test]
async fn a_replay_may_end_every_session_of_its_user() {
    let harsh = options(|engine| engine.refresh.on_replay = OnReplay::User);
    let app = TestApp::memory_with(harsh).await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let elsewhere = app.client().sign_in(&jane.email).await;
    let somebody = app.client().register("john@example.com").await;
    let second = rotate(&client, &jane.refresh).await;
    rotate(&client, &second).await;
    client.refresh(&jane.refresh).await.expect_error(401, "invalid_token");
    client.refresh(&elsewhere.refresh).await.expect_error(401, "invalid_token");
    client.refresh(&somebody.refresh).await.expect(200);
}
