//! People: their e-mail addresses, names, roles and state, how they are invited and how they change
//! their address, and the ports that store all that.

mod change;
mod email;
mod invitation;
pub mod ports;
mod profile;
mod role;
mod user;

pub use change::EmailChange;
pub use email::{EmailAddress, EmailRules, InvalidEmail};
pub use invitation::{Invitation, PlainInvitation};
pub use profile::{DisplayName, InvalidDisplayName};
pub use role::{InvalidRole, Role};
pub use user::{User, UserFilter, UserStatus};
