use portcullis_audit::Actor;
use portcullis_kernel::Origin;
use portcullis_testkit::{
    app::{TestApp, all},
    on_every_storage,
};
use serde_json::{Value, json};
use time::Duration;

use crate::http::oauth2::callers::{introspect, server};

use super::sign_up::{JANE, Newcomer, anonymous, complete, for_address, newcomer, start, works};

const PATH: &str = "/v1/auth/agent/claim/complete";

/// An agent whose code was mailed to Jane.
async fn asked(app: &TestApp) -> (Newcomer, String) {
    let made = newcomer(&app.client(), &anonymous()).await;
    start(&app.client(), &made.claim, JANE).await.expect(200);
    let code = app.mailed("claim_code");
    (made, code)
}

/// Another code.
fn wrong(code: &str, n: usize) -> String {
    let code: usize = code.parse().unwrap();
    format!("{:06}", (code + 1 + n) % 1_000_000)
}

on_every_storage!(k9_o1_the_key_is_swapped_once, |app| {
    let (made, code) = asked(&app).await;
    assert!(works(&app, &made.agent, &made.key).await);
    let reply = complete(&app.client(), &made.claim, &code).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "W1");
    let key = reply.string("/credential");
    assert_eq!(
        reply.json(),
        json!({
            "credential": key, "credential_type": "api_key", "credential_expires": null,
            "scopes": ["api.read", "api.write"],
        })
    );
    assert!(key.starts_with("live_"));
    let peer = app.peer().await;
    for instance in [&app, &peer] {
        assert!(works(instance, &made.agent, &key).await);
        assert!(!works(instance, &made.agent, &made.key).await, "K9");
        let again = complete(&instance.client(), &made.claim, &code).await;
        again.expect_error(409, "already_claimed");
    }
    assert_eq!(app.told(), [(JANE.to_owned(), "agent_claimed")]);
});

on_every_storage!(o3_o12_a_wrong_code_is_401_and_five_of_them_burn_it, |app| {
    let (made, code) = asked(&app).await;
    for n in 0..5 {
        let reply = complete(&app.client(), &made.claim, &wrong(&code, n)).await;
        let reply = reply.expect_error(401, "otp_invalid");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer "));
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    for given in [&code, &wrong(&code, 9)] {
        complete(&app.client(), &made.claim, given).await.expect_error(401, "otp_expired");
    }
    assert!(works(&app, &made.agent, &made.key).await, "the first key stays");
});

on_every_storage!(o7_a_code_that_is_late_or_was_never_sent_is_expired, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    complete(&app.client(), &made.claim, "000000").await.expect_error(401, "otp_expired");
    let (made, code) = asked(&app).await;
    app.clock().advance(Duration::minutes(10));
    complete(&app.client(), &made.claim, &code).await.expect_error(401, "otp_expired");
});

on_every_storage!(a_suspended_person_is_refused_and_an_unknown_one_gets_an_account, |app| {
    let jane = app.verified(JANE).await;
    let (made, code) = asked(&app).await;
    let id = jane.user_id();
    app.engine().suspend_user(id, Actor::Operator, &Origin::local()).unwrap();
    complete(&app.client(), &made.claim, &code).await.expect_error(403, "claim_denied");
    assert!(works(&app, &made.agent, &made.key).await);
    let made = newcomer(&app.client(), &for_address("john@example.com")).await;
    let code = app.mailed("claim_code");
    complete(&app.client(), &made.claim, &code).await.expect(200);
    let john = app.engine().find_user("john@example.com").unwrap();
    assert!(john.is_verified());
    let agent = app.read(|uow| uow.agents().find(made.agent.parse().unwrap())).unwrap();
    assert_eq!(agent.owner, Some(john.id));
});

