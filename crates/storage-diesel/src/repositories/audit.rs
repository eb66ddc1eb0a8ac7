use std::net::IpAddr;

use diesel::prelude::*;
use portcullis_audit::{Action, Actor, AuditEvent, Outcome};
use portcullis_kernel::{
    AgentId, ApiKeyId, AuditEventId, Instant, Page, Place, SessionId, Slice, StoreResult, UserId,
};
use portcullis_storage::AuditRepository;

use super::{
    super::{Backend, DbInstant},
    Unit,
    batch::Dead,
    count,
    schema::audit_events::{self, dsl as column},
    slices::{after, slice_of},
};
use crate::column::AsText;

const OLD: Dead = Dead { table: "audit_events", key: "id", condition: "at < $1" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_events)]
struct Row {
    id: AsText<AuditEventId>,
    at: DbInstant,
    action: AsText<Action>,
    outcome: AsText<Outcome>,
    actor_kind: String,
    actor_user: Option<AsText<UserId>>,
    subject: Option<AsText<UserId>>,
    session_id: Option<AsText<SessionId>>,
    client: Option<AsText<IpAddr>>,
    request_id: Option<String>,
    detail: Option<String>,
    agent_id: Option<AsText<AgentId>>,
    key_id: Option<AsText<ApiKeyId>>,
}

impl From<&AuditEvent> for Row {
    fn from(event: &AuditEvent) -> Self {
        Self {
            id: AsText(event.id),
            at: DbInstant(event.at),
            action: AsText(event.action),
            outcome: AsText(event.outcome),
            actor_kind: event.actor.kind().to_owned(),
            actor_user: event.actor.user().map(AsText),
            subject: event.subject.map(AsText),
            session_id: event.session.map(AsText),
            client: event.client.map(AsText),
            request_id: event.request_id.clone(),
            detail: event.detail.clone(),
            agent_id: event.agent.map(AsText),
            key_id: event.key.map(AsText),
        }
    }
}

impl TryFrom<Row> for AuditEvent {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> QueryResult<Self> {
        let actor_user = row.actor_user.map(|user| user.0);
        let agent = row.agent_id.map(|agent| agent.0);
        let unreadable = || {
            let text = format!("a stored audit actor is none: {:?}", row.actor_kind);
            diesel::result::Error::DeserializationError(text.into())
        };
        Ok(Self {
            id: row.id.0,
            at: row.at.0,
            action: row.action.0,
            outcome: row.outcome.0,
            actor: Actor::from_parts(&row.actor_kind, actor_user, agent).ok_or_else(unreadable)?,
            subject: row.subject.map(|user| user.0),
            agent,
            key: row.key_id.map(|key| key.0),
            session: row.session_id.map(|session| session.0),
            client: row.client.map(|client| client.0),
            request_id: row.request_id,
            detail: row.detail,
        })
    }
}

#[diesel::dsl::auto_type]
fn concerns(user: AsText<UserId>) -> _ {
    let actor = column::actor_user.eq(user);
    let subject = column::subject.eq(user);
    actor.or(subject)
}

impl AuditRepository for Unit {
    fn append(&mut self, event: &AuditEvent) -> StoreResult<()> {
        let query = diesel::insert_into(audit_events::table).values(Row::from(event));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn list_for(&mut self, user: UserId, limit: u32) -> StoreResult<Vec<AuditEvent>> {
        let query = audit_events::table
            .filter(concerns(AsText(user)))
            .order((column::at.desc(), column::id.desc()))
            .limit(i64::from(limit))
            .select(Row::as_select());
        self.read(|conn| query.load(conn)?.into_iter().map(AuditEvent::try_from).collect())
    }

    fn list_for_agent(
        &mut self,
        agent: AgentId,
        slice: &Slice<AuditEventId>,
    ) -> StoreResult<Page<AuditEvent>> {
        let theirs = audit_events::table
            .filter(column::agent_id.eq(AsText(agent)))
            .select(Row::as_select())
            .into_boxed::<Backend>();
        let query = after!(theirs, slice, column::at, column::id);
        let events: Vec<AuditEvent> =
            self.read(|conn| query.load(conn)?.into_iter().map(AuditEvent::try_from).collect())?;
        Ok(slice_of(events, slice, |event| Place { at: event.at, id: event.id }))
    }

    fn pseudonymise(&mut self, user: UserId) -> StoreResult<u64> {
        let telling =
            audit_events::table.filter(concerns(AsText(user))).filter(column::client.is_not_null());
        let query = diesel::update(telling).set(column::client.eq(None::<String>));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn pseudonymise_agent(&mut self, agent: AgentId) -> StoreResult<u64> {
        let telling = audit_events::table
            .filter(column::agent_id.eq(AsText(agent)))
            .filter(column::client.is_not_null());
        let query = diesel::update(telling).set(column::client.eq(None::<String>));
        self.change(|conn| query.execute(conn)).map(count)
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| OLD.delete(conn, before, limit))
    }
}
