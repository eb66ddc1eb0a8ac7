mod rows;

use std::{sync::Barrier, thread};

use diesel::{
    QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text,
};
use portcullis_audit::{Actor, AuditEvent};
use portcullis_email::OutboxEntry;
use portcullis_identity::Agent;
use portcullis_kernel::StoreResult;
use portcullis_storage::{StorageExt, UnitOfWork};
use portcullis_storage_diesel::{Database, MigrateError};
use portcullis_tokens::{KeyPurpose, SigningKey};

use self::rows::{AgentRows, Rows};
use super::lab::{
    PostgresLab, SqliteLab, at, new_email_change, new_mail, new_mailed_token, new_user,
};

/// All of them.
const NAMES: [&str; 5] =
    ["0001_people", "0002_mail", "0003_agents", "0004_registrations", "0005_credits"];

const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')";

macro_rules! migration {
    ($file:literal) => {
        include_str!(concat!("../../../../../migrations/", $file))
    };
}

/// Up and down.
const SQLITE: [(&str, &str); 5] = [
    (migration!("sqlite/0001_people/up.sql"), migration!("sqlite/0001_people/down.sql")),
    (migration!("sqlite/0002_mail/up.sql"), migration!("sqlite/0002_mail/down.sql")),
    (migration!("sqlite/0003_agents/up.sql"), migration!("sqlite/0003_agents/down.sql")),
    (
        migration!("sqlite/0004_registrations/up.sql"),
        migration!("sqlite/0004_registrations/down.sql"),
    ),
    (migration!("sqlite/0005_credits/up.sql"), migration!("sqlite/0005_credits/down.sql")),
];
const POSTGRES: [(&str, &str); 5] = [
    (migration!("postgres/0001_people/up.sql"), migration!("postgres/0001_people/down.sql")),
    (migration!("postgres/0002_mail/up.sql"), migration!("postgres/0002_mail/down.sql")),
    (migration!("postgres/0003_agents/up.sql"), migration!("postgres/0003_agents/down.sql")),
    (
        migration!("postgres/0004_registrations/up.sql"),
        migration!("postgres/0004_registrations/down.sql"),
    ),
    (migration!("postgres/0005_credits/up.sql"), migration!("postgres/0005_credits/down.sql")),
];

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
    for down in SQLITE.iter().rev().map(|(_, down)| down) {
        lab.raw().batch_execute(down).unwrap();
    }
    lab.raw().batch_execute(forget).unwrap();
    is_fresh_again(&lab.storage());
    let Some(lab) = PostgresLab::migrated() else { return };
    for down in POSTGRES.iter().rev().map(|(_, down)| down) {
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

/// Undone, each leaves the very schema that was there before.
#[test]
fn every_migration_is_undone_without_a_trace() {
    let parts = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS text \
        FROM sqlite_schema WHERE name NOT LIKE '%diesel%' ORDER BY 1";
    let lab = SqliteLab::migrated();
    for (done, (_, down)) in SQLITE.iter().enumerate().rev() {
        let plain = SqliteLab::empty();
        lab.raw().batch_execute(down).unwrap();
        for (up, _) in &SQLITE[..done] {
            plain.raw().batch_execute(up).unwrap();
        }
        let [plain, undone] =
            [&plain, &lab].map(|lab| sql_query(parts).load::<Part>(&mut lab.raw()).unwrap());
        assert_eq!(undone, plain, "{}", NAMES[done]);
    }

    let parts = "SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, \
            is_nullable, column_default) AS text \
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name !~ 'diesel' \
        UNION SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
            AND conrelid::regclass::text !~ 'diesel' \
        UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
            AND tablename !~ 'diesel' ORDER BY 1";
    let Some(lab) = PostgresLab::migrated() else { return };
    for (done, (_, down)) in POSTGRES.iter().enumerate().rev() {
        let plain = PostgresLab::empty().unwrap();
        lab.raw().batch_execute(down).unwrap();
        for (up, _) in &POSTGRES[..done] {
            plain.raw().batch_execute(up).unwrap();
        }
        let [plain, undone] =
            [&plain, &lab].map(|lab| sql_query(parts).load::<Part>(&mut lab.raw()).unwrap());
        assert_eq!(undone, plain, "{}", NAMES[done]);
    }
}

/// Undoes the migrations after the first `kept`.
fn undo(conn: &mut impl SimpleConnection, migrations: &[(&str, &str)], kept: usize) {
    for ((_, down), name) in migrations.iter().zip(NAMES).skip(kept).rev() {
        conn.batch_execute(down).unwrap();
        let version = &name[..4];
        let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
        conn.batch_execute(&forget).unwrap();
    }
}

#[test]
fn every_row_of_the_first_schema_survives_mail_and_its_undoing() {
    let lab = SqliteLab::migrated();
    survives_mail(&lab.storage(), || undo(&mut lab.raw(), &SQLITE, 1));
    let Some(lab) = PostgresLab::migrated() else { return };
    survives_mail(&lab.storage(), || undo(&mut lab.raw(), &POSTGRES, 1));
}

#[test]
fn every_row_of_people_and_mail_survives_agents_and_their_undoing() {
    let lab = SqliteLab::migrated();
    survives_agents(&lab.storage(), || undo(&mut lab.raw(), &SQLITE, 2));
    let Some(lab) = PostgresLab::migrated() else { return };
    survives_agents(&lab.storage(), || undo(&mut lab.raw(), &POSTGRES, 2));
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
    assert_eq!(storage.schema_state().unwrap().pending, NAMES[1..]);
    assert_eq!(storage.migrate().unwrap(), NAMES[1..]);
    assert_eq!(storage.read(|uow| rows.see(uow)).unwrap(), before);
    // Nothing of the rows that were there once is in the way.
    storage.transact(insert_mail).unwrap();
    assert!(storage.transact(|uow| uow.users().delete(rows.user.id)).unwrap());
}

/// With rows in every table of all three.
fn survives_agents(storage: &dyn Database, undo: impl Fn()) {
    let rows = Rows::new();
    let mailed = new_mailed_token(rows.user.id);
    let change = new_email_change(rows.user.id, rows.session.id);
    let mail = OutboxEntry { token: Some(mailed.digest), ..new_mail() };
    let agents = AgentRows::new(rows.user.id);
    storage
        .transact(|uow| {
            rows.insert(uow)?;
            uow.mailed_tokens().put(&mailed)?;
            uow.email_changes().put(&change)?;
            uow.outbox().insert(&mail)
        })
        .unwrap();
    let see = |uow: &mut dyn UnitOfWork| -> StoreResult<_> {
        let mailed = uow.mailed_tokens().find(mailed.kind, &mailed.digest, at(0))?;
        let change = uow.email_changes().find(change.id, at(0))?;
        Ok((rows.see(uow)?, mailed, change))
    };
    let before = storage.read(see).unwrap();
    assert!(before.1.is_some() && before.2.is_some());
    let key =
        SigningKey { purpose: KeyPurpose::Agents, kid: "agents".to_owned(), ..rows.key.clone() };
    storage
        .transact(|uow| {
            agents.insert(uow)?;
            uow.signing_keys().insert(&key)
        })
        .unwrap();
    undo();
    assert_eq!(storage.schema_state().unwrap().pending, NAMES[2..]);
    assert_eq!(storage.migrate().unwrap(), NAMES[2..]);
    assert_eq!(storage.read(see).unwrap(), before);
    // The mails about agents went with them.
    let mails = storage.transact(|uow| uow.outbox().lock_sealed_by("first")).unwrap();
    assert_eq!(mails, [mail]);
    assert_eq!(storage.read(|uow| uow.agents().find(agents.agent.id)).unwrap(), None);
    // Of what an agent did there is left what could be done before there were any.
    let told = storage.read(|uow| uow.audit().list_for(agents.subject, 9)).unwrap();
    let [_, kept] = agents.events.clone();
    assert_eq!(told, [AuditEvent { actor: Actor::Anonymous, agent: None, key: None, ..kept }]);
    // Nothing of the rows that were there once is in the way.
    storage.transact(|uow| agents.insert_again(uow)).unwrap();
    assert!(storage.transact(|uow| uow.users().delete(rows.user.id)).unwrap());
    let agent = storage.read(|uow| uow.agents().find(agents.agent.id)).unwrap();
    assert_eq!(agent, Some(Agent { owner: None, ..agents.agent }));
}
