//! What made-up keys and odd answers must not do: shut out a key that works.

use std::sync::Arc;

use portcullis_guard::{GuardOptions, IntrospectionPolicy, Reason};
use serde_json::json;
use time::Duration;
use tokio::task::JoinSet;

use crate::support::{API_KEY, Api, api_key, options};

fn with(policy: IntrospectionPolicy) -> Api {
    let api = Api::with(GuardOptions { introspection: policy, ..options() });
    api.server.activate(API_KEY, json!({}));
    api
}

fn api() -> Api {
    with(IntrospectionPolicy::default())
}

/// A policy by which every request with a key that works asks.
fn asking() -> IntrospectionPolicy {
    IntrospectionPolicy { positive: Duration::ZERO, ..IntrospectionPolicy::default() }
}

/// Shows made-up keys at one moment until one is not asked about any more; says how many were.
async fn flood(api: &Api) -> u64 {
    for number in 0..1000 {
        if api.refuses(&api_key(number)).await == Reason::Unavailable {
            return number;
        }
    }
    panic!("all of them are asked about");
}

#[tokio::test]
async fn k14_an_odd_answer_about_one_key_stops_no_other() {
    let active = r#""active":true,"sub":"agt_00112233445566778899aabbccddeeff""#;
    let device = format!(r#"{{{active},"principal_type":"device"}}"#);
    let list = format!(r#"{{{active},"principal_type":"agent","aud":["https://api.example"]}}"#);
    let odd = [(200, ""), (200, "{}"), (200, &device), (200, &list)];
    let other = [201, 302, 400, 403, 404, 405, 413].map(|status| (status, "{}"));
    for (status, body) in odd.into_iter().chain(other) {
        let api = with(asking());
        let holder = api_key(1);
        api.server.answer_about(&holder, status, body);
        for _ in 0..3 {
            assert_eq!(api.refuses(&holder).await, Reason::Unavailable, "{status} {body}");
            assert!(api.show(API_KEY).await.is_ok(), "{status} {body}");
        }
        assert_eq!(api.server.count(), 1 + 3, "for a second it is not asked about again");
        api.clock.seconds(1);
        assert_eq!(api.refuses(&holder).await, Reason::Unavailable, "{status} {body}");
        assert_eq!(api.server.count(), 1, "{status} {body}");
    }
}

#[tokio::test]
async fn an_auth_server_that_answers_nobody_is_left_alone_for_a_second() {
    for status in [401, 500, 502, 503] {
        let api = with(asking());
        assert!(api.show(API_KEY).await.is_ok());
        api.server.answer_about(&api_key(1), status, "{}");
        api.server.asked();
        assert_eq!(api.refuses(&api_key(1)).await, Reason::Unavailable);
        for key in [API_KEY, &api_key(2)] {
            assert_eq!(api.refuses(key).await, Reason::Unavailable, "{status}");
        }
        assert_eq!(api.server.count(), 1, "{status}");
        api.clock.seconds(1);
        assert!(api.show(API_KEY).await.is_ok(), "{status}");
    }
}

#[tokio::test]
async fn k14_made_up_keys_shut_out_no_key_that_works() {
    let api = api();
    assert!(api.show(API_KEY).await.is_ok());
    for minute in 0..3 {
        api.server.asked();
        for number in 0..600 {
            api.clock.advance(Duration::milliseconds(100));
            api.refuses(&api_key(600 * minute + number)).await;
            assert!(api.show(API_KEY).await.is_ok(), "{minute} {number}");
        }
        let mut asked = api.server.asked();
        let all = asked.len();
        asked.retain(|asked| !asked.body.contains(API_KEY));
        assert!((150..=300).contains(&asked.len()), "{}", asked.len());
        assert_eq!(all - asked.len(), 12, "every five seconds");
    }
}

#[tokio::test]
async fn k14_unknown_keys_wait_their_turn_where_too_many_are_shown() {
    let api = api();
    assert_eq!(flood(&api).await, 150, "half of a minute's at once");
    let refusal = api.show(API_KEY).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::Unavailable, "it was not live yet");
    assert_eq!(&refusal.headers()["retry-after"], "1");
    assert_eq!(api.server.count(), 150);
    api.clock.seconds(1);
    assert!(api.show(API_KEY).await.is_ok());
    // An answer that is at hand costs no question.
    let api = with(IntrospectionPolicy { unknown_per_minute: 1, ..asking() });
    assert_eq!(api.refuses(&api_key(0)).await, Reason::Invalid);
    assert_eq!(api.refuses(&api_key(0)).await, Reason::Invalid);
    let refusal = api.show(API_KEY).await.unwrap_err();
    assert_eq!(&refusal.headers()["retry-after"], "60");
}

#[tokio::test]
async fn a_key_is_known_for_ten_minutes_from_when_it_was_live() {
    let minutes = Duration::minutes(10);
    for (later, is_known) in [(minutes - Duration::MICROSECOND, true), (minutes, false)] {
        let api = api();
        assert!(api.show(API_KEY).await.is_ok());
        api.clock.advance(later);
        flood(&api).await;
        assert_eq!(api.show(API_KEY).await.is_ok(), is_known, "{later}");
    }
}

#[tokio::test]
async fn a_key_that_died_is_unknown_again() {
    let api = with(IntrospectionPolicy { negative: Duration::ZERO, ..asking() });
    assert!(api.show(API_KEY).await.is_ok());
    api.server.deactivate(API_KEY);
    api.server.asked();
    assert_eq!(api.refuses(API_KEY).await, Reason::Invalid, "as one that is known");
    let mut asked = 0;
    while asked < 1000 && api.refuses(API_KEY).await == Reason::Invalid {
        asked += 1;
    }
    // One of a minute's half went when it was first shown.
    assert_eq!((asked, api.server.count()), (149, 150));
}

#[tokio::test]
async fn tokens_that_were_verified_are_asked_about_whatever_keys_are_made_up() {
    let policy = IntrospectionPolicy { access_tokens: true, ..IntrospectionPolicy::default() };
    let api = with(policy);
    let token = api.token();
    api.server.activate(&token, json!({}));
    flood(&api).await;
    assert!(api.show(&token).await.is_ok());
}

#[tokio::test]
async fn a_server_that_was_asked_too_often_is_asked_about_known_keys_a_second_later() {
    let api = with(asking());
    assert!(api.show(API_KEY).await.is_ok());
    let too_many = |api: &Api| api.server.answer(429, &[("Retry-After", "60")], "{}");
    too_many(&api);
    assert_eq!(api.refuses(&api_key(1)).await, Reason::Unavailable);
    let refusal = api.show(API_KEY).await.unwrap_err();
    assert_eq!(&refusal.headers()["retry-after"], "1");
    api.server.come_back();
    api.clock.seconds(1);
    assert!(api.show(API_KEY).await.is_ok());
    let refusal = api.show(&api_key(2)).await.unwrap_err();
    assert_eq!(&refusal.headers()["retry-after"], "59");

    // A known key that is told so waits no longer, either.
    too_many(&api);
    let refusal = api.show(API_KEY).await.unwrap_err();
    assert_eq!(&refusal.headers()["retry-after"], "1");
    api.server.come_back();
    api.clock.seconds(1);
    assert!(api.show(API_KEY).await.is_ok());
}

#[tokio::test]
async fn questions_that_wait_are_bounded_and_made_up_keys_take_no_more_than_their_places() {
    let api = Arc::new(with(IntrospectionPolicy { unknown_per_minute: 10_000, ..asking() }));
    assert!(api.show(API_KEY).await.is_ok());
    api.server.asked();
    let gate = api.server.hold();
    let mut shown = JoinSet::new();
    for number in 0..300 {
        let api = Arc::clone(&api);
        shown.spawn(async move { api.refuses(&api_key(number)).await });
    }
    let settle = async || {
        for _ in 0..600 {
            tokio::task::yield_now().await;
        }
    };
    settle().await;
    assert_eq!(api.server.count(), 192);
    let mut known = JoinSet::new();
    for _ in 0..100 {
        let api = Arc::clone(&api);
        known.spawn(async move { api.show(API_KEY).await.is_ok() });
    }
    settle().await;
    assert_eq!(api.server.count(), 256 - 192);
    gate.add_permits(1000);
    let mut refused = shown.join_all().await;
    refused.retain(|reason| *reason == Reason::Unavailable);
    assert_eq!(refused.len(), 300 - 192);
    let mut served = known.join_all().await;
    served.retain(|is_served| *is_served);
    assert_eq!(served.len(), 256 - 192);
    assert_eq!(api.refuses(&api_key(1000)).await, Reason::Invalid, "their places are free again");
}
