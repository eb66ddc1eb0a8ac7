//! Passwords, mailed tokens and codes: how they are made and judged, and the ports that store what is
//! kept of them, which is never the secret itself.

mod code;
mod hasher;
mod mailed;
mod password;
pub mod ports;

pub use code::{Pepper, PlainCode};
pub use hasher::{Argon2Settings, HashError, PasswordHash, PasswordHasher, Verdict};
pub use mailed::{MailedKind, MailedToken, PlainMailedToken};
pub use password::{InvalidPassword, Password, PasswordPolicy};
