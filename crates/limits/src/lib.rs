//! Rate limits: sliding windows that are exact over all instances, leases for the larger ones, and
//! the rules for client addresses.
//!
//! A bucket is a log of the last accepted hits, kept in the database ([`HitLog`]); one conditional
//! write decides a hit. The [`Front`] in memory refuses what is known to be exhausted, and hands out
//! what was leased, without asking the database.

mod address;
mod bucket;
mod front;
mod hits;
mod policy;
pub mod ports;

pub use address::{AddressKey, TrustedProxies};
pub use bucket::BucketKey;
pub use front::{Asked, Front, Grant};
pub use hits::HitLog;
pub use policy::{OnStoreFailure, Policy, Standing};
