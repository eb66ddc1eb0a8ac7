use std::{fmt, time::Duration};

use diesel::{
    RunQueryDsl,
    sql_types::{BigInt, Text},
};
use portcullis_kernel::{SecretString, StoreError, StoreResult};
use portcullis_storage::{Storage, TxMode, UnitOfWork};

use super::{
    connect::Connector,
    repositories::{Unit, history},
};
use crate::{
    database::{Database, MigrateError, SchemaState},
    pool::{ConnectError, Pool, PoolOptions},
};

/// One number that all instances agree on: whoever holds it may migrate.
const MIGRATION_LOCK: i64 = 0x706f_7274_6375_6c6c;
/// How long a connection is kept, so that a changed DNS entry or a new replica is noticed.
const LIFETIME: Duration = Duration::from_mins(30);

/// Where a PostgreSQL server is and how it is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// A URL or a list of `key=value` as libpq reads them.
    pub url: SecretString,
    /// The pool.
    pub pool: PoolOptions,
    /// How long an attempt to connect may take, in whole seconds.
    pub connect_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
}

impl PostgresOptions {
    /// Two seconds to connect or to get a lock, five for a statement.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            pool: PoolOptions::default(),
            connect_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
        }
    }
}

/// A PostgreSQL database. Instances on many machines may share one.
///
/// Timeouts and deadlocks are known by the server's messages, so these must be English; with
/// `ALTER ROLE … SET lc_messages = 'C'` they are.
pub struct PostgresStorage {
    pool: Pool<Connector>,
    /// For connections beside the pool.
    connector: Connector,
}

impl fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStorage")
    }
}

impl PostgresStorage {
    /// Connects to the server; waits for it as long as for a connection of the pool.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not answer.
    pub fn connect(options: &PostgresOptions) -> StoreResult<Self> {
        let connector = || {
            Connector::new(
                &options.url,
                options.connect_timeout,
                options.lock_timeout,
                options.statement_timeout,
            )
        };
        let PoolOptions { max_connections, acquire_timeout } = options.pool;
        let pool = Pool::new(connector(), max_connections, acquire_timeout, Some(LIFETIME));
        let storage = Self { pool, connector: connector() };
        storage.check_language()?;
        Ok(storage)
    }

    fn check_language(&self) -> StoreResult<()> {
        let setting = Unit::open(&self.pool, TxMode::Read)?.read(|conn| {
            let setting = diesel::dsl::sql::<Text>("current_setting('lc_messages')");
            diesel::select(setting).get_result::<String>(conn)
        })?;
        let english = ["", "C", "POSIX"].contains(&setting.as_str())
            || ["C.", "en"].iter().any(|prefix| setting.starts_with(prefix));
        if !english {
            tracing::warn!(
                %setting,
                "the database's messages are not English, so its timeouts are taken for faults: \
                 ALTER ROLE … SET lc_messages = 'C'"
            );
        }
        Ok(())
    }

    fn patient(&self) -> StoreResult<diesel::PgConnection> {
        let unavailable = |error: ConnectError| StoreError::Unavailable(Box::new(error));
        self.connector.connect_patient().map_err(unavailable)
    }
}

impl Storage for PostgresStorage {
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>> {
        Ok(Box::new(Unit::open(&self.pool, mode)?))
    }

    fn check(&self) -> StoreResult<()> {
        self.schema_state()?.check()
    }
}

impl Database for PostgresStorage {
    fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        let mut conn = self.patient()?;
        // The lock goes with the connection.
        diesel::sql_query("SELECT pg_advisory_lock($1)")
            .bind::<BigInt, _>(MIGRATION_LOCK)
            .execute(&mut conn)?;
        history::apply(&mut conn)
    }

    fn schema_state(&self) -> StoreResult<SchemaState> {
        Unit::open(&self.pool, TxMode::Read)?.read(history::state)
    }
}
