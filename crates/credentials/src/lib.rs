//! Passwords, mailed tokens and codes, API keys and recovery keys: how they are made and judged, and the ports that store what is
//! kept of them, which is never the secret itself.

mod agent_secrets;
mod api_key;
mod code;
mod hasher;
mod mailed;
mod password;
pub mod ports;
mod recovery;

pub use agent_secrets::{AgentToken, PlainAgentToken, PlainRecoveryKey};
pub use api_key::{
    AllowedNetworks, ApiKey, InvalidKeyName, InvalidNetworks, InvalidPrefix, KeyName, KeyPrefix,
    PlainApiKey,
};
pub use code::{Pepper, PlainCode};
pub use hasher::{Argon2Settings, HashError, PasswordHash, PasswordHasher, Verdict};
pub use mailed::{MailedKind, MailedToken, PlainMailedToken};
pub use password::{InvalidPassword, Password, PasswordPolicy};
pub use recovery::{RecoveryCode, RecoveryRequest, RecoveryTries, Tried};
