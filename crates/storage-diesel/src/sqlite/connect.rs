use std::{fs::OpenOptions, io, path::Path, time::Duration};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use super::storage::{SqliteOptions, Synchronous};
use crate::pool::{Connect, ConnectError};

/// The write-ahead log is cut down to this size when it is done with, in bytes.
const LOG_SIZE_KEPT: u32 = 32 << 20;
/// How long a migration waits for another process to finish its own.
const MIGRATION_PATIENCE: Duration = Duration::from_mins(1);

/// Opens connections to a file.
pub(super) struct Connector {
    path: String,
    /// Statements that every connection begins with.
    session: String,
}

impl Connector {
    /// For the one connection that writes. What it deletes is overwritten: an erased account is not to be
    /// read in the file.
    pub(super) fn writer(path: &str, options: &SqliteOptions) -> Self {
        let synchronous = match options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        let session = format!(
            "{}; PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = {LOG_SIZE_KEPT}; \
             PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; \
             PRAGMA secure_delete = ON",
            patience(options.busy_timeout)
        );
        Self { path: path.to_owned(), session }
    }

    /// For connections that read.
    pub(super) fn reader(path: &str, options: &SqliteOptions) -> Self {
        let session = format!("{}; PRAGMA query_only = ON", patience(options.busy_timeout));
        Self { path: path.to_owned(), session }
    }

    /// For migrations. A table that is made anew must not take the rows that refer to it along, so
    /// foreign keys are checked at the end only.
    pub(super) fn migrator(path: &str) -> Self {
        let session = format!(
            "{}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF",
            patience(MIGRATION_PATIENCE)
        );
        Self { path: path.to_owned(), session }
    }
}

impl Connect for Connector {
    type Conn = SqliteConnection;

    /// A file does not go away like a server.
    const PING_AFTER: Option<Duration> = None;

    fn connect(&self) -> Result<SqliteConnection, ConnectError> {
        let cannot = |error: &dyn std::fmt::Display| {
            ConnectError(format!("cannot open the database {}: {error}", self.path))
        };
        let mut conn = SqliteConnection::establish(&self.path).map_err(|error| cannot(&error))?;
        conn.batch_execute(&self.session).map_err(|error| cannot(&error))?;
        Ok(conn)
    }
}

fn patience(wait: Duration) -> String {
    format!("PRAGMA busy_timeout = {}", wait.as_millis())
}

/// Makes the file if it is not there, for its owner's eyes only. SQLite gives the files it puts
/// beside it the same mode.
pub(super) fn create_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
