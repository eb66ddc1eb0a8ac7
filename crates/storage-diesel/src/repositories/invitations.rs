use diesel::prelude::*;
use portcullis_identity::{EmailAddress, Invitation};
use portcullis_kernel::{Instant, InvitationId, Page, PageRequest, StoreResult, TokenDigest};
use portcullis_storage::InvitationRepository;

use super::{
    super::{Backend, DbInstant},
    Unit,
    batch::Dead,
    count, found, page_of,
    schema::invitations::{self, dsl as column},
};
use crate::column::{AsText, DigestBytes};

const EXPIRED: Dead = Dead { table: "invitations", key: "id", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations)]
struct Row {
    id: AsText<InvitationId>,
    digest: DigestBytes,
    email: Option<String>,
    email_delivery: Option<String>,
    created_at: DbInstant,
    expires_at: DbInstant,
}

impl From<&Invitation> for Row {
    fn from(invitation: &Invitation) -> Self {
        let email = invitation.email.as_ref();
        Self {
            id: AsText(invitation.id),
            digest: DigestBytes(invitation.digest),
            email: email.map(|email| email.as_str().to_owned()),
            email_delivery: email.map(|email| email.delivery().to_owned()),
            created_at: DbInstant(invitation.created_at),
            expires_at: DbInstant(invitation.expires_at),
        }
    }
}

impl From<Row> for Invitation {
    fn from(row: Row) -> Self {
        // Without the one form there is not the other.
        let email = row.email.zip(row.email_delivery);
        Self {
            id: row.id.0,
            digest: row.digest.0,
            email: email.map(|(email, delivery)| EmailAddress::from_stored(email, delivery)),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

impl InvitationRepository for Unit {
    fn insert(&mut self, invitation: &Invitation) -> StoreResult<()> {
        let query = diesel::insert_into(invitations::table).values(Row::from(invitation));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<Invitation>> {
        let query = invitations::table
            .filter(column::digest.eq(DigestBytes(*digest)))
            .filter(column::expires_at.gt(DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(Invitation::from))
    }

    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        let live = invitations::table
            .filter(column::digest.eq(DigestBytes(*digest)))
            .filter(column::expires_at.gt(DbInstant(now)));
        self.change(|conn| diesel::delete(live).execute(conn)).map(found)
    }

    fn list(&mut self, page: &PageRequest, now: Instant) -> StoreResult<Page<Invitation>> {
        let mut query = invitations::table
            .filter(column::expires_at.gt(DbInstant(now)))
            .select(Row::as_select())
            .order(column::id)
            .limit(i64::from(page.limit) + 1)
            .into_boxed::<Backend>();
        if let Some(after) = &page.after {
            query = query.filter(column::id.gt(after.key()));
        }
        let rows: Vec<Row> = self.read(|conn| query.load(conn))?;
        Ok(page_of(rows, page, |invitation: &Invitation| invitation.id.to_string()))
    }

    fn remove(&mut self, id: InvitationId) -> StoreResult<bool> {
        let query = diesel::delete(invitations::table.find(AsText(id)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn remove_for(&mut self, canonical: &str) -> StoreResult<u64> {
        let query = diesel::delete(invitations::table.filter(invitations::email.eq(canonical)));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}
