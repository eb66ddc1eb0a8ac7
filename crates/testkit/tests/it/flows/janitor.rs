use portcullis_flows::Cleaned;
use portcullis_limits::{AddressKey, BucketKey, Policy};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::KeyPurpose;
use time::Duration;

use super::{JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _, from, home, ip};

#[test]
fn nothing_that_lives_is_removed() {
    let engine = TestEngine::new();
    let mut tokens = vec![engine.join(JANE).tokens];
    let first = tokens[0].clone();
    tokens[0] = engine.rotate(&first.refresh).unwrap();
    tokens.push(engine.enter(JANE).tokens);
    engine.try_enter(JANE, "wrong password", &from("192.0.2.1")).unwrap_err();
    engine.rotate_key(KeyPurpose::People, false).unwrap();
    let events = engine.event_count();
    assert_eq!(engine.clean().unwrap(), Cleaned::default());
    engine.clock.advance(Duration::minutes(14));
    assert_eq!(engine.clean().unwrap(), Cleaned::default());
    assert_eq!(engine.event_count(), events);
    assert_eq!(engine.list_keys().unwrap().len() as u64, KEYS + 1);
    assert!(tokens.iter().all(|tokens| engine.is_alive(tokens)));
    assert!(engine.rotate(&first.refresh).is_err());
    let last = &engine.enter(JANE).tokens;
    assert!(engine.try_bearer(last).is_some());
    assert!(!tokens.iter().any(|tokens| tokens.refresh.digest() == first.refresh.digest()));
}

#[test]
fn used_tokens_are_kept_as_long_as_a_replay_of_them_must_be_noticed() {
    let engine = TestEngine::new();
    let first = engine.join(JANE).tokens;
    engine.clock.advance(Duration::days(29));
    let next = engine.rotate(&first.refresh).unwrap();
    engine.clean().unwrap();
    engine.clock.advance(Duration::HOUR);
    assert!(engine.rotate(&first.refresh).is_err());
    assert!(!engine.is_alive(&next), "it was noticed");
}

#[test]
fn r11_dead_tokens_and_sessions_are_removed() {
    let engine = TestEngine::new();
    let mut used = engine.join(JANE).tokens;
    let ended = engine.bearer(&engine.enter(JANE).tokens);
    engine.enter(JANE);
    engine.end_session(&ended, &ended.session.to_string(), &home()).unwrap();
    assert_eq!(engine.clean().unwrap().sessions, 1, "the one that was ended");
    for _ in 0..5 {
        used = engine.rotate(&used.refresh).unwrap();
    }
    engine.clock.advance(Duration::days(29));
    used = engine.rotate(&used.refresh).unwrap();
    engine.clock.advance(Duration::days(2));
    // Six used tokens, the token of the idle session, and that session.
    assert_eq!(engine.clean().unwrap().sessions, 8);
    assert_eq!(engine.clean().unwrap().sessions, 0);
    assert!(engine.is_alive(&used));
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
}

#[test]
fn empty_buckets_and_forgotten_addresses_are_removed() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.try_enter(JANE, "wrong password", &from("192.0.2.1")).unwrap_err();
    engine.try_enter(JANE, PASSWORD, &from("192.0.2.2")).unwrap();
    engine.clock.advance(Duration::minutes(15));
    assert_eq!(engine.clean().unwrap().buckets, 1);
    engine.clock.advance(Duration::days(30) - Duration::minutes(15));
    engine.enter(JANE);
    assert_eq!(engine.clean().unwrap().addresses, 0, "known for thirty days");
    engine.clock.advance(Duration::SECOND);
    assert_eq!(engine.clean().unwrap().addresses, 1, "home was used since");
}

#[test]
fn audit_events_are_kept_400_days_or_as_long_as_is_set() {
    let engine = TestEngine::new();
    let short = engine.peer().options(|o| o.audit_retention = Duration::days(30)).build();
    let jane = engine.join(JANE).user.id;
    engine.clock.advance(Duration::days(10));
    let john = engine.join(JOHN).user.id;
    engine.clock.advance(Duration::days(20) + Duration::SECOND);
    assert_eq!(engine.clean().unwrap().events, 0);
    // Those of the keys, and that of Jane.
    assert_eq!(short.clean().unwrap().events, KEYS + 1);
    assert_eq!((engine.events(jane).len(), engine.events(john).len()), (0, 1));
    engine.clock.advance(Duration::days(380));
    assert_eq!(engine.clean().unwrap().events, 1);
}

#[test]
fn removed_keys_are_kept_for_the_record_and_then_dropped() {
    let engine = TestEngine::new();
    engine.rotate_key(KeyPurpose::People, true).unwrap();
    engine.clock.advance(Duration::days(90));
    assert_eq!(engine.clean().unwrap().keys, 0);
    engine.clock.advance(Duration::minutes(62));
    assert_eq!(engine.clean().unwrap().keys, 1);
    engine.reload_keys().unwrap();
    assert!(engine.can_sign());
    assert_eq!(engine.list_keys().unwrap().len() as u64, KEYS);
}

#[test]
fn one_round_is_bounded_and_the_next_goes_on() {
    let engine = TestEngine::new();
    let policy = Policy::new("test", 1, Duration::SECOND);
    let now = engine.now();
    for index in 0..20_001_u32 {
        let client = ip(&std::net::Ipv4Addr::from(index).to_string());
        let key = BucketKey::address(&policy, AddressKey::from(client));
        let charged =
            engine.storage.statement(|uow| uow.rate_limits().charge(&key, &policy, 1, now, now));
        assert!(charged.unwrap().is_some());
    }
    engine.clock.advance(Duration::SECOND);
    assert_eq!(engine.clean().unwrap().buckets, 20_000);
    assert_eq!(engine.clean().unwrap().buckets, 1);
}

#[test]
fn two_servers_may_clean_at_once() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let tokens = engine.join(JANE).tokens;
    engine.join(JOHN);
    engine.clock.advance(Duration::days(31));
    let removed = super::at_once(2, |index| [&engine, &other][index].clean().unwrap().sessions);
    assert_eq!(removed.iter().sum::<u64>(), 4);
    assert!(!engine.is_alive(&tokens));
}
