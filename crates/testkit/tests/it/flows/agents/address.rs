//! Another address for an agent.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{AgentEmailError, ChangeAgentEmail};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        home,
        mailbox::{Mail as _, carried, kinds, waiting},
        told,
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, codes_in, shown,
};

#[test]
fn the_old_address_stays_until_the_new_one_is_proven_and_is_told_of_both() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let letters = engine.deliver();
    let mut told = kinds(&letters);
    told.sort_unstable();
    let asked = [(BOX, "agent_email_change_asked"), (OTHER_BOX, "agent_verify_email")];
    assert_eq!(told, asked);
    let agent = engine.agent(bot.id);
    assert!(agent.is_recovered_by(BOX) && !agent.is_recovered_by(OTHER_BOX));
    assert_eq!(agent.shown_email().unwrap().as_str(), BOX);
    assert_eq!(engine.codes(OTHER_BOX), [], "v2: it is not proven");
    let link = letters.iter().find(|letter| letter.to == OTHER_BOX).unwrap();
    let moved = engine.prove(&carried(link)).unwrap();
    assert!(moved.is_recovered_by(OTHER_BOX) && !moved.is_recovered_by(BOX));
    assert_eq!(moved.pending_email, None);
    assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_email_changed")]);
    assert_eq!(engine.codes(BOX), []);
    assert_eq!(engine.codes(OTHER_BOX)[0].0, bot.id);
    assert_eq!(engine.bot_count(bot.id, Action::AgentEmailChangeAsked, Outcome::Success), 1);
}

#[test]
fn a_first_address_is_told_to_nobody_else() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    engine.try_move(&bot, BOX);
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [(BOX, "agent_verify_email")]);
    engine.prove(&carried(&letters[0])).unwrap();
    assert!(waiting(&engine).is_empty());
}

#[test]
fn a_newer_address_takes_the_place_of_the_one_that_waits() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let older = engine.receive("agent_verify_email");
    engine.try_move(&bot, "third@example.com");
    assert!(engine.prove(&older).is_err());
    let newer = engine.receive("agent_verify_email");
    assert_eq!(engine.agent(bot.id).pending_email.unwrap().as_str(), "third@example.com");
    assert!(engine.prove(&newer).unwrap().is_recovered_by("third@example.com"));
}

#[test]
fn to_ask_for_the_proven_address_again_withdraws_the_change() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    engine.try_move(&bot, "BOTS@example.com");
    assert!(engine.deliver().is_empty());
    assert!(engine.preview_agent_email(&shown(&link)).is_err());
    let agent = engine.agent(bot.id);
    assert!(agent.is_recovered_by(BOX) && agent.pending_email.is_none());
}

#[test]
fn o6_codes_that_wait_in_the_old_mailbox_die_when_the_new_one_is_proven() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let codes = engine.codes(BOX);
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    engine.prove(&link).unwrap();
    for email in [BOX, OTHER_BOX] {
        assert!(engine.try_recover(email, &codes[0].1, false, &home()).is_err(), "{email}");
    }
    engine.manage(&bot).unwrap();
}

#[test]
fn m7_codes_that_were_not_delivered_yet_do_not_follow_an_address_that_changed() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    engine.try_ask(BOX, None, &home()).unwrap();
    let codes = engine.claim_mail().unwrap().unwrap();
    assert_eq!(codes_in(&codes.letter).len(), 1);
    engine.prove(&link).unwrap();
    engine.mail_failed(&codes, portcullis_flows::mail::Failure::Temporary).unwrap();
    engine.clock.advance(Duration::MINUTE);
    assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_email_changed")], "they open nothing");
    assert!(waiting(&engine).is_empty());
}

#[test]
fn l9_changes_count_towards_the_limit_of_the_new_address_and_say_nothing_of_it() {
    let engine = TestEngine::new();
    let bots: Vec<_> = (0..4).map(|n| engine.sign_up_bot(&format!("bot-{n}"))).collect();
    for bot in &bots {
        engine.try_move(bot, BOX);
    }
    assert_eq!(engine.deliver().len(), 3);
    assert_eq!(engine.agent(bots[3].id).pending_email.unwrap().as_str(), BOX);
    engine.clock.advance(Duration::HOUR);
    engine.resend(BOX);
    assert_eq!(engine.deliver().len(), 3, "and it can be asked for later");
}

#[test]
fn notices_to_the_old_address_are_5_an_hour() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    for n in 0..8 {
        engine.try_move(&bot, &format!("next-{n}@example.com"));
    }
    let letters = engine.deliver();
    let told = kinds(&letters).into_iter().filter(|letter| letter.0 == BOX).count();
    assert_eq!(told, 5);
}

#[test]
fn a_credential_that_died_a_moment_ago_changes_no_address() {
    let ends: [fn(&TestEngine, &Bot); 3] = [
        |engine, bot| {
            let agent = engine.reset_recovery_key(bot.id, Actor::Operator, &Origin::local());
            agent.unwrap();
        },
        |engine, bot| {
            let shut = AgentStatus::Suspended;
            engine.set_agent_status(bot.id, shut, Actor::Operator, &Origin::local()).unwrap();
        },
        |engine, bot| {
            engine.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
        },
    ];
    for end in ends {
        let engine = TestEngine::new();
        let bot = engine.sign_up_bot("bot");
        let accepted = engine.manage(&bot).unwrap();
        end(&engine, &bot);
        let email = engine.check_agent_email(ChangeAgentEmail { email: OTHER_BOX.into() }).unwrap();
        let refused = engine.change_agent_email(&accepted, &email, &home()).unwrap_err();
        assert!(matches!(refused, AgentEmailError::Gone));
        assert_eq!(told(&refused).0, ErrorKind::Unauthenticated);
        assert!(engine.deliver().is_empty());
    }
}

#[test]
fn a_broken_address_is_refused_with_its_code() {
    let engine = TestEngine::new();
    let code = |email| {
        let invalid = engine.check_agent_email(ChangeAgentEmail { email }).unwrap_err();
        invalid.code()
    };
    assert_eq!(code(Field::Absent), "validation_error");
    assert_eq!(code("x".into()), "invalid_email");
    assert_eq!(code(Field::Invalid("must be a string".into())), "validation_error");
}
