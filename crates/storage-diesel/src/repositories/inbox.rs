use diesel::{prelude::*, sql_query, sql_types::BigInt};
use portcullis_email::ports::InboxEntry;
use portcullis_kernel::{MailId, StoreResult};
use portcullis_storage::InboxRepository;

use super::{
    super::DbInstant,
    Unit, count,
    schema::inbox::{self, dsl as column},
};
use crate::column::AsText;

/// SQLite takes no OFFSET without a LIMIT.
const TRIM: &str = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox \
    ORDER BY received_at DESC, id DESC LIMIT 9223372036854775807 OFFSET $1)";

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = inbox)]
struct Row {
    id: AsText<MailId>,
    received_at: DbInstant,
    sealed: Vec<u8>,
}

impl From<&InboxEntry> for Row {
    fn from(entry: &InboxEntry) -> Self {
        Self {
            id: AsText(entry.id),
            received_at: DbInstant(entry.received_at),
            sealed: entry.sealed.clone(),
        }
    }
}

impl From<Row> for InboxEntry {
    fn from(row: Row) -> Self {
        Self { id: row.id.0, received_at: row.received_at.0, sealed: row.sealed }
    }
}

impl InboxRepository for Unit {
    fn put(&mut self, entry: &InboxEntry) -> StoreResult<()> {
        let query = diesel::insert_into(inbox::table)
            .values(Row::from(entry))
            .on_conflict(column::id)
            .do_update()
            .set(Row::from(entry));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn list(&mut self, limit: u32) -> StoreResult<Vec<InboxEntry>> {
        let query = inbox::table
            .order((column::received_at.desc(), column::id.desc()))
            .limit(i64::from(limit))
            .select(Row::as_select());
        let rows = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(InboxEntry::from).collect())
    }

    fn find(&mut self, id: MailId) -> StoreResult<Option<InboxEntry>> {
        let query = inbox::table.find(AsText(id)).select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(InboxEntry::from))
    }

    fn trim(&mut self, keep: u32) -> StoreResult<u64> {
        let query = sql_query(TRIM).bind::<BigInt, _>(i64::from(keep));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn clear(&mut self) -> StoreResult<u64> {
        self.change(|conn| diesel::delete(inbox::table).execute(conn)).map(count)
    }
}
