use diesel::{dsl::exists, prelude::*};
use portcullis_kernel::{Instant, StoreResult, TokenId};
use portcullis_storage::SpentTokenRepository;
use portcullis_tokens::SpentToken;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    found,
    schema::spent_tokens::{self, dsl as column},
};
use crate::column::AsText;

const FORGOTTEN: Dead = Dead { table: "spent_tokens", key: "id", condition: "forget_at <= $1" };

impl SpentTokenRepository for Unit {
    fn spend(&mut self, token: &SpentToken) -> StoreResult<bool> {
        let query = diesel::insert_into(spent_tokens::table)
            .values((
                column::id.eq(AsText(token.id)),
                column::agent_id.eq(AsText(token.agent)),
                column::successor.eq(token.successor.map(AsText)),
                column::spent_at.eq(DbInstant(token.spent_at)),
                column::forget_at.eq(DbInstant(token.forget_at)),
            ))
            .on_conflict(column::id)
            .do_nothing();
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn is_spent(&mut self, id: TokenId) -> StoreResult<bool> {
        let spent = spent_tokens::table.find(AsText(id));
        self.read(|conn| diesel::select(exists(spent)).get_result(conn))
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| FORGOTTEN.delete(conn, now, limit))
    }
}
