use std::sync::{Arc, PoisonError, RwLock};

use portcullis_kernel::{EntropyError, Instant};
use serde_json::{Value, json};

use crate::{
    Algorithm, InvalidJwt, KeyPurpose, KeyState, MasterKey, PublicJwk, SealError, SigningKey, jwt,
    ports::{Jose, JoseError, Signer, Verifier},
};

/// The signing keys of this process, loaded and ready; replaced as a whole when read anew.
#[derive(Default)]
pub struct KeyRing(RwLock<Arc<KeySet>>);

/// The keys as of one reading.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<LoadedKey>,
    jwks: String,
}

pub(crate) struct LoadedKey {
    pub(crate) stored: SigningKey,
    pub(crate) algorithm: Algorithm,
    pub(crate) header: String,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) verifier: Box<dyn Verifier>,
}

/// The stored keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadKeysError {
    /// The master key is not the one that sealed them.
    #[error(
        "signing key {kid} was sealed by master key {sealed_by}, but the master key given is {given}"
    )]
    WrongMasterKey {
        /// The key.
        kid: String,
        /// The id of the master key that sealed it.
        sealed_by: String,
        /// The id of the one at hand.
        given: String,
    },
    /// The sealed half is damaged.
    #[error("signing key {kid} cannot be opened: {source}")]
    Damaged {
        /// The key.
        kid: String,
        /// Why.
        source: SealError,
    },
    /// The signature library refuses it, or it does not verify its own signature.
    #[error("signing key {kid} is not usable: {source}")]
    Unusable {
        /// The key.
        kid: String,
        /// Why.
        source: JoseError,
    },
}

/// A token could not be signed; a fault of this side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No key of the purpose is active.
    #[error("no signing key is active")]
    NoActiveKey,
    /// The signature library failed.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// There is no entropy.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl KeyRing {
    /// The keys of the last reading.
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new reading in place of the last.
    pub fn replace(&self, keys: KeySet) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }
}

impl KeySet {
    /// Opens and loads the stored keys that are not removed at `now`. Each signs and verifies a test
    /// text, so that a broken key or library is found here and not at somebody's sign-in.
    ///
    /// # Errors
    /// [`LoadKeysError`] for the first key that cannot be used.
    pub fn load(
        stored: Vec<SigningKey>,
        master: &MasterKey,
        jose: &dyn Jose,
        now: Instant,
    ) -> Result<Self, LoadKeysError> {
        let keys = stored
            .into_iter()
            .filter(|key| key.state(now) != KeyState::Removed)
            .map(|key| LoadedKey::load(key, master, jose))
            .collect::<Result<Vec<_>, _>>()?;
        let public: Vec<Value> = keys.iter().map(LoadedKey::public).collect();
        Ok(Self { keys, jwks: json!({ "keys": public }).to_string() })
    }

    /// The JWK Set (RFC 7517 §5) of every key as of the reading.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Whether a token of this purpose can be signed at `now`, with whichever of its algorithms.
    pub fn can_sign(&self, purpose: KeyPurpose, now: Instant) -> bool {
        let mut algorithms = purpose.algorithms().iter();
        algorithms.all(|algorithm| self.signing(purpose, *algorithm, now).is_some())
    }

    pub(crate) fn signing(
        &self,
        purpose: KeyPurpose,
        algorithm: Algorithm,
        now: Instant,
    ) -> Option<&LoadedKey> {
        self.keys
            .iter()
            .filter(|key| key.stored.purpose == purpose && key.algorithm == algorithm)
            .filter(|key| key.stored.state(now) == KeyState::Active)
            .max_by_key(|key| key.stored.generation)
    }

    /// The key with this id, if tokens of the purpose may be verified with it. One that is here and is
    /// not for that is another matter than one that is not here, which may be read anew.
    pub(crate) fn verifying(
        &self,
        purpose: KeyPurpose,
        kid: &str,
        now: Instant,
    ) -> Result<&LoadedKey, InvalidJwt> {
        let key = self.keys.iter().find(|key| key.stored.kid == kid);
        let key = key.filter(|key| key.stored.state(now) != KeyState::Removed);
        let key = key.ok_or(InvalidJwt::UnknownKey)?;
        if key.stored.purpose == purpose { Ok(key) } else { Err(InvalidJwt::Header) }
    }
}

impl SigningKey {
    /// What a private half is sealed to.
    pub fn seal_context(kid: &str) -> String {
        format!("portcullis/signing-key/v1/{kid}")
    }
}

impl LoadedKey {
    fn load(
        stored: SigningKey,
        master: &MasterKey,
        jose: &dyn Jose,
    ) -> Result<Self, LoadKeysError> {
        let kid = stored.kid.clone();
        if stored.sealed_by != master.id() {
            let (sealed_by, given) = (stored.sealed_by, master.id());
            return Err(LoadKeysError::WrongMasterKey { kid, sealed_by, given });
        }
        let private = master
            .open(&SigningKey::seal_context(&kid), &stored.sealed)
            .map_err(|source| LoadKeysError::Damaged { kid: kid.clone(), source })?;
        let unusable = |source| LoadKeysError::Unusable { kid: kid.clone(), source };
        let algorithm = stored.algorithm;
        let signer = jose.signer(algorithm, &private).map_err(unusable)?;
        let verifier = jose.verifier(algorithm, &stored.public).map_err(unusable)?;
        let test = b"start-up self-test";
        let signature = signer.sign(test).map_err(unusable)?;
        if !verifier.verify(test, &signature) {
            return Err(unusable(JoseError("its signature does not verify".into())));
        }
        let header = jwt::encode_header(algorithm, stored.purpose, &kid);
        Ok(Self { stored, algorithm, header, signer, verifier })
    }

    fn public(&self) -> Value {
        let (alg, kid) = (self.algorithm.as_str(), &self.stored.kid);
        match &self.stored.public {
            PublicJwk::Rsa { n, e } => json!({
                "kty": "RSA", "use": "sig", "alg": alg, "kid": kid, "n": n, "e": e,
            }),
            PublicJwk::Ec { crv, x, y } => json!({
                "kty": "EC", "use": "sig", "alg": alg, "kid": kid, "crv": crv, "x": x, "y": y,
            }),
            PublicJwk::Okp { crv, x } => json!({
                "kty": "OKP", "use": "sig", "alg": alg, "kid": kid, "crv": crv, "x": x,
            }),
        }
    }
}
