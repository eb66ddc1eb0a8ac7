//! Cases of [`PasswordRepository`](crate::PasswordRepository).

use super::{
    case_list,
    lab::{Lab, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_hash_is_set_whether_there_was_one_or_not,
    a_hash_is_replaced_only_while_it_is_the_old_one,
    a_user_without_a_hash_has_nothing_to_replace,
    of_many_replacements_of_one_hash_one_succeeds,
    a_password_is_taken_away_once,
    a_password_of_nobody_is_refused,
}

/// `put` and `find`.
pub fn a_hash_is_set_whether_there_was_one_or_not(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    assert_eq!(lab.read(|uow| uow.passwords().find(user)), None);
    for hash in [lab.hash(), lab.hash()] {
        lab.statement(|uow| uow.passwords().put(user, &hash, at(0)));
        assert_eq!(lab.read(|uow| uow.passwords().find(user)), Some(hash));
    }
    assert_eq!(lab.read(|uow| uow.passwords().find(other)), None);
}

/// `replace`; another user's equal hash stays.
pub fn a_hash_is_replaced_only_while_it_is_the_old_one(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (old, new, newer) = (lab.hash(), lab.hash(), lab.hash());
    lab.statement(|uow| uow.passwords().put(user, &old, at(0)));
    lab.statement(|uow| uow.passwords().put(other, &old, at(0)));
    assert!(lab.statement(|uow| uow.passwords().replace(user, &old, &new, at(1))));
    assert!(!lab.statement(|uow| uow.passwords().replace(user, &old, &newer, at(2))));
    assert_eq!(lab.read(|uow| uow.passwords().find(user)), Some(new));
    assert_eq!(lab.read(|uow| uow.passwords().find(other)), Some(old));
}

/// And gets none by it.
pub fn a_user_without_a_hash_has_nothing_to_replace(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (old, new) = (lab.hash(), lab.hash());
    assert!(!lab.statement(|uow| uow.passwords().replace(user, &old, &new, at(0))));
    assert_eq!(lab.read(|uow| uow.passwords().find(user)), None);
}

/// And the others are told so.
pub fn of_many_replacements_of_one_hash_one_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let old = lab.hash();
    lab.statement(|uow| uow.passwords().put(user, &old, at(0)));
    let done = in_parallel(|_| {
        let new = lab.hash();
        let replaced = lab.statement(|uow| uow.passwords().replace(user, &old, &new, at(1)));
        replaced.then_some(new)
    });
    let replaced: Vec<_> = done.into_iter().flatten().collect();
    assert_eq!(replaced.len(), 1);
    assert_eq!(lab.read(|uow| uow.passwords().find(user)).as_ref(), replaced.first());
}

/// And nobody else's.
pub fn a_password_is_taken_away_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let hash = lab.hash();
    for user in [user, other] {
        lab.statement(|uow| uow.passwords().put(user, &hash, at(0)));
    }
    let remove = || lab.statement(|uow| uow.passwords().remove(user));
    assert_eq!([remove(), remove()], [true, false]);
    assert_eq!(lab.read(|uow| uow.passwords().find(user)), None);
    assert_eq!(lab.read(|uow| uow.passwords().find(other)), Some(hash));
}

/// Nothing is left of a user that another transaction has deleted.
pub fn a_password_of_nobody_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let nobody = lab.user_id();
    assert!(storage.statement(|uow| uow.passwords().put(nobody, &lab.hash(), at(0))).is_err());
    assert_eq!(lab.read(|uow| uow.passwords().find(nobody)), None);
}
