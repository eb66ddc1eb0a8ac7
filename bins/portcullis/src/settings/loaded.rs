use std::{
    collections::BTreeMap,
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use config::Value;
use portcullis_kernel::{ExposeSecret, SecretString};

use super::{
    check,
    layers::{self, Layered, Sources},
    problem::{Problem, Problems},
    sections::{MailTransport, Settings},
    text::DatabaseUrl,
};

/// Read when it exists and no other file is named.
const FILE: &str = "portcullis.toml";
/// Where development mode keeps what it makes.
const DEVELOPMENT_DATABASE: &str = "sqlite://portcullis-data/portcullis.db";
const DEVELOPMENT_MASTER_KEY: &str = "portcullis-data/master.key";

/// Where the settings are, and whether development mode fills the gaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) file: Option<PathBuf>,
    pub(crate) dev: bool,
}

/// Settings that hold together, and where each came from.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) dev: bool,
    /// The merged layers, secrets included; for origins only.
    pub(super) tree: Value,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Which database.
#[derive(Clone, Debug)]
pub(crate) enum DatabaseTarget {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by its URL.
    Postgres(SecretString),
}

/// Where the master key is.
#[derive(Clone, Debug)]
pub(crate) enum MasterKeySource {
    /// In the settings themselves.
    Text(SecretString),
    /// In a file of its own.
    File(PathBuf),
}

impl Loaded {
    /// Reads and checks the settings of this machine.
    pub(crate) fn read(place: &Place) -> Result<Self, Problems> {
        let file = read_file(place.file.as_deref()).map_err(Problems::one)?;
        let environment = read_environment().map_err(Problems::one)?;
        Self::from_sources(&Sources { file, environment }, place.dev)
    }

    /// Merges and checks settings from these sources.
    pub(crate) fn from_sources(sources: &Sources, dev: bool) -> Result<Self, Problems> {
        let mut defaults = Settings::default();
        if dev {
            defaults.mail.transport = MailTransport::Inbox;
        }
        let Layered { mut settings, tree } = layers::merge(&defaults, sources)?;
        if dev {
            fill_for_development(&mut settings);
        }
        let loaded = Self { settings, dev, tree };
        Problems::or(check::check(&loaded), loaded)
    }

    /// A problem with one setting, with the place where it was set.
    pub(super) fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        Problem::of(key, text).said_in(layers::origin(&self.tree, key))
    }

    /// The database.
    pub(crate) fn database(&self) -> Result<DatabaseTarget, Problem> {
        let database = &self.settings.database;
        let (key, url) = match (&database.url, &database.url_file) {
            (Some(url), _) => ("database.url", url.0.clone()),
            (None, Some(path)) => {
                ("database.url_file", self.secret_file("database.url_file", path)?)
            }
            (None, None) => {
                return Err(Problem::of(
                    "database.url",
                    "is not set; give sqlite:///path/to/file.db or \
                     postgres://user:password@host/name, or --dev for development mode",
                ));
            }
        };
        let text = url.expose_secret();
        if let Some(path) = text.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains(['?', '#']) {
                let text = "must name a file and nothing else, such as sqlite:///path/to/file.db";
                return Err(self.problem(key, text));
            }
            return Ok(DatabaseTarget::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseTarget::Postgres(url));
        }
        Err(self.problem(key, "must begin with sqlite:// or postgres://"))
    }

    /// The master key.
    pub(crate) fn master_key(&self) -> Result<MasterKeySource, Problem> {
        match (&self.settings.master_key, &self.settings.master_key_file) {
            (Some(text), _) => Ok(MasterKeySource::Text(text.0.clone())),
            (None, Some(path)) => Ok(MasterKeySource::File(path.clone())),
            (None, None) => Err(Problem::of(
                "master_key",
                "is not set; run `portcullis keys new-master --file PATH` and set master_key_file \
                 to that path",
            )),
        }
    }

    /// The text of a `_file` setting, without the line's end.
    pub(super) fn secret_file(&self, key: &str, path: &Path) -> Result<SecretString, Problem> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            self.problem(key, format!("cannot read {}: {error}", path.display()))
        })?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(self.problem(key, format!("{} is empty", path.display()))),
            text => Ok(text.into()),
        }
    }
}

fn fill_for_development(settings: &mut Settings) {
    let database = &mut settings.database;
    if database.url.is_none() && database.url_file.is_none() {
        database.url = Some(DatabaseUrl(DEVELOPMENT_DATABASE.into()));
    }
    if settings.master_key.is_none() && settings.master_key_file.is_none() {
        settings.master_key_file = Some(DEVELOPMENT_MASTER_KEY.into());
    }
    if settings.public_url.is_none() {
        let bind = settings.http.bind.0;
        let own = bind.ip().is_loopback().then(|| format!("http://{bind}"));
        let url = own.unwrap_or_else(|| format!("http://127.0.0.1:{}", bind.port()));
        settings.public_url = url.parse().ok();
    }
}

fn read_file(named: Option<&Path>) -> Result<Option<(String, String)>, Problem> {
    let path = named.unwrap_or(Path::new(FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => {
            Err(Problem::general(format!("cannot read the settings {}: {error}", path.display())))
        }
    }
}

#[allow(clippy::disallowed_methods)] // the one place that reads the environment
fn read_environment() -> Result<BTreeMap<String, String>, Problem> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("PORTCULLIS_"))?;
        Some((name, value))
    });
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(Problem::general(format!("{name} holds something that is not UTF-8"))),
    })
    .collect()
}
