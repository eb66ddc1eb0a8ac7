//! Puts the adapters together: the one place that knows which database it is.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use portcullis_flows::{Engine, Parts, keys::OpenKeysError};
use portcullis_jose::Josekit;
use portcullis_kernel::{Alarm, Entropy, ExposeSecret, causes};
use portcullis_storage_diesel::{Database, MigrateError, PostgresStorage, SqliteStorage};
use portcullis_system::{SystemClock, SystemEntropy};
use portcullis_tokens::{LoadKeysError, MasterKey};

use crate::{
    master_key,
    settings::{DatabaseTarget, Loaded, MasterKeySource, Problems},
};

/// What to do about a schema that is not this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Apply what is pending.
    Apply,
    /// Refuse to go on.
    Refuse,
}

/// Random bytes for everything.
pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

/// The kind of database, for a person.
pub(crate) fn database_kind(target: &DatabaseTarget) -> &'static str {
    match target {
        DatabaseTarget::Sqlite(_) => "SQLite",
        DatabaseTarget::Postgres(_) => "PostgreSQL",
    }
}

/// Connects, and brings the schema up to date or refuses to.
pub(crate) fn open_database(
    loaded: &Loaded,
    target: DatabaseTarget,
    pending: Pending,
) -> Result<Arc<dyn Database>> {
    if let (DatabaseTarget::Sqlite(path), Pending::Refuse) = (&target, pending)
        && !path.exists()
    {
        bail!(
            "there is no database {}; `portcullis migrate` or `portcullis serve` makes it",
            path.display()
        );
    }
    let database = connect(loaded, target)?;
    match pending {
        Pending::Apply => {
            migrate(database.as_ref())?;
        }
        Pending::Refuse => {
            let state = database.schema_state().context("the schema cannot be read")?;
            if !state.unknown.is_empty() {
                return Err(newer(&state.unknown));
            }
            if !state.pending.is_empty() {
                bail!(
                    "migrations are pending: {}; run `portcullis migrate`",
                    state.pending.join(", ")
                );
            }
        }
    }
    Ok(database)
}

/// Connects, whatever the schema.
pub(crate) fn connect(loaded: &Loaded, target: DatabaseTarget) -> Result<Arc<dyn Database>> {
    let settings = &loaded.settings;
    let database: Arc<dyn Database> = match target {
        DatabaseTarget::Sqlite(path) => {
            if loaded.dev {
                master_key::create_directory_of(&path)?;
            }
            Arc::new(SqliteStorage::connect(&settings.sqlite(path))?)
        }
        DatabaseTarget::Postgres(url) => {
            Arc::new(PostgresStorage::connect(&settings.postgres(url))?)
        }
    };
    Ok(database)
}

/// Applies what is pending, and names it.
pub(crate) fn migrate(database: &dyn Database) -> Result<Vec<String>> {
    let applied = database.migrate().map_err(|error| match error {
        MigrateError::Newer { unknown } => newer(&unknown),
        error => anyhow!(error).context("the database cannot be migrated"),
    })?;
    for name in &applied {
        tracing::info!(name, "migration applied");
    }
    Ok(applied)
}

fn newer(unknown: &[String]) -> anyhow::Error {
    anyhow!(
        "the database is newer than this program (it has the migrations {}); \
         start the version that wrote it, or a later one",
        unknown.join(", ")
    )
}

/// An engine for work that touches no signing key.
pub(crate) fn engine_without_keys(loaded: &Loaded, database: Arc<dyn Database>) -> Result<Engine> {
    engine(loaded, database, MasterKey::generate(&SystemEntropy)?)
}

/// The master key of the settings; `None` when its file is yet to be made, in development mode only.
/// To be asked before the database is touched.
pub(crate) fn find_master_key(loaded: &Loaded) -> Result<Option<MasterKey>> {
    let path = match loaded.master_key().map_err(Problems::one)? {
        MasterKeySource::Text(text) => {
            let key = MasterKey::parse(text.expose_secret());
            return Ok(Some(key.context("master_key holds no master key")?));
        }
        MasterKeySource::File(path) => path,
    };
    let key = master_key::read(&path)?;
    if key.is_none() && !loaded.dev {
        bail!(
            "the master key file {} is missing; put it back, or run `portcullis keys new-master` \
             if there never was one",
            path.display()
        );
    }
    Ok(key)
}

/// An engine with the master key that was found, or else the very first one.
pub(crate) fn engine_with_keys(
    loaded: &Loaded,
    database: Arc<dyn Database>,
    found: Option<MasterKey>,
) -> Result<Engine> {
    let key = match found {
        Some(key) => key,
        None => first_master_key(loaded, Arc::clone(&database))?,
    };
    engine(loaded, database, key)
}

/// Never in the place of a key that was there before: what it sealed could not be opened again.
fn first_master_key(loaded: &Loaded, database: Arc<dyn Database>) -> Result<MasterKey> {
    let Some(path) = &loaded.settings.master_key_file else { bail!("master_key_file is not set") };
    let shown = path.display();
    let sealed = engine_without_keys(loaded, database)?.list_keys()?.len();
    if sealed > 0 {
        // Unless another process has made both since the file was looked for.
        if let Some(key) = master_key::read(path)? {
            return Ok(key);
        }
        bail!(
            "the master key file {shown} is missing, and the database holds {sealed} signing key(s) \
             that only that key opens; put it back (nothing was made in its place)"
        );
    }
    master_key::create_directory_of(path)?;
    match master_key::create(path, &SystemEntropy) {
        Ok(key) => Ok(key),
        // Another process that starts beside this one was faster.
        Err(error) => master_key::read(path)?.ok_or(error),
    }
}

fn engine(loaded: &Loaded, database: Arc<dyn Database>, master_key: MasterKey) -> Result<Engine> {
    let parts = Parts {
        storage: database,
        clock: Arc::new(SystemClock),
        entropy: entropy(),
        jose: Arc::new(Josekit),
        master_key,
    };
    let mut options = loaded.settings.engine();
    options.credits.webhook_secrets = loaded.webhook_secrets().map_err(Problems::one)?;
    Ok(Engine::new(parts, options)?.with_alarm(Arc::new(LoggedAlarm)))
}

/// An alarm is a line in the log.
struct LoggedAlarm;

impl Alarm for LoggedAlarm {
    fn raise(&self, what: &str, cause: &dyn std::error::Error) {
        tracing::warn!(cause = causes(cause), "{what}");
    }
}

/// What to do about keys that cannot be opened.
pub(crate) fn explain_keys(error: OpenKeysError) -> anyhow::Error {
    let wrong = matches!(&error, OpenKeysError::Load(LoadKeysError::WrongMasterKey { .. }));
    let error = anyhow!(error);
    if wrong {
        return error.context(
            "the master key is not the one that sealed the signing keys in the database; \
             give the right one (nothing was changed)",
        );
    }
    error.context("the signing keys cannot be opened")
}
