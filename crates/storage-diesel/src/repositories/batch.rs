use diesel::{
    QueryResult, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};
use portcullis_kernel::Instant;

use super::{
    super::{Conn, DbInstant, InstantSql, SKIP_LOCKED},
    count,
};

/// Rows that the janitor removes.
pub(super) struct Dead {
    pub(super) table: &'static str,
    /// The columns of the primary key.
    pub(super) key: &'static str,
    /// Which rows are dead; `$1` is the time.
    pub(super) condition: &'static str,
}

impl Dead {
    /// Removes at most `limit` rows; those that somebody else has locked are left for later.
    pub(super) fn delete(&self, conn: &mut Conn, at: Instant, limit: u32) -> QueryResult<u64> {
        let query = sql_query(self.statement()).bind::<InstantSql, _>(DbInstant(at));
        query.bind::<BigInt, _>(i64::from(limit)).execute(conn).map(count)
    }

    /// The same; gives the value that each removed row has in a text column.
    pub(super) fn delete_returning(
        &self,
        column: &'static str,
        conn: &mut Conn,
        at: Instant,
        limit: u32,
    ) -> QueryResult<Vec<String>> {
        #[derive(diesel::QueryableByName)]
        struct Removed {
            #[diesel(sql_type = Text)]
            value: String,
        }
        let statement = format!("{} RETURNING {column} AS value", self.statement());
        let removed: Vec<Removed> = sql_query(statement)
            .bind::<InstantSql, _>(DbInstant(at))
            .bind::<BigInt, _>(i64::from(limit))
            .load(conn)?;
        Ok(removed.into_iter().map(|row| row.value).collect())
    }

    /// The rows are chosen once, before the first is removed: without `MATERIALIZED` a plan may
    /// choose `limit` rows again for every one.
    fn statement(&self) -> String {
        let Self { table, key, condition } = self;
        format!(
            "WITH dead AS MATERIALIZED \
             (SELECT {key} FROM {table} WHERE {condition} LIMIT $2{SKIP_LOCKED}) \
             DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM dead)"
        )
    }
}
