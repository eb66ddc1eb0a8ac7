//! Credits: whose ledgers there are, what is posted to them, the challenge of a 402, and top-ups that are
//! signed.
//!
//! A balance is never below zero, and is always the sum of the ledger's entries.

mod account;
mod amount;
mod challenge;
mod entry;
pub mod ports;
mod webhook;

pub use account::AccountId;
pub use amount::{Amount, Cost, InvalidAmount, InvalidCost, MOST_BALANCE};
pub use challenge::{ChallengeKey, PaymentWanted};
pub use entry::{
    Addressee, Entry, InvalidNote, InvalidOperation, Ledger, Note, OperationId, Posted, Posting,
    Reason,
};
pub use webhook::{Delivery, InvalidWebhookSecret, Unverified, WebhookSecret, verify};
