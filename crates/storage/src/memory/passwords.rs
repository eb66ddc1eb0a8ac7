use portcullis_credentials::PasswordHash;
use portcullis_kernel::{Instant, StoreResult, UserId};

use super::Unit;
use crate::PasswordRepository;

impl PasswordRepository for Unit<'_> {
    fn put(&mut self, user: UserId, hash: &PasswordHash, _now: Instant) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_user(user)?;
            tables.passwords.put(user, hash.clone());
            Ok(())
        })
    }

    fn find(&mut self, user: UserId) -> StoreResult<Option<PasswordHash>> {
        self.read(|tables| tables.passwords.get(&user).cloned())
    }

    fn remove(&mut self, user: UserId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.passwords.remove(&user).is_some()))
    }

    fn replace(
        &mut self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        _now: Instant,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            let still_old = tables.passwords.get(&user) == Some(old);
            Ok(still_old && tables.passwords.update(&user, |hash| hash.clone_from(new)))
        })
    }
}
