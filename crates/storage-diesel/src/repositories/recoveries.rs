use diesel::prelude::*;
use portcullis_credentials::{RecoveryCode, RecoveryRequest, Tried};
use portcullis_kernel::{AgentId, Instant, RecoveryId, StoreResult};
use portcullis_storage::RecoveryRepository;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    count, found,
    held::Held,
    outrun,
    schema::{
        outbox, recovery_codes,
        recovery_requests::{self, dsl as column},
    },
    vacant::IfVacant,
};
use crate::column::{AsText, CodeBytes};

const EXPIRED: Dead = Dead { table: "recovery_requests", key: "id", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = recovery_requests)]
struct Row {
    id: AsText<RecoveryId>,
    email: String,
    side: String,
    asked_from: String,
    own_tries: i32,
    other_tries: i32,
    created_at: DbInstant,
    expires_at: DbInstant,
    closed_at: Option<DbInstant>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = recovery_codes)]
struct CodeRow {
    request_id: AsText<RecoveryId>,
    agent_id: AsText<AgentId>,
    code: CodeBytes,
    used_at: Option<DbInstant>,
}

impl From<&RecoveryRequest> for Row {
    fn from(request: &RecoveryRequest) -> Self {
        Self {
            id: AsText(request.id),
            email: request.email.clone(),
            side: request.side.clone().unwrap_or_default(),
            asked_from: request.asked_from.clone(),
            own_tries: saturated(request.own_tries),
            other_tries: saturated(request.other_tries),
            created_at: DbInstant(request.created_at),
            expires_at: DbInstant(request.expires_at),
            closed_at: request.closed_at.map(DbInstant),
        }
    }
}

impl From<Row> for RecoveryRequest {
    fn from(row: Row) -> Self {
        // No count is below zero; one that were must not look like a fresh request.
        let tries = |tries| u32::try_from(tries).unwrap_or(u32::MAX);
        Self {
            id: row.id.0,
            email: row.email,
            side: Some(row.side).filter(|side| !side.is_empty()),
            asked_from: row.asked_from,
            own_tries: tries(row.own_tries),
            other_tries: tries(row.other_tries),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            closed_at: row.closed_at.map(|at| at.0),
        }
    }
}

impl From<&RecoveryCode> for CodeRow {
    fn from(code: &RecoveryCode) -> Self {
        Self {
            request_id: AsText(code.request),
            agent_id: AsText(code.agent),
            code: CodeBytes(code.code),
            used_at: code.used_at.map(DbInstant),
        }
    }
}

impl From<CodeRow> for RecoveryCode {
    fn from(row: CodeRow) -> Self {
        Self {
            request: row.request_id.0,
            agent: row.agent_id.0,
            code: row.code.0,
            used_at: row.used_at.map(|at| at.0),
        }
    }
}

#[diesel::dsl::auto_type]
fn is_open(now: DbInstant) -> _ {
    let goes_on = column::expires_at.gt(now);
    column::closed_at.is_null().and(goes_on)
}

impl RecoveryRepository for Unit {
    fn open(&mut self, request: &RecoveryRequest) -> StoreResult<()> {
        let row = Row::from(request);
        let earlier = recovery_requests::table
            .filter(column::email.eq(row.email.clone()))
            .filter(column::side.eq(row.side.clone()))
            .filter(column::closed_at.is_null());
        let close =
            diesel::update(earlier).set(column::closed_at.eq(row.created_at)).returning(column::id);
        let insert = IfVacant {
            insert: diesel::insert_into(recovery_requests::table).values(row),
            index: "(email, side) WHERE closed_at IS NULL",
        };
        let inserted = self.change(|conn| {
            for closed in close.load::<AsText<RecoveryId>>(conn)? {
                let mails = outbox::table.filter(outbox::recovery_id.eq(closed));
                diesel::delete(mails).execute(conn)?;
            }
            insert.execute(conn)
        })?;
        if found(inserted) { Ok(()) } else { Err(outrun("recovery request")) }
    }

