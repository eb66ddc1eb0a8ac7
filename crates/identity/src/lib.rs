//! People: their e-mail addresses, names, roles and state, and the port that stores them.

mod email;
pub mod ports;
mod profile;
mod role;
mod user;

pub use email::{EmailAddress, EmailRules, InvalidEmail};
pub use profile::{DisplayName, InvalidDisplayName};
pub use role::{InvalidRole, Role};
pub use user::{User, UserFilter, UserStatus};
