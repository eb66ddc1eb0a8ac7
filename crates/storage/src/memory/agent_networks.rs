use portcullis_kernel::{AgentId, Instant, StoreResult};

use super::Unit;
use crate::AgentNetworkRepository;

impl AgentNetworkRepository for Unit<'_> {
    fn touch(
        &mut self,
        agent: AgentId,
        network: &str,
        at: Instant,
        news_since: Instant,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            if !tables.agents.contains(&agent) {
                return Ok(false);
            }
            let key = (agent, network.to_owned());
            let seen = tables.agent_networks.get(&key).copied();
            // Of two instances the one with the slower clock may come last.
            tables.agent_networks.put(key, seen.map_or(at, |seen| at.max(seen)));
            Ok(seen.is_none_or(|seen| seen < news_since))
        })
    }

    fn is_known(&mut self, canonical: &str, network: &str, since: Instant) -> StoreResult<bool> {
        self.read(|tables| {
            tables.agent_networks.iter().any(|((agent, place), seen)| {
                let agent = tables.agents.get(agent);
                let recovers = agent
                    .is_some_and(|agent| agent.is_active() && agent.is_recovered_by(canonical));
                recovers && place == network && *seen >= since
            })
        })
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.agent_networks.remove_where(limit, |_, seen| *seen < before))
        })
    }
}
