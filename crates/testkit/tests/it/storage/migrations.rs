use std::{sync::Barrier, thread};

use diesel::connection::SimpleConnection;
use portcullis_storage::StorageExt;
use portcullis_storage_diesel::{Database, MigrateError};

use super::lab::{PostgresLab, SqliteLab, new_user};

const NEWER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')";

fn is_fresh_then_migrated_once(storage: &dyn Database) {
    for _ in 0..2 {
        let state = storage.schema_state().unwrap();
        assert_eq!(state.applied, [""; 0], "to look leaves nothing behind");
        assert_eq!(state.pending, ["0001_people"]);
    }
    assert_eq!(storage.migrate().unwrap(), ["0001_people"]);
    assert_eq!(storage.migrate().unwrap(), [""; 0]);
    let state = storage.schema_state().unwrap();
    assert!(state.is_current(), "{state:?}");
    assert_eq!(state.applied, ["0001_people"]);
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
    assert_eq!(applied, [vec![], vec![], vec![], vec!["0001_people".to_owned()]]);
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
fn a_migration_can_be_undone_and_done_again() {
    let forget = "DELETE FROM __diesel_schema_migrations";
    let lab = SqliteLab::migrated();
    let down = include_str!("../../../../../migrations/sqlite/0001_people/down.sql");
    lab.raw().batch_execute(&format!("{down};{forget}")).unwrap();
    is_fresh_again(&lab.storage());
    let Some(lab) = PostgresLab::migrated() else { return };
    let down = include_str!("../../../../../migrations/postgres/0001_people/down.sql");
    lab.raw().batch_execute(&format!("{down};{forget}")).unwrap();
    is_fresh_again(&lab.storage());
}

fn is_fresh_again(storage: &dyn Database) {
    assert_eq!(storage.migrate().unwrap(), ["0001_people"]);
    let user = new_user();
    storage.transact(|uow| uow.users().insert(&user)).unwrap();
}
