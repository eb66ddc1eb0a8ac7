//! Audit events: what happened to whom, and the port that stores them.
//!
//! An event holds ids, an address of the network and a request id; never an e-mail address, a name
//! or a secret, so that erasing an account needs no rewriting of history beyond its network traces.

mod event;
pub mod ports;

pub use event::{Action, Actor, AuditEvent, Outcome};
