//! Databases for tests: one PostgreSQL server a run, one fresh database a test.
//!
//! The server is the one that `PORTCULLIS_TEST_DATABASE_URL` names (`cargo xtask test` sets it),
//! else a private cluster that this process starts when it is first needed.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "test support: it reads the test run's environment, and a failure is the test's"
)]

use std::{io::ErrorKind, sync::OnceLock};

use diesel::{
    Connection, OptionalExtension, PgConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection, sql_query, sql_types::Text,
};
pub use portcullis_testkit_postgres::{Cluster, Options as ClusterOptions};

/// One number that all test processes of a server agree on: whoever holds it may change templates.
const TEMPLATE_LOCK: i64 = 0x706f_7274_6375_6c6c;

/// The URL of the maintenance database of the test server, as a superuser.
///
/// `None`, after one loud line, where PostgreSQL is not installed: the test then returns early.
///
/// # Panics
///
/// When there is no server and `CI=true` or `PORTCULLIS_REQUIRE_POSTGRES=1` asks for one.
pub fn postgres_admin_url() -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| {
        std::env::var("PORTCULLIS_TEST_DATABASE_URL").ok().or_else(private_cluster_url)
    })
    .clone()
}

/// The cluster is never dropped: its supervisor ends it together with this process.
fn private_cluster_url() -> Option<String> {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    match Cluster::start() {
        Ok(cluster) => Some(CLUSTER.get_or_init(|| cluster).url("postgres")),
        Err(error) if error.kind() == ErrorKind::NotFound && !is_required() => {
            eprintln!("SKIPPED, every test on PostgreSQL: {error}");
            None
        }
        Err(error) => panic!("no PostgreSQL to test against: {error}"),
    }
}

fn is_required() -> bool {
    let is_set = |name, wanted| std::env::var(name).is_ok_and(|value| value == wanted);
    is_set("CI", "true") || is_set("PORTCULLIS_REQUIRE_POSTGRES", "1")
}

/// A PostgreSQL database of one test, dropped with this value, open connections or not.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// An empty database; `None` where there is no PostgreSQL (see [`postgres_admin_url`]).
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub fn empty() -> Option<Self> {
        let admin_url = postgres_admin_url()?;
        Some(Self::create(&admin_url, &mut connect(&admin_url), "template0"))
    }

    /// A copy of the template `name`, which `prepare` fills (given its URL) once a test run;
    /// `None` where there is no PostgreSQL (see [`postgres_admin_url`]).
    ///
    /// # Panics
    ///
    /// When `name` holds anything but letters, digits and underscores, or the server refuses.
    pub fn from_template(name: &str, prepare: impl FnOnce(&str)) -> Option<Self> {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(is_plain, "a template's name has letters, digits and underscores: {name}");
        let admin_url = postgres_admin_url()?;
        let template = format!("pt_template_{}", name.to_ascii_lowercase());
        let mut admin = connect(&admin_url);
        // The lock goes with the connection, also when `prepare` panics.
        execute(&mut admin, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"));
        if comment(&mut admin, &template).as_deref() != Some(run_id()) {
            build_template(&admin_url, &mut admin, &template, prepare);
        }
        Some(Self::create(&admin_url, &mut admin, &template))
    }

    /// The connection URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn create(admin_url: &str, admin: &mut PgConnection, template: &str) -> Self {
        let name = format!("pt_{:016x}", rand::random::<u64>());
        execute(admin, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Self { url: with_database(admin_url, &name), name }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A test may have stopped the server for good, and a destructor must not fail.
        let Some(mut admin) = postgres_admin_url().and_then(|u| PgConnection::establish(&u).ok())
        else {
            return;
        };
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Err(error) = admin.batch_execute(&statement) {
            eprintln!("{statement}: {error}");
        }
    }
}

/// The comment is written last, so a template that a crash left half filled is filled anew.
fn build_template(
    admin_url: &str,
    admin: &mut PgConnection,
    template: &str,
    prepare: impl FnOnce(&str),
) {
    execute(admin, &format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)"));
    execute(admin, &format!("CREATE DATABASE {template} TEMPLATE template0"));
    prepare(&with_database(admin_url, template));
    // A template cannot be copied while anybody is connected to it, and a pool may close late.
    execute(admin, &format!("ALTER DATABASE {template} WITH ALLOW_CONNECTIONS false"));
    let others = format!("FROM pg_stat_activity WHERE datname = '{template}'");
    execute(admin, &format!("SELECT pg_terminate_backend(pid) {others}"));
    execute(admin, &format!("COMMENT ON DATABASE {template} IS '{}'", run_id()));
}

/// Tells this run's templates from those that an earlier run left on a server that stays.
fn run_id() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        std::env::var("PORTCULLIS_TEST_RUN")
            .ok()
            .filter(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()))
            .unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()))
    })
}

fn comment(admin: &mut PgConnection, database: &str) -> Option<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        comment: String,
    }
    sql_query(
        "SELECT coalesce(shobj_description(oid, 'pg_database'), '') AS comment \
         FROM pg_database WHERE datname = $1",
    )
    .bind::<Text, _>(database)
    .get_result::<Row>(admin)
    .optional()
    .expect("the catalogue can be read")
    .map(|row| row.comment)
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).expect("the test server accepts connections")
}

fn execute(admin: &mut PgConnection, statement: &str) {
    if let Err(error) = admin.batch_execute(statement) {
        panic!("{statement}: {error}");
    }
}

/// The same URL with another database; authority and parameters stay.
fn with_database(url: &str, database: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL with a scheme");
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, format!("?{query}")),
        None => (rest, String::new()),
    };
    let authority = before_query.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{database}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_table(url: &str) -> bool {
        connect(url).batch_execute("SELECT * FROM prepared").is_ok()
    }

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (url, expected) in [
            ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/x"),
            ("postgres://h", "postgres://h/x"),
            ("postgres:///a?host=/tmp&port=1", "postgres:///x?host=/tmp&port=1"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }

    #[test]
    fn a_database_lives_as_long_as_its_value() {
        let Some(database) = TestDatabase::empty() else { return };
        let url = database.url().to_owned();
        let _open = connect(&url);
        drop(database);
        assert!(PgConnection::establish(&url).is_err());
    }

    #[test]
    fn a_template_is_prepared_once_and_copies_are_independent() {
        let prepare = |url: &str| execute(&mut connect(url), "CREATE TABLE prepared (id int)");
        // Its own name: another run on the same server would prepare it for itself.
        let name = format!("testkit_once_{}", std::process::id());
        let Some(first) = TestDatabase::from_template(&name, prepare) else { return };
        let again = |_: &str| panic!("prepared twice");
        let second = TestDatabase::from_template(&name, again).expect("PostgreSQL");
        execute(&mut connect(first.url()), "DROP TABLE prepared");
        assert!(!has_table(first.url()));
        assert!(has_table(second.url()));
        let admin_url = postgres_admin_url().expect("PostgreSQL");
        execute(&mut connect(&admin_url), &format!("DROP DATABASE pt_template_{name}"));
    }

    #[test]
    fn a_template_whose_preparation_failed_is_prepared_anew() {
        let attempt = std::panic::catch_unwind(|| {
            TestDatabase::from_template("testkit_failed", |_| panic!("no luck"))
        });
        if let Ok(None) = attempt {
            return;
        }
        assert!(attempt.is_err());
        let prepare = |url: &str| execute(&mut connect(url), "CREATE TABLE prepared (id int)");
        let database = TestDatabase::from_template("testkit_failed", prepare).expect("PostgreSQL");
        assert!(has_table(database.url()));
    }
}
