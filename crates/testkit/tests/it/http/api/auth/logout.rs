use portcullis_audit::{Action, Actor};
use portcullis_kernel::Slice;
use portcullis_testkit::{
    app::{TestApp, all},
    on_every_storage,
};
use serde_json::json;

use crate::http::routes::limit_headers;

const PATH: &str = "/api/auth/logout";

on_every_storage!(j12_a_logout_kills_that_token_and_no_other, |app| {
    let bot = app.bot("weather-bot").await;
    let other = app.client().exchange(&bot.id, &bot.api_key).await.string("/access_token");
    let reply = app.client().post(PATH).bearer(&bot.access).await.expect(200);
    assert_eq!(
        reply.json(),
        json!({ "message": "Token revoked successfully.", "revoked_at": "2026-03-04T05:06:07Z" })
    );
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (100, 99));
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        let again = instance.client().post(PATH).bearer(&bot.access).await;
        again.expect_error(401, "UNAUTHORIZED");
        let refresh = instance.client().post("/api/auth/refresh").bearer(&bot.access).await;
        refresh.expect_error(401, "UNAUTHORIZED");
        instance.client().agent(&bot.access).await.expect_error(401, "UNAUTHORIZED");
        instance.client().agent(&other).await.expect(200);
    }
    let slice = Slice::first(50);
    let events = app.read(|uow| uow.audit().list_for_agent(bot.agent_id(), &slice)).items;
    let ends: Vec<_> = events.iter().filter(|e| e.action == Action::TokenRevoked).collect();
    assert_eq!(ends.len(), 1, "G3");
    assert_eq!(ends[0].actor, Actor::Agent(bot.agent_id()));
    assert_eq!(ends[0].key.map(|key| key.to_string()), Some(bot.key_id));
});

on_every_storage!(of_parallel_logouts_one_succeeds, |app| {
    let bot = app.bot("weather-bot").await;
    let uses = (0..6).map(|_| app.client().post(PATH).bearer(&bot.access).into_future());
    let mut statuses: Vec<u16> = all(uses.collect()).await.iter().map(|r| r.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
});

#[actix_web::test]
async fn whatever_is_in_the_body_is_not_read() {
    let app = TestApp::memory().await;
    let bot = app.bot("weather-bot").await;
    let other = app.client().exchange(&bot.id, &bot.api_key).await.string("/access_token");
    let body = json!({ "access_token": other, "token": other });
    app.client().post(PATH).json(&body).await.expect_error(401, "UNAUTHORIZED");
    app.client().post(PATH).bearer(&bot.access).body("application/json", "{").await.expect(200);
    app.client().agent(&other).await.expect(200);
}
