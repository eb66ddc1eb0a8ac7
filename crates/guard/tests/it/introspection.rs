//! API keys: what is asked about them, and how long answers are kept.

use std::sync::Arc;

use portcullis_guard::{GuardOptions, IntrospectionPolicy, Reason};
use serde_json::json;
use time::Duration;
use tokio::task::JoinSet;

use crate::support::{AGENT, API_KEY, Api, ISSUER, KEY_ID, Log, START, api_key, at, options};

fn with(policy: IntrospectionPolicy) -> Api {
    let api = Api::with(GuardOptions { introspection: policy, ..options() });
    api.server.activate(API_KEY, json!({}));
    api
}

fn api() -> Api {
    with(IntrospectionPolicy::default())
}

fn uncached() -> IntrospectionPolicy {
    let none = Duration::ZERO;
    IntrospectionPolicy { positive: none, negative: none, ..IntrospectionPolicy::default() }
}

#[tokio::test]
async fn a_key_is_asked_about_as_the_standard_says() {
    let api = api();
    let changes = json!({ "exp": START + 60, "owner": "01JN2X4K8M3F7QPZRVWT6YBHCE" });
    api.server.activate(API_KEY, changes);
    let principal = api.show(API_KEY).await.unwrap();
    assert_eq!(principal.subject.to_string(), AGENT);
    assert_eq!(principal.scopes.to_string(), "api.read");
    assert_eq!(principal.key_id, Some(KEY_ID.parse().unwrap()));
    assert_eq!(principal.owner, Some("01JN2X4K8M3F7QPZRVWT6YBHCE".parse().unwrap()));
    assert_eq!((principal.token_id, principal.audience.as_deref()), (None, None));
    assert_eq!(principal.expires_at, Some(at(60)));
    assert_eq!(principal.email_verified, Some(true));
    let asked = api.server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "POST");
    assert_eq!(asked[0].url, format!("{ISSUER}/oauth2/introspect"));
    assert_eq!(asked[0].basic.as_deref(), Some("rs_1:rss_2"));
    assert_eq!(asked[0].body, format!("token={API_KEY}"));
}

#[tokio::test]
async fn a_person_is_refused_and_the_log_tells_why() {
    let api = api();
    let user = "01JN2X4K8M3F7QPZRVWT6YBHCE";
    let person = json!({ "principal_type": "user", "sub": user, "scope": null, "client_id": null });
    api.server.activate(API_KEY, person);
    let log = Log::new();
    assert_eq!(api.refuses(API_KEY).await, Reason::Invalid);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("a person"), "{lines:?}");
    assert_eq!(api.server.count(), 1);
}

#[tokio::test]
async fn k2_a_mistyped_key_is_not_asked_about() {
    let api = api();
    let long = format!("{API_KEY}1");
    let upper = API_KEY.to_uppercase();
    let cut: String = API_KEY.chars().skip(1).collect();
    let short: String = API_KEY.chars().take(51).collect();
    for wrong in ["", "x", "sk_1", "sk_", &cut, &short, &long, &upper, "a.b", "...."] {
        assert_eq!(api.refuses(wrong).await, Reason::Invalid, "{wrong}");
    }
    assert_eq!(api.server.count(), 0);
    assert_eq!(api.refuses(&api_key(7)).await, Reason::Invalid);
    assert_eq!(api.server.count(), 1, "well-formed, and unknown");
}

#[tokio::test]
async fn a_guard_without_credentials_takes_tokens_only() {
    let api = Api::with(GuardOptions { credentials: None, ..options() });
    assert_eq!(api.refuses(API_KEY).await, Reason::Invalid);
    assert_eq!(api.server.count(), 0);
    assert!(api.show(&api.token()).await.is_ok());
}

