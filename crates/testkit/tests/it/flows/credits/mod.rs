//! Balances, charges and what is given.

mod charges;
mod endings;
mod faults;
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
use portcullis_identity::ResourceServer;
use portcullis_kernel::{Field, Origin};

use super::{
    agents::Key,
    mailbox::Mail as _,
    registration::{Claims as _, Newcomer},
};

/// A resource server that sees the keys of agents that signed themselves up, and people's tokens.
fn server(engine: &Engine) -> ResourceServer {
    let scopes = Field::Given(vec!["api.read".to_owned()]);
    let input = AddServer { name: "api".into(), scopes, people: true, ..AddServer::default() };
    engine.add_server(input, Actor::Operator, &Origin::local()).unwrap().server
}

/// An agent of nobody that signed itself up.
struct Payer {
    newcomer: Newcomer,
    /// The key that it has until it is claimed.
    key: Key,
}

impl Payer {
    /// Where its credits are while it is nobody's.
    fn account(&self) -> AccountId {
        AccountId::Agent(self.key.agent)
    }
}

/// An agent of nobody with a key and so many credits.
fn rich(engine: &Engine, credits: i64) -> Payer {
    let newcomer = engine.anonymous();
    let payer = Payer { key: newcomer.key.clone().unwrap(), newcomer };
    if credits > 0 {
        engine.give_to(payer.account(), credits);
    }
    payer
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

/// What a claim made.
struct Claimed {
    /// The key that the agent has from then on.
    key: Key,
    /// What undoes the claim.
    undo: String,
}

/// The person with this address claims the agent, by a mailed code.
fn claim(engine: &Engine, payer: &Payer, email: &str) -> Claimed {
    let key = engine.claim(&payer.newcomer, email);
    Claimed { key, undo: engine.receive("agent_claimed") }
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
