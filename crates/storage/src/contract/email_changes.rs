//! Cases of [`EmailChangeRepository`](crate::EmailChangeRepository).

use portcullis_email::OutboxEntry;
use portcullis_identity::EmailChange;
use portcullis_kernel::{Instant, SessionId, StoreError, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_change_comes_back_as_it_was_stored,
    a_change_is_dead_from_its_end_on,
    a_new_change_takes_the_place_of_the_users_older_one,
    tries_at_a_code_are_counted_up_to_the_most,
    a_try_is_taken_in_the_session_that_asked_only,
    of_many_tries_as_statements_no_more_than_the_most_are_taken,
    of_many_tries_in_transactions_no_more_than_the_most_are_taken,
    a_change_is_removed_with_its_mail,
    a_change_of_nobody_or_in_no_session_is_refused,
    a_taken_id_of_a_change_is_a_conflict,
    of_many_changes_put_under_the_users_lock_the_last_is_left,
    of_many_changes_put_at_once_one_is_left,
}

fn find(lab: &Lab<'_>, change: &EmailChange, now: Instant) -> Option<EmailChange> {
    lab.read(|uow| uow.email_changes().find(change.id, now))
}

fn take_try(lab: &Lab<'_>, change: &EmailChange, most: u32, now: Instant) -> Option<EmailChange> {
    lab.statement(|uow| uow.email_changes().take_try(change.user, change.session, most, now))
}

/// A mail that carries the code.
fn mail(lab: &Lab<'_>, change: &EmailChange) -> OutboxEntry {
    lab.queue(OutboxEntry { change: Some(change.id), ..lab.new_mail() })
}

/// Every field, times to the microsecond, the address in both its forms.
pub fn a_change_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let session = lab.session(user, at(0)).0.id;
    for tries in [0, 4] {
        let change = EmailChange {
            tries,
            created_at: at(0) + TICK,
            expires_at: at(60) - TICK,
            ..lab.new_email_change(user, session)
        };
        assert_eq!(find(&lab, &change, at(1)), None);
        lab.write(|uow| uow.email_changes().put(&change));
        let found = find(&lab, &change, at(1)).unwrap();
        assert_eq!(found, change);
        assert_eq!(found.email.delivery(), change.email.delivery());
    }
}

/// At that very time it is not found, and no try is taken.
pub fn a_change_is_dead_from_its_end_on(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let change = lab.email_change(lab.user().id);
    let end = change.expires_at;
    assert_eq!(find(&lab, &change, end), None);
    assert_eq!(take_try(&lab, &change, 5, end), None);
    assert_eq!(find(&lab, &change, end - TICK).as_ref(), Some(&change));
    assert_eq!(take_try(&lab, &change, 5, end - TICK).map(|change| change.tries), Some(1));
}

/// With the mail of that one, whatever its session; other users' are not touched.
pub fn a_new_change_takes_the_place_of_the_users_older_one(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (old, foreign) = (lab.email_change(user), lab.email_change(other));
    let (old_mail, foreign_mail) = (mail(&lab, &old), mail(&lab, &foreign));
    assert!(take_try(&lab, &old, 5, at(1)).is_some());
    let new = lab.email_change(user);
    let new_mail = mail(&lab, &new);
    for (change, expected) in [(&old, None), (&new, Some(&new)), (&foreign, Some(&foreign))] {
        assert_eq!(find(&lab, change, at(1)).as_ref(), expected);
    }
    assert_eq!(lab.waiting([&old_mail, &new_mail, &foreign_mail]), [false, true, true]);
}

/// The answer has the new count; the change stays when none is left.
pub fn tries_at_a_code_are_counted_up_to_the_most(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let change = lab.email_change(lab.user().id);
    assert_eq!(take_try(&lab, &change, 0, at(1)), None);
    for tries in 1..=3 {
        let taken = take_try(&lab, &change, 3, at(1));
        assert_eq!(taken, Some(EmailChange { tries, ..change.clone() }));
    }
    for _ in 0..2 {
        assert_eq!(take_try(&lab, &change, 3, at(1)), None);
    }
    assert_eq!(find(&lab, &change, at(1)).map(|change| change.tries), Some(3));
    let taken = take_try(&lab, &change, u32::MAX, at(1));
    assert_eq!(taken.map(|change| change.tries), Some(4));
}

