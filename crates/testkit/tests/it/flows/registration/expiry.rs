//! Agents that nobody claims, and what the janitor makes of them.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{agents::CreateKey, registration::Report};
use portcullis_kernel::Origin;
use portcullis_testkit::{app::Stored, engine::TestEngine};
use time::Duration;

use super::{
    super::{
        JANE, JOHN,
        agents::{Key, StoredAgents as _, everywhere},
        mailbox::{Mail as _, waiting},
    },
    Claims as _, Newcomer, StoredClaims as _,
};

const LIFE: Duration = Duration::days(30);

fn server(stored: &Stored, lifetime: Option<Duration>) -> TestEngine {
    let engine = TestEngine::builder().storage(stored.storage());
    engine
        .options(|options| {
            options.limits.enabled = false;
            options.agent_registration.anonymous_lifetime = lifetime;
        })
        .build()
}

fn gone(engine: &TestEngine, newcomer: &Newcomer) -> bool {
    let gone = engine.find_bot(newcomer).is_none();
    assert!(!gone || engine.registration(newcomer).is_none());
    gone
}

#[test]
fn k10_a_registration_for_an_address_goes_with_its_claim_token() {
    for stored in everywhere() {
        let engine = server(&stored, None);
        let [newcomer, denied] = [JANE, JOHN].map(|email| engine.signed_up_for(email));
        engine.try_deny(&denied, Report::No).unwrap();
        engine.clock.advance(Duration::DAY - Duration::SECOND);
        assert_eq!(engine.clean().unwrap().agents, 1, "the attempt, whose code is dead");
        assert!(!gone(&engine, &newcomer) && !gone(&engine, &denied));
        engine.clock.advance(Duration::SECOND);
        assert_eq!(engine.clean().unwrap().agents, 2);
        assert!(gone(&engine, &newcomer) && gone(&engine, &denied));
        assert_eq!(engine.clean().unwrap().agents, 0);
        assert!(waiting(&engine).is_empty());
        let events = engine.bot_events(newcomer.agent);
        let erased = events.iter().find(|event| event.action == Action::AgentDeleted).unwrap();
        assert_eq!((erased.actor, erased.detail.as_deref()), (Actor::System, Some("unclaimed")));
        assert!(events.iter().all(|event| event.client.is_none()), "no address is kept");
    }
}

#[test]
fn k10_one_that_names_nobody_lives_as_long_as_the_settings_say() {
    for stored in everywhere() {
        for lifetime in [None, Some(LIFE)] {
            let engine = server(&stored, lifetime);
            let newcomer = engine.anonymous();
            let key = newcomer.key.clone().unwrap();
            for (later, over) in [(LIFE, false), (Duration::SECOND, true), (LIFE * 20, true)] {
                engine.clock.advance(later);
                engine.clean().unwrap();
                let expected = over && lifetime.is_some();
                assert_eq!(gone(&engine, &newcomer), expected, "{lifetime:?}");
                assert_eq!(engine.lives(&key), !expected);
            }
        }
    }
}

#[test]
fn k10_a_claimed_agent_stays_whatever_became_of_its_claim() {
    for stored in everywhere() {
        let engine = server(&stored, Some(LIFE));
        let [kept, undone] = [(); 2].map(|()| engine.anonymous());
        let named = engine.signed_up_for(JANE);
        let code = engine.receive("claim_code");
        let keys =
            [Key::from(engine.complete(&named, &code).unwrap().key), engine.claim(&kept, JANE)];
        engine.deliver();
        engine.claim(&undone, JOHN);
        engine.try_undo(&engine.receive("agent_claimed")).unwrap();
        engine.clock.advance(LIFE * 3);
        engine.clean().unwrap();
        assert!(keys.iter().all(|key| engine.lives(key)));
        for newcomer in [&kept, &undone, &named] {
            assert!(!gone(&engine, newcomer));
        }
    }
}

#[test]
fn an_agent_to_which_an_operator_gave_a_key_waits_for_nobody_and_stays() {
    for stored in everywhere() {
        let engine = server(&stored, None);
        let newcomer = engine.signed_up_for(JANE);
        let agent = engine.find_bot(&newcomer).unwrap();
        let wanted = CreateKey { name: "an operator's".into(), ..CreateKey::default() };
        let wanted = engine.check_create_key(wanted).unwrap();
        let made = engine.create_key(&agent, wanted, Actor::Operator, &Origin::local()).unwrap();
        let key = Key::from(made);
        engine.clock.advance(Duration::DAY);
        engine.clean().unwrap();
        assert!(engine.find_bot(&newcomer).is_some() && engine.lives(&key));
        assert_eq!(engine.registration(&newcomer), None, "it is looked at no second time");
        let erased = engine.bot_count(newcomer.agent, Action::AgentDeleted, Outcome::Success);
        assert_eq!(erased, 0);
    }
}

#[test]
fn k10_more_than_one_batch_goes() {
    let engine = server(&Stored::memory(), None);
    let newcomers: Vec<_> = (0..230).map(|_| engine.signed_up_for(JANE)).collect();
    engine.clock.advance(Duration::DAY);
    engine.clean().unwrap();
    assert!(newcomers.iter().all(|newcomer| gone(&engine, newcomer)));
}