on_every_storage!(
    k8_others_are_told_of_the_key_whose_it_is_and_that_the_mailbox_was_proven,
    |app| {
        let watcher = server(&app, "api.read api.write", None, false);
        let (made, code) = asked(&app).await;
        let told = introspect(&app.client(), &watcher, &made.key).await.json();
        assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("api.read")));
        assert_eq!((&told["sub"], told.get("owner")), (&json!(made.agent), None));
        assert_ne!(told["email_verified"], json!(true));
        let reply = complete(&app.client(), &made.claim, &code).await.expect(200);
        let told = introspect(&app.client(), &watcher, &reply.string("/credential")).await.json();
        assert_eq!(
            (&told["scope"], &told["sub"]),
            (&json!("api.read api.write"), &json!(made.agent))
        );
        let jane = app.engine().find_user(JANE).unwrap().id.to_string();
        assert_eq!((&told["owner"], &told["email_verified"]), (&json!(jane), &json!(true)));
        let told = introspect(&app.client(), &watcher, &made.key).await.json();
        assert_eq!(told, json!({ "active": false }), "K9");
    }
);

on_every_storage!(v10_a_planted_account_is_cleared, |app| {
    let planted = app.client().register(JANE).await;
    let (made, code) = asked(&app).await;
    complete(&app.client(), &made.claim, &code).await.expect(200);
    app.client().me(&planted.access).await.expect(401);
    app.client().refresh(&planted.refresh).await.expect(401);
    app.client().try_sign_in(JANE, portcullis_testkit::app::PASSWORD).await.expect(401);
});

on_every_storage!(o2_of_parallel_uses_over_two_instances_one_succeeds, |app| {
    let (made, code) = asked(&app).await;
    let peer = app.peer().await;
    let body = json!({ "claim_token": made.claim, "code": code });
    let uses = (0..20).map(|n| {
        let instance = if n % 2 == 0 { &app } else { &peer };
        instance.client().post(PATH).json(&body).into_future()
    });
    let replies = all(uses.collect()).await;
    let winners: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(winners.len(), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 409)));
    assert!(works(&app, &made.agent, &winners[0].string("/credential")).await);
});

on_every_storage!(l1_after_twenty_wrong_codes_of_a_client_none_is_compared, |app| {
    let guesser = app.client();
    for _ in 0..5 {
        let made = newcomer(&app.client(), &anonymous()).await;
        start(&app.client(), &made.claim, JANE).await.expect(200);
        let code = app.mailed("claim_code");
        for n in 0..4 {
            complete(&guesser, &made.claim, &wrong(&code, n))
                .await
                .expect_error(401, "otp_invalid");
        }
        app.clock().advance(Duration::MINUTE);
    }
    app.clock().advance(Duration::minutes(54));
    let made = newcomer(&app.client(), &anonymous()).await;
    start(&app.client(), &made.claim, "john@example.com").await.expect(200);
    let code = app.mailed("claim_code");
    let over = complete(&guesser, &made.claim, &code).await.expect_error(429, "rate_limited");
    assert_eq!(over.number("x-ratelimit-limit"), 20);
    assert_eq!(over.number("retry-after"), 60, "until the first four are an hour old");
    complete(&app.client(), &made.claim, &code).await.expect(200);
});

#[actix_web::test]
async fn o8_only_six_ascii_digits_in_a_string_are_a_code() {
    let app = TestApp::memory().await;
    let (made, code) = asked(&app).await;
    let number: u32 = code.parse().unwrap();
    for (given, status, error) in [
        (Value::Null, 400, "invalid_request"),
        (json!(number), 400, "invalid_request"),
        (json!([code]), 400, "invalid_request"),
        (json!({ "code": code }), 400, "invalid_request"),
        (json!(true), 400, "invalid_request"),
        (json!(""), 400, "invalid_request"),
        (json!(format!(" {code}")), 401, "otp_invalid"),
        (json!(format!("{code}\n")), 401, "otp_invalid"),
        (json!(&code[..5]), 401, "otp_invalid"),
        (json!(format!("0{code}")), 401, "otp_invalid"),
        (json!("１２３４５６"), 401, "otp_invalid"),
        (json!("+12345"), 401, "otp_invalid"),
        (json!("x".repeat(60_000)), 401, "otp_invalid"),
    ] {
        let body = json!({ "claim_token": made.claim, "code": given });
        app.client().post(PATH).json(&body).await.expect_error(status, error);
    }
    for body in [json!({}), json!({ "code": code }), json!({ "claim_token": 7, "code": code })] {
        app.client().post(PATH).json(&body).await.expect_error(400, "invalid_request");
    }
    // None of it took a try.
    complete(&app.client(), &made.claim, &code).await.expect(200);
}
