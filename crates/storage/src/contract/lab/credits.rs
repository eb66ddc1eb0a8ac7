//! Rows about credits.

use portcullis_credits::{AccountId, Amount, Cost, Entry, Ledger, OperationId, Posted, Posting};
use portcullis_kernel::{CreditEntryId, ResourceServerId};

use super::{Lab, at};

impl Lab<'_> {
    pub(in super::super) fn entry_id(&self) -> CreditEntryId {
        CreditEntryId::generate(&self.entropy).unwrap()
    }

    pub(in super::super) fn server_id(&self) -> ResourceServerId {
        ResourceServerId::generate(&self.entropy).unwrap()
    }

    pub(in super::super) fn operation(&self) -> OperationId {
        OperationId::parse(&self.tag()).unwrap()
    }

    pub(in super::super) fn grant_of(&self, account: AccountId, credits: i64) -> Posting {
        Posting::grant(self.entry_id(), account, Amount::new(credits).unwrap(), None, at(0))
    }

    pub(in super::super) fn charge_of(&self, account: AccountId, cost: i64) -> Posting {
        let by = (self.server_id(), self.operation());
        Posting::charge(self.entry_id(), account, Cost::new(cost).unwrap(), by, at(1))
    }

    pub(in super::super) fn post(&self, posting: &Posting) -> Posted {
        self.write(|uow| uow.credits().post(posting))
    }

    /// A stored user with so many credits.
    pub(in super::super) fn rich(&self, credits: i64) -> AccountId {
        let account = AccountId::User(self.user().id);
        assert_eq!(self.post(&self.grant_of(account, credits)), Posted::Done(credits));
        account
    }

    /// A stored agent of nobody.
    pub(in super::super) fn loner(&self) -> AccountId {
        AccountId::Agent(self.agent().id)
    }

    pub(in super::super) fn ledger(&self, account: AccountId) -> Ledger {
        self.read(|uow| uow.credits().ledger(account, 100))
    }

    pub(in super::super) fn balance(&self, account: AccountId) -> i64 {
        self.read(|uow| uow.credits().balance(account))
    }

    /// The balance, which is the sum of the ledger.
    pub(in super::super) fn sum(&self, account: AccountId) -> i64 {
        let ledger = self.ledger(account);
        let sum: i64 = ledger.entries.iter().map(|entry| entry.posting.delta).sum();
        assert_eq!((ledger.balance, self.balance(account)), (sum, sum));
        sum
    }

    pub(in super::super) fn recorded(&self, posting: &Posting) -> Option<Entry> {
        let (reason, server) = (posting.reason, posting.server);
        self.read(|uow| uow.credits().find(reason, server, posting.operation.as_ref().unwrap()))
    }
}
