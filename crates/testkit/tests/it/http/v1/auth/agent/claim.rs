use portcullis_testkit::{app::TestApp, on_every_storage};
use serde_json::{Value, json};
use time::Duration;

use super::sign_up::{JANE, anonymous, complete, for_address, millis, newcomer, start};

const PATH: &str = "/v1/auth/agent/claim";
const TEN_MINUTES: i64 = 10 * 60 * 1000;

on_every_storage!(a_code_is_mailed_once_while_it_works, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    let first = start(&app.client(), &made.claim, JANE).await.expect(200);
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("cache-control"), Some("no-store"), "W1");
    let body = first.json();
    assert_eq!(
        body,
        json!({
            "registration_id": body["registration_id"], "claim_attempt_id": body["claim_attempt_id"],
            "status": "initiated", "expires_at": millis(&app) + TEN_MINUTES,
        })
    );
    assert!(first.string("/registration_id").starts_with("rgn_"));
    assert!(first.string("/claim_attempt_id").starts_with("cla_"));
    assert_eq!(app.told(), [(JANE.to_owned(), "claim_code")]);
    app.clock().advance(Duration::minutes(2));
    let again = start(&app.client(), &made.claim, "JANE@example.com").await.expect(200);
    assert_eq!(again.json(), body);
    assert!(app.mails().is_empty());
    let other = start(&app.client(), &made.claim, "john@example.com").await.expect(200);
    assert_ne!(other.json()["claim_attempt_id"], body["claim_attempt_id"]);
    assert_eq!(app.told(), [("john@example.com".to_owned(), "claim_code")]);
});

on_every_storage!(o5_l9_over_a_mail_limit_the_answer_is_the_usual_one, |app| {
    let [first, second] =
        [newcomer(&app.client(), &anonymous()).await, newcomer(&app.client(), &anonymous()).await];
    for (made, mails) in [(first, 1), (second, 0)] {
        let reply = start(&app.client(), &made.claim, JANE).await.expect(200);
        assert_eq!(reply.json()["expires_at"], millis(&app) + TEN_MINUTES);
        assert_eq!(app.mails().len(), mails);
    }
});

on_every_storage!(after_three_codes_there_are_no_more, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    for _ in 0..3 {
        start(&app.client(), &made.claim, JANE).await.expect(200);
        app.clock().advance(Duration::minutes(10));
    }
    let reply = start(&app.client(), &made.claim, JANE).await;
    reply.expect_error(409, "codes_exhausted");
});

on_every_storage!(o6_a_registration_for_an_address_is_for_no_other, |app| {
    let made = newcomer(&app.client(), &for_address(JANE)).await;
    let reply = start(&app.client(), &made.claim, "john@example.com").await;
    reply.expect_error(409, "email_mismatch");
    assert_eq!(app.told(), [(JANE.to_owned(), "claim_code")]);
});

on_every_storage!(o12_a_claim_token_that_is_unknown_or_expired_is_404, |app| {
    let made = newcomer(&app.client(), &anonymous()).await;
    for token in ["clm_", "x", &made.claim.replace("clm_", "cvt_"), &format!("{}0", made.claim)] {
        start(&app.client(), token, JANE).await.expect_error(404, "invalid_claim_token");
        complete(&app.client(), token, "000000").await.expect_error(404, "invalid_claim_token");
    }
    app.clock().advance(Duration::DAY - Duration::SECOND);
    start(&app.client(), &made.claim, JANE).await.expect(200);
    app.clock().advance(Duration::SECOND);
    start(&app.client(), &made.claim, JANE).await.expect_error(404, "invalid_claim_token");
    let reply = complete(&app.client(), &made.claim, "000000").await;
    reply.expect_error(404, "invalid_claim_token");
});

on_every_storage!(what_was_claimed_or_refused_is_not_claimed_again, |app| {
    let [claimed, denied] =
        [newcomer(&app.client(), &anonymous()).await, newcomer(&app.client(), &anonymous()).await];
    start(&app.client(), &claimed.claim, JANE).await.expect(200);
    let code = app.mailed("claim_code");
    complete(&app.client(), &claimed.claim, &code).await.expect(200);
    app.read(|uow| uow.registrations().find_by_agent(denied.agent.parse().unwrap())).unwrap();
    app.engine()
        .storage
        .begin(portcullis_storage::TxMode::Write)
        .and_then(|mut uow| {
            let agent = denied.agent.parse().unwrap();
            let found = uow.registrations().find_by_agent(agent)?.unwrap();
            let now = app.engine().now();
            uow.registrations().decide(found.id, &portcullis_registration::Decision::Deny, now)?;
            uow.commit()
        })
        .unwrap();
    for (made, status, code) in [(claimed, 409, "already_claimed"), (denied, 403, "claim_denied")] {
        start(&app.client(), &made.claim, JANE).await.expect_error(status, code);
        complete(&app.client(), &made.claim, "000000").await.expect_error(status, code);
    }
});

#[actix_web::test]
async fn what_is_missing_or_broken_is_400_and_mails_nothing() {
    let app = TestApp::memory().await;
    let made = newcomer(&app.client(), &anonymous()).await;
    for (body, code) in [
        (json!({}), "invalid_request"),
        (json!({ "email": JANE }), "invalid_request"),
        (json!({ "claim_token": "", "email": JANE }), "invalid_request"),
        (json!({ "claim_token": 5, "email": JANE }), "invalid_request"),
        (json!({ "claim_token": Value::Null, "email": JANE }), "invalid_request"),
        (json!({ "claim_token": made.claim }), "invalid_request"),
        (json!({ "claim_token": made.claim, "email": [JANE] }), "invalid_request"),
        (json!({ "claim_token": made.claim, "email": "" }), "invalid_email"),
        (json!({ "claim_token": made.claim, "email": "jane" }), "invalid_email"),
    ] {
        let reply = app.client().post(PATH).json(&body).await;
        reply.expect_error(400, code);
    }
    assert!(app.mails().is_empty());
}

#[actix_web::test]
async fn l11_every_other_request_has_its_limit() {
    let app = TestApp::memory().await;
    let client = app.client();
    let mut last = 60;
    for _ in 0..60 {
        let reply = start(&client, "clm_x", JANE).await.expect_error(404, "invalid_claim_token");
        assert_eq!(reply.number("x-ratelimit-limit"), 60);
        assert!(reply.remaining() < last);
        last = reply.remaining();
    }
    for path in [PATH, "/v1/auth/agent/claim/complete", "/v1/auth/agent/revoke", "/v1/auth/agent"] {
        let reply = client.post(path).json(&json!({})).await.expect_error(429, "rate_limited");
        assert!((1..=66).contains(&reply.number("retry-after")));
    }
}
