//! An agent that is erased.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::agents::{MissingAgent, WantedToken};
use portcullis_kernel::{ErrorKind, Origin, Slice};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        Stored as _, at_once, from, home,
        mailbox::{Mail as _, kinds, waiting},
        told,
    },
    Agents as _, BOX, StoredAgents as _, everywhere,
};

#[test]
fn everything_of_it_is_gone_on_every_server_and_the_address_is_free() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let other = engine.peer().storage(stored.another_instance().storage()).build();
        let bot = engine.sign_up_at("bot", BOX);
        let neighbour = engine.sign_up_at("neighbour", BOX);
        let key = engine.make_key(&bot);
        let token = engine.token(&key);
        let codes = engine.codes(BOX);
        engine.flush_uses().unwrap();
        let gone = engine.delete_agent(bot.id, Actor::Agent(bot.id), &home()).unwrap();
        assert_eq!((gone.id, gone.at), (bot.id, engine.now()));
        for server in [&engine, &other] {
            assert!(!server.is_good(&token) && server.manage(&bot).is_err());
            let all = WantedToken::default();
            assert!(server.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).is_err());
            assert!(matches!(server.find_agent(&bot.id.to_string()), Err(MissingAgent::NotFound)));
        }
        let (of_bot, of_other): (Vec<_>, Vec<_>) = codes.iter().partition(|(id, _)| *id == bot.id);
        assert!(engine.try_recover(BOX, &of_bot[0].1, false, &home()).is_err());
        assert!(engine.look(|uow| uow.api_keys().find(key.id)).is_none());
        assert!(engine.list_api_keys(bot.id, &Slice::first(9)).unwrap().items.is_empty());
        let again = engine.delete_agent(bot.id, Actor::Agent(bot.id), &home()).unwrap_err();
        assert_eq!((told(&again).0, told(&again).1), (ErrorKind::NotFound, "not_found"));
        let done = engine.try_recover(BOX, &of_other[0].1, false, &home()).unwrap();
        assert_eq!(done.id, neighbour.id, "whoever shares the mailbox is not touched");
        engine.sign_up_at("anew", BOX);
        assert_eq!(engine.clean().unwrap().agents, 0, "{stored:?}: nothing was left behind");
    }
}

#[test]
fn v5_the_proven_address_is_told_and_an_unproven_one_is_not() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.delete_agent(bot.id, Actor::Agent(bot.id), &from("198.51.100.9")).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [(BOX, "agent_deleted")]);
    let Content::AgentDeleted { agent, name } = &letters[0].content else { unreachable!() };
    assert_eq!((agent, name.as_str()), (&bot.id.to_string(), "bot"));
    assert_eq!(letters[0].asked.client, from("198.51.100.9").client);
    let unproven = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
    engine.delete_agent(unproven, Actor::Operator, &Origin::local()).unwrap();
    assert!(waiting(&engine).is_empty());
}

#[test]
fn its_events_stay_without_the_client_addresses() {
    let engine = TestEngine::new();
    let (bot, other) = (engine.sign_up_at("bot", BOX), engine.sign_up_bot("other"));
    let key = engine.make_key(&bot);
    engine.token(&key);
    engine.flush_uses().unwrap();
    let before = engine.bot_events(bot.id);
    assert!(before.len() >= 4 && before.iter().all(|event| event.client.is_some()));
    engine.delete_agent(bot.id, Actor::Agent(bot.id), &home()).unwrap();
    let after = engine.bot_events(bot.id);
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.iter().all(|event| event.client.is_none()));
    assert_eq!(engine.bot_count(bot.id, Action::AgentDeleted, Outcome::Success), 1);
    assert!(engine.bot_events(other.id)[0].client.is_some());
}

#[test]
fn of_many_that_erase_one_agent_at_once_one_does() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let bot = engine.sign_up_at("bot", BOX);
        let done = at_once(8, |_| engine.delete_agent(bot.id, Actor::Operator, &home()));
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{stored:?}");
        let missing = |error: &MissingAgent| matches!(error, MissingAgent::NotFound);
        assert!(done.iter().filter_map(|done| done.as_ref().err()).all(missing), "{done:?}");
        assert_eq!(engine.bot_count(bot.id, Action::AgentDeleted, Outcome::Success), 1);
        assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_deleted")]);
    }
}
