//! Many at once, on every storage.

use portcullis_credits::AccountId;
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    super::{
        JANE,
        agents::{Key, everywhere},
        at_once,
        mailbox::Mail as _,
        registration::Claims as _,
    },
    Credits as _, outcome, rich, server,
    top_ups::try_top_up,
};

fn engine(stored: &Stored) -> TestEngine {
    let engine = TestEngine::builder().storage(stored.storage());
    engine.options(|options| options.limits.enabled = false).build()
}

#[test]
fn q1_of_200_charges_on_100_credits_100_are_done() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let (api, payer) = (server(&engine), rich(&engine, 100));
        // Of two instances.
        let peer = engine.peer().build();
        let charged = at_once(200, |index| {
            let engine = if index % 2 == 0 { &engine } else { &peer };
            outcome(engine.try_charge(&api, &payer.key.secret, 1, &format!("op-{index}")))
        });
        let mut left: Vec<_> = charged.iter().filter_map(|one| one.ok()).collect();
        left.sort_unstable();
        let expected: Vec<_> = (0..100).map(|balance| (1, balance)).collect();
        assert_eq!(left, expected, "{stored:?}: each is told a balance of its own");
        assert_eq!(charged.iter().filter(|one| **one == Err(Some(0))).count(), 100, "{stored:?}");
        assert_eq!(engine.of(payer.account()).balance, 0);
    }
}

#[test]
fn q1_of_50_that_charge_one_operation_one_does_and_all_are_told_alike() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let peer = engine.peer().build();
        for credits in [3, 1000] {
            let (api, payer) = (server(&engine), rich(&engine, credits));
            let charged = at_once(50, |index| {
                let engine = if index % 2 == 0 { &engine } else { &peer };
                outcome(engine.try_charge(&api, &payer.key.secret, 3, "the same"))
            });
            assert!(charged.iter().all(|one| *one == Ok((3, credits - 3))), "{charged:?}");
            assert_eq!(engine.sum(payer.account()), credits - 3, "{stored:?}");
        }
    }
}

/// Eight agents with ten credits each: while one completes the claim another charges ten, one gives five,
/// and two tell of one top-up by seven, twice each.
#[test]
fn q4_no_credit_is_lost_or_spent_twice_while_agents_are_claimed() {
    for stored in everywhere() {
        let engine = engine(&stored);
        let peer = engine.peer().storage(stored.another_instance().storage()).build();
        let api = server(&engine);
        let jane = engine.join_verified(JANE).user.id;
        let payers: Vec<_> = (0..8).map(|_| rich(&engine, 10)).collect();
        let codes: Vec<_> = payers.iter().map(|payer| engine.code(&payer.newcomer, JANE)).collect();
        let done = at_once(40, |index| {
            let (payer, server) = (&payers[index / 5], [&engine, &peer][index % 2]);
            match index % 5 {
                0 => {
                    let code = &codes[index / 5];
                    Did::Claim(server.complete(&payer.newcomer, code).unwrap().key.into())
                }
                1 => {
                    let (secret, operation) = (&payer.key.secret, format!("op-{}", index / 5));
                    Did::Charge(outcome(server.try_charge(&api, secret, 10, &operation)))
                }
                2 => {
                    server.give_to(payer.account(), 5);
                    Did::Other
                }
                _ => {
                    let event = format!("evt-{}", index / 5);
                    for _ in 0..2 {
                        try_top_up(server, &event, payer.account(), 7).unwrap();
                    }
                    Did::Other
                }
            }
        });
        assert_eq!(engine.of(AccountId::User(jane)).balance, left(&done), "{stored:?}");
        for (index, payer) in payers.iter().enumerate() {
            assert_eq!(engine.of(payer.account()).balance, 0, "{stored:?}");
            // Whoever was charged before the claim or beside it is told the same after it.
            let [Did::Claim(key), Did::Charge(before), ..] = &done[5 * index..] else { panic!() };
            let again = engine.try_charge(&api, &key.secret, 10, &format!("op-{index}"));
            let again = outcome(again);
            assert!(before.is_err() || again == *before, "{stored:?}: {again:?}, {before:?}");
            assert!(again.is_ok(), "{stored:?}: {again:?}");
            let told = try_top_up(&peer, &format!("evt-{index}"), payer.account(), 7).unwrap();
            assert_eq!((told.account, told.credits), (AccountId::User(jane), 7));
        }
        assert_eq!(engine.of(AccountId::User(jane)).balance, 8 * (5 + 7), "{stored:?}");
    }
}

/// What one of many did.
enum Did {
    Claim(Key),
    Charge(Result<(i64, i64), Option<i64>>),
    Other,
}

/// What is left of all credits; a key that died by the claim is refused, and for want of credits nobody is.
fn left(done: &[Did]) -> i64 {
    let charged = done.iter().map(|did| match did {
        Did::Charge(Ok((cost, _))) => *cost,
        Did::Charge(Err(Some(balance))) => panic!("there was enough, not {balance}"),
        Did::Charge(Err(None)) | Did::Claim(_) | Did::Other => 0,
    });
    8 * (10 + 5 + 7) - charged.sum::<i64>()
}
