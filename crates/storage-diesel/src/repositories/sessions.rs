use diesel::{
    dsl::count_star,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use portcullis_kernel::{Instant, SessionId, StoreResult, TokenDigest, UserId};
use portcullis_storage::{SessionRepository, TxMode};
use portcullis_tokens::{RefreshRow, RefreshState, Session};

use super::{
    super::{Conn, DbInstant, InstantSql, TEXTS_OF, rotation},
    Unit,
    batch::Dead,
    count, found,
    schema::{refresh_tokens, sessions},
    tokens::TokenRow,
};
use crate::column::{AsText, DigestBytes};

const EXPIRED_TOKENS: Dead =
    Dead { table: "refresh_tokens", key: "digest", condition: "expires_at < $1" };
const ENDED_SESSIONS: Dead = Dead { table: "sessions", key: "id", condition: "ended_at <= $1" };
const OVER_SESSIONS: Dead = Dead { table: "sessions", key: "id", condition: "expires_at <= $1" };

/// SQLite takes no OFFSET without a LIMIT.
const END_BEYOND: &str = "UPDATE sessions SET ended_at = $1 WHERE ended_at IS NULL AND id IN \
    (SELECT id FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND expires_at > $1 \
    ORDER BY last_used_at DESC, id DESC LIMIT 9223372036854775807 OFFSET $3)";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
struct Row {
    id: AsText<SessionId>,
    user_id: AsText<UserId>,
    created_at: DbInstant,
    last_used_at: DbInstant,
    expires_at: DbInstant,
    ip: Option<String>,
    user_agent: Option<String>,
    generation: i32,
    ended_at: Option<DbInstant>,
}

impl From<&Session> for Row {
    fn from(session: &Session) -> Self {
        Self {
            id: AsText(session.id),
            user_id: AsText(session.user),
            created_at: DbInstant(session.created_at),
            last_used_at: DbInstant(session.last_used_at),
            expires_at: DbInstant(session.expires_at),
            ip: session.ip.clone(),
            user_agent: session.user_agent.clone(),
            generation: session.generation,
            ended_at: session.ended_at.map(DbInstant),
        }
    }
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            user: row.user_id.0,
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            ip: row.ip,
            user_agent: row.user_agent,
            generation: row.generation,
            ended_at: row.ended_at.map(|at| at.0),
        }
    }
}

#[diesel::dsl::auto_type]
fn is_live(now: DbInstant) -> _ {
    let goes_on = sessions::expires_at.gt(now);
    sessions::ended_at.is_null().and(goes_on)
}

impl SessionRepository for Unit {
    fn insert(&mut self, session: &Session, first: &RefreshRow) -> StoreResult<()> {
        let session = diesel::insert_into(sessions::table).values(Row::from(session));
        let token = diesel::insert_into(refresh_tokens::table).values(TokenRow::from(first));
        self.change(|conn| {
            session.execute(conn)?;
            token.execute(conn)
        })
        .map(drop)
    }

    fn find_token(&mut self, digest: &TokenDigest) -> StoreResult<Option<RefreshState>> {
        let query = refresh_tokens::table
            .inner_join(sessions::table)
            .filter(refresh_tokens::digest.eq(DigestBytes(*digest)))
            .select((TokenRow::as_select(), Row::as_select()));
        let rows = self.read(|conn| query.first::<(TokenRow, Row)>(conn).optional())?;
        Ok(rows
            .map(|(token, session)| RefreshState { token: token.into(), session: session.into() }))
    }

    fn rotate(
        &mut self,
        spent: &TokenDigest,
        successor: &RefreshRow,
        now: Instant,
    ) -> StoreResult<bool> {
        let alone = self.mode == TxMode::Statement;
        self.change(|conn| rotation::rotate(conn, alone, spent, successor, now))
    }

