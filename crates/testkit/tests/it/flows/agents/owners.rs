//! Agents that belong to a user, and what becomes of them when the user goes.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    admin::CreateAgentError,
    agents::{ProfileInput, RegisterAgent},
};
use portcullis_identity::Visibility;
use portcullis_kernel::{AgentId, ErrorKind, Field, Origin, Slice, UserId};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        JANE, JOHN, PASSWORD, People as _, home,
        mailbox::{Mail as _, kinds},
        told,
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, everywhere,
};

pub(super) fn created(
    engine: &TestEngine,
    owner: Option<UserId>,
    email: Option<&str>,
) -> Result<Bot, CreateAgentError> {
    let email = email.map_or(Field::Absent, Field::from);
    let input = RegisterAgent { agent_name: "owned".into(), email, metadata: Field::Absent };
    let input = engine.check_register_agent(input).unwrap();
    engine.create_agent(input, owner, Actor::Operator, &Origin::local()).map(Bot::from)
}

/// An agent of this user, with an address, a key and a token.
fn owned(engine: &TestEngine, owner: UserId) -> (Bot, String) {
    let bot = created(engine, Some(owner), Some(BOX)).unwrap();
    engine.prove(&engine.receive("agent_verify_email")).unwrap();
    let token = engine.token(&engine.make_key(&bot));
    (bot, token)
}

#[test]
fn an_operator_makes_an_agent_that_belongs_to_a_user() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let jane = engine.join(JANE).user.id;
        engine.deliver();
        let bot = created(&engine, Some(jane), Some(BOX)).unwrap();
        assert_eq!(engine.agent(bot.id).owner, Some(jane));
        assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_verify_email")]);
        let token = engine.token(&engine.make_key(&bot));
        let caller = engine.try_agent(&token).unwrap();
        assert_eq!(caller.token.grant.owner, Some(jane));
        let refreshed = engine.try_refresh(&token).unwrap();
        assert_eq!(engine.try_agent(&refreshed).unwrap().token.grant.owner, Some(jane));
        let events = engine.bot_events(bot.id);
        let made = events.iter().find(|event| event.action == Action::AgentCreated).unwrap();
        assert_eq!((made.actor, made.agent), (Actor::Operator, Some(bot.id)));
    }
}

#[test]
fn an_owner_who_does_not_exist_or_is_shut_gets_no_agent() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let shut = engine.join(JANE).user.id;
        engine.suspend_user(shut, Actor::Operator, &Origin::local()).unwrap();
        engine.deliver();
        for owner in ["01JN2X4K8M3F7QPZRVWT6YBHCE".parse().unwrap(), shut] {
            let refused = created(&engine, Some(owner), Some(BOX)).unwrap_err();
            assert!(matches!(refused, CreateAgentError::NoOwner), "{stored:?}: {refused:?}");
            let (kind, code, _) = told(&refused);
            assert_eq!((kind, code), (ErrorKind::InvalidInput, "validation_error"));
        }
        assert!(engine.deliver().is_empty());
        let all = portcullis_identity::AgentFilter::default();
        assert!(engine.list_agents(&all, &Slice::first(9)).unwrap().items.is_empty());
    }
}

/// Nothing that was given out before opens the agent, nor does its mailbox.
pub(super) fn is_disowned(engine: &TestEngine, bot: &Bot, token: &str) {
    let agent = engine.agent(bot.id);
    assert!(agent.is_active() && agent.owner.is_none() && agent.recovery.is_none());
    assert_eq!(agent.profile.visibility, Visibility::Private);
    assert_eq!((agent.email, agent.pending_email), (None, None));
    assert!(engine.manage(bot).is_err() && !engine.is_good(token));
    let keys = engine.list_api_keys(bot.id, &Slice::first(9)).unwrap().items;
    assert!(keys.iter().all(|key| key.revoked_at.is_some()));
    assert_eq!(engine.codes(BOX), []);
    assert_eq!(engine.bot_count(bot.id, Action::AgentDisowned, Outcome::Success), 1);
}

#[test]
fn v10_agents_of_a_user_who_goes_lose_their_owner_and_every_credential() {
    type End = fn(&TestEngine);
    let ends: [End; 3] = [
        |engine| {
            let id = engine.find_user(JANE).unwrap().id;
            engine.delete_user(id, Actor::Operator, &Origin::local()).unwrap();
        },
        |engine| {
            let caller = engine.bearer(&engine.enter(JANE).tokens);
            engine.try_delete(&caller, Some(PASSWORD)).unwrap();
        },
        |engine| {
            engine.ask(portcullis_email::RequestKind::Verification, JANE);
            engine.try_disown(&engine.receive("verify_email")).unwrap();
        },
    ];
    for end in ends {
        for stored in everywhere() {
            let engine = TestEngine::builder().storage(stored.storage()).build();
            let jane = engine.join(JANE).user.id;
            let john = engine.join(JOHN).user.id;
            engine.deliver();
            let (first, first_token) = owned(&engine, jane);
            let second = created(&engine, Some(jane), None).unwrap();
            let (other, other_token) = {
                let bot = created(&engine, Some(john), Some(OTHER_BOX)).unwrap();
                let token = engine.token(&engine.make_key(&bot));
                (bot, token)
            };
            engine.deliver();
            let public = ProfileInput { visibility: Some("public".into()), ..Default::default() };
            engine.change_agent_profile(first.id, &public.check().unwrap(), &home()).unwrap();
            engine.try_move(&first, "next@example.com");
            let link = engine.receive("agent_verify_email");
            end(&engine);
            assert!(engine.find_user(JANE).is_err());
            is_disowned(&engine, &first, &first_token);
            is_disowned(&engine, &second, "x");
            assert!(engine.prove(&link).is_err(), "{stored:?}");
            assert!(engine.is_good(&other_token) && engine.manage(&other).is_ok());
            assert_eq!(engine.agent(other.id).owner, Some(john));
        }
    }
}

#[test]
fn a_disowned_agent_is_opened_again_by_an_operator_alone() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    engine.deliver();
    let (bot, token) = owned(&engine, jane);
    engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    let key = engine.reset_recovery_key(bot.id, Actor::Operator, &Origin::local()).unwrap();
    let recovery = portcullis_kernel::ExposeSecret::expose_secret(&key.into_secret()).to_owned();
    let bot = Bot { id: bot.id, recovery };
    assert!(engine.manage(&bot).is_ok() && !engine.is_good(&token));
    assert!(engine.is_good(&engine.token(&engine.make_key(&bot))));
}

#[test]
fn an_address_that_is_a_persons_and_an_agents_is_each_ones_own() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE).user.id;
    let bot: AgentId = engine.sign_up_at("bot", JANE).id;
    assert_eq!(engine.agent(bot).owner, None, "an address makes nobody an owner");
    engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
    assert!(engine.agent(bot).is_recovered_by(JANE));
    assert_eq!(engine.codes_from(JANE, &home()).len(), 1);
}
