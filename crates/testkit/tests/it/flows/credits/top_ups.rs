//! What a payment system tells.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credits::{AccountId, Reason};
use portcullis_flows::credits::{GiveError, Given, PresentedDelivery, TopUpInput};
use portcullis_kernel::{Classify as _, ErrorKind, Field, Origin};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        JANE, People as _,
        agents::{StoredAgents as _, everywhere},
        at_once, home,
        mailbox::Mail as _,
        registration::Claims as _,
    },
    Credits as _, Payer, claim, rich,
};

pub(super) fn try_top_up(
    engine: &TestEngine,
    event: &str,
    account: AccountId,
    credits: i64,
) -> Result<Given, GiveError> {
    let delivery = PresentedDelivery { id: event.to_owned(), ..PresentedDelivery::default() };
    let input = TopUpInput {
        kind: "credits.topup".into(),
        account: Field::Given(account.to_string()),
        amount: credits.into(),
        note: "Invoice 7".into(),
    };
    engine.top_up(&delivery.check(input).unwrap(), &home())
}

#[test]
fn q6_an_event_is_recorded_once_and_answered_as_before() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let agent = rich(&engine, 1).key.agent;
        let account = AccountId::Agent(agent);
        let given = at_once(20, |_| try_top_up(&engine, "evt_1", account, 50).unwrap());
        let first = Given { account, credits: 50, balance: 51 };
        assert!(given.iter().all(|one| *one == first), "{stored:?}: {given:?}");
        assert_eq!(engine.sum(account), 51);
        assert_eq!(engine.bot_count(agent, Action::CreditsToppedUp, Outcome::Success), 1);
        let event = engine.bot_events(agent).into_iter().find(|event| event.actor == Actor::System);
        assert_eq!(event.unwrap().detail.as_deref(), Some("50"));
        let entries = engine.of(account).entries;
        let entry = entries.iter().find(|entry| entry.posting.reason == Reason::Topup).unwrap();
        assert_eq!(entry.posting.operation.as_ref().unwrap().as_str(), "evt_1");
        assert_eq!(entry.posting.note.as_ref().unwrap().as_str(), "Invoice 7");
    }
}

#[test]
fn q6_an_event_that_says_something_else_the_second_time_is_a_conflict() {
    let engine = TestEngine::new();
    let [first, second] = [rich(&engine, 1), rich(&engine, 1)].map(|payer| payer.account());
    try_top_up(&engine, "evt_1", first, 50).unwrap();
    for (account, credits) in [(first, 51), (second, 50)] {
        let refused = try_top_up(&engine, "evt_1", account, credits).unwrap_err();
        assert!(matches!(refused, GiveError::OtherTopUp), "{refused:?}");
        assert_eq!(refused.kind(), ErrorKind::Conflict);
    }
    assert_eq!([first, second].map(|account| engine.sum(account)), [51, 1]);
}

#[test]
fn an_event_for_nobody_is_not_remembered() {
    let engine = TestEngine::new();
    let nobody = format!("agt_{}", "0".repeat(32)).parse().unwrap();
    let refused = try_top_up(&engine, "evt_1", nobody, 50).unwrap_err();
    assert!(matches!(refused, GiveError::NotFound), "{refused:?}");
    let account = rich(&engine, 0).account();
    assert_eq!(try_top_up(&engine, "evt_1", account, 50).unwrap().balance, 50);
}

#[test]
fn q6_an_event_that_comes_again_after_a_claim_is_answered_as_before() {
    let engine = TestEngine::new();
    let payer = rich(&engine, 0);
    try_top_up(&engine, "evt_1", payer.account(), 50).unwrap();
    let jane = engine.join(JANE).user.id;
    claim(&engine, &payer, JANE);
    let again = try_top_up(&engine, "evt_1", payer.account(), 50).unwrap();
    assert_eq!(again, Given { account: AccountId::User(jane), credits: 50, balance: 50 });
    assert_eq!(engine.sum(AccountId::User(jane)), 50);
}

/// How an agent is its owner's no more.
type Ending = fn(&TestEngine, &Payer, &str);

const ENDINGS: [Ending; 3] = [
    |engine, payer, _| {
        let jane = engine.bearer(&engine.enter(JANE).tokens);
        engine.give_up_agent(&jane, &payer.key.agent.to_string(), &home()).unwrap();
    },
    |engine, _, undo| engine.try_undo(undo).unwrap(),
    |engine, payer, _| {
        engine.delete_agent(payer.key.agent, Actor::Operator, &Origin::local()).unwrap();
    },
];

#[test]
fn q6_an_event_is_answered_as_before_whatever_became_of_the_agent_that_it_names() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage());
        let engine = engine.options(|options| options.limits.enabled = false).build();
        let jane = AccountId::User(engine.join_verified(JANE).user.id);
        for (number, end) in ENDINGS.into_iter().enumerate() {
            let payer = rich(&engine, 0);
            let claimed = claim(&engine, &payer, JANE);
            let before = engine.of(jane).balance;
            let event = format!("evt_{number}");
            let first = try_top_up(&engine, &event, payer.account(), 50).unwrap();
            assert_eq!(first, Given { account: jane, credits: 50, balance: before + 50 });
            end(&engine, &payer, &claimed.undo);
            for _ in 0..2 {
                let again = try_top_up(&engine, &event, payer.account(), 50).unwrap();
                assert_eq!(again, first, "{stored:?} {number}");
            }
            assert_eq!(engine.of(jane).balance, before + 50);
            assert_eq!(engine.of(payer.account()).balance, 0);
            // It is another one that names somebody else, or another amount.
            let other = rich(&engine, 0).account();
            for (account, credits) in [(payer.account(), 51), (jane, 50), (other, 50)] {
                let refused = try_top_up(&engine, &event, account, credits).unwrap_err();
                assert!(matches!(refused, GiveError::OtherTopUp), "{refused:?}");
            }
        }
    }
}

#[test]
fn every_broken_field_of_a_top_up_is_named() {
    let delivery = PresentedDelivery { id: "é".into(), ..PresentedDelivery::default() };
    let input = TopUpInput {
        kind: "credits.refund".into(),
        account: "jane@example.com".into(),
        amount: 0.into(),
        note: "\u{7}".into(),
    };
    assert_eq!(
        delivery.check(input).unwrap_err().to_string(),
        "data.account must be the id of a user or agent; data.amount must be 1 to 1000000000000; \
         data.note must be 1 to 200 characters, without control characters; type must be \
         credits.topup; webhook-id must be 1 to 128 printable ASCII characters."
    );
}
