//! What a claim changes.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::{agents::CreateKey, registration::ClaimError};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Clock as _, Origin, Slice};
use portcullis_testkit::{app::Stored, engine::TestEngine};
use time::Duration;

use super::{
    super::{
        JANE, JOHN, Stored as _,
        agents::{Agents as _, Key, StoredAgents as _, everywhere},
        home,
        mailbox::{Mail as _, kinds},
    },
    Claims as _, StoredClaims as _, unlimited,
};

fn engine(stored: &Stored) -> TestEngine {
    TestEngine::builder().storage(stored.storage()).build()
}

#[test]
fn k9_a_claim_swaps_the_key_for_one_with_more_scopes_and_the_agent_has_an_owner() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let newcomer = engine.anonymous();
        let old = newcomer.key.clone().unwrap();
        let token = engine.token(&old);
        assert!(engine.is_good(&token));
        let code = engine.code(&newcomer, JANE);
        let claimed = engine.complete(&newcomer, &code).unwrap();
        assert_eq!(claimed.key.key.scopes.to_string(), "api.read api.write");
        assert_eq!(claimed.key.key.expires_at, None);
        let (owner, new) = (claimed.owner, Key::from(claimed.key));
        assert!(new.secret.starts_with("live_") && engine.lives(&new));
        assert!(!engine.lives(&old) && !engine.is_good(&token), "K9: dead at once");
        assert_eq!(engine.find_bot(&newcomer).unwrap().owner, Some(owner));
        assert_eq!(engine.find_user(JANE).unwrap().id, owner);
        assert_eq!(engine.attempt(&newcomer), None);
        let claims = engine.bot_count(newcomer.agent, Action::AgentClaimed, Outcome::Success);
        assert_eq!(claims, 1);
        let keys = engine.list_api_keys(newcomer.agent, &Slice::first(9)).unwrap().items;
        let live = keys.iter().filter(|key| key.is_live(engine.clock.now()));
        assert_eq!((keys.len(), live.count()), (2, 1));
        assert_eq!(kinds(&engine.deliver()), [(JANE, "agent_claimed")]);
    }
}

#[test]
fn an_agent_that_named_its_person_gets_its_first_key_by_the_claim() {
    let engine = TestEngine::new();
    let newcomer = engine.signed_up_for(JANE);
    let code = engine.receive("claim_code");
    let key = Key::from(engine.complete(&newcomer, &code).unwrap().key);
    assert!(key.secret.starts_with("live_") && engine.lives(&key));
    assert_eq!(engine.list_api_keys(newcomer.agent, &Slice::first(9)).unwrap().items.len(), 1);
}

#[test]
fn k8_every_key_from_before_dies_with_a_claim() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    let agent = engine.find_bot(&newcomer).unwrap();
    let wanted = CreateKey { name: "an operator's".into(), ..CreateKey::default() };
    let wanted = engine.check_create_key(wanted).unwrap();
    let made = engine.create_key(&agent, wanted, Actor::Operator, &Origin::local()).unwrap();
    let key = Key::from(made);
    assert!(engine.lives(&key));
    let new = engine.claim(&newcomer, JANE);
    assert!(!engine.lives(&key) && engine.lives(&new));
}

#[test]
fn v5_every_claim_is_told_with_a_link_that_undoes_it() {
    let engine = unlimited();
    for _ in 0..7 {
        let newcomer = engine.anonymous();
        engine.claim(&newcomer, JANE);
        let letters = engine.deliver();
        assert_eq!(kinds(&letters), [(JANE, "agent_claimed")]);
        let Content::AgentClaimed { agent, scopes, expires_at, .. } = &letters[0].content else {
            unreachable!()
        };
        assert_eq!((agent, scopes.as_str()), (&newcomer.agent.to_string(), "api.read api.write"));
        let end = (engine.clock.now() + Duration::days(30)).unix_timestamp();
        assert_eq!(expires_at.unix_timestamp(), end);
        assert_eq!(letters[0].asked.client, home().client);
    }
}

#[test]
fn one_person_claims_several_agents_and_each_is_theirs() {
    let engine = unlimited();
    let newcomers = [(); 3].map(|()| engine.anonymous());
    for newcomer in &newcomers {
        engine.claim(newcomer, JANE);
    }
    let jane = engine.find_user(JANE).unwrap().id;
    let owned = engine.look(|uow| uow.agents().list_owned(jane));
    assert_eq!(owned.len(), 3);
    engine.claim(&engine.anonymous(), JOHN);
    assert_eq!(engine.look(|uow| uow.agents().list_owned(jane)).len(), 3);
}

#[test]
fn an_agent_that_may_not_act_or_has_an_owner_already_is_not_claimed() {
    let suspend = |engine: &TestEngine, agent| {
        let operator = Actor::Operator;
        let status = AgentStatus::Suspended;
        engine.set_agent_status(agent, status, operator, &Origin::local()).unwrap();
    };
    let engine = unlimited();
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    suspend(&engine, newcomer.agent);
    let refused = engine.complete(&newcomer, &code).unwrap_err();
    assert!(matches!(refused, ClaimError::Denied), "{refused:?}");
    let agent = engine.find_bot(&newcomer).unwrap();
    assert!(agent.owner.is_none() && !agent.is_active());
    assert!(engine.find_user(JANE).is_err(), "nothing of it is stored");
    assert!(engine.deliver().is_empty());
}

#[test]
fn an_erased_agent_is_not_claimed() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let newcomer = engine.anonymous();
        engine.start(&newcomer, JANE);
        engine.delete_agent(newcomer.agent, Actor::Operator, &Origin::local()).unwrap();
        assert!(engine.deliver().is_empty(), "nobody is asked any more");
        let refused = engine.complete(&newcomer, "000000").unwrap_err();
        assert!(matches!(refused, ClaimError::InvalidToken), "{refused:?}");
        let refused = engine.try_start(&newcomer, JANE, &home()).unwrap_err();
        assert!(matches!(refused, ClaimError::InvalidToken), "{refused:?}");
    }
}
