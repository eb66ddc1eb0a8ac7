use portcullis_identity::EmailChange;
use portcullis_kernel::{EmailChangeId, Instant, SessionId, StoreResult, UniqueKey, UserId};

use super::{
    Unit,
    tables::{Tables, check_free, check_there},
};
use crate::EmailChangeRepository;

impl EmailChangeRepository for Unit<'_> {
    fn put(&mut self, change: &EmailChange) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_user(change.user)?;
            check_there(tables.sessions.contains(&change.session), "session")?;
            let same = tables.email_changes.get(&change.id);
            check_free(same.is_some_and(|old| old.user != change.user), UniqueKey::Other)?;
            remove_all(tables, u32::MAX, |old| old.user == change.user);
            tables.email_changes.put(change.id, change.clone());
            Ok(())
        })
    }

    fn take_try(
        &mut self,
        user: UserId,
        session: SessionId,
        most: u32,
        now: Instant,
    ) -> StoreResult<Option<EmailChange>> {
        self.change(|tables| {
            let change = tables.email_changes.values().find(|change| {
                change.user == user
                    && change.session == session
                    && change.tries < most
                    && now < change.expires_at
            });
            let Some(id) = change.map(|change| change.id) else { return Ok(None) };
            tables.email_changes.update(&id, |change| change.tries += 1);
            Ok(tables.email_changes.get(&id).cloned())
        })
    }

    fn find(&mut self, id: EmailChangeId, now: Instant) -> StoreResult<Option<EmailChange>> {
        self.read(|tables| {
            tables.email_changes.get(&id).filter(|change| now < change.expires_at).cloned()
        })
    }

    fn remove(&mut self, user: UserId) -> StoreResult<bool> {
        self.change(|tables| Ok(remove_all(tables, u32::MAX, |change| change.user == user) > 0))
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| Ok(remove_all(tables, limit, |change| change.expires_at <= now)))
    }
}

fn remove_all(tables: &mut Tables, limit: u32, wanted: impl Fn(&EmailChange) -> bool) -> u64 {
    let ids = tables.email_changes.keys_where(limit, |_, change| wanted(change));
    ids.into_iter().fold(0, |count, id| count + u64::from(tables.remove_email_change(id)))
}
