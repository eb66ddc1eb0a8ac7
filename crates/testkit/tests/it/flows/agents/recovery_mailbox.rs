//! Recovery of agents that share a mailbox, and of those whose mailbox changed.

use std::collections::BTreeSet;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{AskRecovery, RecoverError};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{AgentId, Classify as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        Stored as _, from, home,
        mailbox::{Mail as _, kinds},
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, codes_in,
    recovery::{is_wrong, recover, swarm, unlimited},
    wrong,
};

#[test]
fn x10_each_agent_of_a_mailbox_has_a_code_of_its_own_and_the_code_says_which_it_is() {
    let engine = unlimited();
    let bots = swarm(&engine, 4);
    engine.try_ask(BOX, None, &home()).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [(BOX, "agent_recovery_codes")], "one mail");
    let codes = codes_in(&letters[0]);
    let newest_first: Vec<_> = bots.iter().rev().map(|bot| bot.id).collect();
    assert_eq!(codes.iter().map(|(id, _)| *id).collect::<Vec<_>>(), newest_first);
    assert_eq!(codes.iter().map(|(_, code)| code).collect::<BTreeSet<_>>().len(), 4);
    for (id, code) in &codes {
        assert_eq!(recover(&engine, code).unwrap().id, *id);
        assert!(matches!(recover(&engine, code), Err(RecoverError::AlreadyUsed)));
    }
    assert!(bots.iter().all(|bot| engine.manage(bot).is_err()));
    for bot in &bots {
        assert_eq!(engine.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 1);
    }
}

#[test]
fn x10_the_five_newest_agents_get_codes_and_any_one_can_be_named() {
    let engine = unlimited();
    let bots = swarm(&engine, 7);
    let ids = |codes: &[(AgentId, String)]| codes.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let newest: Vec<_> = bots.iter().rev().take(5).map(|bot| bot.id).collect();
    assert_eq!(ids(&engine.codes(BOX)), newest);
    engine.try_ask(BOX, Some(bots[0].id), &home()).unwrap();
    let named: Vec<_> = engine.deliver().iter().flat_map(codes_in).collect();
    assert_eq!(ids(&named), [bots[0].id]);
    assert_eq!(recover(&engine, &named[0].1).unwrap().id, bots[0].id);
    let foreign = engine.sign_up_at("foreign", OTHER_BOX);
    let pending = Bot::from(engine.try_sign_up("pending", Some(BOX)).unwrap());
    let never = format!("agt_{}", "0".repeat(32)).parse().unwrap();
    engine.deliver();
    for named in [foreign.id, pending.id, never] {
        let asked = engine.try_ask(BOX, Some(named), &home()).unwrap();
        assert_eq!(asked.email, BOX);
        assert!(engine.deliver().is_empty(), "{named}");
    }
    assert_eq!(engine.bot_count(foreign.id, Action::RecoveryAsked, Outcome::Success), 0);
}

#[test]
fn a_broken_request_is_told_with_its_code() {
    let engine = TestEngine::new();
    let code = |email: Field<String>, agent_id: Field<String>| {
        engine.check_ask_recovery(AskRecovery { email, agent_id }).unwrap_err().code()
    };
    assert_eq!(code(Field::Absent, Field::Absent), "validation_error");
    assert_eq!(code("x".into(), Field::Absent), "invalid_email");
    assert_eq!(code(BOX.into(), "x".into()), "invalid_agent_id");
    assert_eq!(code(BOX.into(), "AGT_x".into()), "invalid_agent_id");
    assert_eq!(code(BOX.into(), Field::Invalid("must be a string".into())), "validation_error");
}

#[test]
fn o6_a_code_opens_its_own_mailbox_only() {
    let engine = unlimited();
    let (bot, other) = (engine.sign_up_at("bot", BOX), engine.sign_up_at("other", OTHER_BOX));
    let (codes, others) = (engine.codes(BOX), engine.codes(OTHER_BOX));
    assert_ne!(codes[0].1, others[0].1);
    is_wrong(engine.try_recover(OTHER_BOX, &codes[0].1, false, &home()));
    is_wrong(engine.try_recover(BOX, &others[0].1, false, &home()));
    assert!(engine.manage(&bot).is_ok() && engine.manage(&other).is_ok());
    recover(&engine, &codes[0].1).unwrap();
    assert!(engine.manage(&other).is_ok());
}

