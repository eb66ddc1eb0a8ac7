//! What an agent gets that signs itself up.

use portcullis_email::Content;
use portcullis_flows::registration::SignUpError;
use portcullis_kernel::{Clock as _, ErrorKind};
use portcullis_registration::{RegistrationKind, State};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, Stored as _, from, home,
        mailbox::{Mail as _, kinds, waiting},
        told,
    },
    Claims as _, StoredClaims as _, unlimited,
};

#[test]
fn an_agent_that_names_nobody_has_a_key_for_reading_at_once() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    let key = newcomer.key.clone().unwrap();
    assert!(key.secret.starts_with("anon_") && engine.lives(&key));
    let stored = engine.look(|uow| uow.api_keys().find(key.id)).unwrap();
    assert_eq!((stored.scopes.to_string().as_str(), stored.expires_at), ("api.read", None));
    let made = engine.registration(&newcomer).unwrap();
    assert_eq!(
        (&made.kind, made.state, made.codes),
        (&RegistrationKind::Anonymous, State::Open, 0)
    );
    assert_eq!(made.asked_from.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(made.expires_at, engine.clock.now() + Duration::DAY);
    let agent = engine.find_bot(&newcomer).unwrap();
    assert!(agent.owner.is_none() && agent.email.is_none() && agent.recovery.is_none());
    assert!(waiting(&engine).is_empty() && engine.attempt(&newcomer).is_none());
}

#[test]
fn an_agent_that_names_its_person_has_no_key_and_the_person_gets_a_code() {
    let engine = TestEngine::new();
    let newcomer = engine.signed_up_for("Jane@Example.com");
    assert!(newcomer.key.is_none() && engine.is_unclaimed(&newcomer));
    let made = engine.registration(&newcomer).unwrap();
    assert_eq!((made.kind.address(), made.codes), (Some(JANE), 1));
    assert_eq!(waiting(&engine).len(), 1);
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane@example.com", "claim_code")]);
    let Content::ClaimCode { agent, asked_from, scopes, expires_at, .. } = &letters[0].content
    else {
        unreachable!()
    };
    assert_eq!((agent, scopes.as_str()), (&newcomer.agent.to_string(), "api.read api.write"));
    assert_eq!(asked_from.as_deref(), Some("203.0.113.0/24"));
    let end = (engine.clock.now() + Duration::minutes(10)).unix_timestamp();
    assert_eq!(expires_at.unix_timestamp(), end);
}

#[test]
fn k1_k4_every_secret_is_of_its_kind_and_none_is_another() {
    let engine = TestEngine::new();
    let [first, second] = [(); 2].map(|()| engine.anonymous());
    for newcomer in [&first, &second] {
        assert!(newcomer.claim.starts_with("clm_") && newcomer.view.starts_with("cvt_"));
    }
    assert!(first.claim != second.claim && first.view != second.view);
    // Neither shows or claims what the other does.
    let crossed = super::Newcomer { claim: first.view.clone(), view: first.claim.clone(), ..first };
    assert_eq!(
        told(&engine.try_start(&crossed, JANE, &home()).unwrap_err()).0,
        ErrorKind::NotFound
    );
    assert!(engine.complete(&crossed, "000000").is_err());
    assert!(engine.view_claim(&super::viewed(&crossed.view)).is_err());
    assert!(engine.try_deny(&crossed, portcullis_flows::registration::Report::No).is_err());
}

#[test]
fn l1_five_an_hour_that_name_nobody_and_ten_that_do_from_one_address() {
    for (email, limit) in [(None, 5), (Some(JANE), 10)] {
        let engine = TestEngine::new();
        for _ in 0..limit {
            engine.try_sign_up(email, &home()).unwrap();
        }
        let count = engine.event_count();
        let refused = engine.try_sign_up(email, &home()).unwrap_err();
        assert!(matches!(refused, SignUpError::Limit(_)), "{refused:?}");
        assert_eq!(told(&refused).1, "rate_limited");
        assert_eq!(engine.event_count(), count + 1, "that the limit was reached, and nothing else");
        engine.try_sign_up(email, &from("203.0.113.8")).unwrap();
        engine.clock.advance(Duration::HOUR - Duration::SECOND);
        assert!(engine.try_sign_up(email, &home()).is_err());
        engine.clock.advance(Duration::SECOND);
        engine.try_sign_up(email, &home()).unwrap();
    }
}

#[test]
fn l5_an_ipv6_client_is_its_64() {
    let engine = TestEngine::new();
    for n in 0..5 {
        engine.try_sign_up(None, &from(&format!("2001:db8:1:2::{n}"))).unwrap();
    }
    assert!(engine.try_sign_up(None, &from("2001:db8:1:2:ffff::1")).is_err());
    assert!(engine.try_sign_up(None, &from("2001:db8:1:3::1")).is_ok());
}

#[test]
fn k8_prefixes_scopes_and_times_are_those_of_the_settings() {
    let engine = TestEngine::builder().options(|options| {
        let own = &mut options.agent_registration;
        own.pre_claim_scopes = "see".parse().unwrap();
        own.post_claim_scopes = "see touch".parse().unwrap();
        own.anonymous_prefix = portcullis_credentials::KeyPrefix::parse("vj_anon_").unwrap();
        own.claimed_prefix = portcullis_credentials::KeyPrefix::parse("vj_live_").unwrap();
        own.claim = Duration::HOUR;
        own.code = Duration::minutes(3);
    });
    let engine = engine.build();
    let newcomer = engine.anonymous();
    assert!(newcomer.key.as_ref().unwrap().secret.starts_with("vj_anon_"));
    let end = engine.registration(&newcomer).unwrap().expires_at;
    assert_eq!(end, engine.clock.now() + Duration::HOUR);
    let started = engine.start(&newcomer, JANE);
    assert_eq!(started.expires_at, engine.clock.now() + Duration::minutes(3));
    let code = engine.receive("claim_code");
    let claimed = engine.complete(&newcomer, &code).unwrap();
    assert_eq!(claimed.key.key.scopes.to_string(), "see touch");
    let key = super::super::agents::Key::from(claimed.key);
    assert!(key.secret.starts_with("vj_live_") && engine.lives(&key));
}

#[test]
fn without_limits_anybody_signs_up_as_often_as_they_like() {
    let engine = unlimited();
    for _ in 0..30 {
        engine.anonymous();
        engine.signed_up_for(JANE);
    }
    assert_eq!(engine.deliver().len(), 30);
}
