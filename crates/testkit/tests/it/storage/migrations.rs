use std::{sync::Barrier, thread};

use diesel::{
    QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
};
use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::PasswordHash;
use portcullis_email::OutboxEntry;
use portcullis_identity::User;
use portcullis_kernel::{Origin, StoreResult};
use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_storage::{StorageExt, UnitOfWork};
use portcullis_storage_diesel::{Database, MigrateError};
use portcullis_system::SystemEntropy;
use portcullis_tokens::{
    Algorithm, KeyPurpose, PublicJwk, RefreshRow, RefreshState, Session, SigningKey,
};
use time::Duration;

use super::lab::{
    PostgresLab, SqliteLab, at, new_email_change, new_mail, new_mailed_token, new_session, new_user,
};

/// All of them.
const NAMES: [&str; 2] = ["0001_people", "0002_mail"];

const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')";

const FORGET_MAIL: &str = "DELETE FROM __diesel_schema_migrations WHERE version = '0002'";

macro_rules! migration {
    ($file:literal) => {
        include_str!(concat!("../../../../../migrations/", $file))
    };
}

fn is_fresh_then_migrated_once(storage: &dyn Database) {
    for _ in 0..2 {
        let state = storage.schema_state().unwrap();
        assert_eq!(state.applied, [""; 0], "to look leaves nothing behind");
        assert_eq!(state.pending, NAMES);
    }
    assert_eq!(storage.migrate().unwrap(), NAMES);
    assert_eq!(storage.migrate().unwrap(), [""; 0]);
    let state = storage.schema_state().unwrap();
    assert!(state.is_current(), "{state:?}");
    assert_eq!(state.applied, NAMES);
    storage.check().unwrap();
}

