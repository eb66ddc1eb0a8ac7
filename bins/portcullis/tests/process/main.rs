//! The server as a process: started, stopped, killed, cut off from its database and overloaded, on
//! SQLite and on PostgreSQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is test code"
)]

mod agent_commands;
mod agents;
mod browser;
mod commands;
mod crash;
mod credits;
mod dead_mails;
mod doctor;
mod first_start;
mod guard;
mod harness;
mod hashing;
mod hostile;
mod invitations;
mod journey;
mod mail;
mod mail_server;
mod outage;
mod parallel;
mod refused_start;
mod registrations;
mod secrecy;
mod shared;
mod signing_keys;
mod stop;
