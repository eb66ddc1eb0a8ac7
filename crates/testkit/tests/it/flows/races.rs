//! Used refresh tokens that come again: honest races, and replays.

use portcullis_audit::{Action, Outcome};
use portcullis_flows::people::{SignedIn, Tokens};
use portcullis_kernel::UserId;
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::OnReplay;
use time::Duration;

use super::{JANE, JOHN, People as _, Stored as _};

/// How often the user's tokens raced, and how often they were replayed.
fn counts(engine: &TestEngine, user: UserId) -> (usize, usize) {
    let count = |action| engine.count(user, action, Outcome::Failure);
    (count(Action::RefreshRaced), count(Action::RefreshReplayed))
}

/// Rotates, and presents the used token again at once.
fn race(engine: &TestEngine, tokens: &Tokens) -> Tokens {
    let next = engine.rotate(&tokens.refresh).unwrap();
    assert!(engine.rotate(&tokens.refresh).is_err());
    next
}

#[test]
fn r3_a_replayed_token_ends_its_session_and_no_other() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens: t1 } = engine.join(JANE);
    let sibling = engine.enter(JANE).tokens;
    let t2 = engine.rotate(&t1.refresh).unwrap();
    let t3 = engine.rotate(&t2.refresh).unwrap();
    assert!(engine.rotate(&t1.refresh).is_err());
    assert!(!engine.is_alive(&t3));
    assert!(engine.try_bearer(&t1).is_none(), "its access tokens are refused at once");
    assert!(engine.is_alive(&sibling));
    assert_eq!(counts(&engine, user.id), (0, 1));
    for dead in [&t1, &t2, &t3] {
        assert!(engine.rotate(&dead.refresh).is_err());
    }
    assert_eq!(counts(&engine, user.id), (0, 1), "said once");
}

#[test]
fn r3_on_replay_user_ends_every_session_of_the_user_and_of_nobody_else() {
    let engine = TestEngine::builder().options(|o| o.refresh.on_replay = OnReplay::User).build();
    let SignedIn { user, tokens: t1 } = engine.join(JANE);
    let sibling = engine.enter(JANE).tokens;
    let stranger = engine.join(JOHN);
    let t2 = engine.rotate(&t1.refresh).unwrap();
    engine.rotate(&t2.refresh).unwrap();
    assert!(engine.rotate(&t1.refresh).is_err());
    assert!(!engine.is_alive(&sibling));
    assert!(engine.is_alive(&stranger.tokens));
    assert_eq!(counts(&engine, user.id), (0, 1));
    assert_eq!(counts(&engine, stranger.user.id), (0, 0));
    engine.enter(JANE);
}

#[test]
fn a_client_that_races_itself_keeps_the_session_through_the_winner() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens } = engine.join(JANE);
    let winner = race(&engine, &tokens);
    assert_eq!(counts(&engine, user.id), (1, 0));
    assert!(engine.rotate(&tokens.refresh).is_err(), "and gets no second successor");
    assert_eq!(counts(&engine, user.id), (1, 0), "counted once per used token");
    assert!(engine.is_alive(&winner));
}

#[test]
fn a_token_raced_after_its_successor_was_used_is_a_replay() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens } = engine.join(JANE);
    let winner = race(&engine, &tokens);
    let next = engine.rotate(&winner.refresh).unwrap();
    assert!(engine.rotate(&tokens.refresh).is_err());
    assert_eq!(counts(&engine, user.id), (1, 1));
    assert!(!engine.is_alive(&next));
}

#[test]
fn the_race_window_is_open_for_less_than_10_seconds() {
    for (wait, expected) in
        [(Duration::milliseconds(9_999), (1, 0)), (Duration::seconds(10), (0, 1))]
    {
        let engine = TestEngine::new();
        let SignedIn { user, tokens } = engine.join(JANE);
        let next = engine.rotate(&tokens.refresh).unwrap();
        engine.clock.advance(wait);
        assert!(engine.rotate(&tokens.refresh).is_err());
        assert_eq!(counts(&engine, user.id), expected, "after {wait}");
        assert_eq!(engine.is_alive(&next), expected.1 == 0);
    }
}

#[test]
fn a_raced_token_that_comes_again_after_the_window_is_a_replay() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens } = engine.join(JANE);
    let winner = race(&engine, &tokens);
    engine.clock.advance(Duration::seconds(10));
    assert!(engine.rotate(&tokens.refresh).is_err());
    assert_eq!(counts(&engine, user.id), (1, 1));
    assert!(!engine.is_alive(&winner));
}

#[test]
fn without_a_window_every_used_token_is_a_replay() {
    let engine = TestEngine::builder().options(|o| o.refresh.race_window = Duration::ZERO).build();
    let SignedIn { user, tokens } = engine.join(JANE);
    let next = race(&engine, &tokens);
    assert_eq!(counts(&engine, user.id), (0, 1));
    assert!(!engine.is_alive(&next));
}

#[test]
fn without_a_window_a_clock_that_is_behind_makes_no_race_of_a_replay() {
    let engine = TestEngine::builder().options(|o| o.refresh.race_window = Duration::ZERO).build();
    engine.clock.advance(Duration::SECOND);
    let SignedIn { user, tokens } = engine.join(JANE);
    let next = engine.rotate(&tokens.refresh).unwrap();
    engine.clock.advance(-Duration::MILLISECOND);
    assert!(engine.rotate(&tokens.refresh).is_err());
    assert_eq!(counts(&engine, user.id), (0, 1));
    assert!(!engine.is_alive(&next));
}

#[test]
fn the_third_token_raced_within_an_hour_is_a_replay() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens } = engine.join(JANE);
    let sibling = engine.enter(JANE).tokens;
    let tokens = race(&engine, &tokens);
    engine.clock.advance(Duration::minutes(30));
    let tokens = race(&engine, &tokens);
    assert_eq!(counts(&engine, user.id), (2, 0));
    engine.clock.advance(Duration::minutes(30) - Duration::SECOND);
    let tokens = race(&engine, &tokens);
    assert_eq!(counts(&engine, user.id), (2, 1));
    assert!(!engine.is_alive(&tokens));
    assert!(engine.is_alive(&sibling));
}

#[test]
fn races_of_more_than_an_hour_ago_and_of_other_sessions_do_not_count() {
    let engine = TestEngine::new();
    let SignedIn { user, tokens } = engine.join(JANE);
    let mut sibling = engine.enter(JANE).tokens;
    let mut tokens = race(&engine, &tokens);
    tokens = race(&engine, &tokens);
    sibling = race(&engine, &sibling);
    sibling = race(&engine, &sibling);
    assert_eq!(counts(&engine, user.id), (4, 0));
    engine.clock.advance(Duration::HOUR + Duration::SECOND);
    tokens = race(&engine, &tokens);
    tokens = race(&engine, &tokens);
    assert_eq!(counts(&engine, user.id), (6, 0));
    assert!(engine.is_alive(&tokens) && engine.is_alive(&sibling));
}
