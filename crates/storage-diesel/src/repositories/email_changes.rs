use diesel::prelude::*;
use portcullis_identity::{EmailAddress, EmailChange};
use portcullis_kernel::{EmailChangeId, Instant, SessionId, StoreResult, UserId};
use portcullis_storage::EmailChangeRepository;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    found, outrun,
    schema::email_changes::{self, dsl as column},
};
use crate::column::{AsText, CodeBytes};

const EXPIRED: Dead = Dead { table: "email_changes", key: "id", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = email_changes)]
struct Row {
    id: AsText<EmailChangeId>,
    user_id: AsText<UserId>,
    session_id: AsText<SessionId>,
    email: String,
    email_delivery: String,
    code: CodeBytes,
    tries: i32,
    created_at: DbInstant,
    expires_at: DbInstant,
}

impl From<&EmailChange> for Row {
    fn from(change: &EmailChange) -> Self {
        Self {
            id: AsText(change.id),
            user_id: AsText(change.user),
            session_id: AsText(change.session),
            email: change.email.as_str().to_owned(),
            email_delivery: change.email.delivery().to_owned(),
            code: CodeBytes(change.code),
            tries: saturated(change.tries),
            created_at: DbInstant(change.created_at),
            expires_at: DbInstant(change.expires_at),
        }
    }
}

impl From<Row> for EmailChange {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            user: row.user_id.0,
            session: row.session_id.0,
            email: EmailAddress::from_stored(row.email, row.email_delivery),
            code: row.code.0,
            // No count is below zero; one that were must not look like a fresh code.
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

impl EmailChangeRepository for Unit {
    fn put(&mut self, change: &EmailChange) -> StoreResult<()> {
        let old = email_changes::table.filter(column::user_id.eq(AsText(change.user)));
        let insert = diesel::insert_into(email_changes::table)
            .values(Row::from(change))
            .on_conflict(column::user_id)
            .do_nothing();
        let inserted = self.change(|conn| {
            // No upsert: the old one's mail goes only when the row goes.
            diesel::delete(old).execute(conn)?;
            insert.execute(conn)
        })?;
        if found(inserted) { Ok(()) } else { Err(outrun("change of address")) }
    }

    fn take_try(
        &mut self,
        user: UserId,
        session: SessionId,
        most: u32,
        now: Instant,
    ) -> StoreResult<Option<EmailChange>> {
        let open = email_changes::table
            .filter(column::user_id.eq(AsText(user)))
            .filter(column::session_id.eq(AsText(session)))
            .filter(column::tries.lt(saturated(most)))
            .filter(column::expires_at.gt(DbInstant(now)));
        let query = diesel::update(open)
            .set(column::tries.eq(column::tries + 1))
            .returning(Row::as_returning());
        let row = self.change(|conn| query.get_result(conn).optional())?;
        Ok(row.map(EmailChange::from))
    }

    fn find(&mut self, id: EmailChangeId, now: Instant) -> StoreResult<Option<EmailChange>> {
        let query = email_changes::table
            .find(AsText(id))
            .filter(column::expires_at.gt(DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(EmailChange::from))
    }

    fn remove(&mut self, user: UserId) -> StoreResult<bool> {
        let theirs = email_changes::table.filter(column::user_id.eq(AsText(user)));
        self.change(|conn| diesel::delete(theirs).execute(conn)).map(found)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}

fn saturated(tries: u32) -> i32 {
    i32::try_from(tries).unwrap_or(i32::MAX)
}
