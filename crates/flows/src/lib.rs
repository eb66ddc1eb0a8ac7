//! The application layer: one [`Engine`], one file per use case.
//!
//! Only this crate opens transactions. It is plain synchronous Rust: no runtime, no clock, no
//! environment; a caller on an async runtime moves a call to a blocking thread. Calls that hash a
//! password say so; a caller bounds how many of those run at once.

mod account;
pub mod admin;
pub mod agents;
pub mod credits;
mod engine;
mod error;
mod janitor;
pub mod keys;
mod limits;
pub mod mail;
pub mod oauth;
mod options;
pub mod people;
pub mod registration;
mod rows;

pub use engine::{Engine, Parts};
pub use error::{Fault, Invalid, Limited};
pub use janitor::Cleaned;
pub use limits::{Admission, AdmitError, Admitted, AdmittedPage, Charge, LimitClass, LimitError};
pub use options::{
    AgentLimits, AgentOptions, AgentRegistrationLimits, AgentRegistrationOptions, CreditLimits,
    CreditOptions, EngineOptions, LimitOptions, MailedOptions, RegistrationMode,
    RegistrationOptions,
};
/// The key that seals private keys at rest, one of an engine's [`Parts`].
pub use portcullis_tokens::MasterKey;
