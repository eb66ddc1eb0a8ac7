//! Charging, before a meter that is played by a test.

use portcullis_guard::{Cost, GuardOptions, OperationId, Principal, Reason};
use portcullis_kernel::{Entropy, EntropyError};
use serde_json::{Value, json};

use crate::support::{API_KEY, Api, ISSUER, Log, options};

const ONE: Cost = Cost::of::<1>();

async fn charged_by(answer: (u16, &[(&str, &str)], &str)) -> (Api, Principal) {
    let api = Api::new();
    api.server.activate(API_KEY, json!({}));
    let principal = api.show(API_KEY).await.unwrap();
    api.server.asked();
    api.server.answer(answer.0, answer.1, answer.2);
    (api, principal)
}

#[tokio::test]
async fn a_charge_names_token_cost_and_operation() {
    let (api, principal) = charged_by((200, &[], r#"{"charged":true,"balance":41}"#)).await;
    let operation = OperationId::of(&principal, "POST /notes", "one");
    let charged = api.guard.charge(&principal, Cost::of::<3>(), &operation).await.unwrap();
    assert_eq!(charged.balance, Some(41));
    let asked = api.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].url.as_str()),
        ("POST", format!("{ISSUER}/v1/meter/charge").as_str())
    );
    assert_eq!(asked[0].basic.as_deref(), Some("rs_1:rss_2"));
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    let expected = json!({ "token": API_KEY, "cost": 3, "operation_id": operation.as_str() });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn whatever_else_a_good_answer_says_it_is_charged() {
    for (status, body) in [(200, ""), (201, "{}"), (204, ""), (200, r#"{"balance":null}"#)] {
        let (api, principal) = charged_by((status, &[], body)).await;
        let operation = OperationId::of(&principal, "", "");
        let charged = api.guard.charge(&principal, ONE, &operation).await.unwrap();
        assert_eq!(charged.balance, None, "{status} {body}");
    }
}

#[tokio::test]
async fn payment_required_is_passed_on_as_it_came() {
    let body =
        r#"{"type":"https://paymentauth.org/problems/payment-required","status":402,"required":3}"#;
    let challenge =
        r#"Payment id="x", realm="r", method="credits", intent="charge", request="e30""#;
    let headers = [
        ("Content-Type", "application/problem+json"),
        ("WWW-Authenticate", challenge),
        ("WWW-Authenticate", "Other"),
        ("Cache-Control", "no-store"),
        ("X-Request-Id", "of-another-request"),
        ("Connection", "close"),
        ("Set-Cookie", "a=b"),
        ("Content-Length", "7"),
    ];
    let (api, principal) = charged_by((402, &headers, body)).await;
    let operation = OperationId::of(&principal, "", "");
    let refusal = api.guard.charge(&principal, Cost::of::<3>(), &operation).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.status().as_u16()), (Reason::PaymentRequired, 402));
    assert_eq!(refusal.body().as_ref(), body.as_bytes());
    let challenges: Vec<_> = refusal.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [challenge, "Other"]);
    assert_eq!(refusal.headers()["content-type"], "application/problem+json");
    assert_eq!(refusal.headers()["cache-control"], "no-store");
    assert_eq!(refusal.headers().len(), 4, "and nothing else");
}

#[tokio::test]
async fn other_answers_are_refusals_of_ours() {
    let of_the_token = r#"{"code":"invalid_token"}"#;
    let elsewhere = r#"{"code":"not_found"}"#;
    for (status, body, reason) in [
        (409, "{}", Reason::Conflict),
        (404, of_the_token, Reason::Invalid),
        (404, elsewhere, Reason::Unavailable),
        (404, "", Reason::Unavailable),
        (401, of_the_token, Reason::Unavailable),
        (400, "{}", Reason::Unavailable),
        (429, "{}", Reason::Unavailable),
        (500, "{}", Reason::Unavailable),
        (302, "{}", Reason::Unavailable),
    ] {
        let (api, principal) = charged_by((status, &[], body)).await;
        let operation = OperationId::of(&principal, "", "");
        let refusal = api.guard.charge(&principal, ONE, &operation).await.unwrap_err();
        assert_eq!(refusal.reason(), reason, "{status} {body}");
    }
    let (api, principal) = charged_by((503, &[("Retry-After", "3")], "")).await;
    let operation = OperationId::of(&principal, "", "");
    let refusal = api.guard.charge(&principal, ONE, &operation).await.unwrap_err();
    assert_eq!(refusal.headers()["retry-after"], "3");
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_asked_for_once_more_by_the_same_name() {
    let (api, principal) = charged_by((200, &[], r#"{"balance":4}"#)).await;
    api.server.lose_one();
    let operation = OperationId::of(&principal, "POST /notes", "1");
    let charged = api.guard.charge(&principal, ONE, &operation).await.unwrap();
    assert_eq!(charged.balance, Some(4));
    let asked = api.server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
    // What was answered, in whatever way, is not asked again.
    api.server.answer(503, &[], "");
    assert!(api.guard.charge(&principal, ONE, &operation).await.is_err());
    assert_eq!(api.server.count(), 1);
}

#[tokio::test]
async fn nothing_is_served_that_cannot_be_charged() {
    let (api, principal) = charged_by((200, &[], "{}")).await;
    api.server.go_down();
    let operation = OperationId::of(&principal, "", "");
    let refusal = api.guard.charge(&principal, ONE, &operation).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::Unavailable);
}

#[tokio::test]
async fn a_guard_without_credentials_says_that_it_cannot_charge_and_not_to_come_again() {
    let api = Api::with(GuardOptions { credentials: None, ..options() });
    let principal = api.show(&api.token()).await.unwrap();
    api.server.asked();
    let log = Log::new();
    let operation = OperationId::of(&principal, "", "");
    let refusal = api.guard.charge(&principal, ONE, &operation).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.status().as_u16()), (Reason::NoCredentials, 500));
    assert_eq!(refusal.headers().get("retry-after"), None);
    let body: Value = serde_json::from_slice(refusal.body()).unwrap();
    assert_eq!((&body["code"], &body["status"]), (&json!("internal_error"), &json!(500)));
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("ERROR"), "{lines:?}");
    assert!(lines[0].contains("GuardOptions::credentials"), "{lines:?}");
    assert_eq!(api.server.count(), 0);
}

#[tokio::test]
async fn operations_are_apart_by_principal_route_and_key() {
    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            Ok(())
        }
    }
    let api = Api::new();
    let jane = api.show(&api.token()).await.unwrap();
    let other = json!("agt_00112233445566778899aabbccddee00");
    let token = api.issuer.claiming(json!({ "sub": other, "client_id": other }));
    let joe = api.show(&token).await.unwrap();
    let entropy = Counting(0.into());
    let ids = [
        OperationId::of(&jane, "POST /notes", "1"),
        OperationId::of(&joe, "POST /notes", "1"),
        OperationId::of(&jane, "POST /notes", "2"),
        OperationId::of(&jane, "POST /notes1", ""),
        OperationId::of(&jane, "POST /note", "s1"),
        OperationId::random(&entropy).unwrap(),
        OperationId::random(&entropy).unwrap(),
    ];
    for (at, id) in ids.iter().enumerate() {
        assert!(id.as_str().len() <= 45, "{id:?}");
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        assert!(id.as_str().bytes().all(plain), "{id:?}");
        assert!(!ids[..at].contains(id), "{id:?}");
    }
    assert_eq!(ids[0], OperationId::of(&jane, "POST /notes", "1"));
}
