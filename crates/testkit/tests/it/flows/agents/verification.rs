//! Proving an address for an agent.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    agents::{AgentTokenError, ReadAgentToken},
    mail::AddressInput,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, Field, Origin};
use portcullis_storage::MemoryStorage;
use portcullis_storage::TxMode;
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    super::{
        JANE, PASSWORD, People as _, at_once, home,
        mailbox::{Mail as _, carried, kinds, waiting},
        told,
    },
    Agents as _, BOX, OTHER_BOX, StoredAgents as _, everywhere, shown,
};

const LIMITS: fn(&mut portcullis_flows::EngineOptions) = |options| options.limits.enabled = false;

fn refused<T: std::fmt::Debug>(result: Result<T, AgentTokenError>) -> AgentTokenError {
    let error = result.unwrap_err();
    let told = told(&error);
    let wanted = "The token is invalid or expired.".to_owned();
    assert_eq!(told, (ErrorKind::Unauthenticated, "invalid_token", wanted));
    error
}

#[test]
fn v7_a_link_is_good_once_within_its_hour() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let id = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
        let token = engine.receive("agent_verify_email");
        engine.clock.advance(Duration::HOUR + late);
        assert_eq!(engine.preview_agent_email(&shown(&token)).is_ok(), good, "{late}");
        assert_eq!(engine.prove(&token).is_ok(), good, "{late}");
        assert_eq!(engine.agent(id).is_recovered_by(BOX), good);
        if good {
            let proven = engine.agent(id);
            assert_eq!(proven.email.unwrap().at, engine.now());
            assert_eq!(proven.pending_email, None);
        }
        refused(engine.prove(&token));
    }
}

#[test]
fn v9_a_used_link_says_so_within_its_hour_and_does_nothing() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_move(&bot, OTHER_BOX);
    let token = engine.receive("agent_verify_email");
    engine.prove(&token).unwrap();
    engine.deliver();
    let before = (engine.agent(bot.id), engine.bot_events(bot.id));
    for _ in 0..2 {
        assert!(matches!(refused(engine.prove(&token)), AgentTokenError::AlreadyUsed));
        let looked = engine.preview_agent_email(&shown(&token));
        assert!(matches!(refused(looked), AgentTokenError::AlreadyUsed));
    }
    assert_eq!((engine.agent(bot.id), engine.bot_events(bot.id)), before);
    assert!(waiting(&engine).is_empty());
    engine.clock.advance(Duration::HOUR);
    assert!(matches!(refused(engine.prove(&token)), AgentTokenError::InvalidToken));
}

#[test]
fn what_was_never_mailed_is_unknown_and_no_text_is_broken_input() {
    let engine = TestEngine::new();
    let bot = engine.try_sign_up("bot", Some(BOX)).unwrap();
    let token = engine.receive("agent_verify_email");
    let recovery = super::Bot::from(bot).recovery;
    let never = format!("evt_{}", "0".repeat(49));
    for text in ["x", "evt_", &never, &token[1..], &format!("{token} "), &recovery, "uvt_x"] {
        assert!(matches!(refused(engine.prove(text)), AgentTokenError::InvalidToken), "{text}");
    }
    for token in [Field::Absent, Field::Given("".into()), Field::Invalid("must be a string".into())]
    {
        let invalid = ReadAgentToken { token }.check().unwrap_err();
        assert_eq!((invalid.kind(), invalid.code()), (ErrorKind::InvalidInput, "validation_error"));
    }
    assert!(engine.prove(&token).is_ok());
}

#[test]
fn j4_links_of_people_and_of_agents_do_not_mix() {
    let engine = TestEngine::new();
    engine.join(JANE);
    let persons = engine.receive("verify_email");
    engine.try_sign_up("bot", Some(BOX)).unwrap();
    let agents = engine.receive("agent_verify_email");
    refused(engine.prove(&persons));
    assert!(engine.try_verify(&agents).is_err() && engine.try_disown(&agents).is_err());
    assert!(engine.try_reset(&agents, PASSWORD).is_err());
    engine.try_verify(&persons).unwrap();
    engine.prove(&agents).unwrap();
}

