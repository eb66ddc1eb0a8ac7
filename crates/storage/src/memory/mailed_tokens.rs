use portcullis_credentials::{MailedKind, MailedToken};
use portcullis_kernel::{Instant, StoreResult, TokenDigest, UniqueKey, UserId};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::MailedTokenRepository;

impl MailedTokenRepository for Unit<'_> {
    fn put(&mut self, token: &MailedToken) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_user(token.user)?;
            let same = tables.mailed_tokens.get(&token.digest);
            let stays = same.is_some_and(|old| !is_of(old, token.user, token.kind));
            check_free(stays, UniqueKey::Other)?;
            remove_all(tables, u32::MAX, |old| is_of(old, token.user, token.kind));
            tables.mailed_tokens.put(token.digest, token.clone());
            Ok(())
        })
    }

    fn find(
        &mut self,
        kind: MailedKind,
        digest: &TokenDigest,
        now: Instant,
    ) -> StoreResult<Option<MailedToken>> {
        self.read(|tables| live(tables, kind, digest, now).cloned())
    }

    fn spend(&mut self, kind: MailedKind, digest: &TokenDigest, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let is_live = live(tables, kind, digest, now).is_some();
            Ok(is_live && tables.remove_mailed_token(digest))
        })
    }

    fn remove(&mut self, user: UserId, kind: MailedKind) -> StoreResult<u64> {
        self.change(|tables| Ok(remove_all(tables, u32::MAX, |token| is_of(token, user, kind))))
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| Ok(remove_all(tables, limit, |token| token.expires_at <= now)))
    }
}

fn is_of(token: &MailedToken, user: UserId, kind: MailedKind) -> bool {
    token.user == user && token.kind == kind
}

fn live<'t>(
    tables: &'t Tables,
    kind: MailedKind,
    digest: &TokenDigest,
    now: Instant,
) -> Option<&'t MailedToken> {
    let token = tables.mailed_tokens.get(digest);
    token.filter(|token| token.kind == kind && now < token.expires_at)
}

fn remove_all(tables: &mut Tables, limit: u32, wanted: impl Fn(&MailedToken) -> bool) -> u64 {
    let digests = tables.mailed_tokens.keys_where(limit, |_, token| wanted(token));
    digests.iter().fold(0, |count, digest| count + u64::from(tables.remove_mailed_token(digest)))
}
