//! How the key set is kept and renewed.

use std::sync::Arc;

use portcullis_guard::{GuardOptions, KeySetPolicy, Reason};
use serde_json::json;
use time::Duration;
use tokio::task::JoinSet;

use crate::support::{Api, Issuer, options};

/// Lets a look that was begun in the background come to its end.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Shows one token many times at the same moment.
async fn at_once(api: &Arc<Api>, count: usize, token: &str) -> Vec<Option<Reason>> {
    let mut shown = JoinSet::new();
    for _ in 0..count {
        let (api, token) = (Arc::clone(api), token.to_owned());
        shown.spawn(async move { api.show(&token).await.err().map(|refusal| refusal.reason()) });
    }
    shown.join_all().await
}

#[tokio::test]
async fn the_first_token_fetches_the_set_once_for_all() {
    let api = Arc::new(Api::new());
    assert_eq!(api.server.count(), 0, "nothing before it is needed");
    let gate = api.server.hold();
    let (waiting, token) = (Arc::clone(&api), api.token());
    let shown = tokio::spawn(async move { at_once(&waiting, 200, &token).await });
    api.server.is_asked().await;
    settle().await;
    gate.add_permits(1000);
    assert_eq!(shown.await.unwrap(), [None; 200]);
    assert_eq!(api.server.count(), 1);
}

#[tokio::test]
async fn the_set_is_renewed_before_it_is_old() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    api.clock.seconds(239);
    api.show(&api.token()).await.unwrap();
    settle().await;
    assert_eq!(api.server.count(), 1, "within four fifths of five minutes");
    api.clock.seconds(1);
    api.show(&api.token()).await.unwrap();
    settle().await;
    assert_eq!(api.server.count(), 1, "besides, while the old one serves");
    api.clock.seconds(239);
    api.show(&api.token()).await.unwrap();
    settle().await;
    assert_eq!(api.server.count(), 0, "counted from then on");
}

/// Time stands still here until everybody waits: whoever waits for an answer that is held back does so until
/// it is given up.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_set_while_the_old_one_is_fresh() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    api.clock.seconds(299);
    let _gate = api.server.hold();
    let start = tokio::time::Instant::now();
    assert!(api.show(&api.token()).await.is_ok());
    assert!(api.show(&api.token()).await.is_ok());
    assert!(start.elapsed().is_zero());
}

#[tokio::test]
async fn j10_a_key_that_was_taken_out_is_refused_after_five_minutes() {
    let api = Api::new();
    let token = api.token();
    api.show(&token).await.unwrap();
    api.server.publish(&[&Issuer::es256()]);
    api.clock.seconds(300);
    assert_eq!(api.refuses(&token).await, Reason::Invalid, "after a look at the new set");
}

#[tokio::test]
async fn j10_a_new_key_is_found_at_once() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    let next = Issuer::es256();
    api.server.publish(&[&api.issuer, &next]);
    api.clock.seconds(1);
    assert!(api.show(&next.token()).await.is_ok());
    assert!(api.show(&api.token()).await.is_ok());
    assert_eq!(api.server.count(), 2);
}

#[tokio::test]
async fn j3_unknown_keys_are_sought_once_a_minute_over_all_requests() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    api.server.asked();
    for minute in 0..3 {
        for _ in 0..100 {
            assert_eq!(api.refuses(&Issuer::es256().token()).await, Reason::Invalid);
        }
        assert_eq!(api.server.count(), 1, "minute {minute}");
        api.clock.advance(Duration::seconds(60) - Duration::MICROSECOND);
        assert_eq!(api.refuses(&Issuer::es256().token()).await, Reason::Invalid);
        assert_eq!(api.server.count(), 0, "within minute {minute}");
        api.clock.advance(Duration::MICROSECOND);
    }
}

#[tokio::test]
async fn a_key_that_many_do_not_know_is_sought_once() {
    let api = Arc::new(Api::new());
    api.show(&api.token()).await.unwrap();
    api.server.asked();
    let next = Issuer::es256();
    api.server.publish(&[&next]);
    let gate = api.server.hold();
    let (waiting, token) = (Arc::clone(&api), next.token());
    let shown = tokio::spawn(async move { at_once(&waiting, 200, &token).await });
    api.server.is_asked().await;
    settle().await;
    gate.add_permits(1000);
    assert_eq!(shown.await.unwrap(), [None; 200]);
    assert_eq!(api.server.count(), 1);
}

