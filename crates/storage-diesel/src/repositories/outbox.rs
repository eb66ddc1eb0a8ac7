use diesel::{
    dsl::exists,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::Text,
};
use portcullis_email::OutboxEntry;
use portcullis_kernel::{
    AgentId, ClaimAttemptId, EmailChangeId, Instant, InvitationId, MailId, RecoveryId, StoreResult,
    UserId,
};
use portcullis_storage::OutboxRepository;

use super::{
    super::{Backend, Conn, DbInstant, InstantSql, SKIP_LOCKED},
    Unit,
    batch::Dead,
    found,
    held::Held,
    schema::outbox::{self, dsl as column},
};
use crate::column::{AsText, DigestBytes};

const EXPIRED: Dead = Dead { table: "outbox", key: "id", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox)]
struct Row {
    id: AsText<MailId>,
    kind: String,
    user_id: Option<AsText<UserId>>,
    token: Option<DigestBytes>,
    change_id: Option<AsText<EmailChangeId>>,
    invitation_id: Option<AsText<InvitationId>>,
    sealed: Vec<u8>,
    sealed_by: String,
    created_at: DbInstant,
    due_at: DbInstant,
    expires_at: DbInstant,
    attempts: i32,
    agent_id: Option<AsText<AgentId>>,
    agent_token: Option<DigestBytes>,
    recovery_id: Option<AsText<RecoveryId>>,
    claim_attempt_id: Option<AsText<ClaimAttemptId>>,
}

impl From<&OutboxEntry> for Row {
    fn from(entry: &OutboxEntry) -> Self {
        Self {
            id: AsText(entry.id),
            kind: entry.kind.clone(),
            user_id: entry.user.map(AsText),
            token: entry.token.map(DigestBytes),
            change_id: entry.change.map(AsText),
            invitation_id: entry.invitation.map(AsText),
            sealed: entry.sealed.clone(),
            sealed_by: entry.sealed_by.clone(),
            created_at: DbInstant(entry.created_at),
            due_at: DbInstant(entry.due_at),
            expires_at: DbInstant(entry.expires_at),
            attempts: entry.attempts,
            agent_id: entry.agent.map(AsText),
            agent_token: entry.agent_token.map(DigestBytes),
            recovery_id: entry.recovery.map(AsText),
            claim_attempt_id: entry.claim.map(AsText),
        }
    }
}

impl From<Row> for OutboxEntry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind,
            user: row.user_id.map(|id| id.0),
            token: row.token.map(|digest| digest.0),
            change: row.change_id.map(|id| id.0),
            invitation: row.invitation_id.map(|id| id.0),
            agent: row.agent_id.map(|id| id.0),
            agent_token: row.agent_token.map(|digest| digest.0),
            recovery: row.recovery_id.map(|id| id.0),
            claim: row.claim_attempt_id.map(|id| id.0),
            sealed: row.sealed,
            sealed_by: row.sealed_by,
            created_at: row.created_at.0,
            due_at: row.due_at.0,
            expires_at: row.expires_at.0,
            attempts: row.attempts,
        }
    }
}

impl OutboxRepository for Unit {
    fn insert(&mut self, entry: &OutboxEntry) -> StoreResult<()> {
        let query = diesel::insert_into(outbox::table).values(Row::from(entry));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn is_due(&mut self, sealed_by: &str, now: Instant) -> StoreResult<bool> {
        let due = outbox::table
            .filter(column::sealed_by.eq(sealed_by))
            .filter(column::due_at.le(DbInstant(now)));
        self.read(|conn| diesel::select(exists(due)).get_result(conn))
    }

    fn claim(
        &mut self,
        sealed_by: &str,
        now: Instant,
        until: Instant,
    ) -> StoreResult<Option<OutboxEntry>> {
        let (now, until) = (DbInstant(now), DbInstant(until));
        let claim = Claim { sealed_by: sealed_by.to_owned(), now, until };
        let row = self.change(|conn| claim.get_result::<Row>(conn).optional())?;
        Ok(row.map(OutboxEntry::from))
    }

    fn postpone(&mut self, id: MailId, attempt: i32, due_at: Instant) -> StoreResult<bool> {
        let ours = outbox::table.find(AsText(id)).filter(column::attempts.eq(attempt));
        let query = diesel::update(ours).set(column::due_at.eq(DbInstant(due_at)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn remove(&mut self, id: MailId, attempt: i32) -> StoreResult<bool> {
        let ours = outbox::table.find(AsText(id)).filter(column::attempts.eq(attempt));
        self.change(|conn| diesel::delete(ours).execute(conn)).map(found)
    }

    fn lock_sealed_by(&mut self, sealed_by: &str) -> StoreResult<Vec<OutboxEntry>> {
        let sealed = outbox::table
            .filter(column::sealed_by.eq(sealed_by))
            .order(column::id)
            .select(Row::as_select());
        let rows: Vec<Row> = self.change(|conn| Held(sealed).load(conn))?;
        Ok(rows.into_iter().map(OutboxEntry::from).collect())
    }

    fn reseal(&mut self, id: MailId, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool> {
        let still = outbox::table.find(AsText(id)).filter(column::sealed_by.eq(from));
        let query =
            diesel::update(still).set((column::sealed.eq(sealed), column::sealed_by.eq(to)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}

/// Takes one entry that nobody else is taking at the moment. A query of its own, not a text, so that
/// it is prepared once per connection; `MATERIALIZED`, because an entry that is chosen again could be
/// another one.
#[derive(QueryId)]
struct Claim {
    sealed_by: String,
    now: DbInstant,
    until: DbInstant,
}

impl Query for Claim {
    type SqlType = outbox::SqlType;
}

impl RunQueryDsl<Conn> for Claim {}

impl QueryFragment<Backend> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("WITH picked AS MATERIALIZED (SELECT id FROM outbox WHERE sealed_by = ");
        out.push_bind_param::<Text, _>(&self.sealed_by)?;
        out.push_sql(" AND due_at <= ");
        out.push_bind_param::<InstantSql, _>(&self.now)?;
        out.push_sql(" ORDER BY due_at, id LIMIT 1");
        out.push_sql(SKIP_LOCKED);
        out.push_sql(") UPDATE outbox SET attempts = attempts + 1, due_at = ");
        out.push_bind_param::<InstantSql, _>(&self.until)?;
        out.push_sql(" WHERE id = (SELECT id FROM picked) RETURNING ");
        outbox::all_columns.walk_ast(out.reborrow())
    }
}
