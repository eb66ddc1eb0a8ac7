use std::cmp::Reverse;

use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Instant, Origin, StoreError, UniqueKey};
use portcullis_storage::{StorageExt, UnitOfWork};
use portcullis_tokens::{
    Algorithm, KeyPolicy, KeyPurpose, KeySet, KeyState, LoadKeysError, MasterKey, SealError,
    SigningKey,
};
use time::Duration;

use super::OpenKeysError;
use crate::{Engine, Fault};

/// Why the signing keys were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key has this id.
    #[error("no signing key has this kid; `portcullis keys list` shows them")]
    NotFound,
    /// The key is retired already.
    #[error("this key is retired already")]
    Retired,
    /// It is the only key that signs.
    #[error(
        "this is the only key that signs; `portcullis keys rotate --now` puts another in its place first"
    )]
    LastActive,
    /// Another rotation was faster.
    #[error("another rotation happened at the same moment; look at `portcullis keys list`")]
    Raced,
    /// A key cannot be sealed anew.
    #[error("a key cannot be sealed under the new master key: {0}")]
    Seal(#[from] SealError),
    /// The keys cannot be opened, or a new one not made.
    #[error(transparent)]
    Open(#[from] OpenKeysError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl portcullis_storage::AsStoreError for KeyError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

/// How a key is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireKey {
    /// It signs no more; its tokens stay good until they expire.
    Gently,
    /// It signs no more and its tokens are refused at once: the key is known to others.
    Compromised,
}

impl Engine {
    /// Every stored signing key, oldest first.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_keys(&self) -> Result<Vec<SigningKey>, Fault> {
        Ok(self.stored_keys()?)
    }

    /// Makes the next key of a purpose, for the algorithm that is in use. It is published now and signs after the lead, when the keys
    /// before it retire; with `at_once` it signs now, and verifiers that cache the key set meet it
    /// before they know it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn rotate_key(&self, purpose: KeyPurpose, at_once: bool) -> Result<SigningKey, KeyError> {
        let now = self.now();
        let policy = self.options.keys;
        let stored = self.stored_keys()?;
        let opened = KeySet::load(stored.clone(), &self.master_key, self.jose.as_ref(), now);
        opened.map_err(OpenKeysError::from)?;
        let last = stored.iter().filter(|key| key.purpose == purpose).map(|key| key.generation);
        let generation = last.max().unwrap_or(0) + 1;
        let algorithm = self.algorithm_of(purpose);
        let is_first =
            stored.iter().all(|key| key.purpose != purpose || key.algorithm != algorithm);
        let lead = if at_once || is_first { Duration::ZERO } else { policy.lead };
        let next = self.new_key(purpose, algorithm, generation, now, lead)?;
        let event = self
            .event(Action::KeyCreated, Actor::Operator, &Origin::local(), now)
            .map_err(Fault::from)?
            .with_detail(&next.kid);
        let done = self.storage.transact(|uow| -> Result<(), StoreError> {
            uow.signing_keys().insert(&next)?;
            // Read anew, and held: a key may have been retired while the next one was made.
            let keys = uow.signing_keys().lock()?;
            set_ends(uow, &hand_over(keys, purpose, algorithm, now, policy))?;
            uow.audit().append(&event)
        });
        match done {
            Ok(()) => Ok(next),
            Err(StoreError::Conflict(UniqueKey::SigningKeyGeneration)) => Err(KeyError::Raced),
            Err(error) => Err(error.into()),
        }
    }

    /// Retires a key before its time. If it was to follow another one, that one signs on until the
    /// next begins.
    ///
    /// # Errors
    /// [`KeyError::LastActive`] when no other key of its purpose signs now.
    pub fn retire_key(&self, kid: &str, how: RetireKey) -> Result<SigningKey, KeyError> {
        let now = self.now();
        let event = self
            .event(Action::KeyRetired, Actor::Operator, &Origin::local(), now)
            .map_err(Fault::from)?
            .with_detail(kid);
        self.storage.transact(|uow| {
            let policy = self.options.keys;
            let mut keys = uow.signing_keys().lock()?;
            let key = plan_end(&keys, kid, how, now, policy.linger)?;
            keys.retain(|other| other.kid != kid);
            set_ends(uow, std::slice::from_ref(&key))?;
            set_ends(uow, &hand_over(keys, key.purpose, key.algorithm, now, policy))?;
            uow.audit().append(&event)?;
            Ok(key)
        })
    }

    /// Seals every private key, and every mail that waits, under another master key; says how many
    /// keys. The engine itself keeps the
    /// old one and must not be used after it.
    ///
    /// # Errors
    /// [`KeyError`]; nothing is then changed.
    pub fn rewrap_keys(&self, new: &MasterKey) -> Result<usize, KeyError> {
        let now = self.now();
        let event = self
            .event(Action::KeysRewrapped, Actor::Operator, &Origin::local(), now)
            .map_err(Fault::from)?
            .with_detail(new.id());
        self.storage.transact(|uow| {
            let keys = uow.signing_keys().lock()?;
            for key in &keys {
                let (sealed, from) = self.reseal(key, new)?;
                if !uow.signing_keys().reseal(&key.kid, &from, &sealed, &new.id())? {
                    return Err(KeyError::Raced);
                }
            }
            self.reseal_mails(uow, new)?;
            uow.audit().append(&event)?;
            Ok(keys.len())
        })
    }

    fn algorithm_of(&self, purpose: KeyPurpose) -> Algorithm {
        match purpose {
            KeyPurpose::Agents => self.options.agents.token.algorithm,
            _ => Algorithm::Rs256,
        }
    }

    fn reseal(&self, key: &SigningKey, new: &MasterKey) -> Result<(Vec<u8>, String), KeyError> {
        let given = self.master_key.id();
        if key.sealed_by != given {
            let (kid, sealed_by) = (key.kid.clone(), key.sealed_by.clone());
            let wrong = LoadKeysError::WrongMasterKey { kid, sealed_by, given };
            return Err(OpenKeysError::from(wrong).into());
        }
        let context = SigningKey::seal_context(&key.kid);
        let private = self.master_key.open(&context, &key.sealed)?;
        let sealed = new.seal(&context, &private, self.entropy.as_ref())?;
        Ok((sealed, given))
    }
}

