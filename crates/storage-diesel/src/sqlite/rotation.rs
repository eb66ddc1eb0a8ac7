use diesel::{QueryResult, dsl::exists, prelude::*};
use portcullis_kernel::{Instant, TokenDigest};
use portcullis_tokens::RefreshRow;

use super::{
    Conn, DbInstant,
    repositories::{
        schema::{refresh_tokens, sessions},
        tokens::TokenRow,
    },
};
use crate::column::{AsText, DigestBytes};

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

/// The session's row decides; SQLite changes one table a statement.
fn write(
    conn: &mut Conn,
    spent: &TokenDigest,
    successor: &RefreshRow,
    now: Instant,
) -> QueryResult<bool> {
    let Some(before) = successor.generation.checked_sub(1) else { return Ok(false) };
    let now = DbInstant(now);
    let token = refresh_tokens::table.find(DigestBytes(*spent));
    let unspent = token
        .filter(refresh_tokens::session_id.eq(AsText(successor.session)))
        .filter(refresh_tokens::generation.eq(before))
        .filter(refresh_tokens::used_at.is_null());
    let ready = sessions::table
        .find(AsText(successor.session))
        .filter(sessions::generation.eq(before))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .filter(exists(unspent));
    let moved = diesel::update(ready)
        .set((sessions::generation.eq(successor.generation), sessions::last_used_at.eq(now)))
        .execute(conn)?;
    if moved == 0 {
        return Ok(false);
    }
    diesel::update(token).set(refresh_tokens::used_at.eq(now)).execute(conn)?;
    diesel::insert_into(refresh_tokens::table).values(TokenRow::from(successor)).execute(conn)?;
    Ok(true)
}
