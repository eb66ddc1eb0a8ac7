//! Tokens: signing keys and their life, JWTs, sessions and their refresh families.

mod access;
mod jwk;
mod jwt;
mod key;
mod keyring;
mod page;
pub mod ports;
mod refresh;
mod seal;
mod session;

pub use access::{AccessClaims, AccessTokenPolicy, IssuedAccessToken, Subject};
pub use jwk::PublicJwk;
pub use jwt::InvalidJwt;
pub use key::{Algorithm, KeyPolicy, KeyPurpose, KeyState, SigningKey};
pub use keyring::{KeyRing, KeySet, LoadKeysError, SignError};
pub use page::{FormKey, PageToken};
pub use refresh::{Judgement, OnReplay, RefreshPolicy, RefreshRow, RefreshState, RefreshToken};
pub use seal::{InvalidMasterKey, MasterKey, SealError};
pub use session::Session;
