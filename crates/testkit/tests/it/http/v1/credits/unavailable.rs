//! The database is away, or refuses.

use std::sync::Arc;

use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    app::{Bot, Request, Stored, TestApp},
    faults::{Fault, FaultyStorage},
};

use super::topups::{deliver, hearing, topup};
use crate::http::{
    oauth2::callers::{Server, watcher},
    v1::{
        balance::{BALANCE, give},
        meter::charge::{body, charge},
    },
};

fn requests<'a>(app: &'a TestApp, api: &Server, bot: &Bot) -> [Request<'a>; 3] {
    [
        app.client().get(BALANCE).bearer(&bot.api_key),
        charge(&app.client(), api, &body(&bot.api_key, 1, "req-1")),
        deliver(app, &app.client(), "evt_1", &topup(&bot.id, 1)),
    ]
}

#[actix_web::test]
async fn l13_without_the_database_nothing_is_promised_and_afterwards_all_is_well() {
    let storage = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let app = TestApp::with(Stored::given(storage.clone()), hearing()).await;
    let (api, bot) = (watcher(&app), app.bot("weather-bot").await);
    give(&app, &bot.id, 10, None);
    for fault in [Fault::Unavailable, Fault::Contention] {
        for request in requests(&app, &api, &bot) {
            storage.take_down(fault);
            let reply = request.await.expect_error(503, "service_unavailable");
            assert!(reply.number("retry-after") >= 1);
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            storage.heal();
        }
    }
    for request in requests(&app, &api, &bot) {
        storage.take_down(Fault::Failed);
        let reply = request.tolerating_500().await.expect_error(500, "internal_error");
        assert!(!reply.text().contains("on purpose"), "G4 {}", reply.text());
        storage.heal();
    }
    for request in requests(&app, &api, &bot) {
        request.await.expect(200);
    }
    let shown = app.client().get(BALANCE).bearer(&bot.api_key).await.expect(200).json();
    assert_eq!(shown["balance"], 10);
}
