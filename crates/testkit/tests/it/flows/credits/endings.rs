//! What becomes of credits when their user or agent goes.

use portcullis_audit::Actor;
use portcullis_credits::AccountId;
use portcullis_kernel::Origin;
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{JANE, People as _, agents::everywhere},
    Credits as _, claim, outcome, rich, server,
};

#[test]
fn q5_credits_go_with_their_user_and_with_their_agent() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let api = server(&engine);
        let jane = engine.join(JANE).user.id;
        let (claimed, loner) = (rich(&engine, 10), rich(&engine, 10));
        let key = claim(&engine, &claimed, JANE).key;
        for key in [&key, &loner.key] {
            outcome(engine.try_charge(&api, &key.secret, 1, &key.id.to_string())).unwrap();
        }
        engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
        engine.delete_agent(loner.key.agent, Actor::Operator, &Origin::local()).unwrap();
        let accounts = [AccountId::User(jane), loner.account(), claimed.account()];
        for account in accounts {
            assert!(engine.of(account).entries.is_empty(), "{stored:?}");
            assert_eq!(engine.sum(account), 0);
        }
        // Its agent's keys went with the user.
        assert_eq!(outcome(engine.try_charge(&api, &key.secret, 1, "x")), Err(None));
    }
}
