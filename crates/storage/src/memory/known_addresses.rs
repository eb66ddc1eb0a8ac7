use portcullis_kernel::{Instant, StoreResult, UserId};

use super::Unit;
use crate::KnownAddressRepository;

impl KnownAddressRepository for Unit<'_> {
    fn touch(&mut self, user: UserId, address: &str, now: Instant) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_user(user)?;
            let key = (user, address.to_owned());
            // Of two instances the one with the slower clock may come last.
            let seen = tables.known_addresses.get(&key).map_or(now, |seen| now.max(*seen));
            tables.known_addresses.put(key, seen);
            Ok(())
        })
    }

    fn is_known(&mut self, user: UserId, address: &str, since: Instant) -> StoreResult<bool> {
        self.read(|tables| {
            let seen = tables.known_addresses.get(&(user, address.to_owned()));
            seen.is_some_and(|seen| *seen >= since)
        })
    }

    fn list(&mut self, user: UserId, since: Instant) -> StoreResult<Vec<String>> {
        self.read(|tables| {
            let rows = tables.known_addresses.iter();
            let known = rows.filter(|((owner, _), seen)| *owner == user && **seen >= since);
            known.map(|((_, address), _)| address.clone()).collect()
        })
    }

    fn forget(&mut self, user: UserId) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.known_addresses.remove_where(u32::MAX, |(owner, _), _| *owner == user))
        })
    }

    fn delete_before(&mut self, before: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.known_addresses.remove_where(limit, |_, seen| *seen < before))
        })
    }
}
