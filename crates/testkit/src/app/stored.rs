use std::{fmt, path::Path, sync::Arc, time::Duration};

use portcullis_storage::{MemoryStorage, Storage};
use portcullis_storage_diesel::{
    Database as _, PoolOptions, PostgresOptions, PostgresStorage, SqliteOptions, SqliteStorage,
    Synchronous,
};
use tempfile::TempDir;

use crate::{database::TestDatabase, scratch};

/// A migrated storage with nothing in it, gone when this value goes.
pub struct Stored {
    storage: Arc<dyn Storage>,
    pool: PoolOptions,
    kept: Kept,
}

enum Kept {
    Nothing,
    Directory(TempDir),
    Database(TestDatabase),
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kept {
            Kept::Nothing => "Stored(memory)",
            Kept::Directory(_) => "Stored(SQLite)",
            Kept::Database(_) => "Stored(PostgreSQL)",
        })
    }
}

impl Stored {
    /// Memory.
    pub fn memory() -> Self {
        Self::given(Arc::new(MemoryStorage::default()))
    }

    /// A storage that the test made itself.
    pub fn given(storage: Arc<dyn Storage>) -> Self {
        Self { storage, pool: PoolOptions::default(), kept: Kept::Nothing }
    }

    /// A SQLite file of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn sqlite() -> Self {
        Self::sqlite_with(PoolOptions::default())
    }

    fn sqlite_with(pool: PoolOptions) -> Self {
        let directory = scratch::directory().expect("a directory for the database");
        let mut options = SqliteOptions::new(directory.path().join("test.db"));
        options.synchronous = Synchronous::Normal;
        options.pool = pool;
        let storage = SqliteStorage::connect(&options).expect("a new SQLite database");
        storage.migrate().expect("the migrations");
        Self { storage: Arc::new(storage), pool, kept: Kept::Directory(directory) }
    }

    /// A PostgreSQL database of its own, copied from one that was migrated once; `None` where there
    /// is no server (see [`postgres_admin_url`](crate::database::postgres_admin_url)).
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn postgres() -> Option<Self> {
        Self::postgres_with(PoolOptions::default())
    }

    fn postgres_with(pool: PoolOptions) -> Option<Self> {
        let connect = |url: &str| {
            let options = PostgresOptions { pool, ..PostgresOptions::new(url) };
            PostgresStorage::connect(&options).expect("the new database")
        };
        let database = TestDatabase::from_template("migrated", |url| {
            connect(url).migrate().expect("the migrations");
        })?;
        let storage = Arc::new(connect(database.url()));
        Some(Self { storage, pool, kept: Kept::Database(database) })
    }

    /// One of each kind that there is, whose connections are waited for as long as it takes: for many
    /// threads at once on a machine that has other work, where waiting is no error.
    ///
    /// # Panics
    /// When one cannot be made.
    pub fn patient() -> impl Iterator<Item = Self> {
        let pool =
            PoolOptions { acquire_timeout: Duration::from_mins(1), ..PoolOptions::default() };
        let makers: [fn(PoolOptions) -> Option<Self>; 3] =
            [|_| Some(Self::memory()), |pool| Some(Self::sqlite_with(pool)), Self::postgres_with];
        makers.into_iter().filter_map(move |make| make(pool))
    }

    /// A second handle on the same rows, as another instance has: with connections of its own on
    /// PostgreSQL, the same one elsewhere. It does not keep the rows alive.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn another_instance(&self) -> Self {
        Self::given(match &self.kept {
            Kept::Database(database) => {
                let options =
                    PostgresOptions { pool: self.pool, ..PostgresOptions::new(database.url()) };
                Arc::new(PostgresStorage::connect(&options).expect("the same database"))
            }
            Kept::Nothing | Kept::Directory(_) => self.storage(),
        })
    }

    /// Where the SQLite file and what stands beside it are.
    pub fn directory(&self) -> Option<&Path> {
        match &self.kept {
            Kept::Directory(directory) => Some(directory.path()),
            Kept::Nothing | Kept::Database(_) => None,
        }
    }

    /// The storage.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }
}
