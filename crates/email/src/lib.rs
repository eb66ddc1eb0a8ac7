//! Mail: what is told to whom ([`Letter`]), how it reads ([`Templates`]), how it waits
//! ([`OutboxEntry`]), and the ports of the outbox and of a transport.
//!
//! A letter holds facts and, until it is delivered, the secret that it carries; so it is stored sealed
//! and never as text. Its words are made when it is delivered.

mod letter;
mod message;
mod outbox;
pub mod ports;
mod templates;

pub use letter::{
    Asked, Carried, ClaimCode, Content, Letter, Parcel, RecoverableAgent, Request, RequestKind,
};
pub use message::{InboxMessage, Message};
pub use outbox::{OutboxEntry, deferred_for, retry_after};
pub use templates::{Branding, TemplateError, Templates};
