use diesel::{
    dsl::{exists, sql},
    prelude::*,
    sql_types::Bool,
};
use portcullis_kernel::{
    AgentId, ClaimAttemptId, Instant, RegistrationId, StoreResult, TokenDigest,
};
use portcullis_registration::{ClaimAttempt, Decision, Registration, RegistrationKind, State};
use portcullis_storage::RegistrationRepository;

use super::{
    super::DbInstant,
    Unit,
    batch::Dead,
    found,
    held::Held,
    schema::{
        claim_attempts::{self, dsl as attempt},
        registrations::{self, dsl as column},
    },
};
use crate::column::{AsText, CodeBytes, DigestBytes};

const DEAD: Dead = Dead { table: "claim_attempts", key: "id", condition: "expires_at <= $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = registrations)]
struct Row {
    id: AsText<RegistrationId>,
    agent_id: AsText<AgentId>,
    kind: String,
    email: Option<String>,
    claim: DigestBytes,
    view_token: DigestBytes,
    codes: i32,
    asked_from: Option<String>,
    created_at: DbInstant,
    expires_at: DbInstant,
    claimed_at: Option<DbInstant>,
    denied_at: Option<DbInstant>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = claim_attempts)]
struct AttemptRow {
    id: AsText<ClaimAttemptId>,
    registration_id: AsText<RegistrationId>,
    email: String,
    email_delivery: String,
    code: Option<CodeBytes>,
    tries: i32,
    created_at: DbInstant,
    expires_at: DbInstant,
}

impl From<&Registration> for Row {
    fn from(registration: &Registration) -> Self {
        let (claimed, denied) = match registration.state {
            State::Open => (None, None),
            State::Claimed(at) => (Some(at), None),
            State::Denied(at) => (None, Some(at)),
        };
        Self {
            id: AsText(registration.id),
            agent_id: AsText(registration.agent),
            kind: registration.kind.as_str().to_owned(),
            email: registration.kind.address().map(str::to_owned),
            claim: DigestBytes(registration.claim),
            view_token: DigestBytes(registration.view),
            codes: saturated(registration.codes),
            asked_from: registration.asked_from.clone(),
            created_at: DbInstant(registration.created_at),
            expires_at: DbInstant(registration.expires_at),
            claimed_at: claimed.map(DbInstant),
            denied_at: denied.map(DbInstant),
        }
    }
}