#[tokio::test]
async fn whoever_goes_away_takes_no_answer_along() {
    let api = Arc::new(Api::new());
    let gate = api.server.hold();
    let (waiting, token) = (Arc::clone(&api), api.token());
    let gone = tokio::spawn(async move { waiting.show(&token).await.is_ok() });
    api.server.is_asked().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    gate.add_permits(1000);
    assert!(api.show(&api.token()).await.is_ok());
    assert_eq!(api.server.count(), 1, "the look that was begun serves the next one");
}

#[tokio::test]
async fn without_a_set_and_an_auth_server_nobody_is_let_in() {
    let api = Api::new();
    api.server.go_down();
    let refusal = api.show(&api.token()).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::Unavailable);
    assert_eq!(refusal.headers()["retry-after"], "10");
    api.clock.seconds(4);
    let refusal = api.show(&api.token()).await.unwrap_err();
    assert_eq!(refusal.headers()["retry-after"], "6");
    assert_eq!(api.server.count(), 1, "no stampede");
    api.server.come_back();
    api.clock.seconds(6);
    assert!(api.show(&api.token()).await.is_ok());
}

#[tokio::test]
async fn an_old_set_serves_while_the_auth_server_is_away_but_not_for_ever() {
    let policy = KeySetPolicy { stale_for: Duration::minutes(30), ..KeySetPolicy::default() };
    let api = Api::with(GuardOptions { key_set: policy, ..options() });
    let token = api.issuer.claiming(json!({ "exp": 4_000_000_000_i64 }));
    api.show(&token).await.unwrap();
    api.server.go_down();
    api.server.asked();
    for _ in 0..179 {
        api.clock.seconds(10);
        assert!(api.show(&token).await.is_ok());
        settle().await;
    }
    assert!((150..=179).contains(&api.server.count()), "it was looked for every ten seconds");
    api.clock.seconds(10);
    assert_eq!(api.refuses(&token).await, Reason::Unavailable, "half an hour old");
    api.clock.seconds(10);
    api.server.come_back();
    assert!(api.show(&token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn while_the_auth_server_is_away_nobody_waits_for_it() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    api.clock.seconds(301);
    api.server.go_down();
    assert!(api.show(&api.token()).await.is_ok(), "after a look that failed");
    api.clock.seconds(11);
    let _gate = api.server.hold();
    let start = tokio::time::Instant::now();
    assert!(api.show(&api.token()).await.is_ok(), "while another look hangs");
    assert!(start.elapsed().is_zero());
}

#[tokio::test]
async fn after_a_quiet_time_an_old_set_is_not_trusted_untold() {
    let api = Api::new();
    let token = api.token();
    api.show(&token).await.unwrap();
    api.server.go_down();
    api.clock.seconds(301);
    assert!(api.show(&token).await.is_ok());
    // It has come back long ago, and the key is out, when the next token comes.
    api.server.come_back();
    api.server.publish(&[]);
    api.clock.seconds(1800);
    assert_eq!(api.refuses(&token).await, Reason::Invalid);
}

#[tokio::test]
async fn an_unknown_key_while_the_auth_server_is_away_is_told_apart_from_a_wrong_one() {
    let api = Api::new();
    api.show(&api.token()).await.unwrap();
    api.server.go_down();
    let stranger = Issuer::es256();
    assert_eq!(api.refuses(&stranger.token()).await, Reason::Unavailable);
    assert_eq!(api.refuses(&stranger.token()).await, Reason::Unavailable);
    assert!(api.show(&api.token()).await.is_ok());
    assert_eq!(api.server.count(), 2);
}

#[tokio::test]
async fn what_is_no_key_set_is_as_good_as_no_answer() {
    let answers = [(200, "{}"), (200, "<html>"), (200, ""), (404, "{}"), (302, "{\"keys\":[]}")];
    for (status, body) in answers {
        let api = Api::new();
        api.server.answer(status, &[], body);
        assert_eq!(api.refuses(&api.token()).await, Reason::Unavailable, "{status} {body}");
    }
    let api = Api::new();
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(64 * 1024));
    api.server.answer(200, &[], &long);
    assert_eq!(api.refuses(&api.token()).await, Reason::Unavailable, "too long");
}

#[tokio::test(start_paused = true)]
async fn an_auth_server_that_never_answers_is_given_up_on() {
    let api = Api::new();
    let _gate = api.server.hold();
    let start = tokio::time::Instant::now();
    assert_eq!(api.refuses(&api.token()).await, Reason::Unavailable);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_set_young() {
    let api = Api::new();
    api.show(&api.issuer.claiming(json!({ "iat": 0 }))).await.unwrap();
    api.clock.seconds(-1000);
    assert!(api.show(&api.token()).await.is_ok());
    settle().await;
    assert_eq!(api.server.count(), 2);
}
