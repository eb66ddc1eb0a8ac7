use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credits::{AccountId, Amount, Entry, Note, OperationId, Posted, Posting, Reason};
use portcullis_kernel::{CreditEntryId, Field, Origin, ResourceServerId, StoreError, codes};
use portcullis_storage::{AsStoreError, StorageExt, UnitOfWork};

use super::account::{about, hold};
use crate::{
    Engine, Fault,
    agents::{InvalidInput, Judge},
    error::classify,
};

/// What an operator gives, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct GrantInput {
    /// How many credits.
    pub amount: Field<i64>,
    /// What for.
    pub note: Field<String>,
}

/// A grant that keeps every rule.
#[derive(Clone, Debug)]
pub struct NewGrant {
    amount: Amount,
    note: Option<Note>,
}

/// Credits that an account got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Whose account it is.
    pub account: AccountId,
    /// How many.
    pub credits: i64,
    /// The balance right after it.
    pub balance: i64,
}

/// Why nothing was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveError {
    /// There is no such user or agent, or no such charge.
    #[error("There is nobody to give it to, or no such charge.")]
    NotFound,
    /// The account would have more than it may.
    #[error("An account may have at most 1000000000000000 credits.")]
    TooMuch,
    /// The name of the event was used for another top-up.
    #[error("webhook-id was used for another top-up; take a new one for a new top-up.")]
    OtherTopUp,
    /// The charge was given back before.
    #[error("This charge was given back already.")]
    Refunded,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(GiveError {
    Self::NotFound => (NotFound, NOT_FOUND),
    Self::TooMuch | Self::OtherTopUp | Self::Refunded => (Conflict, CONFLICT),
} via { Fault });

impl From<StoreError> for GiveError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl AsStoreError for GiveError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

impl GrantInput {
    /// Judges the grant.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check(self) -> Result<NewGrant, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let amount = judge.required("amount", code, self.amount, Amount::new);
        let note = judge.optional("note", code, self.note, |raw| Note::parse(&raw));
        judge.finish(amount.map(|amount| NewGrant { amount, note }))
    }
}

impl Engine {
    /// Gives credits to a user, or to an agent: what is meant for one that belongs to a user is the user's.
    ///
    /// # Errors
    /// [`GiveError`].
    pub fn grant_credits(
        &self,
        account: AccountId,
        grant: &NewGrant,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Given, GiveError> {
        let now = self.now();
        let id = CreditEntryId::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        let posting = Posting::grant(id, account, grant.amount, grant.note.clone(), now);
        self.give(&posting, Action::CreditsGranted, actor, origin)
    }

    /// Gives a charge back, once, to whoever has it in their ledger now.
    ///
    /// # Errors
    /// [`GiveError`].
    pub fn refund_credits(
        &self,
        server: ResourceServerId,
        operation: &OperationId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Given, GiveError> {
        let now = self.now();
        let id = CreditEntryId::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        let event = self.event(Action::CreditsRefunded, actor, origin, now).map_err(Fault::from)?;
        self.storage.transact(|uow| {
            let charge = hold_charge(uow, server, operation)?;
            let posting = Posting::refund(id, &charge, None, now);
            post(uow, &posting, &event)
        })
    }

    /// Posts what an account gets, and writes down that it did; what was done before is answered as then,
    /// whatever became of whom it was meant for.
    pub(super) fn give(
        &self,
        posting: &Posting,
        action: Action,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Given, GiveError> {
        let event = self.event(action, actor, origin, posting.at).map_err(Fault::from)?;
        self.storage.transact(|uow| {
            if let Some(entry) = recorded(uow, posting)? {
                return repeated(posting, &entry);
            }
            match hold(uow, posting.account)? {
                Some(account) => post(uow, &posting.clone().to(account), &event),
                // It may have been given beside this, and the agent erased since.
                None => match recorded(uow, posting)? {
                    Some(entry) => repeated(posting, &entry),
                    None => Err(GiveError::NotFound),
                },
            }
        })
    }
}

/// The entry of a charge, whose user or agent is held until the transaction ends: whose it is can change
/// until then.
fn hold_charge(
    uow: &mut dyn UnitOfWork,
    server: ResourceServerId,
    operation: &OperationId,
) -> Result<Entry, GiveError> {
    let before = find_charge(uow, server, operation)?;
    hold(uow, before.posting.account)?;
    let held = find_charge(uow, server, operation)?;
    if held.posting.account != before.posting.account {
        return Err(StoreError::Contention("the charge went to another ledger".into()).into());
    }
    Ok(held)
}

fn find_charge(
    uow: &mut dyn UnitOfWork,
    server: ResourceServerId,
    operation: &OperationId,
) -> Result<Entry, GiveError> {
    let found = uow.credits().find(Reason::Charge, Some(server), operation)?;
    found.ok_or(GiveError::NotFound)
}

/// Posts to an account whose user or agent is held.
fn post(
    uow: &mut dyn UnitOfWork,
    posting: &Posting,
    event: &AuditEvent,
) -> Result<Given, GiveError> {
    match uow.credits().post(posting)? {
        Posted::Done(balance) => {
            let event = event.clone().with_detail(posting.delta.to_string());
            uow.audit().append(&about(event, posting.account))?;
            Ok(Given { account: posting.account, credits: posting.delta, balance })
        }
        Posted::Recorded(entry) => repeated(posting, &entry),
        Posted::Refused => Err(GiveError::TooMuch),
    }
}

/// What goes by the same name already.
fn recorded(uow: &mut dyn UnitOfWork, posting: &Posting) -> Result<Option<Entry>, StoreError> {
    match &posting.operation {
        Some(operation) => uow.credits().find(posting.reason, posting.server, operation),
        None => Ok(None),
    }
}

/// The answer when something of the same name was given before: the same again, if it was the same.
fn repeated(posting: &Posting, entry: &Entry) -> Result<Given, GiveError> {
    if posting.reason == Reason::Refund {
        return Err(GiveError::Refunded);
    }
    if !posting.repeats(entry) {
        return Err(GiveError::OtherTopUp);
    }
    let Entry { posting: given, balance } = entry;
    Ok(Given { account: given.account, credits: given.delta, balance: *balance })
}
