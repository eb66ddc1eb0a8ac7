use portcullis_testkit::{
    app::{Bot, TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::routes::limit_headers;

const PATH: &str = "/api/auth/recovery/verify";
const EMAIL: &str = "bot@example.com";
const MESSAGE: &str = "Recovery key reset successfully. Save the new recovery key securely.";

/// An agent, and the code that recovers it.
async fn asked(app: &TestApp) -> (Bot, String) {
    let bot = app.proven_bot("weather-bot", EMAIL).await;
    app.client().ask_recovery(EMAIL).await.expect(200);
    let code = app.mailed_codes()[0].1.clone();
    (bot, code)
}

/// Another code.
fn wrong(code: &str, n: usize) -> String {
    let code: usize = code.parse().unwrap();
    format!("{:06}", (code + 1 + n) % 1_000_000)
}

on_every_storage!(v3_a_code_gives_a_new_recovery_key_once, |app| {
    let (bot, code) = asked(&app).await;
    let reply = app.client().recover("BOT@example.com", &code).await.expect(200);
    let key = reply.string("/recovery_key");
    assert_eq!(
        reply.json(),
        json!({ "agent_id": bot.id, "recovery_key": key, "message": MESSAGE })
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    assert_eq!((limit_headers(&reply).0, reply.remaining()), (10, 9));
    assert!(key.starts_with("rk_") && key != bot.recovery_key);
    // O1: it has done its work.
    for _ in 0..2 {
        let again = app.client().recover(EMAIL, &code).await;
        again.expect_error(409, "CODE_ALREADY_USED");
    }
    let body = json!({ "name": "x" });
    app.client().make_key(&bot, &body).await.expect_error(401, "UNAUTHORIZED");
    let recovered = Bot { recovery_key: key, ..bot.clone() };
    app.client().make_key(&recovered, &body).await.expect(201);
    // Keys and tokens live on.
    app.client().exchange(&bot.id, &bot.api_key).await.expect(200);
    app.client().agent(&bot.access).await.expect(200);
    assert_eq!(app.told(), [("bot@example.com".to_owned(), "agent_recovered")], "V5");
    app.clock().advance(Duration::minutes(15));
    app.client().recover(EMAIL, &code).await.expect_error(401, "INVALID_CODE");
});

on_every_storage!(v4_on_request_every_key_and_token_goes_too, |app| {
    let (bot, code) = asked(&app).await;
    let body = json!({ "email": EMAIL, "code": code, "revoke_keys": true });
    app.client().post(PATH).json(&body).await.expect(200);
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        instance.client().exchange(&bot.id, &bot.api_key).await.expect(401);
        instance.client().agent(&bot.access).await.expect(401);
    }
});

on_every_storage!(o1_a_wrong_code_burns_nothing_until_the_tries_are_spent, |app| {
    let (_, code) = asked(&app).await;
    for n in 0..2 {
        let reply = app.client().recover(EMAIL, &wrong(&code, n)).await;
        reply.expect_error(401, "INVALID_CODE");
    }
    app.client().recover(EMAIL, &code).await.expect(200);

    app.client().ask_recovery(EMAIL).await.expect(200);
    let code = app.mailed_codes()[0].1.clone();
    // O3: five from the network that asked, from whichever address.
    for n in 0..5 {
        let reply = app.client().recover(EMAIL, &wrong(&code, n)).await;
        reply.expect_error(401, "INVALID_CODE");
    }
    app.client().recover(EMAIL, &code).await.expect_error(401, "INVALID_CODE");
});

on_every_storage!(o2_of_parallel_uses_over_two_instances_one_succeeds, |app| {
    let (bot, code) = asked(&app).await;
    let peer = app.peer().await;
    let body = json!({ "email": EMAIL, "code": code });
    let uses = (0..20).map(|n| {
        let instance = if n % 2 == 0 { &app } else { &peer };
        instance.client().post(PATH).json(&body).into_future()
    });
    let replies = all(uses.collect()).await;
    let winners: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(winners.len(), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 409)));
    let key = winners[0].string("/recovery_key");
    let recovered = Bot { recovery_key: key, ..bot };
    app.client().make_key(&recovered, &json!({ "name": "x" })).await.expect(201);
});

