use diesel::{
    dsl::{case_when, count_star, exists},
    prelude::*,
    sql_types::Nullable,
};
use portcullis_credentials::{AllowedNetworks, ApiKey, KeyName};
use portcullis_identity::UserStatus;
use portcullis_kernel::{
    AgentId, ApiKeyId, Instant, Page, Place, Scopes, Slice, StoreResult, TokenDigest, TokenId,
};
use portcullis_storage::{AgentAccess, ApiKeyRepository, KeyHolder};

use super::{
    super::{Backend, DbInstant, InstantSql},
    Unit,
    agent_rows::AgentRow,
    batch::Dead,
    count, found,
    schema::{
        agents,
        api_keys::{self, dsl as column},
        spent_tokens, users,
    },
    slices::{after, slice_of},
};
use crate::column::{AsText, DigestBytes};

const REVOKED: Dead = Dead { table: "api_keys", key: "id", condition: "revoked_at < $1" };
const EXPIRED: Dead = Dead { table: "api_keys", key: "id", condition: "expires_at < $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct Row {
    id: AsText<ApiKeyId>,
    agent_id: AsText<AgentId>,
    name: AsText<KeyName>,
    hint: String,
    digest: DigestBytes,
    scopes: AsText<Scopes>,
    networks: Option<AsText<AllowedNetworks>>,
    rate_limit: Option<i64>,
    created_at: DbInstant,
    expires_at: Option<DbInstant>,
    last_used_at: Option<DbInstant>,
    revoked_at: Option<DbInstant>,
    replaced_by: Option<AsText<ApiKeyId>>,
}

impl From<&ApiKey> for Row {
    fn from(key: &ApiKey) -> Self {
        let networks = Some(key.networks.clone()).filter(|list| !list.as_slice().is_empty());
        Self {
            id: AsText(key.id),
            agent_id: AsText(key.agent),
            name: AsText(key.name.clone()),
            hint: key.hint.clone(),
            digest: DigestBytes(key.digest),
            scopes: AsText(key.scopes.clone()),
            networks: networks.map(AsText),
            rate_limit: key.rate_limit.map(i64::from),
            created_at: DbInstant(key.created_at),
            expires_at: key.expires_at.map(DbInstant),
            last_used_at: key.last_used_at.map(DbInstant),
            revoked_at: key.revoked_at.map(DbInstant),
            replaced_by: key.replaced_by.map(AsText),
        }
    }
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            agent: row.agent_id.0,
            name: row.name.0,
            hint: row.hint,
            digest: row.digest.0,
            scopes: row.scopes.0,
            networks: row.networks.map(|list| list.0).unwrap_or_default(),
            // None is below zero; one above all bounds is as good as none.
            rate_limit: row.rate_limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            created_at: row.created_at.0,
            expires_at: row.expires_at.map(|at| at.0),
            last_used_at: row.last_used_at.map(|at| at.0),
            revoked_at: row.revoked_at.map(|at| at.0),
            replaced_by: row.replaced_by.map(|id| id.0),
        }
    }
}

/// The keys that live.
#[diesel::dsl::auto_type]
fn is_live(now: DbInstant) -> _ {
    let goes_on = column::expires_at.is_null().or(column::expires_at.gt(now));
    column::revoked_at.is_null().and(goes_on)
}

/// The agent's keys that live.
#[diesel::dsl::auto_type]
fn live_of(agent: AsText<AgentId>, now: DbInstant) -> _ {
    let live: is_live = is_live(now);
    column::agent_id.eq(agent).and(live)
}

impl ApiKeyRepository for Unit {
    fn insert(&mut self, key: &ApiKey) -> StoreResult<()> {
        let query = diesel::insert_into(api_keys::table).values(Row::from(key));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn find(&mut self, id: ApiKeyId) -> StoreResult<Option<ApiKey>> {
        let query = api_keys::table.find(AsText(id)).select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(ApiKey::from))
    }

    fn count_live(&mut self, agent: AgentId, now: Instant) -> StoreResult<u32> {
        let live = live_of(AsText(agent), DbInstant(now));
        let query = api_keys::table.filter(live).select(count_star());
        let keys = self.read(|conn| query.first::<i64>(conn))?;
        Ok(u32::try_from(keys).unwrap_or(u32::MAX))
    }

