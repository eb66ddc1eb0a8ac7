use portcullis_testkit::{
    app::{Reply, TestApp},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/api/auth/recovery/request";
const MESSAGE: &str = "If an agent is registered with this email, a recovery code will be sent.";

/// Limit, remaining and reset of one of the two buckets.
#[track_caller]
fn bucket(reply: &Reply, name: &str) -> (i64, i64, i64) {
    let of = |what: &str| reply.number(&format!("x-ratelimit-{name}-{what}"));
    (of("limit"), of("remaining"), of("reset"))
}

on_every_storage!(l10_the_documented_request_with_both_buckets, |app| {
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let reply = app.client().ask_recovery("Bot@Example.com").await.expect(200);
    assert_eq!(
        reply.json(),
        json!({
            "agent_id": "", "email": "bot@example.com", "message": MESSAGE,
            "code_expires_at": "2026-03-04T05:21:07Z",
        })
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let now = app.clock().advance(Duration::ZERO).unix_timestamp();
    for (name, limit) in [("ip", 5), ("email", 3)] {
        let (shown, left, reset) = bucket(&reply, name);
        assert_eq!((shown, left), (limit, limit - 1), "{name}");
        assert!(now < reset && reset <= now + 901, "{name}");
    }
    assert_eq!(limit_headers(&reply), bucket(&reply, "ip"), "never an account's bucket");
    let codes = app.mailed_codes();
    assert_eq!(codes.len(), 1);
    assert_eq!(codes[0].0, bot.id);
    assert!(codes[0].1.len() == 6 && codes[0].1.bytes().all(|b| b.is_ascii_digit()));
});

on_every_storage!(v1_e6_nothing_tells_whether_an_agent_has_the_address, |app| {
    app.proven_bot("weather-bot", "known@example.com").await;
    let waiting = app.client().register_agent("weather-bot", Some("waiting@example.com")).await;
    waiting.expect(201);
    app.verified("jane@example.com").await;
    app.mails();
    let mut seen = Vec::new();
    for email in ["known", "waiting", "jane", "nobody"] {
        let email = format!("{email}@example.com");
        let mut told = Vec::new();
        for left in [2, 1, 0] {
            let reply = app.client().ask_recovery(&email).await.expect(200);
            assert_eq!(bucket(&reply, "email").1, left, "{email}");
            told.push((reply.text().replace(&email, ""), reply.header_names()));
        }
        let over = app.client().ask_recovery(&email).await;
        let over = over.expect_error(429, "RATE_LIMIT_EXCEEDED");
        assert_eq!((limit_headers(&over).0, bucket(&over, "email").1), (3, 0), "{email}");
        assert_eq!(bucket(&over, "ip").1, 4);
        told.push((over.text().to_owned(), over.header_names()));
        seen.push(told);
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    // V2: only a proven address gets a mail; a newer request took the place of those before.
    assert_eq!(app.told(), [("known@example.com".to_owned(), "agent_recovery_codes")]);
});

on_every_storage!(x10_a_mail_lists_each_agent_of_the_mailbox_and_one_can_be_named, |app| {
    let mut ids = Vec::new();
    for n in 0..6 {
        app.clock().advance(Duration::HOUR);
        ids.push(app.proven_bot(&format!("bot-{n}"), "bot@example.com").await.id);
    }
    app.client().ask_recovery("bot@example.com").await.expect(200);
    let codes = app.mailed_codes();
    let newest: Vec<&String> = ids.iter().rev().take(5).collect();
    assert_eq!(codes.iter().map(|(id, _)| id).collect::<Vec<_>>(), newest);
    let mut distinct: Vec<&String> = codes.iter().map(|(_, code)| code).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 5);
    let ask = async |id: Value| {
        let body = json!({ "email": "bot@example.com", "agent_id": id });
        app.client().post(PATH).json(&body).await
    };
    ask(json!(ids[0])).await.expect(200);
    assert_eq!(
        app.mailed_codes().into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
        [ids[0].clone()]
    );
    let other = app.bot("other-bot").await;
    ask(json!(other.id)).await.expect(200);
    assert!(app.mails().is_empty(), "it has not that address");
});

#[actix_web::test]
async fn what_is_no_address_or_id_is_refused_and_asks_for_nothing() {
    let app = TestApp::memory().await;
    app.proven_bot("weather-bot", "bot@example.com").await;
    let email = "bot@example.com";
    for (body, code) in [
        (json!({}), "INVALID_REQUEST"),
        (json!({ "email": null }), "INVALID_REQUEST"),
        (json!({ "email": 5 }), "INVALID_REQUEST"),
        (json!({ "email": [email, "b@evil.example"] }), "INVALID_REQUEST"),
        (json!({ "email": "nope" }), "INVALID_EMAIL"),
        (json!({ "email": "" }), "INVALID_EMAIL"),
        (json!({ "email": "bot@example.com\r\nBcc: x@evil.example" }), "INVALID_EMAIL"),
        (json!({ "email": email, "agent_id": "x" }), "INVALID_AGENT_ID"),
        (json!({ "email": email, "agent_id": "" }), "INVALID_AGENT_ID"),
        (json!({ "email": email, "agent_id": 5 }), "INVALID_REQUEST"),
    ] {
        let reply = app.client().post(PATH).json(&body).await.expect_error(400, code);
        assert_eq!(bucket(&reply, "ip").1, 4, "{body}");
        assert_eq!(reply.header("x-ratelimit-email-limit"), None);
    }
    assert!(app.mails().is_empty(), "I2 M3");
    let body = json!({ "email": email, "agent_id": null });
    app.client().post(PATH).json(&body).await.expect(200);
    assert_eq!(app.mailed_codes().len(), 1);
}

on_every_storage!(l1_five_in_a_quarter_from_one_client_address, |app| {
    let client = app.client();
    for left in (0..5).rev() {
        let reply = client.ask_recovery(&format!("p{left}@example.com")).await.expect(200);
        assert_eq!(bucket(&reply, "ip").1, left);
    }
    let over = client.ask_recovery("p9@example.com").await;
    let over = over.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!((bucket(&over, "ip").0, bucket(&over, "ip").1), (5, 0));
    assert_eq!(limit_headers(&over), bucket(&over, "ip"));
    assert_eq!(over.header("x-ratelimit-email-limit"), None, "nobody has looked at the address");
    assert!((1..=900).contains(&over.number("retry-after")));
    app.clock().advance(Duration::minutes(15));
    client.ask_recovery("p9@example.com").await.expect(200);
});

on_every_storage!(l9_three_in_a_quarter_and_five_an_hour_for_one_address, |app| {
    app.proven_bot("weather-bot", "bot@example.com").await;
    let ask = async || app.client().ask_recovery("bot@example.com").await;
    for (status, limit, left) in [(200, 3, 2), (200, 3, 1), (200, 3, 0), (429, 3, 0), (429, 3, 0)] {
        let reply = ask().await.expect(status);
        assert_eq!((bucket(&reply, "email").0, bucket(&reply, "email").1), (limit, left));
    }
    app.clock().advance(Duration::minutes(15));
    // Of the two the one that is nearer to empty is shown.
    for (status, limit, left) in [(200, 5, 1), (200, 5, 0), (429, 5, 0)] {
        let reply = ask().await.expect(status);
        assert_eq!((bucket(&reply, "email").0, bucket(&reply, "email").1), (limit, left));
    }
    app.clock().advance(Duration::minutes(45));
    ask().await.expect(200);
});

on_every_storage!(l8_a_network_of_the_agents_has_a_budget_that_strangers_do_not_spend, |app| {
    let bot = app.proven_bot("weather-bot", "bot@example.com").await;
    let home = app.client_at([203, 0, 113, 7]);
    home.exchange(&bot.id, &bot.api_key).await.expect(200);
    for n in 0..4 {
        let stranger = app.client_at([198, 51, 100, n]);
        stranger.ask_recovery("bot@example.com").await;
    }
    app.mails();
    let reply = home.ask_recovery("bot@example.com").await.expect(200);
    assert_eq!(bucket(&reply, "email").1, 2);
    let codes = app.mailed_codes();
    let used = home.recover("bot@example.com", &codes[0].1).await.expect(200);
    assert_eq!(used.string("/agent_id"), bot.id);
});
