use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{RunQueryDsl, dsl::sql, sql_types::BigInt};
use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::{Storage, TxMode, UnitOfWork};

use super::{
    connect::{Connector, create_file},
    repositories::{Unit, history},
};
use crate::{
    database::{Database, MigrateError, SchemaState},
    pool::{Connect as _, ConnectError, Pool, PoolOptions},
};

/// Where a SQLite database is and how it is used.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file. Its directory must exist.
    pub path: PathBuf,
    /// The pool of connections that read.
    pub pool: PoolOptions,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// For the disk: what is committed outlasts a power failure.
    #[default]
    Full,
    /// For the operating system: a power failure may take the last commits, never the integrity.
    Normal,
}

impl SqliteOptions {
    /// Five seconds for another process; commits wait for the disk.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            pool: PoolOptions::default(),
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(2),
        }
    }
}

/// A SQLite database in a file, for one instance.
///
/// One connection writes, and units of work queue for it; others read what was committed.
pub struct SqliteStorage {
    path: String,
    writer: Pool<Connector>,
    readers: Pool<Connector>,
}

impl fmt::Debug for SqliteStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStorage").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStorage {
    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened for writing or is no database.
    pub fn connect(options: &SqliteOptions) -> StoreResult<Self> {
        let path = full_path(&options.path).map_err(unavailable)?;
        create_file(Path::new(&path)).map_err(|error| {
            unavailable(ConnectError(format!("cannot open the database {path}: {error}")))
        })?;
        let PoolOptions { max_connections, acquire_timeout } = options.pool;
        let writer = Connector::writer(&path, options);
        let readers = Connector::reader(&path, options);
        let storage = Self {
            writer: Pool::new(writer, 1, acquire_timeout, None),
            readers: Pool::new(readers, max_connections, acquire_timeout, None),
            path,
        };
        // The first connection switches the file to its write-ahead log.
        storage.writer.acquire()?;
        Ok(storage)
    }
}

impl Storage for SqliteStorage {
    fn begin(&self, mode: TxMode) -> StoreResult<Box<dyn UnitOfWork + '_>> {
        let pool = match mode {
            TxMode::Read => &self.readers,
            TxMode::Statement | TxMode::Write => &self.writer,
        };
        Ok(Box::new(Unit::open(pool, mode)?))
    }

    fn check(&self) -> StoreResult<()> {
        self.schema_state()?.check()
    }
}

impl Database for SqliteStorage {
    fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        let mut conn = Connector::migrator(&self.path).connect().map_err(unavailable)?;
        conn.immediate_transaction(|conn| {
            let applied = history::apply(conn)?;
            let orphans = sql::<BigInt>("(SELECT count(*) FROM pragma_foreign_key_check)");
            match diesel::select(orphans).get_result::<i64>(conn)? {
                0 => Ok(applied),
                n => Err(MigrateError::Migration(format!("{n} rows refer to nothing").into())),
            }
        })
    }

    fn schema_state(&self) -> StoreResult<SchemaState> {
        Unit::open(&self.readers, TxMode::Read)?.read(history::state)
    }
}

/// The absolute path: a relative one could read as a URI or as a database in memory.
fn full_path(path: &Path) -> Result<String, ConnectError> {
    let cannot = |reason: &str| {
        ConnectError(format!("the database {} cannot be opened: {reason}", path.display()))
    };
    if path.as_os_str() == ":memory:" {
        return Err(cannot("it must be a file"));
    }
    let path = std::path::absolute(path).map_err(|error| cannot(&error.to_string()))?;
    path.to_str().map(str::to_owned).ok_or_else(|| cannot("its path is not UTF-8"))
}

fn unavailable(error: ConnectError) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
