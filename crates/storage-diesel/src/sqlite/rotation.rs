use diesel::{
    QueryResult, RunQueryDsl as _, sql_query,
    sql_types::{Binary, Integer, Text},
};
use portcullis_kernel::{Instant, TokenDigest};
use portcullis_tokens::RefreshRow;

use super::{Conn, DbInstant, InstantSql};
use crate::column::{AsText, DigestBytes};

/// The session's row decides; SQLite changes one table a statement.
const MOVE: &str = "UPDATE sessions SET generation = ?2, last_used_at = ?3 \
    WHERE id = ?1 AND generation = ?2 - 1 AND ended_at IS NULL AND expires_at > ?3 \
    AND EXISTS (SELECT 1 FROM refresh_tokens WHERE digest = ?4 AND session_id = ?1 \
    AND generation = ?2 - 1 AND used_at IS NULL)";
const SPEND: &str = "UPDATE refresh_tokens SET used_at = ?1 WHERE digest = ?2";
const ADD: &str = "INSERT INTO refresh_tokens \
    (digest, session_id, generation, issued_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";

/// `alone` says that no transaction is open around it.
pub(super) fn rotate(
    conn: &mut Conn,
    alone: bool,
    spent: &TokenDigest,
    successor: &RefreshRow,
    now: Instant,
) -> QueryResult<bool> {
    if alone {
        return conn.immediate_transaction(|conn| write(conn, spent, successor, now));
    }
    write(conn, spent, successor, now)
}

fn write(
    conn: &mut Conn,
    spent: &TokenDigest,
    successor: &RefreshRow,
    now: Instant,
) -> QueryResult<bool> {
    let moved = sql_query(MOVE)
        .bind::<Text, _>(AsText(successor.session))
        .bind::<Integer, _>(successor.generation)
        .bind::<InstantSql, _>(DbInstant(now))
        .bind::<Binary, _>(DigestBytes(*spent))
        .execute(conn)?;
    if moved == 0 {
        return Ok(false);
    }
    sql_query(SPEND)
        .bind::<InstantSql, _>(DbInstant(now))
        .bind::<Binary, _>(DigestBytes(*spent))
        .execute(conn)?;
    sql_query(ADD)
        .bind::<Binary, _>(DigestBytes(successor.digest))
        .bind::<Text, _>(AsText(successor.session))
        .bind::<Integer, _>(successor.generation)
        .bind::<InstantSql, _>(DbInstant(successor.issued_at))
        .bind::<InstantSql, _>(DbInstant(successor.expires_at))
        .execute(conn)?;
    Ok(true)
}
