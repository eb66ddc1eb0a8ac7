//! What tokens ask of storage and of a signature library.

use portcullis_kernel::{Instant, SessionId, StoreResult, TokenDigest, TokenId, UserId};
use zeroize::Zeroizing;

use crate::{Algorithm, PublicJwk, RefreshRow, RefreshState, Session, SigningKey, SpentToken};

/// A signature library: makes keys and loads them.
pub trait Jose: Send + Sync {
    /// Makes a new key pair.
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError>;

    /// Loads a private key for signing.
    fn signer(&self, algorithm: Algorithm, private: &[u8]) -> Result<Box<dyn Signer>, JoseError>;

    /// Loads a public key for verifying.
    fn verifier(
        &self,
        algorithm: Algorithm,
        public: &PublicJwk,
    ) -> Result<Box<dyn Verifier>, JoseError>;
}

/// A fresh key pair.
pub struct KeyPair {
    /// The private half, PKCS #8 DER.
    pub private: Zeroizing<Vec<u8>>,
    /// The public half.
    pub public: PublicJwk,
}

/// A private key, ready to sign.
pub trait Signer: Send + Sync {
    /// Signs `input` as JWS wants it (RFC 7515 §5.1).
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError>;
}

/// A public key, ready to verify.
pub trait Verifier: Send + Sync {
    /// Whether `signature` over `input` is this key's.
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool;
}

/// The signature library failed; never because of a client's input.
#[derive(Debug, thiserror::Error)]
#[error("the signature library failed: {0}")]
pub struct JoseError(pub String);

/// Stores signing keys.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait SigningKeyRepository {
    /// Adds a key.
    ///
    /// # Errors
    /// `Conflict(SigningKeyGeneration)` when another key of the purpose has the generation.
    fn insert(&mut self, key: &SigningKey) -> StoreResult<()>;

    /// Every key, oldest generation first.
    fn list(&mut self) -> StoreResult<Vec<SigningKey>>;

    /// Every key, oldest generation first, held against change by others until this transaction ends.
    fn lock(&mut self) -> StoreResult<Vec<SigningKey>>;

    /// Stores when the key ends.
    fn set_end(
        &mut self,
        kid: &str,
        retired_at: Option<Instant>,
        removed_at: Option<Instant>,
    ) -> StoreResult<bool>;

    /// Replaces the sealed private half, if `from` is still the master key that sealed it.
    fn reseal(&mut self, kid: &str, from: &str, sealed: &[u8], to: &str) -> StoreResult<bool>;

    /// Removes keys whose tokens have been refused since before `before`; says how many.
    fn delete_removed(&mut self, before: Instant) -> StoreResult<u64>;
}

/// Stores sessions and their refresh tokens.
///
/// A session is *live* while it is neither ended nor past its absolute end. Every call that spends or
/// ends something is one conditional write that says whether it was the one.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait SessionRepository {
    /// Adds a session and its first refresh token.
    fn insert(&mut self, session: &Session, first: &RefreshRow) -> StoreResult<()>;

    /// The token with this digest, and its session.
    fn find_token(&mut self, digest: &TokenDigest) -> StoreResult<Option<RefreshState>>;

    /// Rotates: spends the token, moves its live session to the next generation and adds that
    /// generation's token. All of it, or nothing and `false`: when the token is spent, unknown or not
    /// of the generation before, or the session is no longer live or not at that generation. Of any
    /// number of callers with one token, one is told `true`. Atomic in every `TxMode` that writes.
    fn rotate(
        &mut self,
        spent: &TokenDigest,
        successor: &RefreshRow,
        now: Instant,
    ) -> StoreResult<bool>;

    /// Notes that a spent token came again by an honest race; `true` the first time only.
    fn mark_raced(&mut self, digest: &TokenDigest, now: Instant) -> StoreResult<bool>;

    /// How many tokens of the session raced at or after `since`.
    fn count_raced(&mut self, session: SessionId, since: Instant) -> StoreResult<u32>;

    /// The session, if it is live.
    fn find_live(&mut self, id: SessionId, now: Instant) -> StoreResult<Option<Session>>;

    /// The user's live sessions whose refresh token has not expired, newest use first.
    fn list_live(&mut self, user: UserId, now: Instant) -> StoreResult<Vec<Session>>;

    /// Ends a live session of this user; says whether there was one.
    fn end(&mut self, id: SessionId, user: UserId, now: Instant) -> StoreResult<bool>;

    /// Ends every live session of the user but `keep`; says how many.
    fn end_all(&mut self, user: UserId, keep: Option<SessionId>, now: Instant) -> StoreResult<u64>;

    /// Ends the user's longest unused sessions until at most `most` are live; says how many.
    fn end_beyond(&mut self, user: UserId, most: u32, now: Instant) -> StoreResult<u64>;

    /// Removes at most `limit` refresh tokens that expired before `now`, and at most as many
    /// sessions that ended, reached their absolute end, or have no token left; says how many rows.
    fn delete_dead(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}

/// Remembers access tokens that are dead before their time, each no longer than it could have lived.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait SpentTokenRepository {
    /// Notes that a token is spent. Of any number of callers with one token, one is told `true`.
    fn spend(&mut self, token: &SpentToken) -> StoreResult<bool>;

    /// Whether a token is spent.
    fn is_spent(&mut self, id: TokenId) -> StoreResult<bool>;

    /// Removes at most `limit` tokens that need not be remembered at `now`; says how many.
    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64>;
}
