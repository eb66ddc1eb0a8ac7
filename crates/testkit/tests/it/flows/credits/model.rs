//! Any number of charges, grants and claims against a plain sum.

use std::collections::BTreeMap;

use portcullis_credits::AccountId;
use portcullis_kernel::Entropy as _;
use portcullis_testkit::{engine::TestEngine, entropy::SeededEntropy};

use super::{
    super::{JANE, People as _},
    Credits as _, claim, outcome, rich, server,
};

#[test]
fn q2_a_balance_is_the_sum_of_what_was_done_and_never_below_zero() {
    for seed in 0..20 {
        let dice = SeededEntropy::new(1000 + seed);
        let roll = |sides: u8| {
            let mut byte = [0];
            dice.fill(&mut byte).unwrap();
            byte[0] % sides
        };
        let engine = TestEngine::builder().options(|o| o.limits.enabled = false).build();
        let api = server(&engine);
        let jane = engine.join(JANE).user.id;
        let payers = [(); 3].map(|()| rich(&engine, 0));
        let mut secrets = payers.each_ref().map(|payer| payer.key.secret.clone());
        let mut owned = [false; 3];
        let mut balances: BTreeMap<AccountId, i64> = BTreeMap::new();
        let mut done: BTreeMap<String, (usize, i64, i64)> = BTreeMap::new();
        for _ in 0..120 {
            let index = usize::from(roll(3));
            let agent = payers[index].key.agent;
            let account = |owned: bool| AccountId::of_agent(agent, owned.then_some(jane));
            let own = account(owned[index]);
            match roll(10) {
                0 if !owned[index] => {
                    secrets[index] = claim(&engine, &payers[index], JANE).key.secret;
                    owned[index] = true;
                    let moved = balances.remove(&own).unwrap_or_default();
                    *balances.entry(account(true)).or_default() += moved;
                }
                1..=3 => {
                    let credits = i64::from(roll(20)) + 1;
                    *balances.entry(own).or_default() += credits;
                    let given = engine.give_to(AccountId::Agent(agent), credits);
                    assert_eq!(given.balance, balances[&own]);
                }
                _ => {
                    let (cost, operation) = (i64::from(roll(9)) + 1, format!("op-{}", roll(40)));
                    let charged =
                        outcome(engine.try_charge(&api, &secrets[index], cost, &operation));
                    let balance = balances.entry(own).or_default();
                    match done.get(&operation) {
                        Some((by, paid, left)) => {
                            let same =
                                *paid == cost && (*by == index || (owned[*by] && owned[index]));
                            let expected = if same { Ok((cost, *left)) } else { Err(None) };
                            assert_eq!(charged, expected, "seed {seed}");
                        }
                        None if *balance >= cost => {
                            *balance -= cost;
                            assert_eq!(charged, Ok((cost, *balance)), "seed {seed}");
                            done.insert(operation, (index, cost, *balance));
                        }
                        None => assert_eq!(charged, Err(Some(*balance)), "seed {seed}"),
                    }
                }
            }
        }
        for (account, balance) in balances {
            assert_eq!(engine.of(account).balance, balance, "seed {seed}");
        }
    }
}
