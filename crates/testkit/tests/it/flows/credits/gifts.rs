//! What operators give, and give back.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credits::{AccountId, OperationId, Reason};
use portcullis_flows::credits::{FindAccountError, GiveError, GrantInput};
use portcullis_kernel::{Classify as _, ErrorKind, Field, Origin};
use portcullis_storage::TxMode;
use portcullis_testkit::{
    app::Stored,
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};

use super::{
    super::{
        JANE, People as _, Stored as _,
        agents::{StoredAgents as _, everywhere},
        registration::Claims as _,
    },
    Credits as _, claim, outcome, rich, server,
};

#[test]
fn what_an_operator_gives_is_in_the_ledger_and_in_the_log() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let input = GrantInput { amount: 500.into(), note: " Welcome ".into() };
    let grant = input.check().unwrap();
    let account = engine.find_account(JANE).unwrap();
    assert_eq!(account, AccountId::User(jane));
    let given = engine.grant_credits(account, &grant, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!((given.account, given.credits, given.balance), (account, 500, 500));
    let shown = engine.show_credits(&jane.to_string()).unwrap();
    assert_eq!((shown.id, shown.ledger.balance), (account, 500));
    let entry = &shown.ledger.entries[0];
    assert_eq!((entry.posting.reason, entry.posting.delta), (Reason::Grant, 500));
    assert_eq!(entry.posting.note.as_ref().unwrap().as_str(), "Welcome");
    assert_eq!(entry.posting.at, engine.now());
    let events = engine.events(jane);
    let event = events.iter().find(|event| event.action == Action::CreditsGranted).unwrap();
    assert_eq!((event.actor, event.detail.as_deref()), (Actor::Operator, Some("500")));
    let agent = rich(&engine, 5).key.agent;
    assert_eq!(engine.bot_count(agent, Action::CreditsGranted, Outcome::Success), 1);
}

#[test]
fn q4_what_is_meant_for_an_agent_of_a_user_is_the_users() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let payer = rich(&engine, 5);
    claim(&engine, &payer, JANE);
    // As it was looked up before the claim.
    let given = engine.give_to(payer.account(), 7);
    assert_eq!((given.account, given.balance), (AccountId::User(jane), 12));
    assert_eq!(engine.find_account(&payer.account().to_string()).unwrap(), AccountId::User(jane));
    assert_eq!(engine.sum(payer.account()), 0);
}

#[test]
fn nobody_gets_nothing() {
    let engine = TestEngine::new();
    let gone = AccountId::Agent(format!("agt_{}", "0".repeat(32)).parse().unwrap());
    let grant = GrantInput { amount: 1.into(), note: Field::Absent }.check().unwrap();
    let give = |account| engine.grant_credits(account, &grant, Actor::Operator, &Origin::local());
    for account in [gone, AccountId::User("01HRHZ2K00ZZZZZZZZZZZZZZZZ".parse().unwrap())] {
        let refused = give(account).unwrap_err();
        assert!(matches!(refused, GiveError::NotFound), "{refused:?}");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        assert_eq!(engine.sum(account), 0);
    }
    for text in ["", "x", "agt_", &gone.to_string(), "nobody@example.com", "\0"] {
        let refused = engine.find_account(text).unwrap_err();
        assert!(matches!(refused, FindAccountError::NotFound), "{text}: {refused:?}");
    }
}

#[test]
fn an_account_is_not_filled_beyond_its_bound() {
    let engine = TestEngine::new();
    let account = rich(&engine, 0).account();
    for _ in 0..1000 {
        engine.give_to(account, 1_000_000_000_000);
    }
    assert!(engine.try_give(account, 1).is_none());
    let grant = GrantInput { amount: 1.into(), note: Field::Absent }.check().unwrap();
    let refused =
        engine.grant_credits(account, &grant, Actor::Operator, &Origin::local()).unwrap_err();
    assert!(matches!(refused, GiveError::TooMuch));
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(engine.of(account).balance, 1_000_000_000_000_000);
}

#[test]
fn a_charge_is_given_back_once_to_whoever_has_it_now() {
    let engine = TestEngine::new();
    let (api, payer) = (server(&engine), rich(&engine, 10));
    engine.try_charge(&api, &payer.key.secret, 4, "op").unwrap();
    let jane = engine.join(JANE).user.id;
    let key = claim(&engine, &payer, JANE).key;
    let operation = OperationId::parse("op").unwrap();
    let refund = || engine.refund_credits(api.id, &operation, Actor::Operator, &Origin::local());
    let given = refund().unwrap();
    assert_eq!((given.account, given.credits, given.balance), (AccountId::User(jane), 4, 10));
    assert!(matches!(refund().unwrap_err(), GiveError::Refunded));
    assert_eq!(engine.sum(AccountId::User(jane)), 10);
    assert_eq!(engine.count(jane, Action::CreditsRefunded, Outcome::Success), 1);
    // What was charged and given back is not charged again.
    assert_eq!(outcome(engine.try_charge(&api, &key.secret, 4, "op")), Ok((4, 6)));
    let other = OperationId::parse("another").unwrap();
    let unknown = engine.refund_credits(api.id, &other, Actor::Operator, &Origin::local());
    assert!(matches!(unknown.unwrap_err(), GiveError::NotFound));
}

/// A charge is given back while, right before this step of its transaction, its agent is claimed and then
/// taken from its owner again, on another server.
fn refund_beside_a_claim(stored: &Stored, step: usize) {
    let fast = TestEngine::builder().storage(stored.storage());
    let fast = Arc::new(fast.options(|options| options.limits.enabled = false).build());
    let steps = FaultyStorage::over(fast.storage.clone());
    let slow = fast.peer().storage(steps.clone()).build();
    let api = server(&fast);
    let refund = |operation: &str| {
        let operation = OperationId::parse(operation).unwrap();
        slow.refund_credits(api.id, &operation, Actor::Operator, &Origin::local()).unwrap()
    };
    let charged = |operation: &str| {
        let payer = rich(&fast, 10);
        fast.try_charge(&api, &payer.key.secret, 4, operation).unwrap();
        payer
    };
    // Where it writes is seen by the refund of another charge.
    charged("another");
    steps.heal();
    refund("another");
    let begin = steps.position(Step::Begin(TxMode::Write)).unwrap();
    let (payer, acting) = (charged("op"), Arc::clone(&fast));
    steps.run_at(begin + step, move || {
        let undo = claim(&acting, &payer, JANE).undo;
        acting.try_undo(&undo).unwrap();
    });
    let given = refund("op");
    let jane = fast.find_user(JANE).unwrap().id;
    assert_eq!((given.account, given.balance), (AccountId::User(jane), 10), "{stored:?} {step}");
    assert_eq!(fast.sum(AccountId::User(jane)), 10);
    assert_eq!(fast.count(jane, Action::CreditsRefunded, Outcome::Success), 1);
}

#[test]
fn q4_a_charge_is_given_back_to_whoever_has_it_when_it_is_given() {
    for stored in everywhere() {
        refund_beside_a_claim(&stored, 0);
    }
    // Here alone others write while a transaction is open: after the charge was looked up in it.
    if let Some(postgres) = Stored::postgres() {
        refund_beside_a_claim(&postgres, 2);
    }
}

#[test]
fn every_broken_field_of_a_grant_is_named() {
    let wrong = GrantInput { amount: (-1).into(), note: "\n".into() }.check().unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "amount must be 1 to 1000000000000; note must be 1 to 200 characters, without control \
         characters."
    );
}
