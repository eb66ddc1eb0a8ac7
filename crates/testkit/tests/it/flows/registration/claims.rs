//! Which attempt there is, and to whom a code goes.

use std::sync::Arc;

use portcullis_audit::Action;
use portcullis_flows::{
    RegistrationMode,
    registration::{ClaimError, ClaimInput, Report, StartedClaim},
};
use portcullis_kernel::{Classify as _, Field};
use portcullis_testkit::{
    engine::{TestEngine, TestEngineBuilder},
    entropy::SeededEntropy,
};
use time::Duration;

use super::{
    super::{
        JANE, JOHN,
        agents::StoredAgents as _,
        from, home,
        mailbox::{Mail as _, kinds, waiting},
    },
    Claims as _, Newcomer, StoredClaims as _, codes_in, unlimited,
};

const MINUTE: Duration = Duration::MINUTE;

fn by_view(
    engine: &TestEngine,
    newcomer: &Newcomer,
    email: &str,
) -> Result<StartedClaim, ClaimError> {
    let token = Field::Given(newcomer.view.as_str().into());
    let input = ClaimInput { token, email: email.into() };
    engine.start_claim_by_view(&engine.check_start_claim_by_view(input).unwrap(), &home())
}

#[test]
fn the_same_address_has_the_same_attempt_and_no_second_mail() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    let first = engine.start(&newcomer, JANE);
    let code = engine.receive("claim_code");
    for later in [Duration::ZERO, MINUTE * 2, MINUTE * 7] {
        engine.clock.advance(later);
        for email in [JANE, "JANE@Example.COM", " jane@example.com "] {
            assert_eq!(engine.start(&newcomer, email), first);
        }
        assert_eq!(by_view(&engine, &newcomer, JANE).unwrap(), first);
        assert!(waiting(&engine).is_empty());
    }
    engine.complete(&newcomer, &code).unwrap();
}

#[test]
fn o11_another_address_kills_the_code_and_its_mail_that_waits() {
    for delivered in [true, false] {
        let engine = TestEngine::new();
        let newcomer = engine.anonymous();
        let first = engine.start(&newcomer, JANE);
        let mut codes = Vec::new();
        if delivered {
            codes.push(engine.receive("claim_code"));
        }
        let second = engine.start(&newcomer, JOHN);
        assert_ne!(first.attempt, second.attempt);
        let letters = engine.deliver();
        assert_eq!(kinds(&letters), [(JOHN, "claim_code")]);
        codes.push(codes_in(&letters).remove(0).1);
        if delivered {
            assert_ne!(codes[0], codes[1]);
            let refused = engine.complete(&newcomer, &codes[0]).unwrap_err();
            assert!(matches!(refused, ClaimError::InvalidCode), "{refused:?}");
        }
        let claimed = engine.complete(&newcomer, codes.last().unwrap()).unwrap();
        assert_eq!(engine.find_user(JOHN).unwrap().id, claimed.owner);
        assert!(engine.find_user(JANE).is_err());
    }
}

#[test]
fn m7_a_code_whose_mail_hangs_is_not_delivered_once_another_took_its_place() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    engine.start(&newcomer, JANE);
    let hung = engine.claim_mail().unwrap().unwrap();
    engine.start(&newcomer, JOHN);
    engine.mail_failed(&hung, portcullis_flows::mail::Failure::Temporary).unwrap();
    engine.clock.advance(MINUTE);
    assert_eq!(kinds(&engine.deliver()), [(JOHN, "claim_code")]);
}

#[test]
fn o5_l9_over_a_mail_limit_the_answer_is_the_usual_one_and_no_mail_goes() {
    let engine = TestEngine::new();
    let [first, second] = [(); 2].map(|()| engine.anonymous());
    engine.code(&first, JANE);
    let started = engine.start(&second, JANE);
    assert_eq!(started.expires_at, engine.attempt(&second).unwrap().expires_at);
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.registration(&second).unwrap().codes, 0, "none was made");
    let refused = engine.complete(&second, "000000").unwrap_err();
    assert!(matches!(refused, ClaimError::ExpiredCode), "never sent: {refused:?}");
    for _ in 0..3 {
        assert_eq!(engine.start(&second, JANE), started, "as one with a code would be");
    }
    assert!(waiting(&engine).is_empty());
    let asked = engine.bot_events(second.agent);
    let asked = asked.iter().filter(|event| event.action == Action::ClaimAsked);
    assert_eq!(asked.count(), 1, "written down once");
    engine.clock.advance(MINUTE);
    assert_eq!(engine.start(&second, JANE), started);
    let code = engine.receive("claim_code");
    assert_eq!(engine.registration(&second).unwrap().codes, 1);
    engine.complete(&second, &code).unwrap();
}

