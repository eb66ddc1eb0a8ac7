use portcullis_credits::{AccountId, Cost, OperationId, PaymentWanted, Posted, Posting};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{
    AgentId, CreditEntryId, ExposeSecret, Field, Instant, SecretString, StoreError, StoreResult,
    codes, words::counted,
};
use portcullis_storage::{AsStoreError, StorageExt, UnitOfWork};

use super::account::account_of;
use crate::{
    Engine, Fault,
    agents::{InvalidInput, Judge},
    error::classify,
    oauth::Found,
};

/// How often a charge looks again when the account or its balance changed under it.
const LOOKS: u32 = 3;

/// A charge as it came in.
#[derive(Clone, Debug, Default)]
pub struct ChargeInput {
    /// The API key or access token of who called the resource server.
    pub token: Field<SecretString>,
    /// What the call costs, in credits.
    pub cost: Field<i64>,
    /// What the resource server calls this charge.
    pub operation_id: Field<String>,
}

/// A charge that keeps every rule.
#[derive(Clone, Debug)]
pub struct ChargeOrder {
    token: SecretString,
    cost: Cost,
    operation: OperationId,
}

/// A charge that was made, now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// What was charged, in credits.
    pub cost: i64,
    /// The balance right after it.
    pub balance: i64,
}

/// What is told of a charge that the balance does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequired {
    /// What it costs, in credits.
    pub required: i64,
    /// What there is.
    pub balance: i64,
    /// Where credits are got.
    pub topup_url: Option<String>,
    /// The value of `WWW-Authenticate`.
    pub challenge: String,
}

/// Why nothing was charged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChargeError {
    /// The token is dead, none of ours, or none of the resource server's business; which is not told.
    #[error("The token is unknown, dead, or none that this resource server may see.")]
    Token,
    /// The balance does not cover it.
    #[error("This call costs {}, and the balance is {}.", counted(.0.required, "credit"), .0.balance)]
    Payment(Box<PaymentRequired>),
    /// The operation was charged before, at another cost or to another account.
    #[error("operation_id was used for another charge; take a new one for a new charge.")]
    OtherCharge,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ChargeError {
    Self::Token => (NotFound, INVALID_TOKEN),
    Self::Payment(_) => (PaymentRequired, PAYMENT_REQUIRED),
    Self::OtherCharge => (Conflict, CONFLICT),
} via { Fault });

impl From<StoreError> for ChargeError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl AsStoreError for ChargeError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

impl ChargeInput {
    /// Judges the charge.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check(self) -> Result<ChargeOrder, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let token = judge.required("token", code, self.token, |token| {
            if token.expose_secret().is_empty() { Err("must not be empty") } else { Ok(token) }
        });
        let cost = judge.required("cost", code, self.cost, Cost::new);
        let operation =
            judge.required("operation_id", code, self.operation_id, |raw| OperationId::parse(&raw));
        let read = token.zip(cost).zip(operation);
        judge.finish(read.map(|((token, cost), operation)| ChargeOrder { token, cost, operation }))
    }
}

/// Who pays, as far as it is known.
#[derive(Clone, Copy)]
struct Payer {
    account: AccountId,
    /// The agent that called: it may be claimed meanwhile.
    agent: Option<AgentId>,
}

enum Outcome {
    Charged(Charged),
    Short(i64),
}

impl Engine {
    /// Charges who holds the token for one call of a resource server that may see it, once for each name
    /// of an operation: the same one again is answered as before. A key counts as used.
    ///
    /// # Errors
    /// [`ChargeError`]; nothing is then charged, nor is the name of the operation remembered.
    pub fn charge_credits(
        &self,
        server: &ResourceServer,
        order: &ChargeOrder,
    ) -> Result<Charged, ChargeError> {
        let now = self.now();
        let found = self.seen_by(server, &order.token, now)?;
        let payer = match found.ok_or(ChargeError::Token)? {
            Found::Key(holder) | Found::Agent(holder, _) => {
                Payer { account: account_of(&holder.agent), agent: Some(holder.agent.id) }
            }
            Found::Person(user, _) => Payer { account: AccountId::User(user.id), agent: None },
        };
        let id = CreditEntryId::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        let by = (server.id, order.operation.clone());
        let posting = Posting::charge(id, payer.account, order.cost, by, now);
        match self.storage.transact(|uow| charge(uow, payer, &posting))? {
            Outcome::Charged(charged) => Ok(charged),
            Outcome::Short(balance) => Err(self.payment_required(order, balance, now)?),
        }
    }

    fn payment_required(
        &self,
        order: &ChargeOrder,
        balance: i64,
        now: Instant,
    ) -> Result<ChargeError, Fault> {
        let options = &self.options.credits;
        let challenge = self.payments.challenge(&PaymentWanted {
            realm: &self.options.agents.token.issuer,
            cost: order.cost,
            operation: &order.operation,
            topup_url: options.topup_url.as_deref(),
            expires: now + options.challenge,
        })?;
        Ok(ChargeError::Payment(Box::new(PaymentRequired {
            required: order.cost.credits(),
            balance,
            topup_url: options.topup_url.clone(),
            challenge,
        })))
    }
}

fn charge(
    uow: &mut dyn UnitOfWork,
    payer: Payer,
    posting: &Posting,
) -> Result<Outcome, ChargeError> {
    let mut posting = posting.clone();
    for _ in 0..LOOKS {
        let posted = uow.credits().post(&posting)?;
        match posted {
            Posted::Done(balance) => return Ok(charged(&posting, balance)),
            Posted::Recorded(entry) if posting.repeats(&entry) => {
                return Ok(charged(&posting, entry.balance));
            }
            Posted::Recorded(_) | Posted::Refused => {}
        }
        // What the charge met may be the account of an agent that was claimed since it was looked up.
        let account = current(uow, payer)?.ok_or(ChargeError::Token)?;
        if account != posting.account {
            posting = posting.to(account);
            continue;
        }
        if matches!(posted, Posted::Recorded(_)) {
            return Err(ChargeError::OtherCharge);
        }
        let balance = uow.credits().balance(account)?;
        if balance < posting.delta.saturating_neg() {
            return Ok(Outcome::Short(balance));
        }
    }
    Err(StoreError::Contention("the account changes all the time".into()).into())
}

fn charged(posting: &Posting, balance: i64) -> Outcome {
    Outcome::Charged(Charged { cost: posting.delta.saturating_neg(), balance })
}

/// Who pays now.
fn current(uow: &mut dyn UnitOfWork, payer: Payer) -> StoreResult<Option<AccountId>> {
    let Some(agent) = payer.agent else { return Ok(Some(payer.account)) };
    Ok(uow.agents().find(agent)?.map(|agent| account_of(&agent)))
}
