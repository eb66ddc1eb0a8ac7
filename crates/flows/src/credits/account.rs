use portcullis_audit::AuditEvent;
use portcullis_credits::{AccountId, Ledger};
use portcullis_identity::{Agent, User};
use portcullis_kernel::{AgentId, StoreError, StoreResult};
use portcullis_storage::{StorageExt, UnitOfWork};

use crate::{Engine, Fault, admin::FindUserError, agents::MissingAgent, error::classify};

/// Entries of a ledger that are shown.
const NEWEST: u32 = 10;

/// An account as somebody named it, and its ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditAccount {
    /// Whose ledger it is: of an agent that belongs to a user, the user's.
    pub id: AccountId,
    /// Balance and newest entries.
    pub ledger: Ledger,
}

/// Why no account was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindAccountError {
    /// There is no such user or agent.
    #[error("No such user or agent.")]
    NotFound,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(FindAccountError { Self::NotFound => (NotFound, NOT_FOUND), } via { Fault });

impl From<FindUserError> for FindAccountError {
    fn from(error: FindUserError) -> Self {
        match error {
            FindUserError::Fault(fault) => Self::Fault(fault),
            _ => Self::NotFound,
        }
    }
}

impl From<MissingAgent> for FindAccountError {
    fn from(error: MissingAgent) -> Self {
        match error {
            MissingAgent::Fault(fault) => Self::Fault(fault),
            MissingAgent::NotFound => Self::NotFound,
        }
    }
}

impl Engine {
    /// The account of a user, named by id or address, or of an agent, named by id: of one that belongs to
    /// a user, the user's.
    ///
    /// # Errors
    /// [`FindAccountError`].
    pub fn find_account(&self, id_or_email: &str) -> Result<AccountId, FindAccountError> {
        if id_or_email.starts_with(AgentId::PREFIX) {
            return Ok(account_of(&self.find_agent(id_or_email)?.agent));
        }
        Ok(AccountId::User(self.find_user(id_or_email)?.id))
    }

    /// The same with its ledger.
    ///
    /// # Errors
    /// [`FindAccountError`].
    pub fn show_credits(&self, id_or_email: &str) -> Result<CreditAccount, FindAccountError> {
        let id = self.find_account(id_or_email)?;
        Ok(CreditAccount { id, ledger: self.ledger(id)? })
    }

    /// An account's balance and its ten newest entries, newest first. Without any there is nothing.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn ledger(&self, account: AccountId) -> Result<Ledger, Fault> {
        Ok(self.storage.read(|uow| uow.credits().ledger(account, NEWEST))?)
    }
}

/// Who pays for an agent.
pub(super) fn account_of(agent: &Agent) -> AccountId {
    AccountId::of_agent(agent.id, agent.owner)
}

/// The account that gets what is meant for this one, its user or agent held until the transaction ends:
/// what is meant for an agent that belongs to a user by now is the user's. `None` when there is neither.
pub(super) fn hold(uow: &mut dyn UnitOfWork, account: AccountId) -> StoreResult<Option<AccountId>> {
    let agent = match account {
        AccountId::User(id) => {
            let held = uow.users().lock(id)?;
            return Ok(held.map(|user: User| AccountId::User(user.id)));
        }
        AccountId::Agent(id) => uow.agents().find(id)?,
    };
    let Some(agent) = agent else { return Ok(None) };
    // Users are locked before agents.
    if let Some(owner) = agent.owner {
        uow.users().lock(owner)?;
    }
    let Some(held) = uow.agents().lock(agent.id)? else { return Ok(None) };
    if held.owner != agent.owner {
        return Err(StoreError::Contention("the agent got another owner meanwhile".into()));
    }
    Ok(Some(account_of(&held)))
}

/// The event, about whose account it is.
pub(super) fn about(event: AuditEvent, account: AccountId) -> AuditEvent {
    match account {
        AccountId::User(id) => event.about(id),
        AccountId::Agent(id) => event.about_agent(id),
    }
}
