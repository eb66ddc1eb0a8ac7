use std::sync::PoisonError;

use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Classify, Instant, Origin, StoreError, UniqueKey};
use portcullis_storage::StorageExt;
use portcullis_tokens::{
    Algorithm, KeyPurpose, KeySet, LoadKeysError, SignError, SigningKey, ports::JoseError,
};
use time::Duration;

use crate::{Engine, Fault};

/// The signing keys cannot be opened; the server must not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenKeysError {
    /// They are stored, but cannot be used.
    #[error(transparent)]
    Load(#[from] LoadKeysError),
    /// A new one cannot be made.
    #[error("a new signing key cannot be made: {0}")]
    Generate(#[from] JoseError),
    /// It cannot be sealed.
    #[error("a new signing key cannot be sealed: {0}")]
    Seal(#[from] portcullis_tokens::SealError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl OpenKeysError {
    /// Whether trying again may help: the database was away.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.kind() == portcullis_kernel::ErrorKind::Unavailable)
    }
}

impl From<StoreError> for OpenKeysError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl Engine {
    /// Opens the stored signing keys, and makes the very first of each purpose and algorithm, which signs
    /// at once. Where any is stored none is ever made here: what cannot be opened is an error.
    ///
    /// # Errors
    /// [`OpenKeysError`].
    pub fn open_keys(&self) -> Result<(), OpenKeysError> {
        let stored = self.stored_keys()?;
        // Before anything is made: a wrong master key must not add keys of its own.
        let now = self.now();
        let opened = KeySet::load(stored.clone(), &self.master_key, self.jose.as_ref(), now)?;
        let lacking = first_keys(&stored);
        if lacking.is_empty() {
            self.put_keys(opened, now);
            return Ok(());
        }
        for (purpose, algorithm, generation) in lacking {
            let key = self.new_key(purpose, algorithm, generation, now, Duration::ZERO)?;
            match self.store_first(&key, now) {
                // Another instance that starts beside this one was faster.
                Err(Fault::Store(StoreError::Conflict(UniqueKey::SigningKeyGeneration))) => {}
                stored => stored?,
            }
        }
        self.reload_keys()
    }

    /// Reads the signing keys anew, as other instances and the command line may have changed them.
    ///
    /// # Errors
    /// [`OpenKeysError`]; the keys read before then stay in use.
    pub fn reload_keys(&self) -> Result<(), OpenKeysError> {
        let now = self.now();
        let stored = self.stored_keys()?;
        let keys = KeySet::load(stored, &self.master_key, self.jose.as_ref(), now)?;
        self.put_keys(keys, now);
        Ok(())
    }

    /// The JWK Set of every published key; `None` before the keys are opened.
    pub fn jwks(&self) -> Option<String> {
        self.keys_read_at()?;
        Some(self.keys.current().jwks().to_owned())
    }

    /// Whether tokens can be issued now.
    pub fn can_sign(&self) -> bool {
        let (keys, now) = (self.keys.current(), self.now());
        KeyPurpose::ALL.into_iter().all(|purpose| keys.can_sign(purpose, now))
    }

    /// Whether requests can be served: the keys are open, the database answers and has the schema
    /// that this program works on.
    ///
    /// # Errors
    /// What is in the way.
    pub fn check_ready(&self) -> Result<(), Fault> {
        if !self.can_sign() {
            return Err(SignError::NoActiveKey.into());
        }
        Ok(self.storage.check()?)
    }

    pub(crate) fn stored_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.storage.read(|uow| uow.signing_keys().list())
    }

    pub(crate) fn keys_read_at(&self) -> Option<Instant> {
        *self.keys_read_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_keys(&self, keys: KeySet, now: Instant) {
        self.keys.replace(keys);
        *self.keys_read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    pub(crate) fn new_key(
        &self,
        purpose: KeyPurpose,
        algorithm: Algorithm,
        generation: i32,
        now: Instant,
        lead: Duration,
    ) -> Result<SigningKey, OpenKeysError> {
        let pair = self.jose.generate(algorithm)?;
        let kid = pair.public.thumbprint();
        let context = SigningKey::seal_context(&kid);
        let sealed = self.master_key.seal(&context, &pair.private, self.entropy.as_ref())?;
        Ok(SigningKey {
            kid,
            purpose,
            generation,
            algorithm,
            public: pair.public,
            sealed,
            sealed_by: self.master_key.id(),
            created_at: now,
            active_from: now + lead,
            retired_at: None,
            removed_at: None,
        })
    }

    fn store_first(&self, key: &SigningKey, now: Instant) -> Result<(), Fault> {
        let origin = Origin::local();
        let event =
            self.event(Action::KeyCreated, Actor::System, &origin, now)?.with_detail(&key.kid);
        self.storage.transact(|uow| {
            uow.signing_keys().insert(key)?;
            Ok(uow.audit().append(&event)?)
        })
    }
}

/// The keys that are to be made so that there is one of each purpose and algorithm. Of two instances that
/// make one at once, the generation lets one lose.
fn first_keys(stored: &[SigningKey]) -> Vec<(KeyPurpose, Algorithm, i32)> {
    let of = |purpose| {
        let keys: Vec<_> = stored.iter().filter(|key| key.purpose == purpose).collect();
        let last = keys.iter().map(|key| key.generation).max().unwrap_or(0);
        let lacks = move |algorithm: &Algorithm| keys.iter().all(|key| key.algorithm != *algorithm);
        let lacking = purpose.algorithms().iter().copied().filter(lacks);
        (last + 1..)
            .zip(lacking)
            .map(move |(generation, algorithm)| (purpose, algorithm, generation))
    };
    KeyPurpose::ALL.into_iter().flat_map(of).collect()
}
