//! What credits ask of storage.

use portcullis_kernel::{ResourceServerId, StoreResult};

use crate::{AccountId, Entry, Ledger, OperationId, Posted, Posting, Reason};

/// Stores balances and ledgers. Accounts are the last rows but mails and audit events that a transaction
/// locks: users, agents, accounts.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait CreditRepository {
    /// Changes a balance and records why, or does neither. One conditional write decides whether the
    /// balance allows it, and a unique key whether it was done before: of any number of callers with one
    /// reason, resource server and name one is told [`Posted::Done`]. What is recorded goes before what
    /// the balance allows. Who was outrun by another with the same name is told
    /// [`Contention`](portcullis_kernel::StoreError::Contention), and of its entry when tried again.
    ///
    /// An account is there from its first credits on; whoever gives some holds its user or agent. Needs a
    /// transaction.
    fn post(&mut self, posting: &Posting) -> StoreResult<Posted>;

    /// The account's balance; zero when it never had any credits.
    fn balance(&mut self, account: AccountId) -> StoreResult<i64>;

    /// The account's balance and its newest entries, at most `newest` and at least one, as they are at one
    /// moment.
    fn ledger(&mut self, account: AccountId, newest: u32) -> StoreResult<Ledger>;

    /// The entry of this reason, resource server and name.
    #[cfg_attr(feature = "mock", mockall::concretize)]
    fn find(
        &mut self,
        reason: Reason,
        server: Option<ResourceServerId>,
        operation: &OperationId,
    ) -> StoreResult<Option<Entry>>;

    /// Adds balance and ledger of one account to another's, and removes the one. Whoever does so holds the
    /// user or agent of both. The sum may be above what a grant may bring about: nothing is lost. Needs a
    /// transaction.
    fn merge(&mut self, from: AccountId, to: AccountId) -> StoreResult<()>;
}
