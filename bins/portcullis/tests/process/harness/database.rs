//! A look behind the server, and a hand in its database.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Text},
};

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Runs statements in the database of a URL as settings have it.
pub(crate) fn execute(url: &str, sql: &str) {
    let done = connect(url).batch_execute(sql);
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A connection of its own.
pub(crate) fn connect(url: &str) -> Box<dyn SimpleConnection> {
    match url.strip_prefix("sqlite://") {
        Some(path) => Box::new(SqliteConnection::establish(path).unwrap()),
        None => Box::new(postgres(url)),
    }
}

/// The number `n` that a query gives.
pub(crate) fn count(url: &str, sql: &str) -> i64 {
    let sql = format!("SELECT ({sql}) AS n");
    let row: Number = match url.strip_prefix("sqlite://") {
        Some(path) => sql_query(&sql).get_result(&mut SqliteConnection::establish(path).unwrap()),
        None => sql_query(&sql).get_result(&mut postgres(url)),
    }
    .unwrap_or_else(|error| panic!("{sql}: {error}"));
    row.n
}

/// A connection of its own to a PostgreSQL database.
pub(crate) fn postgres(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}

/// Every row of every table of a PostgreSQL database, as text.
pub(crate) fn dump(url: &str) -> String {
    let mut conn = postgres(url);
    let tables = "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<Line> = sql_query(tables).load(&mut conn).unwrap();
    assert!(!tables.is_empty());
    let rows = tables.iter().flat_map(|table| {
        let sql = format!("SELECT t::text AS line FROM \"{}\" t", table.line);
        sql_query(sql).load::<Line>(&mut conn).unwrap()
    });
    rows.map(|row| row.line + "\n").collect()
}
