//! The database fails at any step: nothing is half done, and to ask again is safe.

use std::sync::Arc;

use portcullis_credits::AccountId;
use portcullis_flows::credits::{ChargeError, GiveError};
use portcullis_kernel::{Classify as _, ErrorKind};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage, Step},
};

use super::{Credits as _, Payer, outcome, rich, server, top_ups::try_top_up};

/// An agent with ten credits on a storage that works, and an engine over one that will not.
struct Lab {
    whole: TestEngine,
    shaky: TestEngine,
    storage: Arc<FaultyStorage>,
    payer: Payer,
}

impl Lab {
    fn new() -> Self {
        let memory = MemoryStorage::default();
        let whole = TestEngine::builder().storage(Arc::new(memory.clone()));
        let whole = whole.options(|options| options.limits.enabled = false).build();
        let storage = FaultyStorage::over(Arc::new(memory));
        let shaky = whole.peer().storage(storage.clone()).build();
        let payer = rich(&whole, 10);
        Self { whole, shaky, storage, payer }
    }

    fn account(&self) -> AccountId {
        self.payer.account()
    }
}

#[test]
fn q1_a_charge_that_fails_at_any_step_is_made_once_when_it_is_repeated() {
    let lab = Lab::new();
    let api = server(&lab.whole);
    lab.storage.heal();
    lab.shaky.try_charge(&api, &lab.payer.key.secret, 1, "first").unwrap();
    let steps = lab.storage.steps();
    assert!(steps.contains(&Step::Begin(TxMode::Write)) && steps.len() > 4, "{steps:?}");
    for (number, step) in steps.iter().enumerate() {
        for fault in [Fault::Failed, Fault::Unavailable, Fault::Contention] {
            let operation = format!("{number} {fault:?}");
            lab.whole.give_to(lab.account(), 1);
            let before = lab.whole.of(lab.account()).balance;
            lab.storage.fail_at(number, fault);
            let charged = lab.shaky.try_charge(&api, &lab.payer.key.secret, 1, &operation);
            lab.storage.heal();
            match charged {
                // Tried again by itself.
                Ok(charged) => {
                    assert_eq!((fault, charged.balance), (Fault::Contention, before - 1));
                }
                Err(ChargeError::Fault(error)) => {
                    let unavailable = fault != Fault::Failed;
                    assert_eq!(error.kind() == ErrorKind::Unavailable, unavailable, "{step:?}");
                }
                Err(other) => panic!("{step:?}: {other:?}"),
            }
            let left = lab.whole.of(lab.account()).balance;
            assert!(left == before || left == before - 1, "{step:?} {fault:?}");
            let again = lab.shaky.try_charge(&api, &lab.payer.key.secret, 1, &operation);
            assert_eq!(outcome(again), Ok((1, before - 1)), "{step:?} {fault:?}");
            assert_eq!(lab.whole.of(lab.account()).balance, before - 1);
        }
    }
}

#[test]
fn q6_a_top_up_that_fails_at_any_step_is_recorded_once_when_it_is_repeated() {
    let lab = Lab::new();
    lab.storage.heal();
    try_top_up(&lab.shaky, "first", lab.account(), 1).unwrap();
    for number in 0..lab.storage.steps().len() {
        let event = format!("evt {number}");
        let before = lab.whole.of(lab.account()).balance;
        lab.storage.fail_at(number, Fault::Unavailable);
        let failed = try_top_up(&lab.shaky, &event, lab.account(), 5).unwrap_err();
        assert!(matches!(failed, GiveError::Fault(_)), "{failed:?}");
        lab.storage.heal();
        let given = try_top_up(&lab.shaky, &event, lab.account(), 5).unwrap();
        assert_eq!(given.balance, before + 5, "{number}");
        assert_eq!(lab.whole.of(lab.account()).balance, before + 5);
    }
}
