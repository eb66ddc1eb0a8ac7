use portcullis_kernel::{Instant, StoreResult, UniqueKey};
use portcullis_tokens::SigningKey;

use super::{Unit, tables::check_free};
use crate::SigningKeyRepository;

impl SigningKeyRepository for Unit<'_> {
    fn insert(&mut self, key: &SigningKey) -> StoreResult<()> {
        self.change(|tables| {
            let rival = tables
                .signing_keys
                .values()
                .any(|other| other.purpose == key.purpose && other.generation == key.generation);
            check_free(rival, UniqueKey::SigningKeyGeneration)?;
            check_free(tables.signing_keys.contains(&key.kid), UniqueKey::Other)?;
            tables.signing_keys.put(key.kid.clone(), key.clone());
            Ok(())
        })
    }

    fn list(&mut self) -> StoreResult<Vec<SigningKey>> {
        self.read(|tables| {
            let mut keys: Vec<_> = tables.signing_keys.values().cloned().collect();
            keys.sort_by_key(|key| key.generation);
            keys
        })
    }

    fn lock(&mut self) -> StoreResult<Vec<SigningKey>> {
        self.list()
    }

    fn set_end(
        &mut self,
        kid: &str,
        retired_at: Option<Instant>,
        removed_at: Option<Instant>,
    ) -> StoreResult<bool> {
        self.change(|tables| {
            Ok(tables.signing_keys.update(&kid.to_owned(), |key| {
                key.retired_at = retired_at;
                key.removed_at = removed_at;
            }))
        })
    }

    fn reseal(&mut self, kid: &str, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool> {
        self.change(|tables| {
            let kid = kid.to_owned();
            let still = tables.signing_keys.get(&kid).is_some_and(|key| key.sealed_by == from);
            Ok(still
                && tables.signing_keys.update(&kid, |key| {
                    key.sealed = sealed.to_vec();
                    to.clone_into(&mut key.sealed_by);
                }))
        })
    }

    fn delete_removed(&mut self, before: Instant) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables.signing_keys.remove_where(u32::MAX, |_, key| {
                key.removed_at.is_some_and(|removed_at| removed_at < before)
            }))
        })
    }
}
