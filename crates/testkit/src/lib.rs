//! Test support: fixed clock, seeded entropy, a throw-away PostgreSQL, the app over every storage.

pub mod database;
