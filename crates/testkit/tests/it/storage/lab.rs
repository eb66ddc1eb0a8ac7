//! Databases of one test each, and rows to put into them.

use std::{
    env,
    error::Error,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, SqliteConnection, connection::SimpleConnection};
use portcullis_credentials::{MailedKind, MailedToken, PlainMailedToken};
use portcullis_email::OutboxEntry;
use portcullis_identity::{
    EmailAddress, EmailChange, EmailRules, Invitation, PlainInvitation, User,
};
use portcullis_kernel::{
    self as kernel, CodeMac, EmailChangeId, InvitationId, MailId, Origin, SessionId, UserId,
};
use portcullis_storage_diesel::{
    Database, PoolOptions, PostgresOptions, PostgresStorage, SqliteOptions, SqliteStorage,
};
use portcullis_system::SystemEntropy;
use portcullis_testkit::database::TestDatabase;
use portcullis_tokens::{RefreshPolicy, RefreshRow, RefreshToken, Session};

/// Small, so that threads have to wait for connections; patient, so that waiting is no error.
pub(super) const POOL: PoolOptions =
    PoolOptions { max_connections: 8, acquire_timeout: Duration::from_secs(30) };

/// What a wait that is bound to a fraction of a second takes on the busiest machine, and far less
/// than the waits that nobody bound.
pub(super) const GENEROUS: Duration = Duration::from_secs(15);

/// A directory with a SQLite database, removed with this value.
pub(super) struct SqliteLab {
    pub(super) directory: PathBuf,
}

impl SqliteLab {
    pub(super) fn empty() -> Self {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let name = format!("portcullis-{}-{}", process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    pub(super) fn migrated() -> Self {
        let lab = Self::empty();
        lab.storage().migrate().unwrap();
        lab
    }

    pub(super) fn options(&self) -> SqliteOptions {
        SqliteOptions { pool: POOL, ..SqliteOptions::new(self.directory.join("test.db")) }
    }

    pub(super) fn storage(&self) -> SqliteStorage {
        SqliteStorage::connect(&self.options()).unwrap()
    }

    /// A connection beside the storage.
    pub(super) fn raw(&self) -> SqliteConnection {
        SqliteConnection::establish(self.directory.join("test.db").to_str().unwrap()).unwrap()
    }
}

impl Drop for SqliteLab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A PostgreSQL database, dropped with this value. `None` where there is no server.
pub(super) struct PostgresLab {
    database: TestDatabase,
}

impl PostgresLab {
    pub(super) fn empty() -> Option<Self> {
        TestDatabase::empty().map(|database| Self { database })
    }

    pub(super) fn migrated() -> Option<Self> {
        let prepare = |url: &str| {
            let storage = PostgresStorage::connect(&PostgresOptions::new(url)).unwrap();
            storage.migrate().unwrap();
        };
        TestDatabase::from_template("storage", prepare).map(|database| Self { database })
    }

    pub(super) fn options(&self) -> PostgresOptions {
        PostgresOptions { pool: POOL, ..PostgresOptions::new(self.database.url()) }
    }

    pub(super) fn storage(&self) -> PostgresStorage {
        PostgresStorage::connect(&self.options()).unwrap()
    }

    /// A connection beside the storage.
    pub(super) fn raw(&self) -> PgConnection {
        PgConnection::establish(self.database.url()).unwrap()
    }

    /// Ends every connection of storages to this database, as a restart would.
    pub(super) fn kill_connections(&self) {
        let statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'portcullis'";
        let mut raw = self.raw();
        raw.batch_execute(statement).unwrap();
        // The signal is sent, not yet heard.
        let left = "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'portcullis') = 0; END $$";
        let told = Instant::now();
        while let Err(error) = raw.batch_execute(left) {
            assert!(told.elapsed() < GENEROUS, "{error}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Runs a test on SQLite and, where there is a server, on PostgreSQL.
pub(super) fn on_both(test: impl Fn(&dyn Database)) {
    test(&SqliteLab::migrated().storage());
    if let Some(lab) = PostgresLab::migrated() {
        test(&lab.storage());
    }
}

pub(super) fn at(seconds: i64) -> kernel::Instant {
    kernel::Instant::from_unix_timestamp(1_710_000_000 + seconds).unwrap()
}

/// A user that is not stored.
pub(super) fn new_user() -> User {
    let id = UserId::generate(at(0), &SystemEntropy).unwrap();
    let email = EmailAddress::parse(&format!("{id}@example.com"), EmailRules::default()).unwrap();
    User::registered(id, email, None, at(0))
}

/// A session and its first token, not stored.
pub(super) fn new_session(user: UserId) -> (Session, RefreshRow) {
    let id = SessionId::generate(&SystemEntropy).unwrap();
    let policy = RefreshPolicy::default();
    let session = Session::begin(id, user, &Origin::local(), at(0) + policy.absolute, at(0));
    let token = new_token(&session, 0);
    (session, token)
}

/// A token of the session, not stored.
pub(super) fn new_token(session: &Session, generation: i32) -> RefreshRow {
    let token = RefreshToken::generate(&SystemEntropy).unwrap();
    RefreshPolicy::default().row(&token, session, generation, at(0))
}

/// A token that lives for an hour, not stored.
pub(super) fn new_mailed_token(user: UserId) -> MailedToken {
    let kind = MailedKind::VerifyEmail;
    MailedToken {
        digest: PlainMailedToken::generate(kind, &SystemEntropy).unwrap().digest(),
        kind,
        user,
        email: "jane@example.com".to_owned(),
        created_at: at(0),
        expires_at: at(3600),
    }
}

/// A change of address that lives for an hour, not stored.
pub(super) fn new_email_change(user: UserId, session: SessionId) -> EmailChange {
    EmailChange {
        id: EmailChangeId::generate(&SystemEntropy).unwrap(),
        user,
        session,
        email: new_user().email,
        code: CodeMac::from_bytes([7; 32]),
        tries: 0,
        created_at: at(0),
        expires_at: at(3600),
    }
}

/// An invitation that lives for an hour, not stored.
pub(super) fn new_invitation() -> Invitation {
    Invitation {
        id: InvitationId::generate(&SystemEntropy).unwrap(),
        digest: PlainInvitation::generate(&SystemEntropy).unwrap().digest(),
        email: None,
        created_at: at(0),
        expires_at: at(3600),
    }
}

/// A mail about nothing in particular, not stored.
pub(super) fn new_mail() -> OutboxEntry {
    OutboxEntry {
        id: MailId::generate(&SystemEntropy).unwrap(),
        kind: "test".to_owned(),
        user: None,
        token: None,
        change: None,
        invitation: None,
        agent: None,
        agent_token: None,
        recovery: None,
        claim: None,
        sealed: vec![1, 2, 3],
        sealed_by: "first".to_owned(),
        created_at: at(0),
        due_at: at(0),
        expires_at: at(3600),
        attempts: 0,
    }
}

/// An error and everything behind it.
pub(super) fn whole_text(error: &dyn Error) -> String {
    let source = error.source().map(|source| format!(": {}", whole_text(source)));
    format!("{error}{}", source.unwrap_or_default())
}
