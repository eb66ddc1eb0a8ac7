//! One charge after the other.

use portcullis_audit::Actor;
use portcullis_credits::AccountId;
use portcullis_flows::credits::{ChargeError, ChargeInput};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, ExposeSecret as _, Field, Origin, codes};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{JANE, People as _, agents::Agents as _, registration::unlimited, told},
    Credits as _, claim, outcome, rich, server,
};

#[test]
fn a_charge_takes_its_cost_and_tells_what_is_left() {
    let engine = TestEngine::new();
    let (api, payer) = (server(&engine), rich(&engine, 10));
    let key = &payer.key;
    let account = AccountId::Agent(key.agent);
    assert_eq!(outcome(engine.try_charge(&api, &key.secret, 3, "one")), Ok((3, 7)));
    let token = engine.token(key);
    assert_eq!(outcome(engine.try_charge(&api, &token, 7, "two")), Ok((7, 0)));
    assert_eq!(engine.sum(account), 0);
    let entries = engine.of(account).entries;
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| (entry.posting.delta, entry.posting.server, entry.balance))
        .collect();
    assert!(shown.contains(&(-3, Some(api.id), 7)) && shown.contains(&(-7, Some(api.id), 0)));
}

#[test]
fn q1_an_operation_is_charged_once_and_answered_as_before() {
    let engine = TestEngine::new();
    let (api, other) = (server(&engine), server(&engine));
    let key = rich(&engine, 10).key;
    for _ in 0..3 {
        assert_eq!(outcome(engine.try_charge(&api, &key.secret, 4, "op")), Ok((4, 6)));
        // In between other things happen.
        engine.give_to(AccountId::Agent(key.agent), 1);
    }
    assert_eq!(engine.sum(AccountId::Agent(key.agent)), 9);
    // Also when there is not enough any more.
    assert_eq!(outcome(engine.try_charge(&api, &key.secret, 9, "rest")), Ok((9, 0)));
    assert_eq!(outcome(engine.try_charge(&api, &key.secret, 4, "op")), Ok((4, 6)));
    // Another server's operation of that name is another one.
    assert_eq!(outcome(engine.try_charge(&other, &key.secret, 4, "op")), Err(Some(0)));
}

#[test]
fn q1_an_operation_at_another_cost_or_of_another_account_is_a_conflict() {
    let engine = TestEngine::new();
    let api = server(&engine);
    let [key, other] = [rich(&engine, 10).key, rich(&engine, 10).key];
    engine.try_charge(&api, &key.secret, 4, "op").unwrap();
    for (token, cost) in [(&key.secret, 5), (&key.secret, 1_000_000), (&other.secret, 4)] {
        let refused = engine.try_charge(&api, token, cost, "op").unwrap_err();
        assert!(matches!(refused, ChargeError::OtherCharge), "{refused:?}");
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, codes::CONFLICT));
    }
    let left = [key, other].map(|key| engine.sum(AccountId::Agent(key.agent)));
    assert_eq!(left, [6, 10]);
}

#[test]
fn q2_a_charge_beyond_the_balance_is_refused_told_and_not_remembered() {
    let engine = TestEngine::builder()
        .options(|options| options.credits.topup_url = Some("https://pay.example/a".into()))
        .build();
    let (api, payer) = (server(&engine), rich(&engine, 3));
    let key = &payer.key;
    let refused = engine.try_charge(&api, &key.secret, 5, "op").unwrap_err();
    let text = "This call costs 5 credits, and the balance is 3.";
    let kind = (ErrorKind::PaymentRequired, codes::PAYMENT_REQUIRED, text.to_owned());
    assert_eq!(told(&refused), kind);
    let ChargeError::Payment(payment) = refused else { panic!() };
    assert_eq!((payment.required, payment.balance), (5, 3));
    assert_eq!(payment.topup_url.as_deref(), Some("https://pay.example/a"));
    assert!(payment.challenge.starts_with("Payment id=\""), "{}", payment.challenge);
    assert_eq!(engine.sum(AccountId::Agent(key.agent)), 3);
    let nothing = rich(&engine, 0).key.secret;
    let refused = engine.try_charge(&api, &nothing, 1, "op").unwrap_err();
    assert_eq!(refused.to_string(), "This call costs 1 credit, and the balance is 0.");
    engine.give_to(AccountId::Agent(key.agent), 2);
    assert_eq!(outcome(engine.try_charge(&api, &key.secret, 5, "op")), Ok((5, 0)));
}

