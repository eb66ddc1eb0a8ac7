use diesel::prelude::*;
use portcullis_credentials::PasswordHash;
use portcullis_kernel::{Instant, StoreResult, UserId};
use portcullis_storage::PasswordRepository;

use super::{
    super::DbInstant,
    Unit, found,
    schema::passwords::{self, dsl as column},
};
use crate::column::AsText;

impl PasswordRepository for Unit {
    fn put(&mut self, user: UserId, hash: &PasswordHash, now: Instant) -> StoreResult<()> {
        let values = (column::hash.eq(hash.as_str()), column::updated_at.eq(DbInstant(now)));
        let query = diesel::insert_into(passwords::table)
            .values((column::user_id.eq(AsText(user)), values))
            .on_conflict(column::user_id)
            .do_update()
            .set(values);
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn find(&mut self, user: UserId) -> StoreResult<Option<PasswordHash>> {
        let query = passwords::table.find(AsText(user)).select(column::hash);
        let hash = self.read(|conn| query.first::<AsText<PasswordHash>>(conn).optional())?;
        Ok(hash.map(|hash| hash.0))
    }

    fn remove(&mut self, user: UserId) -> StoreResult<bool> {
        let query = diesel::delete(passwords::table.find(AsText(user)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn replace(
        &mut self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        now: Instant,
    ) -> StoreResult<bool> {
        let still = passwords::table.find(AsText(user)).filter(column::hash.eq(old.as_str()));
        let query = diesel::update(still)
            .set((column::hash.eq(new.as_str()), column::updated_at.eq(DbInstant(now))));
        self.change(|conn| query.execute(conn)).map(found)
    }
}
