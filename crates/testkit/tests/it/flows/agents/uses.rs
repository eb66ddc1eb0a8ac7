//! When and from where keys were used: noted in memory, written down now and then.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::WantedToken;
use portcullis_kernel::{Instant, Origin};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage, Step},
};
use time::Duration;

use super::{
    super::{Stored as _, at_once, from, home},
    Agents as _, BOX, Bot, Key, StoredAgents as _, everywhere,
};

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

fn last_used(engine: &TestEngine, key: &Key) -> Option<Instant> {
    engine.look(|uow| uow.api_keys().find(key.id)).unwrap().last_used_at
}

fn news(engine: &TestEngine, bot: &Bot) -> usize {
    engine.bot_count(bot.id, Action::TokenIssued, Outcome::Success)
}

/// An engine whose steps can be counted, and that asks no limiter.
fn counting() -> (TestEngine, Arc<FaultyStorage>) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone());
    (engine.options(|options| options.limits.enabled = false).build(), faulty)
}

#[test]
fn a_use_of_a_key_writes_nothing_and_a_flush_writes_it_once() {
    let (engine, faulty) = counting();
    let (_, key) = with_key(&engine);
    faulty.heal();
    for _ in 0..10 {
        engine.token(&key);
    }
    assert!(
        faulty.steps().iter().all(|step| matches!(step, Step::Begin(TxMode::Read) | Step::Call))
    );
    assert_eq!(last_used(&engine, &key), None);
    engine.clock.advance(Duration::SECOND);
    let token = engine.token(&key);
    engine.try_refresh(&token).unwrap();
    faulty.heal();
    engine.flush_uses().unwrap();
    assert_eq!(last_used(&engine, &key), Some(engine.now()));
    let writes =
        |steps: Vec<Step>| steps.iter().filter(|step| **step == Step::Begin(TxMode::Write)).count();
    assert_eq!(writes(faulty.steps()), 2, "keys, and networks");
    faulty.heal();
    engine.flush_uses().unwrap();
    assert_eq!(faulty.steps(), [], "nothing is left to write");
}

#[test]
fn what_a_failed_flush_could_not_write_the_next_one_does() {
    for fault in [Fault::Unavailable, Fault::Failed] {
        for number in 0.. {
            let (engine, faulty) = counting();
            let (bot, key) = with_key(&engine);
            let (_, other) = with_key(&engine);
            engine.token(&key);
            engine.token(&other);
            faulty.fail_at(number, fault);
            let flushed = engine.flush_uses();
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            assert_eq!(flushed.is_err(), failed.is_some());
            let used = engine.now();
            engine.clock.advance(Duration::SECOND);
            engine.flush_uses().unwrap();
            for key in [&key, &other] {
                assert_eq!(last_used(&engine, key), Some(used), "at {number}, {failed:?}");
            }
            assert_eq!(news(&engine, &bot), 1, "at {number}, {failed:?}");
            if failed.is_none() {
                break;
            }
        }
    }
}

#[test]
fn two_servers_keep_the_latest_use_whichever_flushes_last() {
    for stored in everywhere() {
        let one = TestEngine::builder().storage(stored.storage()).build();
        let two = one.peer().storage(stored.another_instance().storage()).build();
        let (bot, key) = with_key(&one);
        one.token(&key);
        one.clock.advance(Duration::minutes(1));
        two.token(&key);
        let latest = one.now();
        two.flush_uses().unwrap();
        one.flush_uses().unwrap();
        assert_eq!(last_used(&one, &key), Some(latest), "{stored:?}");
        assert_eq!(news(&one, &bot), 1, "{stored:?}");
        for _ in 0..3 {
            one.clock.advance(Duration::SECOND);
            at_once(4, |index| {
                let server = [&one, &two][index % 2];
                server.token(&key);
                server.flush_uses().unwrap();
            });
            assert_eq!(last_used(&one, &key), Some(one.now()), "{stored:?}");
        }
    }
}

#[test]
fn a_key_or_agent_that_is_gone_by_then_is_no_error() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (gone, dead) = with_key(&engine);
        let (bot, key) = with_key(&engine);
        engine.token(&dead);
        engine.token(&key);
        engine.delete_agent(gone.id, Actor::Operator, &Origin::local()).unwrap();
        engine.flush_uses().unwrap();
        assert_eq!(last_used(&engine, &key), Some(engine.now()), "{stored:?}");
        assert_eq!((news(&engine, &gone), news(&engine, &bot)), (0, 1), "{stored:?}");
    }
}

#[test]
fn a_first_token_from_a_network_is_told_once_within_a_day() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let use_it = |client: &str| {
        engine.token_from(&key, client);
        engine.flush_uses().unwrap();
        news(&engine, &bot)
    };
    assert_eq!([use_it("203.0.113.7"), use_it("203.0.113.99"), use_it("198.51.100.1")], [1, 1, 2]);
    assert_eq!(
        [use_it("2001:db8:1:2::1"), use_it("2001:db8:1:2::2"), use_it("2001:db8:1:3::1")],
        [3, 3, 4]
    );
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::TokenIssued).unwrap();
    assert_eq!((event.actor, event.key), (Actor::Agent(bot.id), Some(key.id)));
    assert_eq!(event.client, from("2001:db8:1:3::1").client);
    engine.clock.advance(Duration::hours(23));
    assert_eq!(use_it("203.0.113.7"), 4, "seen again within the day");
    engine.clock.advance(Duration::hours(23));
    assert_eq!(use_it("203.0.113.7"), 4, "and again");
    engine.clock.advance(Duration::hours(25));
    assert_eq!(use_it("203.0.113.7"), 5);
}

#[test]
fn refused_exchanges_are_no_uses() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let id = bot.id.to_string();
    let bad = WantedToken { scope: Some("admin".into()), resource: None };
    engine.try_exchange(&id, &key.secret, &bad, &home()).unwrap_err();
    engine.try_exchange(&id, "wrong", &WantedToken::default(), &home()).unwrap_err();
    engine.flush_uses().unwrap();
    assert_eq!((last_used(&engine, &key), news(&engine, &bot)), (None, 0));
}

#[test]
fn a_network_is_known_for_30_days_after_the_last_token_there() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    let is_known = |client: &str| {
        let (network, since) = (from(client).subnet().unwrap(), engine.now() - Duration::days(30));
        engine.look(|uow| uow.agent_networks().is_known(BOX, &network, since))
    };
    engine.token_from(&key, "198.51.100.1");
    engine.flush_uses().unwrap();
    engine.clock.advance(Duration::days(29));
    assert!(is_known("198.51.100.200") && !is_known("203.0.113.7"));
    engine.token_from(&key, "198.51.100.9");
    engine.flush_uses().unwrap();
    engine.clock.advance(Duration::days(30));
    assert!(is_known("198.51.100.1"));
    assert_eq!(engine.clean().unwrap().agents, 0);
    engine.clock.advance(Duration::SECOND);
    assert!(!is_known("198.51.100.1"));
    assert_eq!(engine.clean().unwrap().agents, 1);
}
