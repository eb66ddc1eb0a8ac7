use std::cmp::Reverse;

use portcullis_credits::{
    AccountId, Entry, Ledger, MOST_BALANCE, OperationId, Posted, Posting, Reason,
};
use portcullis_kernel::{ResourceServerId, StoreResult, UniqueKey};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::CreditRepository;

impl CreditRepository for Unit<'_> {
    fn post(&mut self, posting: &Posting) -> StoreResult<Posted> {
        self.change(|tables| {
            if let Some(operation) = &posting.operation
                && let Some(entry) = recorded(tables, posting.reason, posting.server, operation)
            {
                return Ok(Posted::Recorded(Box::new(entry)));
            }
            let account = posting.account;
            let before = tables.credit_accounts.get(&account).copied();
            if posting.delta > 0 && before.is_none() {
                check_holder(tables, account)?;
            }
            let before = before.unwrap_or_default();
            let sum = before.checked_add(posting.delta).filter(|sum| *sum >= 0);
            let fits = |sum: &i64| posting.delta < 0 || *sum <= MOST_BALANCE;
            let Some(balance) = sum.filter(fits) else { return Ok(Posted::Refused) };
            check_free(tables.credit_entries.contains(&posting.id), UniqueKey::Other)?;
            tables.credit_accounts.put(account, balance);
            let entry = Entry { posting: posting.clone(), balance };
            tables.credit_entries.put(posting.id, entry);
            Ok(Posted::Done(balance))
        })
    }

    fn balance(&mut self, account: AccountId) -> StoreResult<i64> {
        self.read(|tables| tables.credit_accounts.get(&account).copied().unwrap_or_default())
    }

    fn ledger(&mut self, account: AccountId, newest: u32) -> StoreResult<Ledger> {
        self.read(|tables| {
            let balance = tables.credit_accounts.get(&account).copied().unwrap_or_default();
            let entries = tables.credit_entries.values();
            let mut entries: Vec<Entry> =
                entries.filter(|entry| entry.posting.account == account).cloned().collect();
            entries.sort_by_key(|entry| Reverse((entry.posting.at, entry.posting.id)));
            entries.truncate(usize::try_from(newest.max(1)).unwrap_or(usize::MAX));
            Ledger { balance, entries }
        })
    }

    fn find(
        &mut self,
        reason: Reason,
        server: Option<ResourceServerId>,
        operation: &OperationId,
    ) -> StoreResult<Option<Entry>> {
        self.read(|tables| recorded(tables, reason, server, operation))
    }

    fn merge(&mut self, from: AccountId, to: AccountId) -> StoreResult<()> {
        self.change(|tables| {
            if from == to {
                return Ok(());
            }
            let Some(moved) = tables.credit_accounts.get(&from).copied() else { return Ok(()) };
            check_holder(tables, to)?;
            let before = tables.credit_accounts.get(&to).copied().unwrap_or_default();
            tables.credit_accounts.put(to, before.saturating_add(moved));
            let theirs = |_: &_, entry: &Entry| entry.posting.account == from;
            for id in tables.credit_entries.keys_where(u32::MAX, theirs) {
                tables.credit_entries.update(&id, |entry| entry.posting.account = to);
            }
            tables.credit_accounts.remove(&from);
            Ok(())
        })
    }
}

/// What the unique key finds.
fn recorded(
    tables: &Tables,
    reason: Reason,
    server: Option<ResourceServerId>,
    operation: &OperationId,
) -> Option<Entry> {
    let mut entries = tables.credit_entries.values();
    let same = |entry: &&Entry| {
        let posting = &entry.posting;
        posting.reason == reason
            && posting.server == server
            && posting.operation.as_ref() == Some(operation)
    };
    entries.find(same).cloned()
}

/// What the foreign keys of an account say.
fn check_holder(tables: &Tables, account: AccountId) -> StoreResult<()> {
    match account {
        AccountId::User(id) => tables.check_user(id),
        AccountId::Agent(id) => tables.check_agent(id),
    }
}
