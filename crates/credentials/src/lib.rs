//! Passwords: which ones are accepted, how they are hashed, and the port that stores the hashes.

mod hasher;
mod password;
pub mod ports;

pub use hasher::{Argon2Settings, HashError, PasswordHash, PasswordHasher, Verdict};
pub use password::{InvalidPassword, Password, PasswordPolicy};
