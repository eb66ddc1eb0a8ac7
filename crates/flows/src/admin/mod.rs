//! What an operator does to accounts; the same for every surface that lets them.

mod agents;
mod authorize;
mod create;
mod input;
mod invite;
mod users;

pub use agents::{AgentDetails, CreateAgentError, ListAgents, ResetRecoveryError};
pub use authorize::{AuthorizeError, authorize_admin};
pub use create::{CreateUser, CreateUserError};
pub use input::{ListInput, ListUsers, SetRole};
pub use invite::{Invite, InviteError, Invited};
pub use users::{FindUserError, UserDetails};
