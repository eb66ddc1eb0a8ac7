use portcullis_testkit::{
    app::{AppOptions, Client, Person, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::{jwt, routes::UNKNOWN_SESSION};

const PATH: &str = "/v1/auth/sessions";

async fn list(client: &Client<'_>, person: &Person) -> Vec<Value> {
    let reply = client.get(PATH).bearer(&person.access).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["sessions"]);
    body["sessions"].as_array().unwrap().clone()
}

fn session_of(person: &Person) -> String {
    jwt::claims(&person.access)["sid"].as_str().unwrap().to_owned()
}

fn one(person: &Person) -> String {
    format!("{PATH}/{}", session_of(person))
}

on_every_storage!(the_list_shows_the_callers_live_sessions_last_used_first, |app| {
    app.client().register("john@example.com").await;
    let home = app.client_at([192, 0, 2, 7]);
    let body =
        json!({ "email": "jane@example.com", "password": portcullis_testkit::app::PASSWORD });
    let request = home.post("/v1/auth/register").header("user-agent", "Mozilla/5.0 \u{e9}\t(x)");
    let jane = Person::from_reply(&request.json(&body).await.expect(201));
    app.clock().advance(Duration::seconds(60));
    let phone = app.client_at([203, 0, 113, 9]).sign_in(&jane.email).await;
    app.clock().advance(Duration::seconds(60));
    let access = home.refresh(&jane.refresh).await.expect(200).string("/access_token");
    let now = Person { access, ..jane.clone() };

    assert_eq!(
        list(&home, &now).await,
        [
            json!({
                "id": session_of(&jane), "created_at": "2026-03-04T05:06:07Z",
                "last_used_at": "2026-03-04T05:08:07Z", "ip": "192.0.2.7",
                "user_agent": "Mozilla/5.0 é(x)", "current": true,
            }),
            json!({
                "id": session_of(&phone), "created_at": "2026-03-04T05:07:07Z",
                "last_used_at": "2026-03-04T05:07:07Z", "ip": "203.0.113.9",
                "user_agent": null, "current": false,
            }),
        ]
    );
    let currents = list(&home, &phone).await;
    assert_eq!((&currents[0]["current"], &currents[1]["current"]), (&json!(false), &json!(true)));
});

on_every_storage!(ending_one_session_kills_its_tokens_and_no_others, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let phone = app.client().sign_in(&jane.email).await;
    let reply = client.delete(&one(&phone)).bearer(&jane.access).await.expect(204);
    assert_eq!(reply.header("content-type"), None);
    client.me(&phone.access).await.expect_error(401, "unauthorized");
    client.refresh(&phone.refresh).await.expect_error(401, "invalid_token");
    client.me(&jane.access).await.expect(200);
    assert_eq!(list(&client, &jane).await.len(), 1);
    // What is over is not there.
    client.delete(&one(&phone)).bearer(&jane.access).await.expect_error(404, "not_found");
    // The one that asks may go too.
    client.delete(&one(&jane)).bearer(&jane.access).await.expect(204);
    client.delete(&one(&jane)).bearer(&jane.access).await.expect_error(401, "unauthorized");
});

on_every_storage!(ending_all_others_keeps_the_one_that_asks, |app| {
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let john = app.client().register("john@example.com").await;
    let others = [client.sign_in(&jane.email).await, client.sign_in(&jane.email).await];
    client.delete(PATH).bearer(&jane.access).await.expect(204);
    for other in &others {
        client.me(&other.access).await.expect(401);
        client.refresh(&other.refresh).await.expect(401);
    }
    client.delete(PATH).bearer(&jane.access).await.expect(204);
    client.refresh(&jane.refresh).await.expect(200);
    client.me(&john.access).await.expect(200);
});

on_every_storage!(the_session_of_another_is_unknown, |app| {
    let jane = app.client().register("jane@example.com").await;
    let (client, eve) = (app.client(), app.client().register("eve@example.com").await);
    let unknown = client.delete(UNKNOWN_SESSION).bearer(&eve.access).await;
    let foreign = client.delete(&one(&jane)).bearer(&eve.access).await;
    assert_eq!(unknown.clone().expect_error(404, "not_found").text(), foreign.text());
    foreign.expect_error(404, "not_found");
    client.me(&jane.access).await.expect(200);
});

#[actix_web::test]
async fn an_id_that_is_none_is_not_found() {
    let app = TestApp::memory().await;
    let (client, jane) = (app.client(), app.client().register("jane@example.com").await);
    let upper = session_of(&jane).to_uppercase();
    let long = "x".repeat(20_000);
    for id in [
        "x",
        "ses_",
        "0",
        "4294967296",
        "%00",
        "%ff",
        "%20",
        "%E2%80%AE",
        "ses_'%20OR%20'1'='1",
        "..%2f..",
        "%2e%2e",
        "*",
        &upper,
        &jane.id,
        &long,
    ] {
        let reply = client.delete(&format!("{PATH}/{id}")).bearer(&jane.access).await;
        reply.expect_error(404, "not_found");
    }
    client.me(&jane.access).await.expect(200);
}

#[actix_web::test]
async fn r13_the_longest_unused_session_ends_for_a_new_one() {
    let mut options = AppOptions::default();
    options.engine.refresh.max_sessions = 3;
    let app = TestApp::memory_with(options).await;
    let mut signed_in = vec![app.client().register("jane@example.com").await];
    for _ in 0..3 {
        app.clock().advance(Duration::SECOND);
        signed_in.push(app.client().sign_in("jane@example.com").await);
    }
    let client = app.client();
    client.me(&signed_in[0].access).await.expect(401);
    client.refresh(&signed_in[0].refresh).await.expect(401);
    assert_eq!(list(&client, &signed_in[3]).await.len(), 3);
}
