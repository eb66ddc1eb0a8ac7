//! What a person sees of an agent, and what becomes of it when they say no.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{Engine, EngineOptions, MasterKey, Parts, registration::Report};
use portcullis_kernel::{Alarm, Classify as _, Clock as _};
use portcullis_testkit::{
    engine::{MASTER_KEY, TestEngine},
    entropy::SeededEntropy,
};
use time::Duration;

use super::{
    super::{
        JANE,
        agents::StoredAgents as _,
        home,
        mailbox::{Mail as _, waiting},
    },
    Claims as _, StoredClaims as _, viewed, wrong,
};

/// What an operator was told.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<String>>);

impl Told {
    pub(super) fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Alarm for Told {
    fn raise(&self, what: &str, cause: &dyn Error) {
        self.0.lock().unwrap().push(format!("{what}: {cause}"));
    }
}

/// Another server over the same storage, whose operator listens.
pub(super) fn watched(engine: &TestEngine, options: EngineOptions) -> (Engine, Arc<Told>) {
    let parts = Parts {
        storage: engine.storage.clone(),
        clock: engine.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(5)),
        jose: engine.jose.clone(),
        master_key: MasterKey::parse(MASTER_KEY).unwrap(),
    };
    let told = Arc::new(Told::default());
    let made = Engine::new(parts, options).unwrap().with_alarm(told.clone());
    made.open_keys().unwrap();
    (made, told)
}

#[test]
fn a_person_sees_who_asks_and_for_what_and_no_secret() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    let see = || engine.view_claim(&viewed(&newcomer.view)).unwrap();
    let view = see();
    assert_eq!(view.registration, engine.registration(&newcomer).unwrap());
    assert_eq!(view.scopes.as_ref().unwrap().to_string(), "api.read");
    assert_eq!(view.post_claim_scopes.to_string(), "api.read api.write");
    assert_eq!(view.attempt, None);
    let started = engine.start(&newcomer, JANE);
    assert_eq!(see().attempt, Some((JANE.to_owned(), started.expires_at)));
    let text = format!("{:?}", see());
    for secret in [&newcomer.claim, &newcomer.view, &newcomer.key.as_ref().unwrap().secret] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    engine.clock.advance(Duration::minutes(10));
    assert_eq!(see().attempt, None);
    let code = engine.code(&newcomer, JANE);
    for n in 0..5 {
        assert!(see().attempt.is_some());
        engine.complete(&newcomer, &wrong(&code, n)).unwrap_err();
    }
    assert_eq!(see().attempt, None, "it works no more");
    let for_address = engine.signed_up_for("john@example.com");
    assert_eq!(engine.view_claim(&viewed(&for_address.view)).unwrap().scopes, None);
}

#[test]
fn who_is_refused_is_not_claimed_and_keeps_its_first_key() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    let code = engine.code(&newcomer, JANE);
    engine.try_deny(&newcomer, Report::No).unwrap();
    assert_eq!(engine.complete(&newcomer, &code).unwrap_err().code(), "claim_denied");
    assert!(engine.is_unclaimed(&newcomer) && engine.attempt(&newcomer).is_none());
    let events = engine.bot_events(newcomer.agent);
    let denied: Vec<_> = events.iter().filter(|e| e.action == Action::ClaimDenied).collect();
    let [event] = denied[..] else { panic!("{events:?}") };
    assert_eq!((event.actor, event.outcome), (Actor::Anonymous, Outcome::Success));
    assert_eq!((event.client, event.detail.as_deref()), (home().client, None));
    assert!(engine.find_user(JANE).is_err());
}

#[test]
fn a_refusal_stops_the_mail_that_waits() {
    let engine = TestEngine::new();
    let newcomer = engine.signed_up_for(JANE);
    engine.try_deny(&newcomer, Report::No).unwrap();
    assert!(waiting(&engine).is_empty() && engine.deliver().is_empty());
}

#[test]
fn a_refusal_works_until_the_claim_could_be_made_and_not_after() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    engine.clock.advance(Duration::DAY);
    let refused = engine.try_deny(&newcomer, Report::Yes).unwrap_err();
    assert_eq!(refused.code(), "invalid_claim_token");
    assert!(engine.registration(&newcomer).unwrap().expires_at == engine.clock.now());
}

#[test]
fn an_agent_that_is_reported_is_told_of_to_an_operator_once() {
    let engine = TestEngine::new();
    let (server, told) = watched(&engine, EngineOptions::default());
    let [plain, reported] = [(); 2].map(|()| engine.anonymous());
    server.try_deny(&plain, Report::No).unwrap();
    assert_eq!(told.heard(), [""; 0]);
    server.try_deny(&reported, Report::Yes).unwrap();
    assert!(server.try_deny(&reported, Report::Yes).is_err());
    let [heard] = &told.heard()[..] else { panic!("{:?}", told.heard()) };
    assert!(heard.contains(&reported.agent.to_string()), "{heard}");
    let events = engine.bot_events(reported.agent);
    let event = events.iter().find(|event| event.action == Action::ClaimDenied).unwrap();
    assert_eq!(event.detail.as_deref(), Some("reported"));
}
