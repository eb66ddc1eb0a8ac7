//! What one instance on PostgreSQL holds, and what others do about it meanwhile. On SQLite a unit that
//! writes holds everything.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use portcullis_email::OutboxEntry;
use portcullis_identity::{Role, User, UserStatus};
use portcullis_kernel::{StoreError, StoreResult};
use portcullis_storage::{Storage, StorageExt, TxMode, UnitOfWork};
use portcullis_storage_diesel::{PostgresOptions, PostgresStorage};

use super::lab::{
    GENEROUS, PostgresLab, at, new_email_change, new_mail, new_mailed_token, new_session, new_user,
};

pub(super) type Work<'w> = &'w dyn Fn(&mut dyn UnitOfWork) -> StoreResult<bool>;

/// Another instance, which waits for a lock for a moment only.
pub(super) fn impatient(lab: &PostgresLab) -> PostgresStorage {
    let lock_timeout = Duration::from_millis(50);
    PostgresStorage::connect(&PostgresOptions { lock_timeout, ..lab.options() }).unwrap()
}

/// An instance that waits for longer than any test.
pub(super) fn patient(lab: &PostgresLab) -> PostgresStorage {
    let (lock_timeout, statement_timeout) = (Duration::from_mins(1), Duration::from_mins(1));
    let options = PostgresOptions { lock_timeout, statement_timeout, ..lab.options() };
    PostgresStorage::connect(&options).unwrap()
}

/// Each of the works waits as long as the unit is open, and is done when it is over.
pub(super) fn wait_for(
    unit: Box<dyn UnitOfWork + '_>,
    other: &PostgresStorage,
    works: &[Work<'_>],
) {
    for (index, work) in works.iter().enumerate() {
        let waited = other.transact(|uow| work(uow));
        assert!(matches!(waited, Err(StoreError::Unavailable(_))), "{index}: {waited:?}");
    }
    drop(unit);
    for (index, work) in works.iter().enumerate() {
        assert!(other.transact(|uow| work(uow)).unwrap(), "{index}");
    }
}

#[test]
fn a_locked_user_is_changed_held_and_given_sessions_by_nobody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, user) = (lab.storage(), new_user());
    storage.transact(|uow| uow.users().insert(&user)).unwrap();
    let (session, token) = new_session(user.id);
    let suspended = User { status: UserStatus::Suspended, ..user.clone() };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert_eq!(unit.users().lock(user.id).unwrap().as_ref(), Some(&user));
    wait_for(
        unit,
        &impatient(&lab),
        &[
            &|uow| Ok(uow.users().lock(user.id)?.is_some()),
            &|uow| uow.users().hold_active(user.id),
            &|uow| uow.sessions().insert(&session, &token).map(|()| true),
            &|uow| uow.users().set_role(user.id, Role::Host),
            &|uow| uow.users().update(&suspended),
            &|uow| uow.users().delete(user.id),
        ],
    );
}

#[test]
fn a_try_is_held_until_its_transaction_ends() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, user) = (lab.storage(), new_user());
    let (session, token) = new_session(user.id);
    let change = new_email_change(user.id, session.id);
    storage
        .transact(|uow| {
            uow.users().insert(&user)?;
            uow.sessions().insert(&session, &token)?;
            uow.email_changes().put(&change)
        })
        .unwrap();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    let first = unit.email_changes().take_try(user.id, session.id, 1, at(1)).unwrap();
    assert_eq!(first.map(|change| change.tries), Some(1));
    // The one that is left when the first is given back.
    let last = |uow: &mut dyn UnitOfWork| {
        let change = uow.email_changes().take_try(user.id, session.id, 1, at(1))?;
        Ok(change.is_some_and(|change| change.tries == 1))
    };
    wait_for(unit, &impatient(&lab), &[&last, &|uow| uow.email_changes().remove(user.id)]);
}

