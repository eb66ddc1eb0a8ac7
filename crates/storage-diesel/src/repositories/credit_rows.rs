use diesel::prelude::*;
use portcullis_credits::{AccountId, Entry, Note, OperationId, Posting, Reason};
use portcullis_kernel::{AgentId, CreditEntryId, ResourceServerId, UserId};

use super::{
    super::DbInstant,
    schema::{credit_accounts, credit_entries},
};
use crate::column::{AddresseeBytes, AsText};

#[derive(Insertable)]
#[diesel(table_name = credit_accounts)]
pub(super) struct AccountRow {
    id: AsText<AccountId>,
    user_id: Option<AsText<UserId>>,
    agent_id: Option<AsText<AgentId>>,
    balance: i64,
}

impl AccountRow {
    /// An account without credits.
    pub(super) fn empty(id: AccountId) -> Self {
        let (user_id, agent_id) = (id.user().map(AsText), id.agent().map(AsText));
        Self { id: AsText(id), user_id, agent_id, balance: 0 }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_entries)]
pub(super) struct EntryRow {
    id: AsText<CreditEntryId>,
    account_id: AsText<AccountId>,
    delta: i64,
    balance: i64,
    reason: AsText<Reason>,
    server_id: AsText<Option<ResourceServerId>>,
    operation_id: Option<AsText<OperationId>>,
    addressee: Option<AddresseeBytes>,
    note: Option<AsText<Note>>,
    created_at: DbInstant,
}

impl EntryRow {
    pub(super) fn new(posting: &Posting, balance: i64) -> Self {
        Self {
            id: AsText(posting.id),
            account_id: AsText(posting.account),
            delta: posting.delta,
            balance,
            reason: AsText(posting.reason),
            server_id: AsText(posting.server),
            operation_id: posting.operation.clone().map(AsText),
            addressee: posting.addressee.map(AddresseeBytes),
            note: posting.note.clone().map(AsText),
            created_at: DbInstant(posting.at),
        }
    }
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let posting = Posting {
            id: row.id.0,
            account: row.account_id.0,
            delta: row.delta,
            reason: row.reason.0,
            operation: row.operation_id.map(|operation| operation.0),
            server: row.server_id.0,
            addressee: row.addressee.map(|addressee| addressee.0),
            note: row.note.map(|note| note.0),
            at: row.created_at.0,
        };
        Self { posting, balance: row.balance }
    }
}