impl TryFrom<Row> for Registration {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> QueryResult<Self> {
        let Some(kind) = RegistrationKind::from_parts(&row.kind, row.email) else {
            let text = format!("a stored kind of registration is none: {:?}", row.kind);
            return Err(diesel::result::Error::DeserializationError(text.into()));
        };
        let state = match (row.claimed_at, row.denied_at) {
            (Some(at), _) => State::Claimed(at.0),
            (None, Some(at)) => State::Denied(at.0),
            (None, None) => State::Open,
        };
        Ok(Self {
            id: row.id.0,
            agent: row.agent_id.0,
            kind,
            claim: row.claim.0,
            view: row.view_token.0,
            // No count is below zero; one that were must not look like a fresh registration.
            codes: u32::try_from(row.codes).unwrap_or(u32::MAX),
            asked_from: row.asked_from,
            state,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

impl From<&ClaimAttempt> for AttemptRow {
    fn from(made: &ClaimAttempt) -> Self {
        Self {
            id: AsText(made.id),
            registration_id: AsText(made.registration),
            email: made.email.clone(),
            email_delivery: made.delivery.clone(),
            code: made.code.map(CodeBytes),
            tries: saturated(made.tries),
            created_at: DbInstant(made.created_at),
            expires_at: DbInstant(made.expires_at),
        }
    }
}

impl From<AttemptRow> for ClaimAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            id: row.id.0,
            registration: row.registration_id.0,
            email: row.email,
            delivery: row.email_delivery,
            code: row.code.map(|code| code.0),
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

/// The one registration that `$filter` finds, read or held.
macro_rules! one {
    (read $unit:ident, $filter:expr) => {{
        let query = registrations::table.filter($filter).select(Row::as_select());
        $unit.read(|conn| {
            query.first::<Row>(conn).optional()?.map(Registration::try_from).transpose()
        })
    }};
    (hold $unit:ident, $filter:expr) => {{
        let query = registrations::table.filter($filter).select(Row::as_select());
        $unit.change(|conn| {
            let row = Held(query).get_result::<Row>(conn).optional()?;
            row.map(Registration::try_from).transpose()
        })
    }};
}

#[diesel::dsl::auto_type]
fn is_undone_with(undo: DigestBytes, now: DbInstant) -> _ {
    let lives: diesel::dsl::Gt<column::undo_until, DbInstant> = column::undo_until.gt(now);
    column::undo.eq(undo).and(lives)
}

impl RegistrationRepository for Unit {
    fn insert(&mut self, registration: &Registration) -> StoreResult<()> {
        let query = diesel::insert_into(registrations::table).values(Row::from(registration));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn lock_by_claim(&mut self, claim: &TokenDigest) -> StoreResult<Option<Registration>> {
        one!(hold self, column::claim.eq(DigestBytes(*claim)))
    }

    fn lock_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>> {
        one!(hold self, column::view_token.eq(DigestBytes(*view)))
    }

    fn lock_by_attempt(&mut self, id: ClaimAttemptId) -> StoreResult<Option<Registration>> {
        let query = claim_attempts::table.find(AsText(id)).select(attempt::registration_id);
        let of = self.read(|conn| query.first::<AsText<RegistrationId>>(conn).optional())?;
        let Some(of) = of else { return Ok(None) };
        let held = one!(hold self, column::id.eq(of))?;
        // Another may have taken its place before the registration was held.
        let still = claim_attempts::table.find(AsText(id));
        let still = self.read(|conn| diesel::select(exists(still)).get_result::<bool>(conn))?;
        Ok(held.filter(|_| still))
    }

    fn lock_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>> {
        one!(hold self, is_undone_with(DigestBytes(*undo), DbInstant(now)))
    }

    fn find_by_view(&mut self, view: &TokenDigest) -> StoreResult<Option<Registration>> {
        one!(read self, column::view_token.eq(DigestBytes(*view)))
    }

    fn find_by_undo(
        &mut self,
        undo: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<Registration>> {
        one!(read self, is_undone_with(DigestBytes(*undo), DbInstant(now)))
    }

    fn find_by_agent(&mut self, agent: AgentId) -> StoreResult<Option<Registration>> {
        one!(read self, column::agent_id.eq(AsText(agent)))
    }

    fn decide(
        &mut self,
        id: RegistrationId,
        decision: &Decision,
        now: Instant,
    ) -> StoreResult<bool> {
        let open = registrations::table
            .find(AsText(id))
            .filter(column::claimed_at.is_null())
            .filter(column::denied_at.is_null());
        let decided = self.change(|conn| match decision {
            Decision::Claim { undo, undo_until } => diesel::update(open)
                .set((
                    column::claimed_at.eq(DbInstant(now)),
                    column::undo.eq(DigestBytes(*undo)),
                    column::undo_until.eq(DbInstant(*undo_until)),
                ))
                .execute(conn),
            Decision::Deny => {
                diesel::update(open).set(column::denied_at.eq(DbInstant(now))).execute(conn)
            }
        })?;
        if found(decided) {
            let theirs = claim_attempts::table.filter(attempt::registration_id.eq(AsText(id)));
            self.change(|conn| diesel::delete(theirs).execute(conn))?;
        }
        Ok(found(decided))
    }

    fn remove(&mut self, id: RegistrationId) -> StoreResult<bool> {
        let theirs = registrations::table.find(AsText(id));
        self.change(|conn| diesel::delete(theirs).execute(conn)).map(found)
    }

    fn forget_undo(&mut self, id: RegistrationId) -> StoreResult<bool> {
        let known = registrations::table.find(AsText(id)).filter(column::undo.is_not_null());
        let query = diesel::update(known)
            .set((column::undo.eq(None::<DigestBytes>), column::undo_until.eq(None::<DbInstant>)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn attempt(&mut self, id: RegistrationId) -> StoreResult<Option<ClaimAttempt>> {
        let query = claim_attempts::table
            .filter(attempt::registration_id.eq(AsText(id)))
            .select(AttemptRow::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(ClaimAttempt::from))
    }

    fn put_attempt(&mut self, made: &ClaimAttempt) -> StoreResult<()> {
        let of = AsText(made.registration);
        let earlier = claim_attempts::table.filter(attempt::registration_id.eq(of));
        let insert = diesel::insert_into(claim_attempts::table).values(AttemptRow::from(made));
        let count =
            diesel::update(registrations::table.find(of)).set(column::codes.eq(column::codes + 1));
        self.change(|conn| {
            diesel::delete(earlier).execute(conn)?;
            insert.execute(conn)?;
            if made.code.is_some() {
                count.execute(conn)?;
            }
            Ok(())
        })
    }

    fn take_try(&mut self, id: ClaimAttemptId, most: u32) -> StoreResult<bool> {
        let left =
            claim_attempts::table.find(AsText(id)).filter(attempt::tries.lt(saturated(most)));
        let query = diesel::update(left).set(attempt::tries.eq(attempt::tries + 1));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn give_back_try(&mut self, id: ClaimAttemptId) -> StoreResult<()> {
        let taken = claim_attempts::table.find(AsText(id)).filter(attempt::tries.gt(0));
        let query = diesel::update(taken).set(attempt::tries.eq(attempt::tries - 1));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn list_unclaimed(
        &mut self,
        claimable_until: Instant,
        anonymous_before: Option<Instant>,
        limit: u32,
    ) -> StoreResult<Vec<AgentId>> {
        let unclaimed = registrations::table
            .filter(column::claimed_at.is_null())
            .select(column::agent_id)
            .limit(i64::from(limit));
        // Said in the statement itself: neither database uses a partial index for a kind that is bound.
        let for_address = unclaimed
            .filter(sql::<Bool>("registrations.kind = 'email'"))
            .filter(column::expires_at.le(DbInstant(claimable_until)))
            .order((column::expires_at, column::id));
        let anonymous = anonymous_before.map(|before| {
            unclaimed
                .filter(sql::<Bool>("registrations.kind = 'anonymous'"))
                .filter(column::created_at.lt(DbInstant(before)))
                .order((column::created_at, column::id))
        });
        let mut agents: Vec<AsText<AgentId>> = self.read(|conn| for_address.load(conn))?;
        if let Some(anonymous) = anonymous {
            agents.extend(self.read(|conn| anonymous.load::<AsText<AgentId>>(conn))?);
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(agents.into_iter().take(most).map(|id| id.0).collect())
    }

    fn delete_dead_attempts(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| DEAD.delete(conn, before, limit))
    }
}

fn saturated(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