/// Plans that each key of a purpose and algorithm signs until a later one begins, and the last one without end.
fn hand_over(
    mut keys: Vec<SigningKey>,
    purpose: KeyPurpose,
    algorithm: Algorithm,
    now: Instant,
    policy: KeyPolicy,
) -> Vec<SigningKey> {
    let goes_on = |key: &SigningKey| {
        key.purpose == purpose
            && key.algorithm == algorithm
            && matches!(key.state(now), KeyState::Published | KeyState::Active)
    };
    keys.retain(goes_on);
    keys.sort_by_key(|key| Reverse(key.generation));
    let mut later_begins = None;
    for key in &mut keys {
        (key.retired_at, key.removed_at) = (None, None);
        if let Some(at) = later_begins {
            key.retire(at, policy);
        }
        let begins = key.active_from;
        later_begins = Some(later_begins.map_or(begins, |later| begins.min(later)));
    }
    keys
}

fn set_ends(uow: &mut dyn UnitOfWork, keys: &[SigningKey]) -> Result<(), StoreError> {
    for key in keys {
        uow.signing_keys().set_end(&key.kid, key.retired_at, key.removed_at)?;
    }
    Ok(())
}

fn plan_end(
    keys: &[SigningKey],
    kid: &str,
    how: RetireKey,
    now: Instant,
    linger: Duration,
) -> Result<SigningKey, KeyError> {
    let mut key = keys.iter().find(|key| key.kid == kid).cloned().ok_or(KeyError::NotFound)?;
    match (key.state(now), how) {
        (KeyState::Removed, _) | (KeyState::Retired, RetireKey::Gently) => {
            return Err(KeyError::Retired);
        }
        _ => {}
    }
    let another_signs = keys.iter().any(|other| {
        other.kid != kid
            && other.purpose == key.purpose
            && other.algorithm == key.algorithm
            && other.state(now) == KeyState::Active
    });
    if !another_signs {
        return Err(KeyError::LastActive);
    }
    key.retired_at = Some(key.retired_at.map_or(now, |at| at.min(now)));
    key.removed_at = Some(match how {
        RetireKey::Gently => now + linger,
        RetireKey::Compromised => now,
    });
    Ok(key)
}
