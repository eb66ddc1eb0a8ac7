use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{Binary, Integer, Text},
};
use portcullis_kernel::{Instant, SessionId, TokenDigest};
use portcullis_tokens::RefreshRow;

use super::{Backend, Conn, DbInstant, InstantSql};
use crate::column::{AsText, DigestBytes};

/// The session's row decides: its lock orders parallel rotations, and whoever comes second finds it at
/// another generation. One statement, so one round trip and, outside a transaction, one commit. A
/// query of its own, not a text, so that it is prepared once per connection.
#[derive(QueryId)]
struct Rotation {
    session: AsText<SessionId>,
    before: i32,
    after: i32,
    now: DbInstant,
    spent: DigestBytes,
    successor: DigestBytes,
    issued_at: DbInstant,
    expires_at: DbInstant,
}

impl RunQueryDsl<Conn> for Rotation {}

impl QueryFragment<Backend> for Rotation {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("WITH moved AS (UPDATE sessions SET generation = ");
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(", last_used_at = ");
        out.push_bind_param::<InstantSql, _>(&self.now)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<Text, _>(&self.session)?;
        out.push_sql(" AND generation = ");
        out.push_bind_param::<Integer, _>(&self.before)?;
        out.push_sql(" AND ended_at IS NULL AND expires_at > ");
        out.push_bind_param::<InstantSql, _>(&self.now)?;
        out.push_sql(" AND EXISTS (SELECT 1 FROM refresh_tokens AS t WHERE t.digest = ");
        out.push_bind_param::<Binary, _>(&self.spent)?;
        out.push_sql(
            " AND t.session_id = sessions.id AND t.generation = sessions.generation \
             AND t.used_at IS NULL) RETURNING id), \
             spent AS (UPDATE refresh_tokens SET used_at = ",
        );
        out.push_bind_param::<InstantSql, _>(&self.now)?;
        out.push_sql(" WHERE digest = ");
        out.push_bind_param::<Binary, _>(&self.spent)?;
        out.push_sql(
            " AND EXISTS (SELECT 1 FROM moved)) INSERT INTO refresh_tokens \
             (digest, session_id, generation, issued_at, expires_at) SELECT ",
        );
        out.push_bind_param::<Binary, _>(&self.successor)?;
        out.push_sql(", id, ");
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(", ");
        out.push_bind_param::<InstantSql, _>(&self.issued_at)?;
        out.push_sql(", ");
        out.push_bind_param::<InstantSql, _>(&self.expires_at)?;
        out.push_sql(" FROM moved");
        Ok(())
    }
}

pub(super) fn rotate(
    conn: &mut Conn,
    _alone: bool,
    spent: &TokenDigest,
    successor: &RefreshRow,
    now: Instant,
) -> QueryResult<bool> {
    let Some(before) = successor.generation.checked_sub(1) else { return Ok(false) };
    let rotation = Rotation {
        session: AsText(successor.session),
        before,
        after: successor.generation,
        now: DbInstant(now),
        spent: DigestBytes(*spent),
        successor: DigestBytes(successor.digest),
        issued_at: DbInstant(successor.issued_at),
        expires_at: DbInstant(successor.expires_at),
    };
    Ok(rotation.execute(conn)? > 0)
}
