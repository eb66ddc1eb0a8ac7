use diesel::prelude::*;
use portcullis_credits::{
    AccountId, Entry, Ledger, MOST_BALANCE, OperationId, Posted, Posting, Reason,
};
use portcullis_kernel::{ResourceServerId, StoreResult};
use portcullis_storage::CreditRepository;

use super::{
    Unit,
    credit_rows::{AccountRow, EntryRow},
    found,
    held::Held,
    outrun,
    schema::{
        credit_accounts::{self, dsl as account},
        credit_entries::{self, dsl as entry},
    },
};
use crate::column::AsText;

impl CreditRepository for Unit {
    fn post(&mut self, posting: &Posting) -> StoreResult<Posted> {
        if let Some(recorded) = recorded(self, posting)? {
            return Ok(recorded);
        }
        if posting.delta > 0 {
            open(self, posting.account)?;
        }
        let Some(balance) = shift(self, posting)? else {
            // Whoever left too little may have been charged for the same.
            return Ok(recorded(self, posting)?.unwrap_or(Posted::Refused));
        };
        let insert = diesel::insert_into(credit_entries::table)
            .values(EntryRow::new(posting, balance))
            .on_conflict((entry::server_id, entry::operation_id, entry::reason))
            .do_nothing();
        if self.change(|conn| insert.execute(conn)).map(found)? {
            return Ok(Posted::Done(balance));
        }
        // Not given back here: a row that this transaction has changed already is checked against its user
        // when it is changed again, and users are locked before accounts. Tried again, it is found above.
        Err(outrun("entry of a ledger"))
    }

    fn balance(&mut self, id: AccountId) -> StoreResult<i64> {
        let query = credit_accounts::table.find(AsText(id)).select(account::balance);
        let balance = self.read(|conn| query.first::<i64>(conn).optional())?;
        Ok(balance.unwrap_or_default())
    }

    fn ledger(&mut self, id: AccountId, newest: u32) -> StoreResult<Ledger> {
        let query = credit_accounts::table
            .left_join(credit_entries::table)
            .filter(account::id.eq(AsText(id)))
            .order((entry::created_at.desc(), entry::id.desc()))
            .limit(i64::from(newest.max(1)))
            .select((account::balance, Option::<EntryRow>::as_select()));
        let rows = self.read(|conn| query.load::<(i64, Option<EntryRow>)>(conn))?;
        let balance = rows.first().map(|(balance, _)| *balance).unwrap_or_default();
        let entries = rows.into_iter().filter_map(|(_, row)| row.map(Entry::from)).collect();
        Ok(Ledger { balance, entries })
    }

    fn find(
        &mut self,
        reason: Reason,
        server: Option<ResourceServerId>,
        operation: &OperationId,
    ) -> StoreResult<Option<Entry>> {
        let query = credit_entries::table
            .filter(entry::server_id.eq(AsText(server)))
            .filter(entry::operation_id.eq(operation.as_str()))
            .filter(entry::reason.eq(AsText(reason)))
            .select(EntryRow::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(Entry::from))
    }

    fn merge(&mut self, from: AccountId, to: AccountId) -> StoreResult<()> {
        if from == to {
            return Ok(());
        }
        let balance = Held(credit_accounts::table.find(AsText(from)).select(account::balance));
        let moved = self.change(|conn| balance.get_result::<i64>(conn).optional())?;
        let Some(moved) = moved else { return Ok(()) };
        open(self, to)?;
        add(self, to, moved)?;
        let theirs = credit_entries::table.filter(entry::account_id.eq(AsText(from)));
        let taken = diesel::update(theirs).set(entry::account_id.eq(AsText(to)));
        self.change(|conn| taken.execute(conn))?;
        let emptied = diesel::delete(credit_accounts::table.find(AsText(from)));
        self.change(|conn| emptied.execute(conn)).map(drop)
    }
}

/// Adds an account without credits, unless there is one.
fn open(unit: &mut Unit, id: AccountId) -> StoreResult<()> {
    let query = diesel::insert_into(credit_accounts::table)
        .values(AccountRow::empty(id))
        .on_conflict(account::id)
        .do_nothing();
    unit.change(|conn| query.execute(conn)).map(drop)
}

/// Changes the balance if it allows it, and gives the new one. Held until the transaction ends.
fn shift(unit: &mut Unit, posting: &Posting) -> StoreResult<Option<i64>> {
    let delta = posting.delta;
    let (least, most) = match delta {
        1.. => (0, MOST_BALANCE.saturating_sub(delta)),
        _ => (delta.saturating_neg(), i64::MAX),
    };
    let allowed = credit_accounts::table
        .find(AsText(posting.account))
        .filter(account::balance.between(least, most));
    let query = diesel::update(allowed)
        .set(account::balance.eq(account::balance + delta))
        .returning(account::balance);
    unit.change(|conn| query.get_result(conn).optional())
}

/// Changes a balance whatever it is.
fn add(unit: &mut Unit, id: AccountId, delta: i64) -> StoreResult<()> {
    let query = diesel::update(credit_accounts::table.find(AsText(id)))
        .set(account::balance.eq(account::balance + delta));
    unit.change(|conn| query.execute(conn)).map(drop)
}

/// The entry that was recorded under the posting's name.
fn recorded(unit: &mut Unit, posting: &Posting) -> StoreResult<Option<Posted>> {
    let Some(operation) = &posting.operation else { return Ok(None) };
    let entry = CreditRepository::find(unit, posting.reason, posting.server, operation)?;
    Ok(entry.map(|entry| Posted::Recorded(Box::new(entry))))
}
