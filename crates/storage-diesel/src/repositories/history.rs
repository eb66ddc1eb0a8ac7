//! Which migrations the database has, and those that it lacks.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl,
    migration::MigrationSource,
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_migrations::MigrationHarness;

use super::super::{Backend, COUNT_HISTORIES, Conn, MIGRATIONS};
use crate::database::{MigrateError, SchemaState};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Compares the database with the migrations of this program; changes nothing.
pub(in super::super) fn state(conn: &mut Conn) -> QueryResult<SchemaState> {
    let migrations = MigrationSource::<Backend>::migrations(&MIGRATIONS)
        .map_err(diesel::result::Error::QueryBuilderError)?;
    let mut known: Vec<_> = migrations
        .iter()
        .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
        .collect();
    known.sort_unstable();
    Ok(SchemaState::compare(&known, &applied(conn)?))
}

fn applied(conn: &mut Conn) -> QueryResult<Vec<String>> {
    if sql_query(COUNT_HISTORIES).get_result::<Count>(conn)?.n == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Applied> =
        sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Applies what is pending and names it. The caller holds the lock.
pub(in super::super) fn apply(conn: &mut Conn) -> Result<Vec<String>, MigrateError> {
    let SchemaState { pending, unknown, .. } = state(conn)?;
    if !unknown.is_empty() {
        return Err(MigrateError::Newer { unknown });
    }
    conn.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Migration)?;
    Ok(pending)
}