#[tokio::test]
async fn k6_a_revoked_key_works_no_longer_than_the_cache_says() {
    let policy = IntrospectionPolicy::default();
    assert_eq!((policy.positive, policy.negative), (Duration::seconds(5), Duration::SECOND));
    for seconds in [1, 3, 5] {
        let api = with(IntrospectionPolicy { positive: Duration::seconds(seconds), ..policy });
        assert!(api.show(API_KEY).await.is_ok());
        api.server.deactivate(API_KEY);
        api.clock.advance(Duration::seconds(seconds) - Duration::MICROSECOND);
        assert!(api.show(API_KEY).await.is_ok(), "kept for {seconds} s");
        assert_eq!(api.server.count(), 1);
        api.clock.advance(Duration::MICROSECOND);
        assert_eq!(api.refuses(API_KEY).await, Reason::Invalid, "after {seconds} s");
    }
}

#[tokio::test]
async fn k6_without_a_cache_every_request_asks() {
    let api = with(uncached());
    for _ in 0..3 {
        assert!(api.show(API_KEY).await.is_ok());
    }
    api.server.deactivate(API_KEY);
    for _ in 0..3 {
        assert_eq!(api.refuses(API_KEY).await, Reason::Invalid);
    }
    assert_eq!(api.server.count(), 6);
}

#[tokio::test]
async fn a_dead_key_is_taken_to_be_dead_for_a_second() {
    let api = api();
    let key = api_key(1);
    for _ in 0..100 {
        assert_eq!(api.refuses(&key).await, Reason::Invalid);
    }
    assert_eq!(api.server.count(), 1);
    api.server.activate(&key, json!({}));
    api.clock.advance(Duration::SECOND - Duration::MICROSECOND);
    assert_eq!(api.refuses(&key).await, Reason::Invalid);
    api.clock.advance(Duration::MICROSECOND);
    assert!(api.show(&key).await.is_ok());
}

#[tokio::test]
async fn a_key_that_ends_sooner_is_kept_no_longer() {
    let api = api();
    api.server.activate(API_KEY, json!({ "exp": START + 2 }));
    assert!(api.show(API_KEY).await.is_ok());
    api.server.deactivate(API_KEY);
    api.clock.seconds(2);
    assert_eq!(api.refuses(API_KEY).await, Reason::Invalid);
}

#[tokio::test]
async fn answers_about_others_push_none_out_that_works() {
    let policy = IntrospectionPolicy { entries: 10, ..IntrospectionPolicy::default() };
    let api = with(policy);
    assert!(api.show(API_KEY).await.is_ok());
    for number in 0..100 {
        assert_eq!(api.refuses(&api_key(number)).await, Reason::Invalid);
    }
    api.server.asked();
    assert!(api.show(API_KEY).await.is_ok());
    assert_eq!(api.server.count(), 0);
    assert_eq!(api.refuses(&api_key(0)).await, Reason::Invalid);
    assert_eq!(api.server.count(), 1, "bounded: the oldest was forgotten");
}

/// Shows one key many times while the answer is held back, and says what came of it.
async fn held_back(api: &Arc<Api>, count: usize) -> Vec<bool> {
    let gate = api.server.hold();
    let mut shown = JoinSet::new();
    for _ in 0..count {
        let api = Arc::clone(api);
        shown.spawn(async move { api.show(API_KEY).await.is_ok() });
    }
    api.server.is_asked().await;
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
    gate.add_permits(10 * count);
    shown.join_all().await
}

#[tokio::test]
async fn a_key_that_comes_many_times_at_once_is_asked_about_once() {
    let api = Arc::new(api());
    assert_eq!(held_back(&api, 100).await, [true; 100]);
    assert_eq!(api.server.count(), 1);
}

#[tokio::test]
async fn k6_without_a_cache_no_request_takes_the_answer_to_an_earlier_one() {
    let api = Arc::new(with(uncached()));
    assert_eq!(held_back(&api, 100).await, [true; 100]);
    assert_eq!(api.server.count(), 100);
}

#[tokio::test]
async fn an_answer_that_was_long_in_coming_is_good_for_whoever_asked_only() {
    let api = Arc::new(api());
    api.server.deactivate(API_KEY);
    let gate = api.server.hold();
    let first = Arc::clone(&api);
    let first = tokio::spawn(async move { first.show(API_KEY).await.is_ok() });
    api.server.is_asked().await;
    // The second one joins in time; when the answer is there, it is older than a second.
    let second = Arc::clone(&api);
    let second = tokio::spawn(async move { second.show(API_KEY).await.is_ok() });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    api.server.activate(API_KEY, json!({}));
    api.clock.seconds(2);
    gate.add_permits(100);
    assert!(!first.await.unwrap(), "as of when it asked");
    assert!(second.await.unwrap(), "as of now");
}