    fn mark_raced(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        let first = refresh_tokens::table
            .find(DigestBytes(*digest))
            .filter(refresh_tokens::used_at.is_not_null())
            .filter(refresh_tokens::raced_at.is_null());
        let query = diesel::update(first).set(refresh_tokens::raced_at.eq(DbInstant(now)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn count_raced(&mut self, session: SessionId, since: Instant) -> StoreResult<u32> {
        let query = refresh_tokens::table
            .filter(refresh_tokens::session_id.eq(AsText(session)))
            .filter(refresh_tokens::raced_at.ge(DbInstant(since)))
            .select(count_star());
        let raced = self.read(|conn| query.first::<i64>(conn))?;
        Ok(u32::try_from(raced).unwrap_or(u32::MAX))
    }

    fn find_live(&mut self, id: SessionId, now: Instant) -> StoreResult<Option<Session>> {
        let query = sessions::table
            .find(AsText(id))
            .filter(is_live(DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(Session::from))
    }

    fn list_live(&mut self, user: UserId, now: Instant) -> StoreResult<Vec<Session>> {
        let now = DbInstant(now);
        let newest = refresh_tokens::session_id
            .eq(sessions::id)
            .and(refresh_tokens::generation.eq(sessions::generation));
        let query = sessions::table
            .inner_join(refresh_tokens::table.on(newest))
            .filter(sessions::user_id.eq(AsText(user)))
            .filter(is_live(now))
            .filter(refresh_tokens::expires_at.gt(now))
            .order((sessions::last_used_at.desc(), sessions::id.desc()))
            .select(Row::as_select());
        let rows = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    fn end(&mut self, id: SessionId, user: UserId, now: Instant) -> StoreResult<bool> {
        let now = DbInstant(now);
        let theirs = sessions::table
            .find(AsText(id))
            .filter(sessions::user_id.eq(AsText(user)))
            .filter(is_live(now));
        let query = diesel::update(theirs).set(sessions::ended_at.eq(now));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn end_all(&mut self, user: UserId, keep: Option<SessionId>, now: Instant) -> StoreResult<u64> {
        let now = DbInstant(now);
        // No session has the empty id.
        let keep = keep.map(|id| id.to_string()).unwrap_or_default();
        let others = sessions::table
            .filter(sessions::user_id.eq(AsText(user)))
            .filter(sessions::id.ne(keep))
            .filter(is_live(now));
        let query = diesel::update(others).set(sessions::ended_at.eq(now));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn end_beyond(&mut self, user: UserId, most: u32, now: Instant) -> StoreResult<u64> {
        let query = sql_query(END_BEYOND)
            .bind::<InstantSql, _>(DbInstant(now))
            .bind::<Text, _>(AsText(user))
            .bind::<BigInt, _>(i64::from(most));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn delete_dead(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| {
            let bereft = EXPIRED_TOKENS.delete_returning("session_id", conn, now, limit)?;
            let tokens = count(bereft.len());
            // One condition after the other: with both at once SQLite uses no index.
            let mut sessions = delete_without_tokens(conn, bereft)?;
            for dead in [ENDED_SESSIONS, OVER_SESSIONS] {
                let left = u64::from(limit).saturating_sub(sessions);
                sessions += dead.delete(conn, now, u32::try_from(left).unwrap_or(0))?;
            }
            Ok(tokens + sessions)
        })
    }
}

/// Removes those of the sessions that have no token left. Only sessions that just lost one can be
/// such, so that nobody need search for them.
fn delete_without_tokens(conn: &mut Conn, mut ids: Vec<String>) -> QueryResult<u64> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(0);
    }
    let list = serde_json::to_string(&ids)
        .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
    let (open, close) = TEXTS_OF;
    let statement = format!(
        "DELETE FROM sessions WHERE id IN (SELECT value FROM {open}$1{close}) AND NOT EXISTS \
         (SELECT 1 FROM refresh_tokens WHERE refresh_tokens.session_id = sessions.id)"
    );
    sql_query(statement).bind::<Text, _>(list).execute(conn).map(count)
}
