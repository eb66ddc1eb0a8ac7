//! Balances, charges and what is given.

mod charges;
mod endings;
mod gifts;
mod model;
mod races;
mod top_ups;

use portcullis_audit::Actor;
use portcullis_credits::{AccountId, Entry, Ledger};
use portcullis_flows::{
    Engine,
    credits::{ChargeError, ChargeInput, Charged, Given, GrantInput},
    oauth::AddServer,
};
use portcullis_identity::{Agent, ResourceServer};
use portcullis_kernel::{AgentId, Field, Origin, UserId};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::engine::TestEngine;

use super::agents::{Agents as _, Key};

/// A resource server that sees the usual keys, and people's tokens.
fn server(engine: &Engine) -> ResourceServer {
    let scopes = Field::Given(vec!["messages:read".to_owned()]);
    let input = AddServer { name: "api".into(), scopes, people: true, ..AddServer::default() };
    engine.add_server(input, Actor::Operator, &Origin::local()).unwrap().server
}

/// An agent of nobody with a key and so many credits.
fn rich(engine: &Engine, credits: i64) -> Key {
    let key = engine.make_key(&engine.sign_up_bot("bot"));
    if credits > 0 {
        engine.give_to(AccountId::Agent(key.agent), credits);
    }
    key
}

/// What these tests do, in one call each.
trait Credits {
    fn try_give(&self, account: AccountId, credits: i64) -> Option<Given>;
    fn try_charge(
        &self,
        server: &ResourceServer,
        token: &str,
        cost: i64,
        operation: &str,
    ) -> Result<Charged, ChargeError>;
    fn of(&self, account: AccountId) -> Ledger;

    fn give_to(&self, account: AccountId, credits: i64) -> Given {
        self.try_give(account, credits).unwrap()
    }

    /// The balance, which is the sum of the newest entries; there are no more.
    fn sum(&self, account: AccountId) -> i64 {
        let ledger = self.of(account);
        let sum: i64 = ledger.entries.iter().map(|entry: &Entry| entry.posting.delta).sum();
        assert!(ledger.entries.len() == 10 || sum == ledger.balance, "{ledger:?}");
        ledger.balance
    }
}

impl Credits for Engine {
    fn try_give(&self, account: AccountId, credits: i64) -> Option<Given> {
        let grant = GrantInput { amount: credits.into(), note: Field::Absent }.check().unwrap();
        self.grant_credits(account, &grant, Actor::Operator, &Origin::local()).ok()
    }

    fn try_charge(
        &self,
        server: &ResourceServer,
        token: &str,
        cost: i64,
        operation: &str,
    ) -> Result<Charged, ChargeError> {
        let input = ChargeInput {
            token: Field::Given(token.into()),
            cost: cost.into(),
            operation_id: operation.into(),
        };
        self.charge_credits(server, &input.check().unwrap())
    }

    fn of(&self, account: AccountId) -> Ledger {
        self.ledger(account).unwrap()
    }
}

/// Makes the agent the user's, as a claim does: users are locked before agents, and those before accounts.
fn claim(engine: &TestEngine, agent: AgentId, owner: UserId) {
    let claimed = engine.storage.transact(|uow| {
        uow.users().lock(owner)?;
        let held = uow.agents().lock(agent)?;
        let agent = Agent { owner: Some(owner), ..held.unwrap() };
        uow.agents().update(&agent)?;
        uow.credits().merge(AccountId::Agent(agent.id), AccountId::User(owner))
    });
    claimed.unwrap();
}

/// What was charged and what is left; or whether it was for want of credits, and what there was.
fn outcome(charged: Result<Charged, ChargeError>) -> Result<(i64, i64), Option<i64>> {
    match charged {
        Ok(Charged { cost, balance }) => Ok((cost, balance)),
        Err(ChargeError::Payment(payment)) => Err(Some(payment.balance)),
        Err(ChargeError::Fault(fault)) => panic!("{fault:?}"),
        Err(_) => Err(None),
    }
}
