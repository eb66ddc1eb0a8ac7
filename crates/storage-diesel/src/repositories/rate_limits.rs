use diesel::{
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Integer, Text},
};
use portcullis_kernel::{Instant, StoreResult};
use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_storage::RateLimitRepository;

use super::{
    super::{Backend, Conn, DbInstant, GREATEST, InstantSql, LAST},
    Unit,
    batch::Dead,
    found,
    schema::rate_limits::{self, dsl as column},
};

const EMPTY: Dead = Dead { table: "rate_limits", key: "key", condition: "empty_at <= $1" };

/// How often a refund is tried when others change the bucket meanwhile.
const REFUND_TRIES: u32 = 3;

impl RateLimitRepository for Unit {
    fn charge(
        &mut self,
        key: &BucketKey,
        policy: &Policy,
        n: u32,
        at: Instant,
        now: Instant,
    ) -> StoreResult<Option<HitLog>> {
        let Some(left) = policy.limit.checked_sub(n) else { return Ok(None) };
        let charge = Charge {
            key: key.as_str().to_owned(),
            hits: HitLog::stamp(at).repeat(usize::try_from(n).unwrap_or(usize::MAX)),
            empty_at: DbInstant(HitLog::empty_at(policy, at)),
            keep: width_of(policy.limit),
            room: width_of(left),
            floor: HitLog::stamp(now - policy.window),
        };
        let log = self.change(|conn| charge.get_result::<String>(conn).optional())?;
        Ok(log.map(HitLog::from_stored))
    }

    fn find(&mut self, key: &BucketKey) -> StoreResult<Option<HitLog>> {
        let query = rate_limits::table.find(key.as_str()).select(column::hits);
        let log = self.read(|conn| query.first::<String>(conn).optional())?;
        Ok(log.map(HitLog::from_stored))
    }

    fn refund(&mut self, key: &BucketKey, at: Instant) -> StoreResult<bool> {
        for _ in 0..REFUND_TRIES {
            let Some(old) = RateLimitRepository::find(self, key)? else { return Ok(false) };
            let mut new = old.clone();
            if !new.refund(at) {
                return Ok(false);
            }
            let still = rate_limits::table.find(key.as_str()).filter(column::hits.eq(old.as_str()));
            let query = diesel::update(still).set(column::hits.eq(new.as_str()));
            if self.change(|conn| query.execute(conn)).map(found)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn delete_empty(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EMPTY.delete(conn, now, limit))
    }
}

/// Characters that so many hits take.
fn width_of(hits: u32) -> i32 {
    let width = u32::try_from(HitLog::WIDTH).unwrap_or(u32::MAX);
    i32::try_from(hits.saturating_mul(width)).unwrap_or(i32::MAX)
}

// The statement below says it in figures.
const _: () = assert!(HitLog::WIDTH == 12);

/// [`HitLog::charge`] as one statement, which gives the log when it accepts the hits and no row when
/// it refuses them. A query of its own, not a text, so that it is prepared once per connection.
#[derive(QueryId)]
struct Charge {
    key: String,
    /// The new hits.
    hits: String,
    empty_at: DbInstant,
    /// Characters of all hits that the limit allows.
    keep: i32,
    /// Characters that may be there already.
    room: i32,
    /// The newest stamp that has left the window.
    floor: String,
}

impl Query for Charge {
    type SqlType = Text;
}

impl RunQueryDsl<Conn> for Charge {}

impl QueryFragment<Backend> for Charge {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("INSERT INTO rate_limits (key, hits, empty_at) VALUES (");
        out.push_bind_param::<Text, _>(&self.key)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.hits)?;
        out.push_sql(", ");
        out.push_bind_param::<InstantSql, _>(&self.empty_at)?;
        out.push_sql(") ON CONFLICT (key) DO UPDATE SET hits = ");
        out.push_sql(LAST.0);
        out.push_sql("rate_limits.hits || excluded.hits");
        out.push_sql(LAST.1);
        out.push_bind_param::<Integer, _>(&self.keep)?;
        out.push_sql("), empty_at = ");
        out.push_sql(GREATEST);
        out.push_sql(
            "(rate_limits.empty_at, excluded.empty_at) WHERE length(rate_limits.hits) <= ",
        );
        out.push_bind_param::<Integer, _>(&self.room)?;
        // The hit that must have left the window for the new ones to fit.
        out.push_sql(" OR substr(rate_limits.hits, length(rate_limits.hits) - ");
        out.push_bind_param::<Integer, _>(&self.room)?;
        out.push_sql(" - 11, 12) <= ");
        out.push_bind_param::<Text, _>(&self.floor)?;
        out.push_sql(" RETURNING hits");
        Ok(())
    }
}
