//! PostgreSQL: connection, column types, and the SQL that only it speaks.

mod connect;
#[path = "repositories/mod.rs"]
mod repositories;
mod rotation;
mod storage;

use std::io::Write as _;

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    result::DatabaseErrorInformation,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Text, Timestamptz},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use portcullis_kernel::{Instant, UniqueKey};

pub use self::storage::{PostgresOptions, PostgresStorage};
use crate::{
    column::{AsText, TextForm},
    error::{Meaning, Texts},
};

use self::connect::Connector;

type Conn = diesel::PgConnection;
type Backend = Pg;
type InstantSql = Timestamptz;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Counts the tables of migrations: 0 in a fresh database.
const COUNT_HISTORIES: &str =
    "SELECT count(*) AS n FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')";

/// Begins a transaction that writes, at the level that every rule holds at.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Holds a user against suspension and deletion.
const HOLD_ACTIVE_USER: &str = "SELECT id FROM users WHERE id = $1 AND status = 'active' FOR SHARE";

/// Holds every signing key against change by others, in an order that all keep to.
const LOCK_SIGNING_KEYS: Option<&str> =
    Some("SELECT kid FROM signing_keys ORDER BY kid FOR UPDATE");

/// Holds what a query finds against change by others.
const FOR_UPDATE: &str = " FOR UPDATE";

/// Notes a network at `$2`, unless it was noted at or after `$4`: of several that do so at once one is
/// told that it did. Holds the agent against deletion, which comes before or after.
const NOTE_NETWORK: &str = "INSERT INTO agent_networks (agent_id, network, seen_at) \
    SELECT id, $1, $2::timestamptz FROM agents WHERE id = $3 FOR KEY SHARE \
    ON CONFLICT (agent_id, network) DO UPDATE \
    SET seen_at = greatest(agent_networks.seen_at, excluded.seen_at) \
    WHERE agent_networks.seen_at < $4";

/// Two instances that do the same work at once share it.
const SKIP_LOCKED: &str = " FOR UPDATE SKIP LOCKED";

/// What stands around a JSON array of texts to make a table of it, with the one column `value`.
const TEXTS_OF: (&str, &str) = ("json_array_elements_text(", "::json)");

/// What stands before and in `<text>, <count>` to make it the last characters of a text.
const LAST: (&str, &str) = ("right(", ", ");

/// The larger of its arguments.
const GREATEST: &str = "greatest";

#[diesel::declare_sql_function]
extern "SQL" {
    /// Where `needle` begins in `haystack`, from 1; 0 when it does not.
    #[sql_name = "strpos"]
    fn position(haystack: Text, needle: Text) -> Integer;

    /// With A to Z made small.
    fn lower(text: Text) -> Text;

    /// The larger of two.
    #[sql_name = "greatest"]
    fn greatest(a: InstantSql, b: InstantSql) -> InstantSql;
}

const TEXTS: Texts = Texts {
    unique_key,
    parts: &[
        ("deadlock detected", Meaning::Contention),
        ("canceling statement due to", Meaning::TooSlow),
        ("terminating connection", Meaning::Down),
        ("the database system is", Meaning::Down),
        ("No space left on device", Meaning::Down),
        ("could not extend file", Meaning::Down),
        ("could not write", Meaning::Down),
        ("could not fsync", Meaning::Down),
        ("out of memory", Meaning::Down),
        ("out of shared memory", Meaning::Down),
    ],
};

fn unique_key(info: &dyn DatabaseErrorInformation) -> UniqueKey {
    match info.constraint_name() {
        Some("users_email_key") => UniqueKey::UserEmail,
        Some("signing_keys_purpose_generation_key") => UniqueKey::SigningKeyGeneration,
        _ => UniqueKey::Other,
    }
}

/// A point in time, as `TIMESTAMPTZ`.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamptz)]
struct DbInstant(Instant);

impl FromSql<Timestamptz, Pg> for DbInstant {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <Instant as FromSql<Timestamptz, Pg>>::from_sql(value).map(Self)
    }
}

impl ToSql<Timestamptz, Pg> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl<T: TextForm> ToSql<Text, Pg> for AsText<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.encode()?.as_bytes())?;
        Ok(IsNull::No)
    }
}