#[test]
fn o11_another_address_kills_the_code_though_no_mail_may_go_there() {
    let engine = TestEngine::new();
    let [first, second] = [(); 2].map(|()| engine.anonymous());
    let alive = engine.start(&first, JANE);
    let code = engine.receive("claim_code");
    engine.code(&second, JOHN);
    let other = engine.start(&first, JOHN);
    assert_ne!(other.attempt, alive.attempt, "nobody sees that John got a code this minute");
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.complete(&first, &code).unwrap_err().code(), "otp_expired");
}

#[test]
fn o5_after_three_codes_there_are_no_more() {
    let engine = TestEngine::new();
    let newcomer = engine.anonymous();
    for count in 1..=3 {
        let started = engine.start(&newcomer, JANE);
        assert_eq!(engine.deliver().len(), 1);
        assert_eq!(engine.registration(&newcomer).unwrap().codes, count);
        assert_eq!(engine.start(&newcomer, JANE), started, "while it lives");
        engine.clock.advance(MINUTE * 10);
    }
    for email in [JANE, JOHN] {
        let refused = engine.try_start(&newcomer, email, &home()).unwrap_err();
        assert_eq!(refused.code(), "codes_exhausted");
        assert!(by_view(&engine, &newcomer, email).is_err());
    }
    assert!(waiting(&engine).is_empty());
    let refused = engine.complete(&newcomer, "000000").unwrap_err();
    assert!(matches!(refused, ClaimError::ExpiredCode), "{refused:?}");
}

#[test]
fn o5_the_code_of_a_registration_for_an_address_is_one_of_the_three() {
    let engine = TestEngine::new();
    let newcomer = engine.signed_up_for(JANE);
    for _ in 0..2 {
        engine.clock.advance(MINUTE * 10);
        engine.start(&newcomer, JANE);
    }
    assert_eq!(engine.registration(&newcomer).unwrap().codes, 3);
    engine.clock.advance(MINUTE * 10);
    let refused = engine.try_start(&newcomer, JANE, &home()).unwrap_err();
    assert_eq!(refused.code(), "codes_exhausted");
}

#[test]
fn o6_a_registration_for_an_address_is_claimed_by_no_other() {
    let engine = TestEngine::new();
    let newcomer = engine.signed_up_for(JANE);
    let alive = engine.attempt(&newcomer).unwrap();
    engine.deliver();
    let refused = engine.try_start(&newcomer, JOHN, &home()).unwrap_err();
    assert_eq!(refused.code(), "email_mismatch");
    assert_eq!(by_view(&engine, &newcomer, JOHN).unwrap_err().code(), "email_mismatch");
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.attempt(&newcomer), Some(alive.clone()));
    assert_eq!(engine.start(&newcomer, "Jane@Example.com").attempt, alive.id);
}

#[test]
fn a_code_that_was_not_mailed_at_first_is_mailed_when_it_may() {
    let engine = TestEngine::new();
    let [_, second] = [(); 2].map(|()| engine.signed_up_for(JANE));
    assert_eq!(engine.deliver().len(), 1, "one a minute");
    assert_eq!(engine.attempt(&second).unwrap().code, None);
    engine.clock.advance(MINUTE);
    let code = engine.code(&second, JANE);
    engine.complete(&second, &code).unwrap();
}

#[test]
fn a_code_is_not_mailed_when_its_life_is_almost_over() {
    let engine = TestEngine::new();
    let [first, second] = [(); 2].map(|()| engine.anonymous());
    engine.code(&first, JANE);
    let started = engine.start(&second, JANE);
    engine.clock.advance(MINUTE * 6);
    assert_eq!(engine.start(&second, JANE), started);
    assert!(waiting(&engine).is_empty());
    engine.clock.advance(MINUTE * 4);
    let next = engine.start(&second, JANE);
    assert!(next.attempt != started.attempt && next.expires_at == engine.now() + MINUTE * 10);
    let code = engine.receive("claim_code");
    engine.complete(&second, &code).unwrap();
}