#[test]
fn a_challenge_says_until_when_and_is_another_ones_with_another_master_key() {
    let engine = TestEngine::new();
    let (api, payer) = (server(&engine), rich(&engine, 0));
    let key = &payer.key;
    let challenge = |engine: &TestEngine| {
        let Err(ChargeError::Payment(payment)) = engine.try_charge(&api, &key.secret, 1, "op")
        else {
            panic!()
        };
        payment.challenge
    };
    let first = challenge(&engine);
    assert!(first.contains("expires=\"2026-03-04T05:11:07Z\""), "{first}");
    assert_eq!(challenge(&engine), first);
    engine.clock.advance(Duration::SECOND);
    assert_ne!(challenge(&engine), first);
}

#[test]
fn q3_only_what_the_resource_server_may_see_can_be_charged() {
    let engine = TestEngine::new();
    let (api, payer) = (server(&engine), rich(&engine, 10));
    let key = &payer.key;
    let mut blind = server(&engine);
    blind.scopes = "billing".parse().unwrap();
    blind.people = false;
    let jane = engine.join(JANE);
    let person = jane.tokens.access.token.expose_secret().to_owned();
    engine.give_to(AccountId::User(jane.user.id), 10);
    let token = engine.token(key);
    for hidden in [&key.secret, &token, &person] {
        let refused = engine.try_charge(&blind, hidden, 1, "op").unwrap_err();
        assert!(matches!(refused, ChargeError::Token));
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::NotFound, codes::INVALID_TOKEN));
    }
    for unknown in ["x", "sk_", "a.b.c", "", "\0"] {
        if unknown.is_empty() {
            continue;
        }
        assert!(matches!(engine.try_charge(&api, unknown, 1, "op"), Err(ChargeError::Token)));
    }
    assert_eq!(outcome(engine.try_charge(&api, &person, 1, "of a person")), Ok((1, 9)));
    let shut =
        |status| engine.set_agent_status(key.agent, status, Actor::Operator, &Origin::local());
    shut(AgentStatus::Suspended).unwrap();
    assert!(matches!(engine.try_charge(&api, &key.secret, 1, "op"), Err(ChargeError::Token)));
    shut(AgentStatus::Active).unwrap();
    let id = key.id.to_string();
    engine.revoke_key(key.agent, &id, Actor::Operator, &Origin::local()).unwrap();
    for dead in [&key.secret, &token] {
        assert!(matches!(engine.try_charge(&api, dead, 1, "op"), Err(ChargeError::Token)));
    }
    assert_eq!(engine.sum(AccountId::Agent(key.agent)), 10);
}

#[test]
fn q4_the_agents_of_a_user_spend_the_users_credits() {
    let engine = unlimited();
    let api = server(&engine);
    let jane = engine.join(JANE).user.id;
    let (first, second, loner) = (rich(&engine, 5), rich(&engine, 0), rich(&engine, 1));
    let [first, second] = [first, second].map(|payer| claim(&engine, &payer, JANE).key.secret);
    assert_eq!(engine.sum(AccountId::User(jane)), 5);
    assert_eq!(outcome(engine.try_charge(&api, &second, 2, "a")), Ok((2, 3)));
    assert_eq!(outcome(engine.try_charge(&api, &first, 2, "b")), Ok((2, 1)));
    assert_eq!(outcome(engine.try_charge(&api, &first, 2, "c")), Err(Some(1)));
    assert_eq!(outcome(engine.try_charge(&api, &loner.key.secret, 2, "d")), Err(Some(1)));
}

#[test]
fn q1_an_operation_charged_before_a_claim_is_answered_as_before() {
    let engine = TestEngine::new();
    let api = server(&engine);
    let payer = rich(&engine, 10);
    engine.try_charge(&api, &payer.key.secret, 4, "op").unwrap();
    let jane = engine.join(JANE).user.id;
    engine.give_to(AccountId::User(jane), 100);
    let secret = claim(&engine, &payer, JANE).key.secret;
    assert_eq!(outcome(engine.try_charge(&api, &secret, 4, "op")), Ok((4, 6)));
    assert_eq!(outcome(engine.try_charge(&api, &secret, 5, "op")), Err(None));
    assert_eq!(engine.sum(AccountId::User(jane)), 106);
    assert_eq!(outcome(engine.try_charge(&api, &secret, 6, "new")), Ok((6, 100)));
}

#[test]
fn every_broken_field_of_a_charge_is_named() {
    let nothing = ChargeInput::default().check().unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "cost is required; operation_id is required; token is required."
    );
    let wrong =
        ChargeInput { token: Field::Given("".into()), cost: 0.into(), operation_id: "\n".into() };
    assert_eq!(
        wrong.check().unwrap_err().to_string(),
        "cost must be 1 to 1000000; operation_id must be 1 to 128 printable ASCII characters; \
         token must not be empty."
    );
}