on_every_storage!(o4_parallel_guesses_do_not_outrun_the_tries, |app| {
    let (_, code) = asked(&app).await;
    let uses = (0..30).map(|n| {
        let body = json!({ "email": EMAIL, "code": wrong(&code, n) });
        app.client().post(PATH).json(&body).into_future()
    });
    for reply in all(uses.collect()).await {
        reply.expect_error(401, "INVALID_CODE");
    }
    app.client().recover(EMAIL, &code).await.expect_error(401, "INVALID_CODE");
});

on_every_storage!(o7_o11_a_code_lives_a_quarter_and_only_the_newest_one_works, |app| {
    let (_, older) = asked(&app).await;
    app.client().ask_recovery(EMAIL).await.expect(200);
    let newer = app.mailed_codes()[0].1.clone();
    if older != newer {
        app.client().recover(EMAIL, &older).await.expect_error(401, "INVALID_CODE");
    }
    app.clock().advance(Duration::minutes(15) - Duration::SECOND);
    app.client().recover(EMAIL, &newer).await.expect(200);
    app.client().ask_recovery(EMAIL).await.expect(200);
    let last = app.mailed_codes()[0].1.clone();
    app.clock().advance(Duration::minutes(15));
    app.client().recover(EMAIL, &last).await.expect_error(401, "INVALID_CODE");
});

on_every_storage!(o6_v6_a_code_is_good_for_its_own_mailbox_only, |app| {
    app.client().recover(EMAIL, "000000").await.expect_error(401, "INVALID_CODE");
    let (_, code) = asked(&app).await;
    app.proven_bot("other-bot", "other@example.com").await;
    for email in ["other@example.com", "nobody@example.com"] {
        app.client().recover(email, &code).await.expect_error(401, "INVALID_CODE");
    }
    app.client().recover(EMAIL, &code).await.expect(200);
});

#[actix_web::test]
async fn o8_only_six_ascii_digits_in_a_string_are_a_code() {
    let app = TestApp::memory().await;
    let (_, code) = asked(&app).await;
    let number: u32 = code.parse().unwrap();
    for (given, status, error) in [
        (Value::Null, 400, "INVALID_REQUEST"),
        (json!(number), 400, "INVALID_REQUEST"),
        (json!([code]), 400, "INVALID_REQUEST"),
        (json!({ "code": code }), 400, "INVALID_REQUEST"),
        (json!(true), 400, "INVALID_REQUEST"),
        (json!(""), 400, "INVALID_REQUEST"),
        (json!(format!(" {code}")), 401, "INVALID_CODE"),
        (json!(format!("{code}\n")), 401, "INVALID_CODE"),
        (json!(&code[..5]), 401, "INVALID_CODE"),
        (json!(format!("0{code}")), 401, "INVALID_CODE"),
        (json!("１２３４５６"), 401, "INVALID_CODE"),
        (json!("+12345"), 401, "INVALID_CODE"),
        (json!("x".repeat(60_000)), 401, "INVALID_CODE"),
    ] {
        let body = json!({ "email": EMAIL, "code": given });
        app.client().post(PATH).json(&body).await.expect_error(status, error);
    }
    for (body, error) in [
        (json!({ "code": code }), "INVALID_REQUEST"),
        (json!({ "email": "nope", "code": code }), "INVALID_EMAIL"),
        (json!({ "email": [EMAIL], "code": code }), "INVALID_REQUEST"),
        (json!({ "email": EMAIL, "code": code, "revoke_keys": "yes" }), "INVALID_REQUEST"),
        (json!({ "email": EMAIL, "code": code, "revoke_keys": 1 }), "INVALID_REQUEST"),
    ] {
        app.client().post(PATH).json(&body).await.expect_error(400, error);
    }
    // None of it took a try.
    app.client().recover(EMAIL, &code).await.expect(200);
}

on_every_storage!(l1_ten_in_a_quarter_from_one_client_address, |app| {
    let (_, code) = asked(&app).await;
    let client = app.client();
    for left in (0..10).rev() {
        let reply = client.recover("nobody@example.com", &code).await;
        assert_eq!((limit_headers(&reply).0, reply.remaining()), (10, left));
    }
    let over = client.recover(EMAIL, &code).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    assert!((1..=900).contains(&over.number("retry-after")));
    app.client().recover(EMAIL, &code).await.expect(200);
});
