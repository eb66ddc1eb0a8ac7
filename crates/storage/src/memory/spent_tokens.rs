use portcullis_kernel::{Instant, StoreResult, TokenId};
use portcullis_tokens::SpentToken;

use super::Unit;
use crate::SpentTokenRepository;

impl SpentTokenRepository for Unit<'_> {
    fn spend(&mut self, token: &SpentToken) -> StoreResult<bool> {
        self.change(|tables| {
            let first = !tables.spent_tokens.contains(&token.id);
            if first {
                tables.spent_tokens.put(token.id, token.clone());
            }
            Ok(first)
        })
    }

    fn is_spent(&mut self, id: TokenId) -> StoreResult<bool> {
        self.read(|tables| tables.spent_tokens.contains(&id))
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.spent_tokens.remove_where(limit, |_, token| token.forget_at <= now))
        })
    }
}
