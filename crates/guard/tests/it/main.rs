//! The guard as an API uses it, before an auth server that is played by a test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of it is test code"
)]

mod actix_layer;
mod answers;
mod charges;
mod client;
mod introspection;
mod key_set;
mod strangers;
mod support;
mod tokens;
mod tonic_layer;
mod tower_layer;
