use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_kernel::{Origin, StoreError};
use portcullis_storage::{Storage, StorageExt, TxMode, UnitOfWork};
use portcullis_storage_diesel::{PoolOptions, SqliteOptions, SqliteStorage, Synchronous};
use portcullis_system::SystemEntropy;

use super::{
    agent_rows::{new_agent, new_api_key},
    lab::{GENEROUS, POOL, SqliteLab, at, new_user, whole_text},
};

/// Z9, F15.
#[test]
fn fifty_writers_at_once_get_no_error() {
    let lab = SqliteLab::migrated();
    // With the patience of a server.
    let pool = PoolOptions::default();
    let storage = SqliteStorage::connect(&SqliteOptions { pool, ..lab.options() }).unwrap();
    let start = Barrier::new(50);
    let write = || {
        start.wait();
        for _ in 0..4 {
            let user = new_user();
            storage
                .transact(|uow| {
                    uow.users().insert(&user)?;
                    let (action, actor) = (Action::UserRegistered, Actor::User(user.id));
                    let origin = Origin::local();
                    let event = AuditEvent::new(action, actor, &origin, at(0), &SystemEntropy);
                    uow.audit().append(&event.unwrap())
                })
                .unwrap();
            assert!(storage.read(|uow| uow.users().find(user.id)).unwrap().is_some());
        }
    };
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(write);
        }
    });
}

#[test]
fn another_process_that_writes_is_contention_and_no_more() {
    let lab = SqliteLab::migrated();
    let busy_timeout = Duration::from_millis(50);
    let options = SqliteOptions { busy_timeout, ..lab.options() };
    let storage = SqliteStorage::connect(&options).unwrap();
    let mut other = lab.raw();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let user = new_user();
    let refused = storage.transact(|uow| uow.users().insert(&user));
    assert!(matches!(refused, Err(StoreError::Contention(_))), "{refused:?}");
    assert_eq!(storage.read(|uow| uow.users().find(user.id)).unwrap(), None);
    other.batch_execute("ROLLBACK").unwrap();
    storage.transact(|uow| uow.users().insert(&user)).unwrap();
}

#[test]
fn a_unit_waits_for_the_writer_no_longer_than_it_is_told_to() {
    let lab = SqliteLab::migrated();
    let pool = PoolOptions { acquire_timeout: Duration::from_millis(50), ..POOL };
    let storage = SqliteStorage::connect(&SqliteOptions { pool, ..lab.options() }).unwrap();
    let unit = storage.begin(TxMode::Write).unwrap();
    let asked = Instant::now();
    let refused = storage.begin(TxMode::Statement).err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    assert!(asked.elapsed() < GENEROUS);
    storage.begin(TxMode::Read).unwrap();
    drop(unit);
    storage.begin(TxMode::Write).unwrap();
}