#[test]
fn a_resend_kills_the_older_link_and_reaches_agents_that_wait_only() {
    let engine = TestEngine::new();
    let bot = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
    let older = engine.receive("agent_verify_email");
    engine.resend("BOTS@example.com");
    assert!(engine.preview_agent_email(&shown(&older)).is_ok(), "nobody has looked into it yet");
    let newer = engine.receive("agent_verify_email");
    refused(engine.prove(&older));
    engine.prove(&newer).unwrap();
    assert_eq!(engine.bot_count(bot, Action::AgentVerificationAsked, Outcome::Success), 1);
    for email in [BOX, "nobody@example.com"] {
        engine.resend(email);
        assert!(engine.deliver().is_empty(), "{email}");
    }
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.bot_count(bot, Action::AgentVerificationAsked, Outcome::Success), 1);
}

#[test]
fn e3_asking_for_another_link_takes_the_same_steps_for_every_address() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    engine.sign_up_at("proven", "proven@example.com");
    engine.try_sign_up("bot", Some(BOX)).unwrap();
    engine.deliver();
    for email in [BOX, "proven@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            faulty.heal();
            engine.resend(email);
            let queued = [Step::Begin(TxMode::Write), Step::Call, Step::Commit, Step::Committed];
            assert_eq!(faulty.steps(), queued, "{email}");
        }
    }
}

#[test]
fn a_resend_mails_the_five_newest_agents_that_wait_each_its_own_link() {
    let engine = TestEngine::builder().options(LIMITS).build();
    let made: Vec<_> = (0..7)
        .map(|n| {
            engine.clock.advance(Duration::SECOND);
            engine.try_sign_up(&format!("bot-{n}"), Some(BOX)).unwrap().agent.id
        })
        .collect();
    engine.deliver();
    let shut = engine.set_agent_status(made[6], AgentStatus::Suspended, Actor::Operator, &home());
    assert!(!shut.unwrap().is_active());
    engine.resend(BOX);
    let letters = engine.deliver();
    assert!(letters.iter().all(|letter| letter.to == BOX));
    let mut proven: Vec<_> =
        letters.iter().map(|letter| engine.prove(&carried(letter)).unwrap().id).collect();
    proven.sort();
    let mut newest = made[1..6].to_vec();
    newest.sort();
    assert_eq!(proven, newest);
    assert!(engine.agent(made[0]).email.is_none() && engine.agent(made[6]).email.is_none());
}

#[test]
fn l9_proofs_of_people_and_agents_share_the_limit_of_a_mailbox() {
    let engine = TestEngine::new();
    engine.join(JANE);
    for _ in 0..2 {
        engine.try_sign_up("bot", Some(JANE)).unwrap();
    }
    assert_eq!(engine.deliver().len(), 3);
    engine.resend(JANE);
    engine.ask(portcullis_email::RequestKind::Verification, JANE);
    assert!(engine.deliver().is_empty());
    for round in 0..3 {
        engine.clock.advance(Duration::HOUR);
        engine.resend(JANE);
        assert_eq!(engine.deliver().len(), [2, 2, 2][round]);
    }
    engine.clock.advance(Duration::HOUR);
    engine.resend(JANE);
    let last = engine.deliver().len();
    assert_eq!(last, 1, "the tenth of the day");
    engine.clock.advance(Duration::HOUR);
    engine.resend(JANE);
    assert!(engine.deliver().is_empty());
}

