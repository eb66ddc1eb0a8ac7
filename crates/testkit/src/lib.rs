//! Test support: fixed clock, seeded entropy, a throw-away PostgreSQL, the app over every storage.

pub mod app;
pub mod clock;
pub mod database;
pub mod engine;
pub mod entropy;
pub mod faults;
pub mod jose;
pub mod scratch;