#[test]
fn o12_tokens_that_were_never_made_are_unknown() {
    let engine = TestEngine::new();
    let made = engine.anonymous();
    let mut last = made.claim.clone();
    let other = if last.pop() == Some('0') { '1' } else { '0' };
    last.push(other);
    for token in [last.as_str(), "clm_", "x", made.claim.trim_start_matches("clm_"), " "] {
        let claim = token.to_owned();
        let newcomer = Newcomer { claim: claim.clone(), view: claim, ..made.clone() };
        let refused = engine.try_start(&newcomer, JANE, &home()).unwrap_err();
        assert_eq!(refused.code(), "invalid_claim_token", "{token}");
        assert_eq!(engine.complete(&newcomer, "000000").unwrap_err().code(), refused.code());
        assert_eq!(by_view(&engine, &newcomer, JANE).unwrap_err().code(), refused.code());
        assert_eq!(engine.try_deny(&newcomer, Report::No).unwrap_err().code(), refused.code());
    }
    assert!(waiting(&engine).is_empty());
}

fn strict(change: impl FnOnce(&mut portcullis_flows::EngineOptions)) -> TestEngineBuilder {
    TestEngine::builder().options(change)
}

#[test]
fn where_nobody_may_register_only_those_with_an_account_get_a_code() {
    for strict in [
        strict(|options| options.registration.mode = RegistrationMode::Closed),
        strict(|options| options.registration.mode = RegistrationMode::Invite),
        strict(|options| options.registration.domains = vec!["elsewhere.example".to_owned()]),
    ] {
        let open = unlimited();
        open.join_verified(JANE);
        let strict = strict.storage(open.storage.clone()).clock(open.clock.clone());
        let strict = strict.entropy(Arc::new(SeededEntropy::new(3))).build();
        let newcomer = strict.anonymous();
        let started = strict.start(&newcomer, JOHN);
        assert_eq!(started.expires_at, strict.now() + MINUTE * 10);
        assert_eq!(waiting(&strict).len(), 1, "nobody sees from outside that it is for nothing");
        assert!(strict.deliver().is_empty() && waiting(&strict).is_empty());
        // Were the code known, it would open nothing.
        let second = strict.anonymous();
        strict.clock.advance(MINUTE);
        strict.start(&second, JOHN);
        let code = open.receive("claim_code");
        for _ in 0..5 {
            let refused = strict.complete(&second, &code).unwrap_err();
            assert_eq!(refused.code(), "otp_invalid");
        }
        let refused = strict.complete(&second, &code).unwrap_err();
        assert_eq!(refused.code(), "otp_expired", "tries are used up as by wrong codes");
        assert!(strict.is_unclaimed(&second) && strict.find_user(JOHN).is_err());
        // Jane has an account.
        let code = strict.code(&newcomer, JANE);
        let owner = strict.complete(&newcomer, &code).unwrap().owner;
        assert_eq!(strict.find_user(JANE).unwrap().id, owner);
    }
}

#[test]
fn a_registration_that_ended_takes_no_more_attempts() {
    let engine = unlimited();
    let [claimed, denied] = [(); 2].map(|()| engine.anonymous());
    engine.claim(&claimed, JANE);
    engine.try_deny(&denied, Report::No).unwrap();
    engine.deliver();
    for (newcomer, code) in [(&claimed, "already_claimed"), (&denied, "claim_denied")] {
        for origin in [home(), from("198.51.100.9")] {
            let refused = engine.try_start(newcomer, JANE, &origin).unwrap_err();
            assert_eq!(refused.code(), code);
            assert_eq!(engine.complete(newcomer, "000000").unwrap_err().code(), code);
        }
        assert_eq!(by_view(&engine, newcomer, JANE).unwrap_err().code(), code);
        assert_eq!(engine.try_deny(newcomer, Report::Yes).unwrap_err().code(), code);
        let view = engine.view_claim(&super::viewed(&newcomer.view)).unwrap_err();
        assert_eq!(view.code(), code);
    }
    assert!(waiting(&engine).is_empty());
}
