//! Tokens: signing keys and their life, JWTs of people and agents, sessions and their refresh families,
//! and what is dead before its time.

mod access;
mod agent_access;
mod jwk;
mod jwt;
mod key;
mod keyring;
mod page;
pub mod ports;
mod public_keys;
mod refresh;
mod seal;
mod session;
mod spent;
mod verifier;

pub use access::{AccessClaims, AccessTokenPolicy, IssuedAccessToken, PersonToken, Subject};
pub use agent_access::{AgentGrant, AgentToken, AgentTokenPolicy};
pub use jwk::PublicJwk;
pub use jwt::InvalidJwt;
pub use key::{Algorithm, KeyPolicy, KeyPurpose, KeyState, SigningKey};
pub use keyring::{KeyRing, KeySet, LoadKeysError, SignError};
pub use page::{FormKey, PageToken};
pub use public_keys::{InvalidKeySet, PublicKeySet};
pub use refresh::{Judgement, OnReplay, RefreshPolicy, RefreshRow, RefreshState, RefreshToken};
pub use seal::{InvalidMasterKey, MasterKey, SealError};
pub use session::Session;
pub use spent::SpentToken;
pub use verifier::verifier;
