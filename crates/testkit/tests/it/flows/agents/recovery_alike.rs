//! Nobody learns from a request or a wrong code whether an address has agents: call by call, the storage is
//! asked the same.

use std::sync::Arc;

use portcullis_kernel::Origin;
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    super::{from, home, mailbox::Mail as _},
    Agents as _, OTHER_BOX, wrong,
};

/// One agent, several, one that is not proven, one that is shut, one that is gone, and none.
const MAILBOXES: [&str; 6] = [
    "one@example.com",
    "several@example.com",
    "unproven@example.com",
    "shut@example.com",
    "gone@example.com",
    "nobody@example.com",
];

fn town() -> (TestEngine, Arc<FaultyStorage>) {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    engine.sign_up_at("one", MAILBOXES[0]);
    for _ in 0..3 {
        engine.sign_up_at("several", MAILBOXES[1]);
    }
    engine.try_sign_up("unproven", Some(MAILBOXES[2])).unwrap();
    engine.deliver();
    let shut = engine.sign_up_at("shut", MAILBOXES[3]);
    let operator = portcullis_audit::Actor::Operator;
    let status = portcullis_identity::AgentStatus::Suspended;
    engine.set_agent_status(shut.id, status, operator, &home()).unwrap();
    let gone = engine.sign_up_at("gone", MAILBOXES[4]);
    engine.delete_agent(gone.id, operator, &home()).unwrap();
    engine.sign_up_at("other", OTHER_BOX);
    engine.deliver();
    engine.clock.advance(Duration::HOUR);
    (engine, faulty)
}

/// The steps of each of these mailboxes.
fn steps(faulty: &FaultyStorage, mut work: impl FnMut(&str)) -> Vec<Vec<Step>> {
    let of = |email: &&str| {
        faulty.heal();
        work(email);
        faulty.steps()
    };
    MAILBOXES.iter().map(of).collect()
}

/// The steps that each of these mailboxes takes, which must be the same.
fn alike(faulty: &FaultyStorage, what: &str, work: impl FnMut(&str)) -> Vec<Step> {
    let taken = steps(faulty, work);
    assert!(taken.iter().all(|steps| *steps == taken[0]), "{what}: {taken:?}");
    taken[0].clone()
}

#[test]
fn e3_v1_asking_for_codes_takes_the_same_steps_for_every_address() {
    let (engine, faulty) = town();
    for round in 0..5 {
        let steps = alike(&faulty, "ask", |email| {
            let asked = engine.try_ask(email, None, &home());
            assert_eq!(asked.is_ok(), round < 3, "{email}");
        });
        assert_eq!(steps.contains(&Step::Commit), round < 3);
    }
    engine.clock.advance(Duration::HOUR);
    let named = engine.sign_up_bot("named").id;
    alike(&faulty, "ask for one", |email| {
        engine.try_ask(email, Some(named), &home()).unwrap();
    });
}

/// Wrong codes, until no try is counted any more. That the tries of several codes are used up is written
/// down sooner than that those of one are; in all it is the same.
fn misses(engine: &TestEngine, faulty: &FaultyStorage, origin: &Origin) {
    let mut all = [0; MAILBOXES.len()];
    for (round, code) in wrong(&[]).iter().rev().take(8).enumerate() {
        let mut taken = steps(faulty, |email| {
            assert!(engine.try_recover(email, code, false, origin).is_err(), "{email}");
        });
        all.iter_mut().zip(&taken).for_each(|(sum, steps)| *sum += steps.len());
        taken.remove(1);
        assert!(taken.iter().all(|steps| *steps == taken[0]), "try {round}: {taken:?}");
    }
    assert!(all.iter().all(|sum| *sum == all[0]), "{all:?}");
}

#[test]
fn e3_v1_wrong_codes_take_the_same_steps_for_every_address() {
    for origin in [home(), from("198.51.100.9")] {
        let (engine, faulty) = town();
        misses(&engine, &faulty, &origin);
        for email in MAILBOXES {
            engine.try_ask(email, None, &home()).unwrap();
        }
        assert_eq!(engine.deliver().len(), 2, "codes for one, and for several");
        misses(&engine, &faulty, &origin);
    }
}
