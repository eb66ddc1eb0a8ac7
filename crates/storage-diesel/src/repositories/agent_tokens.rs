use diesel::prelude::*;
use portcullis_credentials::AgentToken;
use portcullis_kernel::{AgentId, Instant, StoreResult, TokenDigest};
use portcullis_storage::AgentTokenRepository;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    count, found, outrun,
    schema::{
        agent_tokens::{self, dsl as column},
        outbox,
    },
    vacant::IfVacant,
};
use crate::column::{AsText, DigestBytes};

const EXPIRED: Dead = Dead { table: "agent_tokens", key: "digest", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = agent_tokens)]
struct Row {
    digest: DigestBytes,
    agent_id: AsText<AgentId>,
    email: String,
    created_at: DbInstant,
    expires_at: DbInstant,
    used_at: Option<DbInstant>,
}

impl From<&AgentToken> for Row {
    fn from(token: &AgentToken) -> Self {
        Self {
            digest: DigestBytes(token.digest),
            agent_id: AsText(token.agent),
            email: token.email.clone(),
            created_at: DbInstant(token.created_at),
            expires_at: DbInstant(token.expires_at),
            used_at: token.used_at.map(DbInstant),
        }
    }
}

impl From<Row> for AgentToken {
    fn from(row: Row) -> Self {
        Self {
            digest: row.digest.0,
            agent: row.agent_id.0,
            email: row.email,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            used_at: row.used_at.map(|at| at.0),
        }
    }
}

#[diesel::dsl::auto_type]
fn open_of(agent: AsText<AgentId>) -> _ {
    let theirs = column::agent_id.eq(agent);
    theirs.and(column::used_at.is_null())
}

impl AgentTokenRepository for Unit {
    fn put(&mut self, token: &AgentToken) -> StoreResult<()> {
        let old = agent_tokens::table.filter(open_of(AsText(token.agent)));
        let insert = IfVacant {
            insert: diesel::insert_into(agent_tokens::table).values(Row::from(token)),
            index: "(agent_id) WHERE used_at IS NULL",
        };
        let inserted = self.change(|conn| {
            // No upsert: the old one's mail goes only when the row goes.
            diesel::delete(old).execute(conn)?;
            insert.execute(conn)
        })?;
        if found(inserted) { Ok(()) } else { Err(outrun("token of an agent")) }
    }

    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<AgentToken>> {
        let query = agent_tokens::table
            .find(DigestBytes(*digest))
            .filter(column::expires_at.gt(DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(AgentToken::from))
    }

    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        let (digest, now) = (DigestBytes(*digest), DbInstant(now));
        let live = agent_tokens::table
            .find(digest)
            .filter(column::used_at.is_null())
            .filter(column::expires_at.gt(now));
        let use_up = diesel::update(live).set(column::used_at.eq(now));
        let mail = diesel::delete(outbox::table.filter(outbox::agent_token.eq(digest)));
        self.change(|conn| {
            let spent = found(use_up.execute(conn)?);
            if spent {
                mail.execute(conn)?;
            }
            Ok(spent)
        })
    }

    fn remove_open(&mut self, agent: AgentId) -> StoreResult<u64> {
        let open = agent_tokens::table.filter(open_of(AsText(agent)));
        self.change(|conn| diesel::delete(open).execute(conn)).map(count)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}
