//! The life of signing keys: opened at start, rotated, retired, sealed anew.

mod manage;
mod open;

pub use manage::{KeyError, RetireKey};
pub use open::OpenKeysError;
