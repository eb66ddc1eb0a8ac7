use std::cmp::Reverse;

use portcullis_identity::{Agent, AgentFilter, Visibility};
use portcullis_kernel::{AgentId, Page, Place, Slice, StoreResult, TokenDigest, UniqueKey, UserId};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::AgentRepository;

impl AgentRepository for Unit<'_> {
    fn insert(&mut self, agent: &Agent) -> StoreResult<()> {
        self.change(|tables| {
            check_references(tables, agent)?;
            check_free(tables.agents.contains(&agent.id), UniqueKey::Other)?;
            tables.agents.put(agent.id, agent.clone());
            Ok(())
        })
    }

    fn find(&mut self, id: AgentId) -> StoreResult<Option<Agent>> {
        self.read(|tables| tables.agents.get(&id).cloned())
    }

    fn find_by_recovery(&mut self, digest: &TokenDigest) -> StoreResult<Option<Agent>> {
        self.read(|tables| {
            let mut agents = tables.agents.values();
            agents.find(|agent| agent.recovery.as_ref() == Some(digest)).cloned()
        })
    }

    fn lock(&mut self, id: AgentId) -> StoreResult<Option<Agent>> {
        self.change(|tables| Ok(tables.agents.get(&id).cloned()))
    }

    fn update(&mut self, agent: &Agent) -> StoreResult<bool> {
        self.change(|tables| {
            let Some(old) = tables.agents.get(&agent.id) else { return Ok(false) };
            let agent = Agent { created_at: old.created_at, ..agent.clone() };
            check_references(tables, &agent)?;
            tables.agents.put(agent.id, agent);
            Ok(true)
        })
    }

    fn delete(&mut self, id: AgentId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.remove_agent(id)))
    }

    fn list_proven(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>> {
        self.read(|tables| newest(tables, limit, |agent| agent.is_recovered_by(canonical)))
    }

    fn list_pending(&mut self, canonical: &str, limit: u32) -> StoreResult<Vec<Agent>> {
        self.read(|tables| {
            newest(tables, limit, |agent| {
                agent.pending_email.as_ref().is_some_and(|email| email.as_str() == canonical)
            })
        })
    }

    fn list(&mut self, filter: &AgentFilter, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>> {
        self.read(|tables| tables.agents.slice(slice, place, |agent| matches(filter, agent)))
    }

    fn list_public(&mut self, slice: &Slice<AgentId>) -> StoreResult<Page<Agent>> {
        self.read(|tables| tables.agents.slice(slice, place, is_listed))
    }

    fn list_owned(&mut self, owner: UserId) -> StoreResult<Vec<Agent>> {
        self.read(|tables| {
            let agents = tables.agents.values();
            agents.filter(|agent| agent.owner == Some(owner)).cloned().collect()
        })
    }
}

fn place(agent: &Agent) -> Place<AgentId> {
    Place { at: agent.created_at, id: agent.id }
}

fn is_listed(agent: &Agent) -> bool {
    agent.is_active() && agent.profile.visibility == Visibility::Public
}

/// What the keys of an agent's row say.
fn check_references(tables: &Tables, agent: &Agent) -> StoreResult<()> {
    let mut others = tables.agents.values().filter(|other| other.id != agent.id);
    let taken = agent.recovery.is_some() && others.any(|other| other.recovery == agent.recovery);
    check_free(taken, UniqueKey::Other)?;
    agent.owner.map_or(Ok(()), |owner| tables.check_user(owner))
}

/// The newest of the active agents that are `wanted`.
fn newest(tables: &Tables, limit: u32, wanted: impl Fn(&Agent) -> bool) -> Vec<Agent> {
    let agents = tables.agents.values().filter(|agent| agent.is_active() && wanted(agent));
    let mut agents: Vec<_> = agents.cloned().collect();
    agents.sort_by_key(|agent| Reverse((agent.created_at, agent.id)));
    agents.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    agents
}

fn matches(filter: &AgentFilter, agent: &Agent) -> bool {
    let name = agent.name.as_str().to_ascii_lowercase();
    let proven = agent.email.as_ref().map(|proven| &proven.address);
    let mut emails = proven.into_iter().chain(&agent.pending_email);
    filter.email_contains.as_ref().is_none_or(|text| emails.any(|e| e.as_str().contains(text)))
        && filter
            .name_contains
            .as_ref()
            .is_none_or(|text| name.contains(&text.to_ascii_lowercase()))
        && filter.status.is_none_or(|status| agent.status == status)
        && filter.owner.is_none_or(|owner| agent.owner == Some(owner))
}
