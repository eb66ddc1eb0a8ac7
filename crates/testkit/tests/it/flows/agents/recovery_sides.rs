//! Networks that agents of a mailbox work from have requests and codes of their own, which strangers neither
//! spend nor kill.

use portcullis_flows::agents::RecoverError;
use portcullis_kernel::{AgentId, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{at_once, from, home, mailbox::Mail as _},
    Agents as _, BOX, Bot, OTHER_BOX, everywhere, wrong,
};

/// Where the agent of these tests works.
fn work() -> Origin {
    from("192.0.2.10")
}

/// Where somebody else is.
fn stranger() -> Origin {
    from("198.51.100.9")
}

/// An agent that has worked from [`work`].
fn at_work(engine: &TestEngine) -> Bot {
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    engine.token_from(&key, "192.0.2.10");
    bot
}

/// Requests until one is refused.
fn asks(engine: &TestEngine, origin: &Origin) -> usize {
    (0..20).take_while(|_| engine.try_ask(BOX, None, origin).is_ok()).count()
}

fn recover(engine: &TestEngine, code: &str, origin: &Origin) -> Option<AgentId> {
    match engine.try_recover(BOX, code, false, origin) {
        Ok(done) => Some(done.id),
        Err(RecoverError::InvalidCode) => None,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn l8_strangers_who_used_up_the_requests_of_a_mailbox_do_not_keep_its_owner_out() {
    let engine = TestEngine::new();
    let bot = at_work(&engine);
    assert_eq!(asks(&engine, &stranger()), 3);
    assert_eq!(asks(&engine, &home()), 0, "any stranger is one");
    let codes = engine.codes_from(BOX, &from("192.0.2.99"));
    assert_eq!(recover(&engine, &codes[0].1, &work()), Some(bot.id));
    assert_eq!(asks(&engine, &work()), 2, "that side has a budget of its own");
}

#[test]
fn l8_a_known_network_does_not_spend_what_strangers_have() {
    let engine = TestEngine::new();
    at_work(&engine);
    assert_eq!(asks(&engine, &work()), 3);
    assert_eq!(asks(&engine, &stranger()), 3);
}

#[test]
fn a_request_of_one_side_kills_codes_of_its_own_side_only() {
    let engine = TestEngine::builder().options(|options| options.limits.enabled = false).build();
    let bot = at_work(&engine);
    let first = engine.codes_from(BOX, &work());
    engine.codes_from(BOX, &stranger());
    engine.codes_from(BOX, &home());
    assert_eq!(recover(&engine, &first[0].1, &work()), Some(bot.id));
    let strangers = engine.codes_from(BOX, &stranger());
    engine.codes_from(BOX, &work());
    assert_eq!(recover(&engine, &strangers[0].1, &stranger()), Some(bot.id));
    let older = engine.codes_from(BOX, &work());
    let newer = engine.codes_from(BOX, &from("192.0.2.77"));
    assert_eq!(recover(&engine, &older[0].1, &work()), None, "o11");
    assert_eq!(recover(&engine, &newer[0].1, &work()), Some(bot.id));
}

#[test]
fn o3_strangers_who_guess_do_not_close_the_codes_to_the_network_that_asked() {
    let engine = TestEngine::new();
    let bot = at_work(&engine);
    let codes = engine.codes_from(BOX, &work());
    for code in wrong(&codes) {
        assert_eq!(recover(&engine, &code, &stranger()), None);
    }
    assert_eq!(recover(&engine, &codes[0].1, &stranger()), None, "they had three tries");
    assert_eq!(recover(&engine, &codes[0].1, &work()), Some(bot.id));
}

#[test]
fn a_code_that_a_known_network_asked_for_may_be_used_elsewhere() {
    let engine = TestEngine::new();
    let bot = at_work(&engine);
    let codes = engine.codes_from(BOX, &work());
    assert_eq!(recover(&engine, &codes[0].1, &stranger()), Some(bot.id));
}

#[test]
fn a_network_is_known_to_the_mailbox_of_its_agent_alone() {
    let engine = TestEngine::new();
    at_work(&engine);
    engine.sign_up_at("other", OTHER_BOX);
    for _ in 0..3 {
        engine.try_ask(OTHER_BOX, None, &stranger()).unwrap();
    }
    assert!(engine.try_ask(OTHER_BOX, None, &work()).is_err());
}

#[test]
fn a_network_is_known_from_the_first_token_on_and_forgotten_after_30_days() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    assert_eq!(asks(&engine, &stranger()), 3);
    assert_eq!(asks(&engine, &work()), 0);
    // Written down by the request itself, if nobody did before.
    engine.token_from(&key, "192.0.2.10");
    assert_eq!(asks(&engine, &work()), 3);
    engine.clock.advance(Duration::days(30));
    assert_eq!(asks(&engine, &stranger()), 3);
    assert_eq!(asks(&engine, &work()), 3, "just so");
    engine.clock.advance(Duration::HOUR);
    assert_eq!(asks(&engine, &stranger()), 3);
    assert_eq!(asks(&engine, &work()), 0);
}

#[test]
fn a_network_of_an_agent_that_moved_away_is_strange_to_its_old_mailbox() {
    let engine = TestEngine::new();
    let bot = at_work(&engine);
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    engine.prove(&link).unwrap();
    assert_eq!(asks(&engine, &stranger()), 3);
    assert_eq!(asks(&engine, &work()), 0);
    assert!(engine.try_ask(OTHER_BOX, None, &work()).is_ok());
}

#[test]
fn a_request_without_a_client_address_is_a_strangers() {
    let engine = TestEngine::new();
    let bot = at_work(&engine);
    let codes = engine.codes_from(BOX, &Origin::local());
    assert_eq!(recover(&engine, &codes[0].1, &stranger()), Some(bot.id));
}

#[test]
fn parallel_requests_leave_one_open_for_each_side() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let two = engine.peer().storage(stored.another_instance().storage()).build();
        let bot = at_work(&engine);
        engine.flush_uses().unwrap();
        let asked = at_once(6, |index| {
            let origin = if index % 2 == 0 { work() } else { stranger() };
            [&engine, &two][index / 3].try_ask(BOX, None, &origin).is_ok()
        });
        assert_eq!(asked, [true; 6], "{stored:?}");
        let letters = engine.deliver();
        assert_eq!(letters.len(), 2, "{stored:?}: the newest of each");
        let codes: Vec<_> = letters.iter().flat_map(super::codes_in).collect();
        let done: Vec<_> = codes.iter().map(|(_, code)| recover(&engine, code, &home())).collect();
        assert_eq!(done.iter().flatten().collect::<Vec<_>>(), [&bot.id], "the second died with it");
    }
}

#[test]
fn o5_whoever_found_a_key_gains_no_more_requests_or_tries_by_using_it_from_many_networks() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    let networks: Vec<_> = (0..20).map(|n| format!("192.0.{n}.7")).collect();
    for network in &networks {
        engine.token_from(&key, network);
    }
    let asked = networks.iter().filter(|network| engine.try_ask(BOX, None, &from(network)).is_ok());
    assert_eq!(asked.count(), 3);
    let codes: Vec<_> = engine.deliver().iter().flat_map(super::codes_in).collect();
    assert_eq!(codes.len(), 1, "the newest of them all");
    for (code, network) in wrong(&codes).iter().zip(networks.iter().cycle()) {
        assert_eq!(recover(&engine, code, &from(network)), None);
    }
    assert_eq!(recover(&engine, &codes[0].1, &from(&networks[7])), None, "they had three tries");
    engine.clock.advance(Duration::minutes(15));
    let asked = networks.iter().filter(|network| engine.try_ask(BOX, None, &from(network)).is_ok());
    assert_eq!(asked.count(), 2, "five an hour");
}
