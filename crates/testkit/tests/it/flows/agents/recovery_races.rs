//! A code that everybody presents at once: one wins, the others are told so, and nothing fails.

use portcullis_audit::{Action, Outcome};
use portcullis_flows::agents::{RecoverError, RecoveredAgent};
use portcullis_kernel::ExposeSecret as _;
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    super::{at_once, from, mailbox::Mail as _},
    Agents as _, BOX, Bot, StoredAgents as _, everywhere,
};

/// Two hundred redemptions of each of several codes, from two hundred addresses, on two servers.
fn volley(stored: &Stored) {
    let engine = TestEngine::builder().storage(stored.storage());
    let engine = engine.options(|options| options.limits.enabled = false).build();
    let peer = engine.peer().storage(stored.another_instance().storage()).build();
    let bot = engine.sign_up_at("bot", BOX);
    for round in 1..=3 {
        let code = engine.codes(BOX).remove(0).1;
        let done = at_once(200, |index| {
            let engine = [&engine, &peer][index % 2];
            engine.try_recover(BOX, &code, false, &from(&format!("198.51.{index}.7")))
        });
        let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, RecoverError::AlreadyUsed), "{error:?}");
        }
        let [Ok(RecoveredAgent { id, recovery_key })] = <[_; 1]>::try_from(won).unwrap() else {
            unreachable!()
        };
        let recovery = recovery_key.into_secret().expose_secret().to_owned();
        assert!(engine.manage(&Bot { id, recovery }).is_ok(), "the winner's key works");
        assert_eq!(engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Success), round);
        assert_eq!(engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Failure), 0);
        engine.deliver();
    }
}

#[test]
fn o2_f1_of_two_hundred_that_use_one_code_at_once_one_succeeds() {
    everywhere().for_each(|stored| volley(&stored));
}
