//! Settings: what they are, where they come from, and what is wrong with them.
//!
//! Nothing else in the workspace reads the environment or a settings file; every other part is handed
//! the plain options of its own crate (`options.rs`).

mod address;
mod check;
mod known;
mod layers;
mod loaded;
mod mail;
mod options;
mod problem;
mod sections;
mod show;
mod span;
mod start;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use loaded::{DatabaseTarget, Loaded, MasterKeySource, Place};
pub(crate) use problem::{Problem, Problems};
pub(crate) use sections::{AgentAlgorithm, LogFormat, LogLevel, MailTransport, Settings};
pub(crate) use start::StartMode;