#[test]
fn a_mail_that_somebody_is_taking_is_passed_over_and_not_waited_for() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    let mails = [0, 1].map(|second| {
        let mail = OutboxEntry { due_at: at(second), ..new_mail() };
        storage.statement(|uow| uow.outbox().insert(&mail)).unwrap();
        mail.id
    });
    let other = impatient(&lab);
    let claim = || {
        let claimed = other.statement(|uow| uow.outbox().claim("first", at(2), at(60)));
        claimed.unwrap().map(|mail| mail.id)
    };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    let first = unit.outbox().claim("first", at(2), at(60)).unwrap();
    assert_eq!(first.map(|mail| mail.id), Some(mails[0]));
    assert_eq!([claim(), claim()], [Some(mails[1]), None]);
    drop(unit);
    assert_eq!([claim(), claim()], [Some(mails[0]), None]);
}

#[test]
fn a_locked_mail_is_neither_taken_nor_changed_by_anybody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, mail) = (lab.storage(), new_mail());
    storage.statement(|uow| uow.outbox().insert(&mail)).unwrap();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert_eq!(unit.outbox().lock_sealed_by("first").unwrap(), std::slice::from_ref(&mail));
    let other = impatient(&lab);
    let claimed = other.statement(|uow| uow.outbox().claim("first", at(1), at(60))).unwrap();
    assert_eq!(claimed, None);
    wait_for(
        unit,
        &other,
        &[
            &|uow| Ok(!uow.outbox().lock_sealed_by("first")?.is_empty()),
            &|uow| uow.outbox().postpone(mail.id, 0, at(9)),
            &|uow| uow.outbox().reseal(mail.id, "first", b"x", "first"),
            &|uow| uow.outbox().remove(mail.id, 0),
        ],
    );
}

/// Waits until one statement waits for a lock.
pub(super) fn until_one_waits(lab: &PostgresLab) {
    let waits = "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock') = 1; END $$";
    let mut raw = lab.raw();
    let begun = Instant::now();
    while let Err(error) = raw.batch_execute(waits) {
        assert!(begun.elapsed() < GENEROUS, "{error}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Puts the first and, before that is published, the second; which must be there in the end.
pub(super) fn put_one_beside_the_other(
    lab: &PostgresLab,
    storage: &PostgresStorage,
    put: impl Fn(&mut dyn UnitOfWork, usize) -> StoreResult<()> + Sync,
) {
    let mut unit = storage.begin(TxMode::Write).unwrap();
    put(unit.as_mut(), 0).unwrap();
    let tries = thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut tries = 0;
            let done = storage.transact(|uow| {
                tries += 1;
                put(uow, 1)
            });
            done.unwrap();
            tries
        });
        until_one_waits(lab);
        unit.commit().unwrap();
        second.join().unwrap()
    });
    assert_eq!(tries, 2);
}

#[test]
fn of_two_puts_beside_each_other_the_second_is_tried_again_and_stays() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, user) = (patient(&lab), new_user());
    let (session, token) = new_session(user.id);
    storage
        .transact(|uow| {
            uow.users().insert(&user)?;
            uow.sessions().insert(&session, &token)
        })
        .unwrap();
    let tokens = [0, 1].map(|_| new_mailed_token(user.id));
    put_one_beside_the_other(&lab, &storage, |uow, index| uow.mailed_tokens().put(&tokens[index]));
    let changes = [0, 1].map(|_| new_email_change(user.id, session.id));
    put_one_beside_the_other(&lab, &storage, |uow, index| uow.email_changes().put(&changes[index]));
    for index in 0..2 {
        let (token, change) = (&tokens[index], &changes[index]);
        let found = storage.read(|uow| uow.mailed_tokens().find(token.kind, &token.digest, at(0)));
        assert_eq!(found.unwrap().is_some(), index == 1);
        let found = storage.read(|uow| uow.email_changes().find(change.id, at(0)));
        assert_eq!(found.unwrap().is_some(), index == 1);
    }
}