#[test]
fn the_files_are_for_their_owner_only() {
    let lab = SqliteLab::migrated();
    let storage = lab.storage();
    storage.transact(|uow| uow.users().insert(&new_user())).unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = fs::metadata(lab.directory.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_place_without_a_database_is_refused_in_words() {
    let lab = SqliteLab::empty();
    fs::write(
        lab.directory.join("text"),
        "no database, but as long as the header of one, or longer",
    )
    .unwrap();
    let pool = PoolOptions { acquire_timeout: Duration::from_millis(200), ..POOL };
    for (path, words) in [
        (lab.directory.join("missing/test.db"), "No such file or directory"),
        (lab.directory.clone(), "Is a directory"),
        (lab.directory.join("text"), "file is not a database"),
        (":memory:".into(), "it must be a file"),
    ] {
        let refused = SqliteStorage::connect(&SqliteOptions { pool, ..SqliteOptions::new(path) });
        match refused {
            Err(error @ StoreError::Unavailable(_)) => {
                let text = whole_text(&error);
                assert!(text.contains(words), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// F16: a row that somebody else has damaged is an error, not a panic and not another value.
#[test]
fn a_row_that_cannot_be_read_is_an_error() {
    let lab = SqliteLab::migrated();
    let storage = lab.storage();
    for (column, value, words) in [
        ("display_name", "CAST(x'ff' AS TEXT)", "utf-8"),
        ("role", "'root'", "role"),
        ("created_at", "9223372036854775807", "range"),
    ] {
        let user = new_user();
        storage.transact(|uow| uow.users().insert(&user)).unwrap();
        let damage = format!("UPDATE users SET {column} = {value} WHERE id = '{}'", user.id);
        lab.raw()
            .batch_execute(&format!("PRAGMA ignore_check_constraints = ON; {damage}"))
            .unwrap();
        match storage.read(|uow| uow.users().find(user.id)) {
            Err(error @ StoreError::Failed(_)) => {
                let text = whole_text(&error);
                assert!(text.contains(words), "{text}");
            }
            other => panic!("{column}: {other:?}"),
        }
    }
    storage.transact(|uow| uow.users().insert(&new_user())).unwrap();
}

#[test]
fn a_row_of_an_agent_that_cannot_be_read_is_an_error() {
    let lab = SqliteLab::migrated();
    let storage = lab.storage();
    for (table, column, value, words) in [
        ("agents", "id", "'agt_1'", "agent id"),
        ("agents", "status", "'gone'", "agent state"),
        ("agents", "visibility", "'hidden'", "visibility"),
        ("agents", "recovery", "x'00'", "digest has not 32 bytes"),
        ("agents", "tags", "CAST(x'ff' AS TEXT)", "utf-8"),
        ("api_keys", "scopes", "'a  b'", "set of scopes"),
        ("api_keys", "networks", "'192.0.2.0/24 x'", "list of networks"),
        ("api_keys", "networks", "''", "list of networks"),
        ("api_keys", "replaced_by", "'aky_1'", "API key id"),
        ("api_keys", "expires_at", "9223372036854775807", "range"),
    ] {
        let agent = new_agent();
        let key = new_api_key(agent.id);
        let insert = |uow: &mut dyn UnitOfWork| {
            uow.agents().insert(&agent)?;
            uow.api_keys().insert(&key)
        };
        storage.transact(insert).unwrap();
        let damage = format!("UPDATE {table} SET {column} = {value}");
        // With foreign keys off the key still refers to the agent as it was.
        let also = if column == "id" { "; UPDATE api_keys SET agent_id = 'agt_1'" } else { "" };
        let checks = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF";
        lab.raw().batch_execute(&format!("{checks}; {damage}{also}")).unwrap();
        match storage.read(|uow| uow.agent_access().find_key(&key.digest)) {
            Err(error @ StoreError::Failed(_)) => {
                let text = whole_text(&error);
                assert!(text.contains(words), "{text}");
            }
            other => panic!("{table}.{column}: {other:?}"),
        }
        lab.raw().batch_execute("DELETE FROM api_keys; DELETE FROM agents").unwrap();
    }
}

/// F15.
#[test]
fn the_log_that_grew_behind_a_long_reader_shrinks_again() {
    let lab = SqliteLab::migrated();
    let options = SqliteOptions { synchronous: Synchronous::Normal, ..lab.options() };
    let storage = SqliteStorage::connect(&options).unwrap();
    let write = |times| {
        for _ in 0..times {
            let (action, actor) = (Action::SignedIn, Actor::System);
            let event = AuditEvent::new(action, actor, &Origin::local(), at(0), &SystemEntropy);
            let event = event.unwrap().with_detail("x".repeat(1 << 20));
            storage.statement(|uow| uow.audit().append(&event)).unwrap();
        }
        fs::metadata(lab.directory.join("test.db-wal")).unwrap().len()
    };
    write(1);
    let mut reader = lab.raw();
    reader.batch_execute("BEGIN; SELECT count(*) FROM audit_events").unwrap();
    assert!(write(40) > 40 << 20);
    reader.batch_execute("ROLLBACK").unwrap();
    assert!(write(3) <= 32 << 20);
}
