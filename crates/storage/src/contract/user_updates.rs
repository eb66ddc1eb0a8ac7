//! Cases of the calls of [`UserRepository`](crate::UserRepository) that lock a user and store it anew.

use portcullis_identity::{DisplayName, Role, User, UserStatus};
use portcullis_kernel::{StoreError, UniqueKey, UserId};

use super::{
    case_list,
    lab::{Lab, TICK, at, email, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    everything_but_the_id_of_a_user_is_updated,
    an_update_says_whether_there_was_a_user,
    an_address_of_another_user_is_a_conflict,
    a_user_keeps_its_own_address,
    an_address_given_up_is_free_again,
    of_many_updates_to_one_address_one_succeeds,
    a_locked_user_is_told_as_it_is,
    of_parallel_updates_under_the_lock_none_is_lost,
    a_lock_on_a_user_keeps_changes_out,
}

fn find(lab: &Lab<'_>, id: UserId) -> Option<User> {
    lab.read(|uow| uow.users().find(id))
}

/// Times to the microsecond; what there is can be cleared; others stay as they were.
pub fn everything_but_the_id_of_a_user_is_updated(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user(), lab.user());
    let full = User {
        email: email(&format!("New.{}@EXAMPLE.com", lab.tag())),
        email_verified_at: Some(at(5) + TICK),
        display_name: Some(DisplayName::parse("Zoë").unwrap()),
        role: Role::Host,
        status: UserStatus::Suspended,
        created_at: at(9) + TICK,
        opened_from: Some("203.0.113.0/24".into()),
        ..user.clone()
    };
    for changed in [&full, &user] {
        assert!(lab.write(|uow| uow.users().update(changed)));
        let found = find(&lab, user.id).unwrap();
        assert_eq!(&found, changed);
        assert_eq!(found.email.delivery(), changed.email.delivery());
        let by_email = lab.read(|uow| uow.users().find_by_email(changed.email.as_str()));
        assert_eq!(by_email.as_ref(), Some(changed));
    }
    assert_eq!(lab.read(|uow| uow.users().find_by_email(full.email.as_str())), None);
    assert_eq!(find(&lab, other.id), Some(other));
}

/// Also when it changes nothing; a user that is not there is not made.
pub fn an_update_says_whether_there_was_a_user(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, unknown) = (lab.user(), lab.new_user());
    assert!(lab.statement(|uow| uow.users().update(&user)));
    assert!(!lab.statement(|uow| uow.users().update(&unknown)));
    assert_eq!(find(&lab, unknown.id), None);
    assert_eq!(lab.read(|uow| uow.users().find_by_email(unknown.email.as_str())), None);
}

/// `Conflict(UserEmail)`, also when it was typed in another case; nothing is changed.
pub fn an_address_of_another_user_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user(), lab.user());
    let address = email(&other.email.as_str().to_uppercase());
    let changed = User { email: address, role: Role::Host, ..user.clone() };
    let refused = storage.transact(|uow| uow.users().update(&changed));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::UserEmail))), "{refused:?}");
    assert_eq!(find(&lab, user.id), Some(user));
    assert_eq!(find(&lab, other.id), Some(other));
}

/// In another case, too.
pub fn a_user_keeps_its_own_address(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    let changed = User { email: email(&user.email.as_str().to_uppercase()), ..user };
    assert!(lab.write(|uow| uow.users().update(&changed)));
    let found = lab.read(|uow| uow.users().find_by_email(changed.email.as_str())).unwrap();
    assert_eq!(found.email.delivery(), changed.email.delivery());
}

/// For another account.
pub fn an_address_given_up_is_free_again(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user(), lab.user());
    let moved = User { email: lab.new_user().email, ..user.clone() };
    assert!(lab.write(|uow| uow.users().update(&moved)));
    let heir = User { email: user.email, ..other };
    assert!(lab.write(|uow| uow.users().update(&heir)));
    let found = lab.read(|uow| uow.users().find_by_email(heir.email.as_str()));
    assert_eq!(found, Some(heir));
}

/// The others are told of the conflict.
pub fn of_many_updates_to_one_address_one_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.new_user().email;
    let done = in_parallel(|_| {
        let user = User { email: address.clone(), ..lab.user() };
        storage.transact(|uow| uow.users().update(&user)).map(|_| user)
    });
    let (stored, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 1, "{refused:?}");
    for refusal in refused {
        let conflict = matches!(refusal, Err(StoreError::Conflict(UniqueKey::UserEmail)));
        assert!(conflict, "{refusal:?}");
    }
    let found = lab.read(|uow| uow.users().find_by_email(address.as_str()));
    assert_eq!(found.as_ref(), stored[0].as_ref().ok());
}

/// Suspended or not; an unknown one is not there to lock.
pub fn a_locked_user_is_told_as_it_is(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = User { status: UserStatus::Suspended, ..lab.new_user() };
    lab.write(|uow| uow.users().insert(&user));
    assert_eq!(lab.write(|uow| uow.users().lock(user.id)), Some(user));
    assert_eq!(lab.write(|uow| uow.users().lock(lab.user_id())), None);
}

/// Whoever locks the user sees what the one before has stored.
pub fn of_parallel_updates_under_the_lock_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let id = lab.user().id;
    let done = in_parallel(|_| {
        lab.write(|uow| {
            let mut user = uow.users().lock(id)?.unwrap();
            user.created_at += TICK;
            uow.users().update(&user)
        })
    });
    let changes = i32::try_from(done.len()).unwrap();
    assert_eq!(find(&lab, id).unwrap().created_at, at(0) + TICK * changes);
}

/// What is read under it is still so at the end; a deletion comes before or after.
pub fn a_lock_on_a_user_keeps_changes_out(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let id = lab.user().id;
    let seen = in_parallel(|index| {
        if index == 0 {
            lab.statement(|uow| uow.users().delete(id));
        }
        if index % 2 == 0 {
            let status = if index % 4 == 0 { UserStatus::Suspended } else { UserStatus::Active };
            lab.statement(|uow| uow.users().set_status(id, status));
            return true;
        }
        lab.write(|uow| {
            let locked = uow.users().lock(id)?;
            let is_active = locked.as_ref().is_some_and(User::is_active);
            Ok(uow.users().find(id)? == locked && uow.users().hold_active(id)? == is_active)
        })
    });
    assert!(seen.into_iter().all(|as_locked| as_locked));
}
