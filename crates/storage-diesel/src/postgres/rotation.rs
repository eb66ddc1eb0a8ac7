use diesel::{
    QueryResult, RunQueryDsl as _, sql_query,
    sql_types::{Binary, Integer, Text},
};
use portcullis_kernel::{Instant, TokenDigest};
use portcullis_tokens::RefreshRow;

use super::{Conn, DbInstant, InstantSql};
use crate::column::{AsText, DigestBytes};

/// The session's row decides: its lock orders parallel rotations, and whoever comes second finds it at
/// another generation. One statement, so one round trip and, outside a transaction, one commit.
const ROTATE: &str = "WITH moved AS (\
    UPDATE sessions SET generation = $2, last_used_at = $3 \
    WHERE id = $1 AND generation = $2 - 1 AND ended_at IS NULL AND expires_at > $3 \
    AND EXISTS (SELECT 1 FROM refresh_tokens WHERE digest = $4 AND session_id = $1 \
    AND generation = $2 - 1 AND used_at IS NULL) RETURNING id), \
    spent AS (UPDATE refresh_tokens SET used_at = $3 \
    WHERE digest = $4 AND EXISTS (SELECT 1 FROM moved)) \
    INSERT INTO refresh_tokens (digest, session_id, generation, issued_at, expires_at) \
    SELECT $5, id, $2, $6, $7 FROM moved";

pub(super) fn rotate(
    conn: &mut Conn,
    _alone: bool,
    spent: &TokenDigest,
    successor: &RefreshRow,
    now: Instant,
) -> QueryResult<bool> {
    let rows = sql_query(ROTATE)
        .bind::<Text, _>(AsText(successor.session))
        .bind::<Integer, _>(successor.generation)
        .bind::<InstantSql, _>(DbInstant(now))
        .bind::<Binary, _>(DigestBytes(*spent))
        .bind::<Binary, _>(DigestBytes(successor.digest))
        .bind::<InstantSql, _>(DbInstant(successor.issued_at))
        .bind::<InstantSql, _>(DbInstant(successor.expires_at))
        .execute(conn)?;
    Ok(rows > 0)
}
