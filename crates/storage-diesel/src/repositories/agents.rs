use diesel::{
    dsl::{AsSelect, IntoBoxed, Select, sql},
    prelude::*,
    sql_types::Bool,
};
use portcullis_identity::{Agent, AgentFilter, AgentStatus};
use portcullis_kernel::{AgentId, Page, Place, Slice, StoreResult, TokenDigest, UserId};
use portcullis_storage::AgentRepository;

use super::{
    super::{Backend, DbInstant, lower, position},
    Unit,
    agent_rows::AgentRow,
    found,
    held::Held,
    schema::agents::{self, dsl as column},
    slices::{after, slice_of},
};
use crate::column::{AsText, DigestBytes};

type Agents<'q> = IntoBoxed<'q, Select<agents::table, AsSelect<AgentRow, Backend>>, Backend>;

#[diesel::dsl::auto_type]
pub(super) fn is_active() -> _ {
    let active: AsText<AgentStatus> = AsText(AgentStatus::Active);
    column::status.eq(active)
}

impl AgentRepository for Unit {
    fn insert(&mut self, agent: &Agent) -> StoreResult<()> {
        let query = diesel::insert_into(agents::table).values(AgentRow::from(agent));
        self.change(|conn| query.execute(conn)).map(drop)
    }

    fn find(&mut self, id: AgentId) -> StoreResult<Option<Agent>> {
        let query = agents::table.find(AsText(id)).select(AgentRow::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(Agent::from))
    }

    fn find_by_recovery(&mut self, digest: &TokenDigest) -> StoreResult<Option<Agent>> {
        let query = agents::table
            .filter(column::recovery.eq(DigestBytes(*digest)))
            .select(AgentRow::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(Agent::from))
    }

    fn lock(&mut self, id: AgentId) -> StoreResult<Option<Agent>> {
        let query = Held(agents::table.find(AsText(id)).select(AgentRow::as_select()));
        let row = self.change(|conn| query.get_result::<AgentRow>(conn).optional())?;
        Ok(row.map(Agent::from))
    }

    fn update(&mut self, agent: &Agent) -> StoreResult<bool> {
        let query = diesel::update(agents::table.find(AsText(agent.id))).set(AgentRow::from(agent));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn delete(&mut self, id: AgentId) -> StoreResult<bool> {
        let query = diesel::delete(agents::table.find(AsText(id)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn list_proven(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>> {
        let query = agents::table
            .filter(column::email.eq(canonical))
            .filter(is_active())
            .order((column::created_at.desc(), column::id.desc()))
            .limit(i64::from(limit))
            .select(AgentRow::as_select());
        self.read(|conn| query.load::<AgentRow>(conn)).map(all)
    }

    fn list_pending(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>> {
        let query = agents::table
            .filter(column::pending_email.eq(canonical))
            .filter(is_active())
            .order((column::created_at.desc(), column::id.desc()))
            .limit(i64::from(limit))
            .select(AgentRow::as_select());
        self.read(|conn| query.load::<AgentRow>(conn)).map(all)
    }

    fn list(&mut self, filter: &AgentFilter, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>> {
        let mut query = agents::table.select(AgentRow::as_select()).into_boxed::<Backend>();
        if let Some(text) = &filter.email_contains {
            let proven = position(column::email.assume_not_null(), text).gt(0);
            let pending = position(column::pending_email.assume_not_null(), text).gt(0);
            query = query.filter(proven.or(pending));
        }
        if let Some(text) = &filter.name_contains {
            let name = lower(column::name);
            query = query.filter(position(name, text.to_ascii_lowercase()).gt(0));
        }
        if let Some(status) = filter.status {
            query = query.filter(column::status.eq(AsText(status)));
        }
        if let Some(owner) = filter.owner {
            query = query.filter(column::owner_id.eq(AsText(owner)));
        }
        slice_of_agents(self, query, slice)
    }

    fn list_public(&mut self, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>> {
        // In the words of the index, which knows no parameters.
        let public = agents::table
            .filter(sql::<Bool>("agents.visibility = 'public'"))
            .filter(is_active())
            .select(AgentRow::as_select())
            .into_boxed::<Backend>();
        slice_of_agents(self, public, slice)
    }

    fn list_owned(&mut self, owner: UserId) -> StoreResult<Vec<Agent>> {
        let query = agents::table
            .filter(column::owner_id.eq(AsText(owner)))
            .order(column::id)
            .select(AgentRow::as_select());
        self.read(|conn| query.load::<AgentRow>(conn)).map(all)
    }
}

fn all(rows: Vec<AgentRow>) -> Vec<Agent> {
    rows.into_iter().map(Agent::from).collect()
}

fn slice_of_agents(
    unit: &mut Unit,
    agents: Agents<'_>,
    slice: &Slice<AgentId>,
) -> StoreResult<Page<Agent>> {
    let query = after!(agents, slice, column::created_at, column::id);
    let agents = unit.read(|conn| query.load(conn)).map(all)?;
    Ok(slice_of(agents, slice, |agent| Place { at: agent.created_at, id: agent.id }))
}
