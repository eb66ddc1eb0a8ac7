//! The HTTP edge, in modules that mirror its URLs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code beside the tests"
)]

mod bearer;
mod envelopes;
mod headers;
mod health;
mod hostile;
mod index;
mod jwt;
mod limits;
mod openapi;
mod order;
mod routes;
mod unavailable;

mod well_known {
    mod jwks;
}

mod v1 {
    mod auth {
        mod login;
        mod logout;
        mod refresh;
        mod refresh_replays;
        mod register;
        mod register_fields;
        mod sessions;
    }
    mod users {
        mod me;
    }
}