    fn list_live(&mut self, agents: &[AgentId], now: Instant) -> StoreResult<Vec<ApiKey>> {
        let agents: Vec<_> = agents.iter().copied().map(AsText).collect();
        let query = api_keys::table
            .filter(column::agent_id.eq_any(agents))
            .filter(is_live(DbInstant(now)))
            .order((column::created_at.desc(), column::id.desc()))
            .select(Row::as_select());
        let rows: Vec<Row> = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    fn list(&mut self, agent: AgentId, slice: &Slice<ApiKeyId>) -> StoreResult<Page<ApiKey>> {
        let theirs = api_keys::table
            .filter(column::agent_id.eq(AsText(agent)))
            .select(Row::as_select())
            .into_boxed::<Backend>();
        let query = after!(theirs, slice, column::created_at, column::id);
        let rows: Vec<Row> = self.read(|conn| query.load(conn))?;
        let keys = rows.into_iter().map(ApiKey::from).collect();
        Ok(slice_of(keys, slice, |key: &ApiKey| Place { at: key.created_at, id: key.id }))
    }

    fn revoke(&mut self, id: ApiKeyId, agent: AgentId, now: Instant) -> StoreResult<bool> {
        let now = DbInstant(now);
        let live = api_keys::table.find(AsText(id)).filter(live_of(AsText(agent), now));
        let query = diesel::update(live).set(column::revoked_at.eq(now));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn revoke_all(&mut self, agent: AgentId, now: Instant) -> StoreResult<u64> {
        let now = DbInstant(now);
        let live = api_keys::table.filter(live_of(AsText(agent), now));
        let query = diesel::update(live).set(column::revoked_at.eq(now));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn replace(
        &mut self,
        id: ApiKeyId,
        agent: AgentId,
        successor: ApiKeyId,
        ends_at: Instant,
        now: Instant,
    ) -> StoreResult<bool> {
        let live = api_keys::table
            .find(AsText(id))
            .filter(live_of(AsText(agent), DbInstant(now)))
            .filter(column::replaced_by.is_null());
        let ends_at = DbInstant(ends_at).into_sql::<Nullable<InstantSql>>();
        let sooner = case_when(column::expires_at.lt(ends_at), column::expires_at);
        let query = diesel::update(live).set((
            column::replaced_by.eq(AsText(successor)),
            column::expires_at.eq(sooner.otherwise(ends_at)),
        ));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn touch(&mut self, id: ApiKeyId, at: Instant) -> StoreResult<()> {
        let at = DbInstant(at);
        // Of two instances the one with the slower clock may come last.
        let earlier = column::last_used_at.is_null().or(column::last_used_at.lt(at));
        let used = api_keys::table.find(AsText(id)).filter(earlier);
        let query = diesel::update(used).set(column::last_used_at.eq(at));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn delete_dead(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| {
            // One condition after the other: with both at once SQLite uses no index.
            let revoked = REVOKED.delete(conn, before, limit)?;
            let left = u64::from(limit).saturating_sub(revoked);
            Ok(revoked + EXPIRED.delete(conn, before, u32::try_from(left).unwrap_or(0))?)
        })
    }
}

/// Whether the agent of the row belongs to a suspended user.
macro_rules! owner_is_suspended {
    () => {
        exists(
            users::table
                .filter(users::id.nullable().eq(agents::owner_id))
                .filter(users::status.eq(AsText(UserStatus::Suspended))),
        )
    };
}

impl AgentAccess for Unit {
    fn find_key(&mut self, digest: &TokenDigest) -> StoreResult<Option<KeyHolder>> {
        let query = api_keys::table
            .inner_join(agents::table)
            .filter(column::digest.eq(DigestBytes(*digest)))
            .select((Row::as_select(), AgentRow::as_select(), owner_is_suspended!()));
        let rows = self.read(|conn| query.first::<(Row, AgentRow, bool)>(conn).optional())?;
        Ok(rows.map(|(key, agent, suspended)| holder(key, agent, suspended)))
    }

    fn find_token(
        &mut self,
        key: ApiKeyId,
        token: TokenId,
    ) -> StoreResult<Option<(KeyHolder, bool)>> {
        let spent = exists(spent_tokens::table.find(AsText(token)));
        let query = api_keys::table
            .inner_join(agents::table)
            .filter(column::id.eq(AsText(key)))
            .select((Row::as_select(), AgentRow::as_select(), owner_is_suspended!(), spent));
        let rows = self.read(|conn| query.first::<(Row, AgentRow, bool, bool)>(conn).optional())?;
        Ok(rows.map(|(key, agent, suspended, spent)| (holder(key, agent, suspended), spent)))
    }
}

fn holder(key: Row, agent: AgentRow, owner_suspended: bool) -> KeyHolder {
    KeyHolder { key: key.into(), agent: agent.into(), owner_suspended }
}
