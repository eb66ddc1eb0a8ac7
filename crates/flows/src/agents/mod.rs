//! Accounts of agents: registration, addresses, API keys, access tokens, recovery, profile, deletion.

mod account;
mod address;
mod admit;
mod authenticate;
mod authorize;
mod directory;
mod exchange;
mod input;
mod key_rules;
mod keys;
mod log;
mod owned;
mod recover;
mod recovery_codes;
mod register;
mod tokens;
pub(crate) mod uses;

pub use account::{DeletedAgent, MissingAgent, OwnAgentError};
pub(crate) use account::{disown_agents, erase_agent, strip_agent};
pub use address::{
    AgentEmailError, AgentTokenError, ChangeAgentEmail, PresentedAgentToken, ReadAgentToken,
};
pub use admit::{AdmitAgentError, AdmittedAgent, AgentLimit};
pub use authenticate::{AgentAuthError, AgentCaller, BearerCaller, PresentedBasic};
pub use authorize::{NotYours, authorize_agent, authorize_own_key, check_agent_id};
pub use directory::{DirectoryInput, ProfileChange, ProfileError, ProfileInput};
pub use exchange::{ExchangeError, IssuedAgentToken, WantedToken};
pub(crate) use input::Judge;
pub use input::{InvalidInput, SliceInput};
pub use keys::{CreateKey, CreatedKey, KeyError, NewKey, RotateKey, Rotation};
pub use owned::{OwnedAgent, OwnedAgentDetails, OwnedAgentError};
pub use recover::{AskForRecovery, AskRecovery, AskRecoveryError, AskedRecovery};
pub use recovery_codes::{Recover, RecoverAgent, RecoverError, RecoveredAgent};
pub use register::{
    AgentRegistration, MetadataInput, RegisterAgent, RegisterAgentError, RegisteredAgent,
};
pub use tokens::AgentSessionError;
