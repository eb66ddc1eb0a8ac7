use portcullis_credentials::AgentToken;
use portcullis_kernel::{AgentId, Instant, StoreResult, TokenDigest, UniqueKey};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::AgentTokenRepository;

impl AgentTokenRepository for Unit<'_> {
    fn put(&mut self, token: &AgentToken) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_agent(token.agent)?;
            let same = tables.agent_tokens.get(&token.digest);
            let stays = same.is_some_and(|old| !is_open(old, token.agent));
            check_free(stays, UniqueKey::Other)?;
            remove_all(tables, u32::MAX, |old| is_open(old, token.agent));
            tables.agent_tokens.put(token.digest, token.clone());
            Ok(())
        })
    }

    fn find(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<Option<AgentToken>> {
        self.read(|tables| {
            tables.agent_tokens.get(digest).filter(|token| now < token.expires_at).cloned()
        })
    }

    fn spend(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let token = tables.agent_tokens.get(digest);
            let live = token.is_some_and(|token| token.used_at.is_none() && now < token.expires_at);
            if live {
                tables.agent_tokens.update(digest, |token| token.used_at = Some(now));
                tables.remove_mails(|entry| entry.agent_token.as_ref() == Some(digest));
            }
            Ok(live)
        })
    }

    fn remove_open(&mut self, agent: AgentId) -> StoreResult<u64> {
        self.change(|tables| Ok(remove_all(tables, u32::MAX, |token| is_open(token, agent))))
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| Ok(remove_all(tables, limit, |token| token.expires_at <= now)))
    }
}

fn is_open(token: &AgentToken, agent: AgentId) -> bool {
    token.agent == agent && token.used_at.is_none()
}

fn remove_all(tables: &mut Tables, limit: u32, wanted: impl Fn(&AgentToken) -> bool) -> u64 {
    let digests = tables.agent_tokens.keys_where(limit, |_, token| wanted(token));
    digests.iter().fold(0, |count, digest| count + u64::from(tables.remove_agent_token(digest)))
}