/// Not in another one of the user, nor by another user; and none is counted.
pub fn a_try_is_taken_in_the_session_that_asked_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (change, foreign) = (lab.email_change(user), lab.email_change(other));
    let sibling = lab.session(user, at(0)).0.id;
    let unknown = SessionId::generate(&lab.entropy).unwrap();
    for (user, session) in [
        (user, sibling),
        (user, foreign.session),
        (user, unknown),
        (other, change.session),
        (lab.user_id(), change.session),
    ] {
        let aside = EmailChange { user, session, ..change.clone() };
        assert_eq!(take_try(&lab, &aside, 5, at(1)), None);
    }
    for change in [change, foreign] {
        assert_eq!(find(&lab, &change, at(1)), Some(change));
    }
}

/// Each as a statement of its own.
pub fn of_many_tries_as_statements_no_more_than_the_most_are_taken(storage: &dyn Storage) {
    no_more_than_the_most(storage, |lab, change| take_try(lab, change, 5, at(1)));
}

/// Each in a transaction.
pub fn of_many_tries_in_transactions_no_more_than_the_most_are_taken(storage: &dyn Storage) {
    no_more_than_the_most(storage, |lab, change| {
        lab.write(|uow| uow.email_changes().take_try(change.user, change.session, 5, at(1)))
    });
}

fn no_more_than_the_most(
    storage: &dyn Storage,
    take_try: impl Fn(&Lab<'_>, &EmailChange) -> Option<EmailChange> + Sync,
) {
    let lab = Lab::new(storage);
    let change = lab.email_change(lab.user().id);
    let taken = in_parallel(|_| take_try(&lab, &change));
    let mut counts: Vec<_> = taken.into_iter().flatten().map(|change| change.tries).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
    assert_eq!(find(&lab, &change, at(1)).map(|change| change.tries), Some(5));
}

/// Once; others' stay.
pub fn a_change_is_removed_with_its_mail(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (change, foreign) = (lab.email_change(user), lab.email_change(other));
    let (gone, kept) = (mail(&lab, &change), mail(&lab, &foreign));
    let notice = lab.queue(OutboxEntry { user: Some(user), ..lab.new_mail() });
    let remove = || lab.statement(|uow| uow.email_changes().remove(user));
    assert_eq!([remove(), remove()], [true, false]);
    assert_eq!(find(&lab, &change, at(1)), None);
    assert_eq!(find(&lab, &foreign, at(1)), Some(foreign));
    assert_eq!(lab.waiting([&gone, &kept, &notice]), [false, true, true]);
}

/// Nothing is left of what another transaction has deleted.
pub fn a_change_of_nobody_or_in_no_session_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let session = lab.session(user, at(0)).0.id;
    let unknown = SessionId::generate(&lab.entropy).unwrap();
    for (user, session) in [(lab.user_id(), session), (user, unknown)] {
        let change = lab.new_email_change(user, session);
        assert!(storage.transact(|uow| uow.email_changes().put(&change)).is_err());
        assert_eq!(find(&lab, &change, at(0)), None);
    }
}

/// `Conflict(Other)`, and both users' changes stay as they were.
pub fn a_taken_id_of_a_change_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (old, taken) = (lab.email_change(lab.user().id), lab.email_change(lab.user().id));
    let new = EmailChange { id: taken.id, ..lab.new_email_change(old.user, old.session) };
    let refused = storage.transact(|uow| uow.email_changes().put(&new));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    for change in [old, taken] {
        assert_eq!(find(&lab, &change, at(0)), Some(change));
    }
}

/// As flows put them; with its mail.
pub fn of_many_changes_put_under_the_users_lock_the_last_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let session = lab.session(user, at(0)).0.id;
    let put = in_parallel(|_| {
        let change = lab.new_email_change(user, session);
        let mail = OutboxEntry { change: Some(change.id), ..lab.new_mail() };
        lab.write(|uow| {
            uow.users().lock(user)?;
            uow.email_changes().put(&change)?;
            uow.outbox().insert(&mail)
        });
        (change, mail)
    });
    let is_left = |change: &EmailChange| find(&lab, change, at(0)).is_some();
    assert_eq!(put.iter().filter(|(change, _)| is_left(change)).count(), 1);
    assert!(put.iter().all(|(change, mail)| lab.waiting([mail]) == [is_left(change)]));
}

/// Without that lock some may be in the way of others; no more than that.
pub fn of_many_changes_put_at_once_one_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let session = lab.session(user, at(0)).0.id;
    let put = in_parallel(|_| {
        let change = lab.new_email_change(user, session);
        let put = storage.transact(|uow| uow.email_changes().put(&change));
        assert!(matches!(put, Ok(()) | Err(StoreError::Contention(_))), "{put:?}");
        change
    });
    assert_eq!(put.iter().filter(|change| find(&lab, change, at(0)).is_some()).count(), 1);
}
