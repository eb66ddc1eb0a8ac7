use diesel::prelude::*;
use portcullis_credentials::{MailedKind, MailedToken};
use portcullis_kernel::{Instant, StoreResult, TokenDigest, UserId};
use portcullis_storage::MailedTokenRepository;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    count, found, outrun,
    schema::mailed_tokens::{self, dsl as column},
};
use crate::column::{AsText, DigestBytes};

const EXPIRED: Dead = Dead { table: "mailed_tokens", key: "digest", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = mailed_tokens)]
struct Row {
    digest: DigestBytes,
    kind: AsText<MailedKind>,
    user_id: AsText<UserId>,
    email: String,
    created_at: DbInstant,
    expires_at: DbInstant,
}

impl From<&MailedToken> for Row {
    fn from(token: &MailedToken) -> Self {
        Self {
            digest: DigestBytes(token.digest),
            kind: AsText(token.kind),
            user_id: AsText(token.user),
            email: token.email.clone(),
            created_at: DbInstant(token.created_at),
            expires_at: DbInstant(token.expires_at),
        }
    }
}

impl From<Row> for MailedToken {
    fn from(row: Row) -> Self {
        Self {
            digest: row.digest.0,
            kind: row.kind.0,
            user: row.user_id.0,
            email: row.email,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

#[diesel::dsl::auto_type]
fn of_user(user: AsText<UserId>, kind: AsText<MailedKind>) -> _ {
    let theirs = column::user_id.eq(user);
    theirs.and(column::kind.eq(kind))
}

#[diesel::dsl::auto_type]
fn is_live(kind: AsText<MailedKind>, now: DbInstant) -> _ {
    let goes_on = column::expires_at.gt(now);
    column::kind.eq(kind).and(goes_on)
}

impl MailedTokenRepository for Unit {
    fn put(&mut self, token: &MailedToken) -> StoreResult<()> {
        let old = mailed_tokens::table.filter(of_user(AsText(token.user), AsText(token.kind)));
        let insert = diesel::insert_into(mailed_tokens::table)
            .values(Row::from(token))
            .on_conflict((column::user_id, column::kind))
            .do_nothing();
        let inserted = self.change(|conn| {
            // No upsert: the old one's mail goes only when the row goes.
            diesel::delete(old).execute(conn)?;
            insert.execute(conn)
        })?;
        if found(inserted) { Ok(()) } else { Err(outrun("mailed token")) }
    }

    fn find(
        &mut self,
        kind: MailedKind,
        digest: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<MailedToken>> {
        let query = mailed_tokens::table
            .find(DigestBytes(*digest))
            .filter(is_live(AsText(kind), DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(MailedToken::from))
    }

    fn spend(&mut self, kind: MailedKind, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        let live = mailed_tokens::table
            .find(DigestBytes(*digest))
            .filter(is_live(AsText(kind), DbInstant(now)));
        self.change(|conn| diesel::delete(live).execute(conn)).map(found)
    }

    fn remove(&mut self, user: UserId, kind: MailedKind) -> StoreResult<u64> {
        let theirs = mailed_tokens::table.filter(of_user(AsText(user), AsText(kind)));
        self.change(|conn| diesel::delete(theirs).execute(conn)).map(count)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}
