//! What is done is written down, each once.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{JANE, Stored as _, agents::StoredAgents as _, home, mailbox::Mail as _},
    Claims as _, Newcomer,
};

/// What the log tells of the agent, the oldest first, and how many events there are of everybody.
fn told(engine: &TestEngine, newcomer: &Newcomer) -> (Vec<(Action, Outcome, Option<String>)>, u64) {
    let mut events = engine.bot_events(newcomer.agent);
    events.sort_by_key(|event| (event.at, event.action.as_str() == "api_key.created"));
    assert!(events.iter().all(|event| event.client == home().client));
    let told = events.into_iter().map(|event| (event.action, event.outcome, event.detail));
    (told.collect(), engine.event_count())
}

#[test]
fn g3_every_step_of_a_claim_is_one_event() {
    let engine = TestEngine::new();
    engine.join_verified(JANE);
    let before = engine.event_count();
    let newcomer = engine.anonymous();
    let good = Outcome::Success;
    let mut expected = vec![
        (Action::AgentRegistered, good, Some("anonymous".to_owned())),
        (Action::ApiKeyCreated, good, None),
    ];
    let mut check = |more: Vec<(Action, Outcome, Option<String>)>| {
        engine.clock.advance(Duration::SECOND);
        expected.extend(more);
        let (events, all) = told(&engine, &newcomer);
        assert_eq!(events, expected);
        assert_eq!(all, before + expected.len() as u64, "and no other of anybody");
    };
    check(vec![]);
    engine.start(&newcomer, JANE);
    check(vec![(Action::ClaimAsked, good, None)]);
    engine.start(&newcomer, JANE);
    check(vec![]);
    let code = engine.receive("claim_code");
    check(vec![(Action::ClaimCodeSent, good, None)]);
    engine.complete(&newcomer, &super::wrong(&code, 0)).unwrap_err();
    check(vec![]);
    engine.complete(&newcomer, &code).unwrap();
    check(vec![(Action::AgentClaimed, good, None), (Action::ApiKeyCreated, good, None)]);
    engine.try_undo(&engine.receive("agent_claimed")).unwrap();
    check(vec![(Action::ClaimUndone, good, None)]);
}

#[test]
fn g3_a_claim_is_written_down_as_what_its_owner_did() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE).user.id;
    let newcomer = engine.anonymous();
    engine.claim(&newcomer, JANE);
    let events = engine.bot_events(newcomer.agent);
    let claimed = events.iter().find(|event| event.action == Action::AgentClaimed).unwrap();
    assert_eq!((claimed.actor, claimed.agent), (Actor::User(jane), Some(newcomer.agent)));
    assert_eq!((claimed.client, &claimed.request_id), (home().client, &home().request_id));
}

#[test]
fn g3_a_code_that_may_not_be_mailed_is_written_down_as_a_failure() {
    let engine = TestEngine::new();
    let [first, second] = [(); 2].map(|()| engine.anonymous());
    engine.code(&first, JANE);
    engine.start(&second, JANE);
    let events = engine.bot_events(second.agent);
    let asked = events.iter().find(|event| event.action == Action::ClaimAsked).unwrap();
    assert_eq!((asked.outcome, asked.detail.as_deref()), (Outcome::Failure, Some("limit")));
}
