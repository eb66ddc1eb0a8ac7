//! Many at once, on every storage.

use portcullis_credits::AccountId;
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    super::{JANE, People as _, agents::everywhere, at_once},
    Credits as _, claim, outcome, rich, server,
};

fn engine(stored: &Stored) -> TestEngine {
    let engine = TestEngine::builder().storage(stored.storage());
    engine.options(|options| options.limits.enabled = false).build()
}

#[test]
fn q1_of_200_charges_on_100_credits_100_are_done() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let (api, key) = (server(&engine), rich(&engine, 100));
        // Of two instances.
        let peer = engine.peer().build();
        let charged = at_once(200, |index| {
            let engine = if index % 2 == 0 { &engine } else { &peer };
            outcome(engine.try_charge(&api, &key.secret, 1, &format!("op-{index}")))
        });
        let mut left: Vec<_> = charged.iter().filter_map(|one| one.ok()).collect();
        left.sort_unstable();
        let expected: Vec<_> = (0..100).map(|balance| (1, balance)).collect();
        assert_eq!(left, expected, "{stored:?}: each is told a balance of its own");
        assert_eq!(charged.iter().filter(|one| **one == Err(Some(0))).count(), 100, "{stored:?}");
        assert_eq!(engine.of(AccountId::Agent(key.agent)).balance, 0);
    }
}

#[test]
fn q1_of_50_that_charge_one_operation_one_does_and_all_are_told_alike() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let peer = engine.peer().build();
        for credits in [3, 1000] {
            let (api, key) = (server(&engine), rich(&engine, credits));
            let charged = at_once(50, |index| {
                let engine = if index % 2 == 0 { &engine } else { &peer };
                outcome(engine.try_charge(&api, &key.secret, 3, "the same"))
            });
            assert!(charged.iter().all(|one| *one == Ok((3, credits - 3))), "{charged:?}");
            assert_eq!(engine.sum(AccountId::Agent(key.agent)), credits - 3, "{stored:?}");
        }
    }
}

#[test]
fn q4_no_credit_is_lost_or_spent_twice_while_agents_are_claimed() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let api = server(&engine);
        let jane = engine.join(JANE).user.id;
        let keys: Vec<_> = (0..8).map(|_| rich(&engine, 10)).collect();
        let charged = at_once(24, |index| {
            let key = &keys[index / 3];
            match index % 3 {
                0 => {
                    claim(&engine, key.agent, jane);
                    0
                }
                1 => {
                    engine.give_to(AccountId::Agent(key.agent), 5);
                    -5
                }
                _ => {
                    let charged = engine.try_charge(&api, &key.secret, 10, &format!("op-{index}"));
                    let (cost, _) = outcome(charged).expect("there is enough, wherever it is");
                    // Again, perhaps in the account where it went meanwhile.
                    let again = engine.try_charge(&api, &key.secret, 10, &format!("op-{index}"));
                    assert!(again.is_ok(), "{again:?}");
                    cost
                }
            }
        });
        let left = 8 * 10 - charged.iter().sum::<i64>();
        assert_eq!(engine.of(AccountId::User(jane)).balance, left, "{stored:?}");
        for key in &keys {
            assert_eq!(engine.of(AccountId::Agent(key.agent)).balance, 0);
        }
    }
}