/// Each from its own pool, as processes would.
fn migrate_at_once(storages: &[&dyn Database]) {
    let start = Barrier::new(storages.len());
    let mut applied = thread::scope(|scope| {
        let migrate = |storage| {
            let (storage, start): (&&dyn Database, _) = (storage, &start);
            scope.spawn(move || {
                start.wait();
                storage.migrate().unwrap()
            })
        };
        let threads: Vec<_> = storages.iter().map(migrate).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    applied.sort();
    assert_eq!(applied, [vec![], vec![], vec![], NAMES.map(str::to_owned).to_vec()]);
}

fn a_newer_one_is_refused(storage: &dyn Database) {
    let user = new_user();
    storage.transact(|uow| uow.users().insert(&user)).unwrap();
    let state = storage.schema_state().unwrap();
    assert_eq!(state.unknown, ["9999"]);
    assert!(!state.is_current());
    match storage.migrate() {
        Err(MigrateError::Newer { unknown }) => assert_eq!(unknown, ["9999"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(storage.read(|uow| uow.users().find(user.id)).unwrap(), Some(user));
}

#[test]
fn a_fresh_database_is_migrated_once() {
    is_fresh_then_migrated_once(&SqliteLab::empty().storage());
    let Some(lab) = PostgresLab::empty() else { return };
    is_fresh_then_migrated_once(&lab.storage());
}

#[test]
fn of_four_that_migrate_at_once_one_does() {
    let lab = SqliteLab::empty();
    let storages = [(); 4].map(|()| lab.storage());
    migrate_at_once(&storages.each_ref().map(|storage| storage as &dyn Database));
    let Some(lab) = PostgresLab::empty() else { return };
    let storages = [(); 4].map(|()| lab.storage());
    migrate_at_once(&storages.each_ref().map(|storage| storage as &dyn Database));
}

#[test]
fn a_database_newer_than_the_program_is_refused_and_left_alone() {
    let lab = SqliteLab::migrated();
    lab.raw().batch_execute(NEWER).unwrap();
    a_newer_one_is_refused(&lab.storage());
    let Some(lab) = PostgresLab::migrated() else { return };
    lab.raw().batch_execute(NEWER).unwrap();
    a_newer_one_is_refused(&lab.storage());
}

#[test]
fn migrations_can_be_undone_and_done_again() {
    let forget = "DELETE FROM __diesel_schema_migrations";
    let lab = SqliteLab::migrated();
    for down in [migration!("sqlite/0002_mail/down.sql"), migration!("sqlite/0001_people/down.sql")]
    {
        lab.raw().batch_execute(down).unwrap();
    }
    lab.raw().batch_execute(forget).unwrap();
    is_fresh_again(&lab.storage());
    let Some(lab) = PostgresLab::migrated() else { return };
    for down in
        [migration!("postgres/0002_mail/down.sql"), migration!("postgres/0001_people/down.sql")]
    {
        lab.raw().batch_execute(down).unwrap();
    }
    lab.raw().batch_execute(forget).unwrap();
    is_fresh_again(&lab.storage());
}

fn is_fresh_again(storage: &dyn Database) {
    assert_eq!(storage.migrate().unwrap(), NAMES);
    let user = new_user();
    storage.transact(|uow| uow.users().insert(&user)).unwrap();
}

#[derive(Debug, PartialEq, QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Undone, it leaves the very schema that was there before.
#[test]
fn mail_is_undone_without_a_trace() {
    let parts = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS text \
        FROM sqlite_schema WHERE name NOT LIKE '%diesel%' ORDER BY 1";
    let (plain, lab) = (SqliteLab::empty(), SqliteLab::migrated());
    plain.raw().batch_execute(migration!("sqlite/0001_people/up.sql")).unwrap();
    lab.raw().batch_execute(migration!("sqlite/0002_mail/down.sql")).unwrap();
    let [plain, undone] =
        [plain, lab].map(|lab| sql_query(parts).load::<Part>(&mut lab.raw()).unwrap());
    assert_eq!(undone, plain);

    let parts = "SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, \
            is_nullable, column_default) AS text \
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name !~ 'diesel' \
        UNION SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
            AND conrelid::regclass::text !~ 'diesel' \
        UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
            AND tablename !~ 'diesel' ORDER BY 1";
    let Some((plain, lab)) = PostgresLab::empty().zip(PostgresLab::migrated()) else { return };
    plain.raw().batch_execute(migration!("postgres/0001_people/up.sql")).unwrap();
    lab.raw().batch_execute(migration!("postgres/0002_mail/down.sql")).unwrap();
    let [plain, undone] =
        [plain, lab].map(|lab| sql_query(parts).load::<Part>(&mut lab.raw()).unwrap());
    assert_eq!(undone, plain);
}

#[test]
fn every_row_of_the_first_schema_survives_mail_and_its_undoing() {
    let lab = SqliteLab::migrated();
    survives_mail(&lab.storage(), || {
        lab.raw().batch_execute(migration!("sqlite/0002_mail/down.sql")).unwrap();
        lab.raw().batch_execute(FORGET_MAIL).unwrap();
    });
    let Some(lab) = PostgresLab::migrated() else { return };
    survives_mail(&lab.storage(), || {
        lab.raw().batch_execute(migration!("postgres/0002_mail/down.sql")).unwrap();
        lab.raw().batch_execute(FORGET_MAIL).unwrap();
    });
}

/// With rows in every table of both.
fn survives_mail(storage: &dyn Database, undo: impl Fn()) {
    let rows = Rows::new();
    let mailed = new_mailed_token(rows.user.id);
    let change = new_email_change(rows.user.id, rows.session.id);
    let mail = OutboxEntry { token: Some(mailed.digest), ..new_mail() };
    let insert_mail = |uow: &mut dyn UnitOfWork| -> StoreResult<()> {
        uow.mailed_tokens().put(&mailed)?;
        uow.email_changes().put(&change)?;
        uow.outbox().insert(&mail)
    };
    storage
        .transact(|uow| {
            rows.insert(uow)?;
            insert_mail(uow)
        })
        .unwrap();
    let before = storage.read(|uow| rows.see(uow)).unwrap();
    assert_eq!(before.0.as_ref(), Some(&rows.user));
    undo();
    assert_eq!(storage.schema_state().unwrap().pending, ["0002_mail"]);
    assert_eq!(storage.migrate().unwrap(), ["0002_mail"]);
    assert_eq!(storage.read(|uow| rows.see(uow)).unwrap(), before);
    // Nothing of the rows that were there once is in the way.
    storage.transact(insert_mail).unwrap();
    assert!(storage.transact(|uow| uow.users().delete(rows.user.id)).unwrap());
}

const POLICY: Policy = Policy::new("migrations", 5, Duration::MINUTE);

/// One of each table of the first schema.
struct Rows {
    user: User,
    hash: PasswordHash,
    session: Session,
    token: RefreshRow,
    key: SigningKey,
    event: AuditEvent,
    bucket: BucketKey,
}

type Seen = (
    Option<User>,
    Option<PasswordHash>,
    Vec<String>,
    Option<RefreshState>,
    Vec<SigningKey>,
    Vec<AuditEvent>,
    Option<HitLog>,
);

impl Rows {
    fn new() -> Self {
        let user = new_user();
        let (session, token) = new_session(user.id);
        let (action, actor) = (Action::UserRegistered, Actor::User(user.id));
        Self {
            hash: PasswordHash::from_stored("hash".to_owned()),
            key: SigningKey {
                kid: "kid".to_owned(),
                purpose: KeyPurpose::People,
                generation: 1,
                algorithm: Algorithm::Rs256,
                public: PublicJwk::Rsa { n: "n".to_owned(), e: "AQAB".to_owned() },
                sealed: vec![1, 2, 3],
                sealed_by: "first".to_owned(),
                created_at: at(0),
                active_from: at(1),
                retired_at: None,
                removed_at: None,
            },
            event: AuditEvent::new(action, actor, &Origin::local(), at(0), &SystemEntropy).unwrap(),
            bucket: BucketKey::principal(&POLICY, user.id),
            user,
            session,
            token,
        }
    }

    fn insert(&self, uow: &mut dyn UnitOfWork) -> StoreResult<()> {
        uow.users().insert(&self.user)?;
        uow.passwords().put(self.user.id, &self.hash, at(0))?;
        uow.known_addresses().touch(self.user.id, "192.0.2.1", at(0))?;
        uow.sessions().insert(&self.session, &self.token)?;
        uow.signing_keys().insert(&self.key)?;
        uow.audit().append(&self.event)?;
        uow.rate_limits().charge(&self.bucket, &POLICY, 1, at(0), at(0)).map(drop)
    }

    fn see(&self, uow: &mut dyn UnitOfWork) -> StoreResult<Seen> {
        Ok((
            uow.users().find(self.user.id)?,
            uow.passwords().find(self.user.id)?,
            uow.known_addresses().list(self.user.id, at(0))?,
            uow.sessions().find_token(&self.token.digest)?,
            uow.signing_keys().list()?,
            uow.audit().list_for(self.user.id, 10)?,
            uow.rate_limits().find(&self.bucket)?,
        ))
    }
}