#[test]
fn an_address_that_was_asked_for_with_the_old_key_is_dropped() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    let code = engine.codes(BOX).remove(0).1;
    recover(&engine, &code).unwrap();
    assert!(engine.prove(&link).is_err());
    let agent = engine.agent(bot.id);
    assert!(agent.pending_email.is_none() && agent.is_recovered_by(BOX));
    engine.resend(OTHER_BOX);
    assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_recovered")]);
}

#[test]
fn codes_of_an_agent_that_was_shut_or_erased_meanwhile_open_nothing() {
    let engine = unlimited();
    let bots = swarm(&engine, 2);
    let codes = engine.codes(BOX);
    let shut = AgentStatus::Suspended;
    engine.set_agent_status(bots[1].id, shut, Actor::Operator, &Origin::local()).unwrap();
    is_wrong(recover(&engine, &codes[0].1));
    engine.delete_agent(bots[0].id, Actor::Operator, &Origin::local()).unwrap();
    is_wrong(recover(&engine, &codes[1].1));
    let open = AgentStatus::Active;
    engine.set_agent_status(bots[1].id, open, Actor::Operator, &Origin::local()).unwrap();
    let again = engine.codes(BOX);
    assert_eq!(recover(&engine, &again[0].1).unwrap().id, bots[1].id);
}

#[test]
fn every_code_of_a_recovered_agent_dies_with_the_one_that_was_used() {
    let engine = unlimited();
    let bots = swarm(&engine, 2);
    let key = engine.make_key(&bots[0]);
    engine.token_from(&key, "198.51.100.1");
    let strangers = engine.codes(BOX);
    let known = engine.codes_from(BOX, &from("198.51.100.1"));
    let code_of = |codes: &[(AgentId, String)], bot: &Bot| {
        codes.iter().find(|(id, _)| *id == bot.id).unwrap().1.clone()
    };
    recover(&engine, &code_of(&strangers, &bots[0])).unwrap();
    is_wrong(recover(&engine, &code_of(&known, &bots[0])));
    let other = code_of(&known, &bots[1]);
    let done = engine.try_recover(BOX, &other, false, &from("198.51.100.1")).unwrap();
    assert_eq!(done.id, bots[1].id);
}

#[test]
fn l9_o5_codes_to_one_mailbox_are_3_a_quarter_and_5_an_hour() {
    let engine = TestEngine::new();
    engine.sign_up_at("bot", BOX);
    let ask = || match engine.try_ask(BOX, None, &home()) {
        Ok(_) => engine.deliver().len(),
        Err(_) => 0,
    };
    assert_eq!([ask(), ask(), ask(), ask()], [1, 1, 1, 0]);
    engine.clock.advance(Duration::minutes(15));
    assert_eq!([ask(), ask(), ask()], [1, 1, 0], "o5: five codes an hour");
    engine.clock.advance(Duration::minutes(45));
    assert_eq!([ask(), ask(), ask(), ask()], [1, 1, 1, 0]);
}

#[test]
fn recovery_is_written_down_once_for_each_agent_that_a_code_was_made_for() {
    let engine = unlimited();
    let bots = swarm(&engine, 2);
    engine.try_ask(BOX, None, &from("198.51.100.9")).unwrap();
    let before: Vec<_> = bots.iter().map(|bot| engine.bot_events(bot.id).len()).collect();
    engine.deliver();
    for (bot, before) in bots.iter().zip(before) {
        let events = engine.bot_events(bot.id);
        assert_eq!(events.len(), before + 1);
        let event = events.iter().find(|event| event.action == Action::RecoveryAsked).unwrap();
        assert_eq!((event.actor, event.client), (Actor::Anonymous, from("198.51.100.9").client));
    }
    let count = engine.event_count();
    engine.try_ask("nobody@example.com", None, &home()).unwrap();
    engine.deliver();
    assert_eq!(engine.event_count(), count);
    assert_eq!(wrong(&[]).len(), 20);
}
