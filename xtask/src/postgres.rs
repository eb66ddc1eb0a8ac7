//! The PostgreSQL server of a test run: found, installed where that is allowed, started.

use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context, Result};
use portcullis_testkit_postgres::{Cluster, Options, server_binaries};

use crate::{install, process};

/// The variable that gives tests the maintenance database of a server.
pub(crate) const URL_VARIABLE: &str = "PORTCULLIS_TEST_DATABASE_URL";

/// The variable that tells one test run from another on the same server.
pub(crate) const RUN_VARIABLE: &str = "PORTCULLIS_TEST_RUN";

const DEBIAN_PACKAGE: &str = "postgresql";

/// What Debian's packages read before they make a cluster of their own and start it.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";

/// A server for the tests of this run.
pub(crate) enum Server {
    /// The caller named one: [`URL_VARIABLE`] is set already.
    Given,
    /// Ours, gone when this value goes.
    Private(Box<Cluster>),
    /// There is none and none could be installed; the text says what to type.
    Missing(String),
}

impl Server {
    /// Finds or starts the server.
    pub(crate) fn for_tests() -> Result<Self> {
        if env::var_os(URL_VARIABLE).is_some() {
            eprintln!("xtask: PostgreSQL as {URL_VARIABLE} says");
            return Ok(Self::Given);
        }
        match start(&Options::default()) {
            Ok(cluster) => Ok(Self::Private(Box::new(cluster))),
            Err(error) if is_missing(&error) && !is_required() => {
                Ok(Self::Missing(how_to_install()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Starts a private cluster; installs PostgreSQL first where it is missing and we may.
pub(crate) fn start(options: &Options) -> Result<Cluster> {
    if server_binaries().is_none() && install::may_install() {
        eprintln!("xtask: PostgreSQL is not installed; installing it with apt-get");
        if let Err(error) = install_programs() {
            eprintln!("xtask: {error:#}");
        }
    }
    let cluster = Cluster::start_with(options).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => how_to_install(),
            _ => "the throw-away PostgreSQL did not start".to_owned(),
        };
        anyhow::Error::new(error).context(hint)
    })?;
    eprintln!("xtask: a throw-away PostgreSQL listens on 127.0.0.1:{}", cluster.port());
    Ok(cluster)
}

fn is_missing(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// In continuous integration a test that did not run is a test that failed.
fn is_required() -> bool {
    process::is_set("CI", "true") || process::is_set("PORTCULLIS_REQUIRE_POSTGRES", "1")
}

fn install_programs() -> Result<()> {
    refuse_clusters(Path::new(CLUSTER_SETTINGS))?;
    install::install(&[DEBIAN_PACKAGE])?;
    server_binaries().map(drop).context("installed, but the server programs are not to be found")
}

/// We want the programs only: no server is to be left running. Settings that are there stay.
fn refuse_clusters(settings: &Path) -> Result<()> {
    if let Some(directory) = settings.parent() {
        fs::create_dir_all(directory)?;
    }
    match File::create_new(settings) {
        Ok(mut file) => Ok(file.write_all(b"create_main_cluster = false\n")?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", settings.display())),
    }
}

fn how_to_install() -> String {
    let line = if cfg!(target_os = "macos") {
        "brew install postgresql@17".to_owned()
    } else if install::has_apt() {
        install::command_line(&[DEBIAN_PACKAGE])
    } else {
        "install your system's PostgreSQL server package, or set PG_BIN_DIR".to_owned()
    };
    format!("PostgreSQL is not installed; type: {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_for_clusters_are_written_once() {
        let directory = env::temp_dir().join(format!("xtask-clusters-{}", std::process::id()));
        let settings = directory.join("new/createcluster.conf");
        refuse_clusters(&settings).unwrap();
        assert_eq!(fs::read_to_string(&settings).unwrap(), "create_main_cluster = false\n");
        fs::write(&settings, "ssl = off\n").unwrap();
        refuse_clusters(&settings).unwrap();
        assert_eq!(fs::read_to_string(&settings).unwrap(), "ssl = off\n");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_missing_server_is_told_from_a_broken_one() {
        let error = |kind| anyhow::Error::new(std::io::Error::from(kind)).context("said");
        assert!(is_missing(&error(ErrorKind::NotFound)));
        assert!(!is_missing(&error(ErrorKind::PermissionDenied)));
    }
}
