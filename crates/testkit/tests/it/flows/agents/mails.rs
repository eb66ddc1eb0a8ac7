//! Mails of agents live as long as what they tell of.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::mail::Failure;
use portcullis_kernel::Origin;
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        home,
        mailbox::{Mail as _, kinds, waiting},
    },
    Agents as _, BOX, OTHER_BOX, StoredAgents as _, codes_in,
};

/// Puts off a mail that was taken, until its worker would try it again.
fn put_off(engine: &TestEngine, mail: &portcullis_flows::mail::Claimed) {
    engine.mail_failed(mail, Failure::Temporary).unwrap();
    engine.clock.advance(Duration::MINUTE);
}

#[test]
fn m7_codes_for_one_agent_go_with_it_and_those_for_several_are_for_the_others() {
    for (size, left) in [(1, 0), (2, 1)] {
        let engine = TestEngine::new();
        let bots: Vec<_> = (0..size).map(|_| engine.sign_up_at("bot", BOX)).collect();
        engine.try_ask(BOX, None, &home()).unwrap();
        let mail = engine.claim_mail().unwrap().unwrap();
        assert_eq!(codes_in(&mail.letter).len(), size);
        engine.delete_agent(bots[0].id, Actor::Operator, &Origin::local()).unwrap();
        put_off(&engine, &mail);
        let letters = engine.deliver();
        let codes = letters.iter().filter(|letter| !codes_in(letter).is_empty()).count();
        assert_eq!(codes, left);
        assert!(waiting(&engine).is_empty());
    }
}

#[test]
fn m7_codes_that_have_all_done_their_work_are_not_mailed_again() {
    for (used, left) in [(1, 1), (2, 0)] {
        let engine = TestEngine::new();
        for _ in 0..2 {
            engine.sign_up_at("bot", BOX);
        }
        engine.try_ask(BOX, None, &home()).unwrap();
        let mail = engine.claim_mail().unwrap().unwrap();
        for (id, code) in codes_in(&mail.letter).iter().take(used) {
            assert_eq!(engine.try_recover(BOX, code, false, &home()).unwrap().id, *id);
        }
        put_off(&engine, &mail);
        let letters = engine.deliver();
        let codes = letters.iter().filter(|letter| !codes_in(letter).is_empty()).count();
        assert_eq!((codes, letters.len()), (left, used + left));
        assert!(waiting(&engine).is_empty());
    }
}

#[test]
fn v5_what_was_done_to_an_agent_is_told_even_when_it_is_erased_next() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    assert_eq!(waiting(&engine).len(), 2);
    engine.delete_agent(bot.id, Actor::Agent(bot.id), &home()).unwrap();
    let letters = engine.deliver();
    let mut told = kinds(&letters);
    told.sort_unstable();
    assert_eq!(told, [(BOX, "agent_deleted"), (BOX, "agent_email_change_asked")], "but no link");
    assert!(waiting(&engine).is_empty());
}

#[test]
fn a_mail_of_an_agent_that_was_refused_for_good_is_an_event_of_it() {
    let engine = TestEngine::new();
    let bot = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
    let mail = engine.claim_mail().unwrap().unwrap();
    assert_eq!(engine.mail_failed(&mail, Failure::Final).unwrap(), None);
    assert_eq!(engine.bot_count(bot, Action::MailRefused, Outcome::Failure), 1);
    let events = engine.bot_events(bot);
    let event = events.iter().find(|event| event.action == Action::MailRefused).unwrap();
    assert_eq!((event.actor, event.detail.as_deref()), (Actor::System, Some("agent_verify_email")));
    assert!(!format!("{events:?}").contains(BOX));
}

#[test]
fn a_request_of_codes_waits_for_its_worker_no_longer_than_the_codes_live() {
    for (late, mails) in [(-Duration::SECOND, 1), (Duration::ZERO, 0)] {
        let engine = TestEngine::new();
        engine.sign_up_at("bot", BOX);
        engine.try_ask(BOX, None, &home()).unwrap();
        engine.clock.advance(Duration::minutes(15) + late);
        assert_eq!(engine.deliver().len(), mails, "{late}");
        assert!(waiting(&engine).is_empty());
    }
}