    fn find_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>> {
        let query = recovery_requests::table
            .find(AsText(id))
            .filter(is_open(DbInstant(now)))
            .select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(RecoveryRequest::from))
    }

    fn lock_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>> {
        let query = recovery_requests::table
            .find(AsText(id))
            .filter(is_open(DbInstant(now)))
            .select(Row::as_select());
        let row = self.change(|conn| Held(query).get_result::<Row>(conn).optional())?;
        Ok(row.map(RecoveryRequest::from))
    }

    fn lock_all(&mut self, canonical: &str, now: Instant) -> StoreResult<Vec<RecoveryRequest>> {
        let theirs = recovery_requests::table
            .filter(column::email.eq(canonical))
            .filter(column::expires_at.gt(DbInstant(now)))
            .order(column::id)
            .select(Row::as_select());
        let rows: Vec<Row> = self.change(|conn| Held(theirs).load(conn))?;
        Ok(rows.into_iter().map(RecoveryRequest::from).collect())
    }

    fn add_code(&mut self, code: &RecoveryCode) -> StoreResult<()> {
        let query = diesel::insert_into(recovery_codes::table).values(CodeRow::from(code));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn codes(&mut self, requests: &[RecoveryId]) -> StoreResult<Vec<RecoveryCode>> {
        let requests: Vec<_> = requests.iter().copied().map(AsText).collect();
        let query = recovery_codes::table
            .filter(recovery_codes::request_id.eq_any(requests))
            .order((recovery_codes::request_id, recovery_codes::agent_id))
            .select(CodeRow::as_select());
        let rows: Vec<CodeRow> = self.read(|conn| query.load(conn))?;
        Ok(rows.into_iter().map(RecoveryCode::from).collect())
    }

    fn take_try(&mut self, id: RecoveryId, tried: Tried, most: u32) -> StoreResult<bool> {
        let (request, most) = (recovery_requests::table.find(AsText(id)), saturated(most));
        self.change(|conn| match tried {
            Tried::ByAsker => diesel::update(request.filter(column::own_tries.lt(most)))
                .set(column::own_tries.eq(column::own_tries + 1))
                .execute(conn),
            Tried::ByOther => diesel::update(request.filter(column::other_tries.lt(most)))
                .set(column::other_tries.eq(column::other_tries + 1))
                .execute(conn),
        })
        .map(found)
    }

    fn give_back_try(&mut self, id: RecoveryId, tried: Tried) -> StoreResult<()> {
        let request = recovery_requests::table.find(AsText(id));
        self.change(|conn| match tried {
            Tried::ByAsker => diesel::update(request.filter(column::own_tries.gt(0)))
                .set(column::own_tries.eq(column::own_tries - 1))
                .execute(conn),
            Tried::ByOther => diesel::update(request.filter(column::other_tries.gt(0)))
                .set(column::other_tries.eq(column::other_tries - 1))
                .execute(conn),
        })
        .map(drop)
    }

    fn spend(&mut self, request: RecoveryId, agent: AgentId, now: Instant) -> StoreResult<bool> {
        let unused = recovery_codes::table
            .find((AsText(request), AsText(agent)))
            .filter(recovery_codes::used_at.is_null());
        let query = diesel::update(unused).set(recovery_codes::used_at.eq(DbInstant(now)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn remove_open_codes(&mut self, agent: AgentId) -> StoreResult<u64> {
        let unused = recovery_codes::table
            .filter(recovery_codes::agent_id.eq(AsText(agent)))
            .filter(recovery_codes::used_at.is_null());
        self.change(|conn| diesel::delete(unused).execute(conn)).map(count)
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| EXPIRED.delete(conn, now, limit))
    }
}

fn saturated(tries: u32) -> i32 {
    i32::try_from(tries).unwrap_or(i32::MAX)
}
