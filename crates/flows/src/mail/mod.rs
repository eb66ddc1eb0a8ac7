//! Mail: what is queued in the transaction it belongs to, and what a worker does with it.

mod deliver;
mod inbox;
mod queue;
mod request;
mod reseal;

pub use deliver::{Claimed, Failure};
pub use request::{AddressInput, AskForMail};
