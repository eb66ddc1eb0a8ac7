//! Storage adapters for SQLite and PostgreSQL on diesel and r2d2.
//!
//! Each dialect file (`postgres.rs`, `sqlite.rs`) defines the connection, the column types and the few
//! pieces of SQL that differ, and mounts the folder `repositories/`. So every query is written once and
//! compiled once per dialect, and both databases keep their native types.
//!
//! # Adding an aggregate
//!
//! It touches, in this order:
//!
//! 1. `migrations/postgres/NNNN_name` and `migrations/sqlite/NNNN_name`, each with `up.sql` and
//!    `down.sql`. Released migrations never change. An index for every column that a request or the
//!    janitor filters on.
//! 2. Its port in the domain crate's `ports.rs`, and an accessor in `portcullis_storage::UnitOfWork`.
//! 3. The memory adapter and the suite `portcullis_storage::contract`.
//! 4. `repositories/schema.rs`: the table.
//! 5. `repositories/<aggregate>.rs`: the row, its conversions, the port implemented for `Unit`; one `mod`
//!    line and the accessor in `repositories/mod.rs`.
//! 6. `column.rs`, when a domain type is stored as text for the first time.
//! 7. The dialect files, only when the SQL itself must differ.
//! 8. The function `unique_key` of each dialect and `kernel::UniqueKey`, when a flow wants to know
//!    which unique key is taken.
//!
//! A database is added as one more dialect file with its folder of migrations.

#![allow(clippy::duplicate_mod, reason = "each dialect mounts `repositories/`, see above")]

mod column;
mod database;
mod error;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use database::{Database, MigrateError, SchemaState};
pub use pool::PoolOptions;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStorage};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStorage, Synchronous};