#[test]
fn a_refused_mail_of_a_resend_is_written_down_and_the_older_link_lives() {
    let engine = TestEngine::new();
    let made: Vec<_> =
        (0..2).map(|_| engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id).collect();
    let links: Vec<_> = engine.deliver().iter().map(carried).collect();
    engine.resend(BOX);
    assert_eq!(engine.deliver().len(), 1, "the third of the hour");
    let count = |outcome| -> Vec<_> {
        let asked = |id: &_| engine.bot_count(*id, Action::AgentVerificationAsked, outcome);
        made.iter().map(asked).collect()
    };
    let (mut sent, mut kept) = (count(Outcome::Success), count(Outcome::Failure));
    sent.sort_unstable();
    kept.sort_unstable();
    assert_eq!((sent, kept), (vec![0, 1], vec![0, 1]));
    let good = links.iter().filter(|link| engine.prove(link).is_ok()).count();
    assert_eq!(good, 1, "the one that no newer one replaced");
}

#[test]
fn a_suspended_agent_proves_nothing_until_it_is_resumed() {
    let engine = TestEngine::new();
    let bot = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
    let token = engine.receive("agent_verify_email");
    let set = |status| engine.set_agent_status(bot, status, Actor::Operator, &Origin::local());
    set(AgentStatus::Suspended).unwrap();
    refused(engine.prove(&token));
    engine.resend(BOX);
    assert!(engine.deliver().is_empty());
    set(AgentStatus::Active).unwrap();
    assert!(engine.prove(&token).unwrap().is_recovered_by(BOX));
}

#[test]
fn m7_a_link_that_waits_goes_when_it_is_used_or_replaced_or_its_agent_goes() {
    let engine = TestEngine::new();
    let bot = super::Bot::from(engine.try_sign_up("bot", Some(BOX)).unwrap());
    let first = engine.claim_mail().unwrap().unwrap();
    engine.try_move(&bot, OTHER_BOX);
    refused(engine.prove(&carried(&first.letter)));
    assert_eq!(kinds(&engine.deliver()), [(OTHER_BOX, "agent_verify_email")]);
    engine.clock.advance(Duration::MINUTE);
    assert!(engine.deliver().is_empty(), "not even after its lease");
    engine.try_move(&bot, BOX);
    let again = engine.claim_mail().unwrap().unwrap();
    engine.prove(&carried(&again.letter)).unwrap();
    assert!(waiting(&engine).is_empty());
    let other = engine.try_sign_up("bot", Some("third@example.com")).unwrap().agent.id;
    assert_eq!(waiting(&engine).len(), 1);
    engine.delete_agent(other, Actor::Operator, &Origin::local()).unwrap();
    assert!(waiting(&engine).is_empty());
}

#[test]
fn g3_a_proof_is_one_event_with_the_address_it_came_from() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::AgentEmailVerified).unwrap();
    // Whoever reads the mailbox did it, and that need not be the agent.
    assert_eq!((event.actor, event.client), (Actor::Anonymous, home().client));
    assert_eq!(engine.bot_count(bot.id, Action::AgentEmailVerified, Outcome::Success), 1);
    assert!(!format!("{events:?}").contains(BOX));
}

#[test]
fn o2_of_many_that_use_one_link_at_once_one_succeeds() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let bot = engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id;
        let token = engine.receive("agent_verify_email");
        let done = at_once(16, |_| engine.prove(&token));
        let (good, bad): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!(good.len(), 1, "{stored:?}");
        for bad in bad {
            drop(refused(bad));
        }
        assert_eq!(engine.bot_count(bot, Action::AgentEmailVerified, Outcome::Success), 1);
    }
}

#[test]
fn a_broken_address_is_told_with_its_own_code() {
    let engine = TestEngine::new();
    let refused = |email| {
        let invalid = engine.check_ask_for_agent_mail(AddressInput { email }).unwrap_err();
        (invalid.code(), invalid.to_string())
    };
    assert_eq!(refused(Field::Absent), ("validation_error", "email is required.".to_owned()));
    let malformed = refused("bots".into());
    assert_eq!(malformed, ("invalid_email", "email must be a valid email address.".to_owned()));
}
