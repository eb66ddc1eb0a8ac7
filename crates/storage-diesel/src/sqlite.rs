//! SQLite: connection, column types, and the SQL that only it speaks.

mod connect;
#[path = "repositories/mod.rs"]
mod repositories;
mod rotation;
mod storage;

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    result::DatabaseErrorInformation,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{BigInt, Text},
    sqlite::{Sqlite, SqliteValue},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use portcullis_kernel::{Instant, UniqueKey};

pub use self::storage::{SqliteOptions, SqliteStorage, Synchronous};
use crate::{
    column::{AsText, TextForm},
    error::{Meaning, Texts},
};

use self::connect::Connector;

type Conn = diesel::SqliteConnection;
type Backend = Sqlite;
type InstantSql = BigInt;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Counts the tables of migrations: 0 in a fresh database.
const COUNT_HISTORIES: &str = "SELECT count(*) AS n FROM sqlite_schema \
    WHERE type = 'table' AND name = '__diesel_schema_migrations'";

/// Begins a transaction that writes. A lock taken later could be refused half-way.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Nobody else writes meanwhile.
const HOLD_ACTIVE_USER: &str = "SELECT id FROM users WHERE id = $1 AND status = 'active'";

/// Nobody else writes meanwhile.
const LOCK_SIGNING_KEYS: Option<&str> = None;

/// See above.
const FOR_UPDATE: &str = "";

/// Notes a network at `$2`, unless it was noted at or after `$4`.
const NOTE_NETWORK: &str = "INSERT INTO agent_networks (agent_id, network, seen_at) \
    SELECT id, $1, $2 FROM agents WHERE id = $3 \
    ON CONFLICT (agent_id, network) DO UPDATE \
    SET seen_at = max(agent_networks.seen_at, excluded.seen_at) \
    WHERE agent_networks.seen_at < $4";

/// See above.
const SKIP_LOCKED: &str = "";

/// What stands around a JSON array of texts to make a table of it, with the column `value`.
const TEXTS_OF: (&str, &str) = ("json_each(", ")");

/// What stands before and in `<text>, <count>` to make it the last characters of a text.
const LAST: (&str, &str) = ("substr(", ", -");

/// The larger of its arguments.
const GREATEST: &str = "max";

#[diesel::declare_sql_function]
extern "SQL" {
    /// Where `needle` begins in `haystack`, from 1; 0 when it does not.
    #[sql_name = "instr"]
    fn position(haystack: Text, needle: Text) -> Integer;

    /// With A to Z made small.
    fn lower(text: Text) -> Text;

    /// The larger of two.
    #[sql_name = "max"]
    fn greatest(a: InstantSql, b: InstantSql) -> InstantSql;
}

const TEXTS: Texts = Texts {
    unique_key,
    parts: &[
        ("database is locked", Meaning::Contention),
        ("table is locked", Meaning::Contention),
        ("locking protocol", Meaning::TooSlow),
        ("database or disk is full", Meaning::Down),
        ("disk I/O error", Meaning::Down),
        ("unable to open database file", Meaning::Down),
        ("attempt to write a readonly database", Meaning::Down),
        ("out of memory", Meaning::Down),
    ],
};

fn unique_key(info: &dyn DatabaseErrorInformation) -> UniqueKey {
    let names = |columns: &str| info.message().ends_with(columns);
    if names(": users.email") {
        UniqueKey::UserEmail
    } else if names(": signing_keys.purpose, signing_keys.generation") {
        UniqueKey::SigningKeyGeneration
    } else {
        UniqueKey::Other
    }
}

/// A point in time, as microseconds since 1970.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
struct DbInstant(Instant);

impl FromSql<BigInt, Sqlite> for DbInstant {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
        Ok(Self(Instant::from_unix_timestamp_nanos(i128::from(micros) * 1000)?))
    }
}

impl ToSql<BigInt, Sqlite> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(i64::try_from(self.0.unix_timestamp_nanos().div_euclid(1000))?);
        Ok(IsNull::No)
    }
}

impl<T: TextForm> ToSql<Text, Sqlite> for AsText<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.encode()?.into_owned());
        Ok(IsNull::No)
    }
}
