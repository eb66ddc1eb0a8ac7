use diesel::prelude::*;
use portcullis_kernel::SessionId;
use portcullis_tokens::RefreshRow;

use super::{super::DbInstant, schema::refresh_tokens};
use crate::column::{AsText, DigestBytes};

/// A row of `refresh_tokens`.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub(in super::super) struct TokenRow {
    digest: DigestBytes,
    session_id: AsText<SessionId>,
    generation: i32,
    issued_at: DbInstant,
    expires_at: DbInstant,
    used_at: Option<DbInstant>,
    raced_at: Option<DbInstant>,
}

impl From<&RefreshRow> for TokenRow {
    fn from(token: &RefreshRow) -> Self {
        Self {
            digest: DigestBytes(token.digest),
            session_id: AsText(token.session),
            generation: token.generation,
            issued_at: DbInstant(token.issued_at),
            expires_at: DbInstant(token.expires_at),
            used_at: token.used_at.map(DbInstant),
            raced_at: token.raced_at.map(DbInstant),
        }
    }
}

impl From<TokenRow> for RefreshRow {
    fn from(row: TokenRow) -> Self {
        Self {
            digest: row.digest.0,
            session: row.session_id.0,
            generation: row.generation,
            issued_at: row.issued_at.0,
            expires_at: row.expires_at.0,
            used_at: row.used_at.map(|at| at.0),
            raced_at: row.raced_at.map(|at| at.0),
        }
    }
}
