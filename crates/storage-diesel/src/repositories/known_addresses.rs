use diesel::{dsl::exists, prelude::*, upsert::excluded};
use portcullis_kernel::{Instant, StoreResult, UserId};
use portcullis_storage::KnownAddressRepository;

use super::{
    super::{DbInstant, greatest},
    Unit,
    batch::Dead,
    count,
    schema::known_addresses::dsl as column,
};
use crate::column::AsText;

const UNSEEN: Dead =
    Dead { table: "known_addresses", key: "user_id, address", condition: "seen_at < $1" };

impl KnownAddressRepository for Unit {
    fn touch(&mut self, user: UserId, address: &str, now: Instant) -> StoreResult<()> {
        let row = (
            column::user_id.eq(AsText(user)),
            column::address.eq(address),
            column::seen_at.eq(DbInstant(now)),
        );
        // Of two instances the one with the slower clock may come last.
        let latest = greatest(column::seen_at, excluded(column::seen_at));
        let query = diesel::insert_into(column::known_addresses)
            .values(row)
            .on_conflict((column::user_id, column::address))
            .do_update()
            .set(column::seen_at.eq(latest));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn is_known(&mut self, user: UserId, address: &str, since: Instant) -> StoreResult<bool> {
        let seen = column::known_addresses
            .find((AsText(user), address))
            .filter(column::seen_at.ge(DbInstant(since)));
        self.read(|conn| diesel::select(exists(seen)).get_result(conn))
    }

    fn list(&mut self, user: UserId, since: Instant) -> StoreResult<Vec<String>> {
        let query = column::known_addresses
            .filter(column::user_id.eq(AsText(user)))
            .filter(column::seen_at.ge(DbInstant(since)))
            .order(column::address)
            .select(column::address);
        self.read(|conn| query.load(conn))
    }

    fn forget(&mut self, user: UserId) -> StoreResult<u64> {
        let theirs = column::known_addresses.filter(column::user_id.eq(AsText(user)));
        self.change(|conn| diesel::delete(theirs).execute(conn)).map(count)
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| UNSEEN.delete(conn, before, limit))
    }
}
