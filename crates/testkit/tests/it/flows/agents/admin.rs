//! What an operator does to agents.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    admin::{ListAgents, ListInput, ResetRecoveryError},
    agents::MissingAgent,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, People as _, Stored as _, home,
        mailbox::{Mail as _, kinds, waiting},
        told,
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, everywhere,
};

const NEVER: &str = "agt_00000000000000000000000000000000";

fn names(engine: &TestEngine, input: ListAgents) -> Vec<String> {
    let (filter, slice) = input.check().unwrap();
    let page = engine.list_agents(&filter, &slice).unwrap();
    page.items.iter().map(|agent| agent.name.as_str().to_owned()).collect()
}

#[test]
fn agents_are_listed_newest_first_and_filtered() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        for (name, email) in [("one", Some(BOX)), ("Two-Bot", Some(OTHER_BOX)), ("three", None)] {
            engine.clock.advance(Duration::SECOND);
            engine.try_sign_up(name, email).unwrap();
        }
        engine.clock.advance(Duration::SECOND);
        let proven = engine.sign_up_bot("four");
        engine.deliver();
        engine.try_move(&proven, "proven_x%@example.com");
        engine.prove(&engine.receive("agent_verify_email")).unwrap();
        let shut = AgentStatus::Suspended;
        engine.set_agent_status(proven.id, shut, Actor::Operator, &Origin::local()).unwrap();
        let by = |email: &str, name: &str, status: &str| {
            let field = |text: &str| if text.is_empty() { Field::Absent } else { text.into() };
            let (email, name, status) = (field(email), field(name), field(status));
            names(&engine, ListAgents { email, name, status, ..ListAgents::default() })
        };
        assert_eq!(by("", "", ""), ["four", "three", "Two-Bot", "one"], "{stored:?}");
        assert_eq!(by("example", "", ""), ["four", "Two-Bot", "one"], "proven or not");
        assert_eq!(by("BOTS@", "", ""), ["one"]);
        assert_eq!(by("_x%@", "", ""), ["four"], "as it stands, and no pattern");
        assert!(by("%", "t", "").is_empty() && by("", "%", "").is_empty());
        assert_eq!(by("", "two-b", ""), ["Two-Bot"]);
        assert_eq!(by("", "", "suspended"), ["four"]);
        let all = ListAgents::default();
        let page = ListInput { limit: "3".into(), cursor: Field::Absent };
        let (filter, slice) = ListAgents { page, ..all.clone() }.check().unwrap();
        let next = engine.list_agents(&filter, &slice).unwrap().next.unwrap();
        let page = ListInput { limit: "3".into(), cursor: Field::Given(next.encode()) };
        assert_eq!(names(&engine, ListAgents { page, ..all }), ["one"]);
    }
}

#[test]
fn every_broken_parameter_of_a_list_is_named() {
    let input = ListAgents {
        page: ListInput { limit: "0".into(), cursor: "%".into() },
        email: "".into(),
        name: "a\0".into(),
        status: "Active".into(),
        owner: "me".into(),
    };
    let invalid = input.check().unwrap_err();
    let named: Vec<_> = invalid.0.iter().map(|(name, _)| name).collect();
    assert_eq!(named, ["cursor", "email", "limit", "name", "owner", "status"]);
    assert_eq!(invalid.code(), "validation_error");
}

#[test]
fn an_agent_is_shown_with_its_keys() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    let details = engine.find_agent(&bot.id.to_string()).unwrap();
    assert_eq!(details.agent, engine.agent(bot.id));
    assert_eq!(details.keys.iter().map(|key| key.id).collect::<Vec<_>>(), [key.id]);
    for id in ["x", NEVER, &jane.to_string(), &bot.id.to_string().to_uppercase()] {
        let missing = engine.find_agent(id).unwrap_err();
        assert_eq!((told(&missing).0, told(&missing).1), (ErrorKind::NotFound, "not_found"));
    }
}

#[test]
fn to_shut_and_to_open_is_written_down_when_it_changes_something() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot").id;
    let set = |status| engine.set_agent_status(bot, status, Actor::Operator, &Origin::local());
    for status in [AgentStatus::Active, AgentStatus::Suspended, AgentStatus::Suspended] {
        assert_eq!(set(status).unwrap().status, status);
    }
    set(AgentStatus::Active).unwrap();
    for action in [Action::AgentSuspended, Action::AgentResumed] {
        assert_eq!(engine.bot_count(bot, action, Outcome::Success), 1, "{action:?}");
    }
    let never = NEVER.parse().unwrap();
    let before = engine.event_count();
    let set = |status| engine.set_agent_status(never, status, Actor::Operator, &Origin::local());
    assert!(matches!(set(AgentStatus::Suspended), Err(MissingAgent::NotFound)));
    let reset = engine.reset_recovery_key(never, Actor::Operator, &Origin::local());
    assert!(matches!(reset, Err(ResetRecoveryError::NotFound)));
    let deleted = engine.delete_agent(never, Actor::Operator, &Origin::local());
    assert!(matches!(deleted, Err(MissingAgent::NotFound)));
    assert_eq!(engine.event_count(), before);
}

#[test]
fn a_recovery_key_that_an_operator_replaced_is_dead_with_the_address_it_asked_for() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    // Whoever stole the recovery key moves the agent to a mailbox of their own.
    engine.try_move(&bot, OTHER_BOX);
    let link = engine.receive("agent_verify_email");
    let new = engine.reset_recovery_key(bot.id, Actor::Operator, &Origin::local()).unwrap();
    let new = Bot { id: bot.id, recovery: new.into_secret().expose_secret().to_owned() };
    assert!(engine.manage(&bot).is_err() && engine.manage(&new).is_ok());
    assert!(engine.prove(&link).is_err());
    let agent = engine.agent(bot.id);
    assert!(agent.is_recovered_by(BOX) && agent.pending_email.is_none());
    engine.resend(OTHER_BOX);
    assert!(engine.deliver().is_empty() && waiting(&engine).is_empty());
    assert!(engine.is_good(&engine.token(&key)), "keys are another matter");
    assert_eq!(engine.bot_count(bot.id, Action::RecoveryKeyReset, Outcome::Success), 1);
    engine.try_move(&new, OTHER_BOX);
    let mut told = engine.deliver();
    told.retain(|letter| letter.to == OTHER_BOX);
    assert_eq!(kinds(&told), [(OTHER_BOX, "agent_verify_email")]);
}

#[test]
fn an_operator_makes_keys_within_the_catalogue_too() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let agent = engine.find_agent(&bot.id.to_string()).unwrap().agent;
    let wanted = portcullis_flows::agents::CreateKey { name: "ops".into(), ..Default::default() };
    let new = engine.check_create_key(wanted).unwrap();
    let made = engine.create_key(&agent, new.clone(), Actor::Operator, &home()).unwrap();
    assert!(engine.is_good(&engine.token(&made.into())));
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::ApiKeyCreated).unwrap();
    assert_eq!(event.actor, Actor::Operator);
    let shut = AgentStatus::Suspended;
    let agent = engine.set_agent_status(bot.id, shut, Actor::Operator, &home()).unwrap();
    let refused = engine.create_key(&agent, new, Actor::Operator, &home()).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Forbidden, "forbidden"));
}