#[tokio::test]
async fn an_auth_server_that_is_away_lets_nobody_in() {
    let api = api();
    api.server.go_down();
    assert_eq!(api.refuses(API_KEY).await, Reason::Unavailable);
    for number in 0..10 {
        assert_eq!(api.refuses(&api_key(number)).await, Reason::Unavailable);
    }
    assert_eq!(api.server.count(), 1, "for a second nothing is asked");
    api.server.come_back();
    api.clock.seconds(1);
    assert!(api.show(API_KEY).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_at_hand_serves_while_the_auth_server_is_away() {
    let api = api();
    assert!(api.show(API_KEY).await.is_ok());
    api.server.go_down();
    api.clock.seconds(4);
    assert!(api.show(API_KEY).await.is_ok());
    api.clock.seconds(1);
    assert_eq!(api.refuses(API_KEY).await, Reason::Unavailable);
}

#[tokio::test]
async fn whoever_asks_too_often_waits_as_long_as_is_said() {
    let api = api();
    api.server.answer(429, &[("Retry-After", "17")], "{}");
    let refusal = api.show(API_KEY).await.unwrap_err();
    assert_eq!(
        (refusal.reason(), &refusal.headers()["retry-after"]),
        (Reason::Unavailable, &"17".parse().unwrap())
    );
    api.server.come_back();
    api.clock.seconds(16);
    assert_eq!(api.refuses(API_KEY).await, Reason::Unavailable);
    assert_eq!(api.server.count(), 1);
    api.clock.seconds(1);
    assert!(api.show(API_KEY).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_lets_nobody_in() {
    let active = r#"{"active":true,"sub":"agt_00112233445566778899aabbccddeeff""#;
    let bodies = [
        String::new(),
        "{}".to_owned(),
        r#"{"active":"true"}"#.to_owned(),
        r#"{"active":true}"#.to_owned(),
        format!("{active}}}"),
        format!(r#"{active},"principal_type":"device"}}"#),
        format!(r#"{active},"principal_type":"agent","aud":["https://api.example"]}}"#),
        format!(r#"{active},"principal_type":"agent","scope":"a  b"}}"#),
        format!(r#"{active},"principal_type":"agent","exp":"soon"}}"#),
    ];
    for body in bodies {
        let api = api();
        api.server.answer(200, &[], &body);
        assert_eq!(api.refuses(API_KEY).await, Reason::Unavailable, "{body}");
    }
    for status in [201, 302, 400, 401, 403, 404, 500, 503] {
        let api = api();
        api.server.answer(status, &[], &format!(r#"{active},"principal_type":"agent"}}"#));
        assert_eq!(api.refuses(API_KEY).await, Reason::Unavailable, "{status}");
    }
}

#[tokio::test]
async fn k6_tokens_die_at_once_where_they_are_asked_about() {
    let api = with(IntrospectionPolicy { access_tokens: true, ..uncached() });
    let token = api.token();
    let more = json!({ "jti": "01HRHZ2K00ZZZZZZZZZZZZZZZZ", "aud": "https://api.example",
        "scope": "api.read api.write", "exp": START + 3600 });
    api.server.activate(&token, more);
    let principal = api.show(&token).await.unwrap();
    assert_eq!(principal.email_verified, Some(true));
    assert_eq!(principal.scopes.to_string(), "api.read api.write");
    api.server.deactivate(&token);
    assert_eq!(api.refuses(&token).await, Reason::Invalid);
    // A forged one is not worth a question.
    api.server.asked();
    assert_eq!(api.refuses(&api.issuer.headed(json!({ "typ": "JWT" }))).await, Reason::Invalid);
    assert_eq!(api.refuses(&format!("{token}A")).await, Reason::Invalid);
    assert_eq!(api.server.count(), 0);
}
