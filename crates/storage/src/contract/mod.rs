//! What every adapter must do, as cases that an adapter's tests run: all with [`run_all`], or each on
//! its own from [`cases`].
//!
//! Cases make users, keys and buckets of their own, so they can share one database and run side by
//! side in one process. Those that sweep old rows date them in the seventies and run alone; so do
//! those that list or remove whatever there is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "test code: a case fails by panicking"
)]

pub mod agent_access;
pub mod agent_lists;
pub mod agent_networks;
pub mod agent_sweeps;
pub mod agent_tokens;
mod agent_world;
pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod credits;
pub mod email_changes;
pub mod inbox;
pub mod invitations;
pub mod known_addresses;
mod lab;
pub mod mailed_tokens;
pub mod outbox;
pub mod passwords;
pub mod rate_limits;
pub mod recoveries;
pub mod recovery_codes;
pub mod refresh;
pub mod registration_attempts;
pub mod registrations;
pub mod resource_servers;
pub mod sessions;
pub mod signing_keys;
pub mod spent_tokens;
pub mod sweeps;
pub mod transactions;
pub mod user_updates;
pub mod users;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Storage;

/// One thing that every adapter must do.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it must do.
    pub name: &'static str,
    /// Panics if it does not.
    pub run: fn(&dyn Storage),
}

macro_rules! case_list {
    ($($name:ident,)*) => {
        /// The cases of this file.
        pub const CASES: &[$crate::contract::Case] = &[
            $($crate::contract::Case {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: $name,
            },)*
        ];
    };
}
use case_list;

/// Every case.
pub fn cases() -> impl Iterator<Item = Case> {
    let groups = [
        users::CASES,
        user_updates::CASES,
        passwords::CASES,
        known_addresses::CASES,
        sessions::CASES,
        refresh::CASES,
        signing_keys::CASES,
        mailed_tokens::CASES,
        email_changes::CASES,
        invitations::CASES,
        agents::CASES,
        agent_lists::CASES,
        api_keys::CASES,
        agent_access::CASES,
        agent_tokens::CASES,
        agent_networks::CASES,
        recoveries::CASES,
        recovery_codes::CASES,
        registrations::CASES,
        registration_attempts::CASES,
        spent_tokens::CASES,
        resource_servers::CASES,
        credits::CASES,
        outbox::CASES,
        inbox::CASES,
        audit::CASES,
        rate_limits::CASES,
        sweeps::CASES,
        agent_sweeps::CASES,
        transactions::CASES,
    ];
    groups.into_iter().flatten().copied()
}

/// Runs every case on what `make` gives: a fresh database each time, or one for all.
///
/// # Panics
/// When a case fails; with the names of all that do.
pub fn run_all(make: &dyn Fn() -> Box<dyn Storage>) {
    let fails =
        |case: &Case| catch_unwind(AssertUnwindSafe(|| (case.run)(make().as_ref()))).is_err();
    let failed: Vec<_> = cases().filter(fails).map(|case| case.name).collect();
    assert!(failed.is_empty(), "the storage contract is broken: {failed:#?}");
}
