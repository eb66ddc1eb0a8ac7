use std::cmp::Reverse;

use portcullis_credentials::ApiKey;
use portcullis_kernel::{
    AgentId, ApiKeyId, Instant, Page, Place, Slice, StoreResult, TokenDigest, TokenId, UniqueKey,
};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::{AgentAccess, ApiKeyRepository, KeyHolder};

impl ApiKeyRepository for Unit<'_> {
    fn insert(&mut self, key: &ApiKey) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_agent(key.agent)?;
            let taken = tables.api_keys.values().any(|other| other.digest == key.digest);
            check_free(taken || tables.api_keys.contains(&key.id), UniqueKey::Other)?;
            tables.api_keys.put(key.id, key.clone());
            Ok(())
        })
    }

    fn find(&mut self, id: ApiKeyId) -> StoreResult<Option<ApiKey>> {
        self.read(|tables| tables.api_keys.get(&id).cloned())
    }

    fn count_live(&mut self, agent: AgentId, now: Instant) -> StoreResult<u32> {
        self.read(|tables| {
            let keys = tables.api_keys.values().filter(|key| is_live(key, agent, now));
            u32::try_from(keys.count()).unwrap_or(u32::MAX)
        })
    }

    fn list_live(&mut self, agents: &[AgentId], now: Instant) -> StoreResult<Vec<ApiKey>> {
        self.read(|tables| {
            let live = |key: &&ApiKey| agents.contains(&key.agent) && key.is_live(now);
            let mut keys: Vec<_> = tables.api_keys.values().filter(live).cloned().collect();
            keys.sort_by_key(|key| Reverse((key.created_at, key.id)));
            keys
        })
    }

    fn list(&mut self, agent: AgentId, slice: &Slice<ApiKeyId>) -> StoreResult<Page<ApiKey>> {
        let place = |key: &ApiKey| Place { at: key.created_at, id: key.id };
        self.read(|tables| tables.api_keys.slice(slice, place, |key| key.agent == agent))
    }

    fn revoke(&mut self, id: ApiKeyId, agent: AgentId, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let live = tables.api_keys.get(&id).is_some_and(|key| is_live(key, agent, now));
            Ok(live && tables.api_keys.update(&id, |key| key.revoked_at = Some(now)))
        })
    }

    fn revoke_all(&mut self, agent: AgentId, now: Instant) -> StoreResult<u64> {
        self.change(|tables| {
            let live = tables.api_keys.keys_where(u32::MAX, |_, key| is_live(key, agent, now));
            Ok(live.iter().fold(0, |count, id| {
                count + u64::from(tables.api_keys.update(id, |key| key.revoked_at = Some(now)))
            }))
        })
    }

    fn replace(
        &mut self,
        id: ApiKeyId,
        agent: AgentId,
        successor: ApiKeyId,
        ends_at: Instant,
        now: Instant,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            let first = tables
                .api_keys
                .get(&id)
                .is_some_and(|key| is_live(key, agent, now) && key.replaced_by.is_none());
            Ok(first
                && tables.api_keys.update(&id, |key| {
                    key.replaced_by = Some(successor);
                    key.expires_at = Some(key.expires_at.map_or(ends_at, |end| end.min(ends_at)));
                }))
        })
    }

    fn touch(&mut self, id: ApiKeyId, at: Instant) -> StoreResult<()> {
        self.change(|tables| {
            // Of two instances the one with the slower clock may come last.
            tables.api_keys.update(&id, |key| key.last_used_at = key.last_used_at.max(Some(at)));
            Ok(())
        })
    }

    fn delete_dead(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at < before);
        self.change(|tables| {
            Ok(tables
                .api_keys
                .remove_where(limit, |_, key| is_past(key.revoked_at) || is_past(key.expires_at)))
        })
    }
}

impl AgentAccess for Unit<'_> {
    fn find_key(&mut self, digest: &TokenDigest) -> StoreResult<Option<KeyHolder>> {
        self.read(|tables| {
            let key = tables.api_keys.values().find(|key| key.digest == *digest)?;
            holder(tables, key)
        })
    }

    fn find_token(
        &mut self,
        key: ApiKeyId,
        token: TokenId,
    ) -> StoreResult<Option<(KeyHolder, bool)>> {
        self.read(|tables| {
            let holder = holder(tables, tables.api_keys.get(&key)?)?;
            Some((holder, tables.spent_tokens.contains(&token)))
        })
    }
}

fn is_live(key: &ApiKey, agent: AgentId, now: Instant) -> bool {
    key.agent == agent && key.is_live(now)
}

fn holder(tables: &Tables, key: &ApiKey) -> Option<KeyHolder> {
    let agent = tables.agents.get(&key.agent)?.clone();
    let owner = agent.owner.and_then(|owner| tables.users.get(&owner));
    let owner_suspended = owner.is_some_and(|owner| !owner.is_active());
    Some(KeyHolder { key: key.clone(), agent, owner_suspended })
}
