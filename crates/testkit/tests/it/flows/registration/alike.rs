//! Nobody learns from an answer, or from how long it takes, whose address has an account.

use std::sync::Arc;

use portcullis_audit::Actor;
use portcullis_flows::registration::StartedClaim;
use portcullis_kernel::{Classify as _, Origin};
use portcullis_testkit::{
    engine::TestEngine,
    entropy::SeededEntropy,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    super::{
        People as _, Stored as _, from, home,
        mailbox::{Mail as _, waiting},
    },
    Claims as _, StoredClaims as _,
};

/// Proven, not proven, suspended, gone, one that nobody has, and one of a domain that may have none.
const MAILBOXES: [&str; 6] = [
    "proven@example.com",
    "unproven@example.com",
    "shut@example.com",
    "gone@example.com",
    "nobody@example.com",
    "nobody@elsewhere.example",
];

fn town() -> (TestEngine, Arc<FaultyStorage>) {
    let open = TestEngine::builder();
    let open = open.options(|options| options.limits.enabled = false).build();
    open.join_verified(MAILBOXES[0]);
    open.join(MAILBOXES[1]);
    for email in &MAILBOXES[2..4] {
        open.deliver();
        open.join_verified(email);
    }
    let id = |email| open.find_user(email).unwrap().id;
    open.suspend_user(id(MAILBOXES[2]), Actor::Operator, &Origin::local()).unwrap();
    open.delete_user(id(MAILBOXES[3]), Actor::Operator, &Origin::local()).unwrap();
    open.deliver();
    let faulty = FaultyStorage::over(open.storage.clone());
    let engine = TestEngine::builder().storage(faulty.clone()).clock(open.clock.clone());
    let engine = engine.entropy(Arc::new(SeededEntropy::new(4)));
    let domains = vec!["example.com".to_owned()];
    let engine = engine.options(|options| {
        options.registration.domains = domains;
        // Counted one by one, and not in slices, of which some mailbox gets the first.
        let limits = &mut options.limits.agent_registration;
        limits.alarm_wrong_codes.limit = 20;
        limits.alarm_sign_ups.limit = 20;
    });
    (engine.build(), faulty)
}

/// What each of the mailboxes leaves behind: steps, rows in the outbox, events.
type Trace = (Vec<Step>, usize, u64);

fn alike(engine: &TestEngine, faulty: &FaultyStorage, what: &str, mut work: impl FnMut(usize)) {
    let of = |index: usize| -> Trace {
        let (mails, events) = (waiting(engine).len(), engine.event_count());
        faulty.heal();
        work(index);
        let steps = faulty.steps();
        (steps, waiting(engine).len() - mails, engine.event_count() - events)
    };
    let traces: Vec<Trace> = (0..MAILBOXES.len()).map(of).collect();
    assert!(traces.iter().all(|trace| *trace == traces[0]), "{what}: {traces:?}");
    assert!(traces[0].0.contains(&Step::Commit), "{what}: something was done");
}

/// From an address of its own, so that none is near its limit.
fn client(index: usize) -> Origin {
    from(&format!("198.51.100.{index}"))
}

#[test]
fn e5_signing_up_for_an_address_is_the_same_whoever_has_it() {
    let (engine, faulty) = town();
    for round in 0..3 {
        // The first gets a mail, the second comes too soon, the third gets one again.
        alike(&engine, &faulty, "sign up", |index| {
            let made = engine.try_sign_up(Some(MAILBOXES[index]), &client(index)).unwrap();
            assert!(made.key.is_none());
            let attempt = engine.attempt(&made).unwrap();
            assert_eq!(attempt.expires_at, engine.now() + Duration::minutes(10));
            assert_eq!(attempt.code.is_some(), round != 1);
        });
        engine.clock.advance(Duration::seconds(40));
    }
    // Only who could claim is told a code: the first, the second and the one that is shut, and those
    // who could have an account.
    let letters = engine.deliver();
    let told: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert!(!told.contains(&MAILBOXES[5]), "{told:?}");
    for email in [MAILBOXES[0], MAILBOXES[1], MAILBOXES[4]] {
        assert!(told.contains(&email), "{told:?}");
    }
}

#[test]
fn e5_asking_for_a_code_is_the_same_whoever_has_the_address() {
    let (engine, faulty) = town();
    let newcomers: Vec<_> = (0..MAILBOXES.len())
        .map(|index| engine.try_sign_up(None, &client(index)).unwrap())
        .collect();
    let mut answers: Vec<Vec<StartedClaim>> = vec![Vec::new(); MAILBOXES.len()];
    for later in [Duration::ZERO, Duration::minutes(2), Duration::minutes(9)] {
        engine.clock.advance(later);
        alike(&engine, &faulty, "start", |index| {
            let started = engine.try_start(&newcomers[index], MAILBOXES[index], &home()).unwrap();
            answers[index].push(started);
        });
    }
    for answers in answers {
        assert_eq!(answers[0], answers[1], "while it lives");
        assert_ne!(answers[1].attempt, answers[2].attempt);
    }
}

#[test]
fn e5_a_wrong_code_is_the_same_whoever_has_the_address() {
    let (engine, faulty) = town();
    let newcomers: Vec<_> = (0..MAILBOXES.len())
        .map(|index| engine.try_sign_up(Some(MAILBOXES[index]), &client(index)).unwrap())
        .collect();
    engine.deliver();
    // None of these is right: codes are random, and these runs are the same each time.
    for (round, code) in ["000000", "000001", "000002"].iter().enumerate() {
        alike(&engine, &faulty, "wrong", |index| {
            let refused = engine.try_complete(&newcomers[index], code, &client(index));
            assert_eq!(refused.unwrap_err().code(), "otp_invalid", "{round}");
        });
    }
}
