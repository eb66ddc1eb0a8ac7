//! People: their e-mail addresses, names, roles and state, how they are invited and how they change
//! their address. Agents and what they tell of themselves. Resource servers. And the ports that store
//! all that.

mod agent;
mod change;
mod directory;
mod email;
mod invitation;
pub mod ports;
mod profile;
mod resource_server;
mod role;
mod user;

pub use agent::{
    Agent, AgentFilter, AgentMetadata, AgentName, AgentStatus, InvalidAgentName, InvalidMetadata,
    ProvenEmail,
};
pub use change::EmailChange;
pub use directory::{
    Description, InvalidDescription, InvalidTags, InvalidVisibility, Profile, Tags, Visibility,
};
pub use email::{EmailAddress, EmailRules, InvalidEmail};
pub use invitation::{Invitation, PlainInvitation};
pub use profile::{DisplayName, InvalidDisplayName};
pub use resource_server::{PlainServerSecret, ResourceServer};
pub use role::{InvalidRole, Role};
pub use user::{User, UserFilter, UserStatus};
