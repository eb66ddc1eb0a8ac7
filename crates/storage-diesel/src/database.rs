use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::Storage;

/// What an operator asks of a database, whatever its kind.
pub trait Database: Storage {
    /// Applies the migrations that are pending, oldest first, and names them. Of several processes
    /// that call this at once each migration runs in one; the others wait.
    ///
    /// # Errors
    /// [`MigrateError::Newer`], with nothing touched, when the database is ahead of this program.
    fn migrate(&self) -> Result<Vec<String>, MigrateError>;

    /// Compares the database with the migrations that this program knows. Changes nothing.
    fn schema_state(&self) -> StoreResult<SchemaState>;
}

/// How a database stands to the migrations that this program knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Names of the migrations in the database, oldest first.
    pub applied: Vec<String>,
    /// Names of the migrations that are to be applied, oldest first.
    pub pending: Vec<String>,
    /// Versions in the database that this program does not know: it is too old to serve.
    pub unknown: Vec<String>,
}

impl SchemaState {
    /// Whether the program and the database fit each other.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty()
    }

    /// Whether the program can work on it. What is unknown was put there by a later version, beside
    /// which this one serves on.
    pub(crate) fn check(&self) -> StoreResult<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let lacks = format!("its schema lacks {}", self.pending.join(", "));
        Err(StoreError::Unavailable(lacks.into()))
    }

    /// Compares what is `known`, as (version, name), with the versions that were `found`.
    pub(crate) fn compare(known: &[(String, String)], found: &[String]) -> Self {
        let names = |applied: bool| {
            let chosen =
                known.iter().filter(move |(version, _)| found.contains(version) == applied);
            chosen.map(|(_, name)| name.clone()).collect()
        };
        let is_unknown = |version: &&String| known.iter().all(|(other, _)| other != *version);
        Self {
            applied: names(true),
            pending: names(false),
            unknown: found.iter().filter(is_unknown).cloned().collect(),
        }
    }
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The database has migrations that this program does not know.
    #[error("the database is newer than this program: it has the migrations {}", unknown.join(", "))]
    Newer {
        /// Their versions.
        unknown: Vec<String>,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed; it and those after it are not applied.
    #[error("a migration failed")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Migration(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_tells_applied_pending_and_unknown_apart() {
        let known = [("0001", "0001_people"), ("0002", "0002_agents")]
            .map(|(version, name)| (version.to_owned(), name.to_owned()));
        let fresh = SchemaState::compare(&known, &[]);
        assert_eq!(fresh.pending, ["0001_people", "0002_agents"]);
        let newer = SchemaState::compare(&known, &["0001".to_owned(), "0003".to_owned()]);
        assert_eq!(newer.applied, ["0001_people"]);
        assert_eq!(newer.pending, ["0002_agents"]);
        assert_eq!(newer.unknown, ["0003"]);
        assert!(!newer.is_current());
    }
}
