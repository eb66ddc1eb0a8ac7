//! Registrations by which agents sign themselves up (the auth.md protocol), and the attempts of people to
//! claim them.
//!
//! What a dialect calls these things, and in which form it tells times and errors, is not known here.

mod attempt;
pub mod ports;
mod registration;
mod secrets;

pub use attempt::ClaimAttempt;
pub use registration::{Decision, Registration, RegistrationKind, State};
pub use secrets::{PlainClaimToken, PlainUnclaimToken, PlainViewToken};
