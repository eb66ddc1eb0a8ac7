use std::{
    sync::{Barrier, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use portcullis_identity::Role;
use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::{Storage, StorageExt, TxMode};
use portcullis_storage_diesel::{PoolOptions, PostgresOptions, PostgresStorage};

use super::lab::{GENEROUS, POOL, PostgresLab, new_user, whole_text};

/// A connection that lay idle for so long is looked at before it is used.
const PING_AFTER: Duration = Duration::from_millis(500);

/// Opens as many connections as the pool holds.
fn fill(storage: &PostgresStorage) {
    let units: Vec<_> =
        (0..POOL.max_connections).map(|_| storage.begin(TxMode::Read).unwrap()).collect();
    assert_eq!(units.len(), 8);
}

#[test]
fn connections_that_died_while_idle_are_replaced_unnoticed() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    fill(&storage);
    lab.kill_connections();
    thread::sleep(PING_AFTER);
    for _ in 0..20 {
        storage.transact(|uow| uow.users().insert(&new_user())).unwrap();
    }
}

/// F4: one connection that turns out dead makes all the others suspect.
#[test]
fn connections_that_died_just_now_cost_one_error() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    fill(&storage);
    lab.kill_connections();
    let done: Vec<_> =
        (0..20).map(|_| storage.read(|uow| uow.users().find(new_user().id))).collect();
    let failed: Vec<_> = done.into_iter().filter_map(Result::err).collect();
    assert!(failed.len() <= 1, "{failed:?}");
    assert!(failed.iter().all(|error| matches!(error, StoreError::Unavailable(_))), "{failed:?}");
}

#[test]
fn a_unit_whose_connection_dies_publishes_nothing() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    let user = new_user();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    unit.users().insert(&user).unwrap();
    lab.kill_connections();
    let lost = unit.commit();
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(storage.read(|uow| uow.users().find(user.id)).unwrap(), None);
}

/// Z4, F14.
#[test]
fn a_locked_table_is_waited_for_no_longer_than_told_and_is_no_harm_afterwards() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (short, long) = (Duration::from_millis(200), Duration::from_mins(1));
    for (lock_timeout, statement_timeout) in [(short, long), (long, short)] {
        let options = PostgresOptions { lock_timeout, statement_timeout, ..lab.options() };
        let storage = PostgresStorage::connect(&options).unwrap();
        let mut other = lab.raw();
        other.batch_execute("BEGIN; LOCK TABLE users").unwrap();
        let asked = Instant::now();
        let refused = storage.read(|uow| uow.users().find(new_user().id));
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(asked.elapsed() < GENEROUS);
        other.batch_execute("ROLLBACK").unwrap();
        storage.transact(|uow| uow.users().insert(&new_user())).unwrap();
    }
}

#[test]
fn a_unit_waits_for_a_connection_no_longer_than_it_is_told_to() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let pool = PoolOptions { max_connections: 1, acquire_timeout: Duration::from_millis(100) };
    let storage = PostgresStorage::connect(&PostgresOptions { pool, ..lab.options() }).unwrap();
    let unit = storage.begin(TxMode::Write).unwrap();
    let asked = Instant::now();
    let refused = storage.begin(TxMode::Read).err();
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    assert!(asked.elapsed() < GENEROUS);
    drop(unit);
    storage.check().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_no_secret_told() {
    let pool = PoolOptions { acquire_timeout: Duration::from_millis(500), ..POOL };
    for url in [
        "postgres://portcullis:hunter2@127.0.0.1:1/portcullis",
        "postgres://portcullis:hunter2%zz@127.0.0.1:1/portcullis",
    ] {
        let options = PostgresOptions { pool, ..PostgresOptions::new(url) };
        let asked = Instant::now();
        let error = PostgresStorage::connect(&options).unwrap_err();
        assert!(asked.elapsed() < GENEROUS);
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let told = format!("{} {error:?} {options:?}", whole_text(&error));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn sessions_of_the_server_are_set_up() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    storage.check().unwrap();
    let check = "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'portcullis') = 1; END $$";
    lab.raw().batch_execute(check).unwrap();
}

/// PostgreSQL ends one of two that wait for each other after a second.
#[test]
fn two_units_that_wait_for_each_other_both_succeed_in_the_end() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let patience = Duration::from_mins(1);
    let (lock_timeout, statement_timeout) = (patience, patience);
    let options = PostgresOptions { lock_timeout, statement_timeout, ..lab.options() };
    let storage = PostgresStorage::connect(&options).unwrap();
    let users = [new_user(), new_user()];
    for user in &users {
        storage.transact(|uow| uow.users().insert(user)).unwrap();
    }
    let halfway = Barrier::new(2);
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let change = |order: [usize; 2]| {
        let mut tries = 0;
        storage
            .transact(|uow| -> StoreResult<()> {
                tries += 1;
                if tries > 1 {
                    // Else it may be there first once more.
                    told.lock().unwrap().recv_timeout(GENEROUS).unwrap();
                }
                uow.users().set_role(users[order[0]].id, Role::Host)?;
                if tries == 1 {
                    halfway.wait();
                }
                uow.users().set_role(users[order[1]].id, Role::Host).map(drop)
            })
            .unwrap();
        tell.send(()).unwrap();
        tries
    };
    let tries: usize = thread::scope(|scope| {
        let threads = [[0, 1], [1, 0]].map(|order| {
            let change = &change;
            scope.spawn(move || change(order))
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(tries, 3);
}
