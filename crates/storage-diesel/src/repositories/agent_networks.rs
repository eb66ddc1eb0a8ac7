use diesel::{dsl::exists, prelude::*, sql_query, sql_types::Text};
use portcullis_kernel::{AgentId, Instant, StoreResult};
use portcullis_storage::AgentNetworkRepository;

use super::{
    super::{DbInstant, InstantSql, NOTE_NETWORK, greatest},
    Unit,
    agents::is_active,
    batch::Dead,
    found,
    schema::{
        agent_networks::{self, dsl as column},
        agents,
    },
};
use crate::column::AsText;

const UNSEEN: Dead =
    Dead { table: "agent_networks", key: "agent_id, network", condition: "seen_at < $1" };

impl AgentNetworkRepository for Unit {
    fn touch(
        &mut self,
        agent: AgentId,
        network: &str,
        at: Instant,
        news_since: Instant,
    ) -> StoreResult<bool> {
        let (agent, at, since) = (AsText(agent), DbInstant(at), DbInstant(news_since));
        // Of two instances the one with the slower clock may come last.
        let known = || {
            let row = agent_networks::table.find((agent, network));
            diesel::update(row.filter(column::seen_at.ge(since)))
                .set(column::seen_at.eq(greatest(column::seen_at, at)))
        };
        let news = sql_query(NOTE_NETWORK)
            .bind::<Text, _>(network)
            .bind::<InstantSql, _>(at)
            .bind::<Text, _>(agent)
            .bind::<InstantSql, _>(since);
        self.change(|conn| {
            if found(known().execute(conn)?) {
                return Ok(false);
            }
            if found(news.execute(conn)?) {
                return Ok(true);
            }
            // Somebody else was faster, or there is no such agent.
            known().execute(conn).map(|_| false)
        })
    }

    fn is_known(&mut self, canonical: &str, network: &str, since: Instant) -> StoreResult<bool> {
        let seen = agent_networks::table
            .inner_join(agents::table)
            .filter(agents::email.eq(canonical))
            .filter(is_active())
            .filter(column::network.eq(network))
            .filter(column::seen_at.ge(DbInstant(since)));
        self.read(|conn| diesel::select(exists(seen)).get_result(conn))
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|conn| UNSEEN.delete(conn, before, limit))
    }
}
