//! Cases of [`SigningKeyRepository`](crate::SigningKeyRepository).

use portcullis_kernel::{StoreError, UniqueKey};
use portcullis_tokens::SigningKey;

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_key_comes_back_as_it_was_stored,
    keys_are_listed_oldest_generation_first,
    a_taken_generation_is_a_conflict,
    a_taken_kid_is_a_conflict,
    of_many_rotations_to_one_generation_one_succeeds,
    the_end_of_a_key_is_set_and_cleared,
    of_parallel_changes_under_the_lock_none_is_lost,
    a_key_is_resealed_only_from_the_master_key_that_sealed_it,
}

/// Every field, times to the microsecond, any bytes in the sealed half.
pub fn a_key_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = SigningKey {
        sealed: (0..=255).cycle().take(2000).collect(),
        created_at: at(0) + TICK,
        active_from: at(300) - TICK,
        retired_at: Some(at(400) + TICK),
        removed_at: Some(at(500) - TICK),
        ..lab.new_key()
    };
    let fresh = lab.new_key();
    for key in [key, fresh] {
        lab.write(|uow| uow.signing_keys().insert(&key));
        assert_eq!(lab.find_key(&key.kid), Some(key));
    }
}

/// By number, not by text.
pub fn keys_are_listed_oldest_generation_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let base = lab.new_key().generation;
    let generations = [base + 1, base * 2, base - 1, base];
    for generation in generations {
        let key = SigningKey { generation, ..lab.new_key() };
        lab.write(|uow| uow.signing_keys().insert(&key));
    }
    let listed: Vec<_> =
        lab.read(|uow| uow.signing_keys().list()).iter().map(|key| key.generation).collect();
    assert!(listed.is_sorted());
    assert!(generations.iter().all(|generation| listed.contains(generation)));
}

/// And the key is not stored.
pub fn a_taken_generation_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = lab.new_key();
    lab.write(|uow| uow.signing_keys().insert(&key));
    let rival = SigningKey { generation: key.generation, ..lab.new_key() };
    let refused = storage.transact(|uow| uow.signing_keys().insert(&rival));
    let conflict = matches!(refused, Err(StoreError::Conflict(UniqueKey::SigningKeyGeneration)));
    assert!(conflict, "{refused:?}");
    assert_eq!(lab.find_key(&rival.kid), None);
}

/// `Conflict(Other)`.
pub fn a_taken_kid_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = lab.new_key();
    lab.write(|uow| uow.signing_keys().insert(&key));
    let rival = SigningKey { kid: key.kid.clone(), ..lab.new_key() };
    let refused = storage.transact(|uow| uow.signing_keys().insert(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(lab.find_key(&key.kid), Some(key));
}

/// The others are told of the conflict.
pub fn of_many_rotations_to_one_generation_one_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let generation = lab.new_key().generation;
    let done = in_parallel(|_| {
        let key = SigningKey { generation, ..lab.new_key() };
        storage.transact(|uow| uow.signing_keys().insert(&key))
    });
    let (stored, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 1, "{refused:?}");
    for refusal in refused {
        let key = UniqueKey::SigningKeyGeneration;
        assert!(matches!(refusal, Err(StoreError::Conflict(k)) if k == key), "{refusal:?}");
    }
}

/// `set_end`; says whether there is such a key.
pub fn the_end_of_a_key_is_set_and_cleared(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mut key, other) = (lab.new_key(), lab.new_key());
    for key in [&key, &other] {
        lab.write(|uow| uow.signing_keys().insert(key));
    }
    let (retired, removed) = (Some(at(1) + TICK), Some(at(2) + TICK));
    for (retired_at, removed_at) in [(retired, removed), (None, removed), (None, None)] {
        assert!(lab.statement(|uow| uow.signing_keys().set_end(&key.kid, retired_at, removed_at)));
        (key.retired_at, key.removed_at) = (retired_at, removed_at);
        assert_eq!(lab.find_key(&key.kid).as_ref(), Some(&key));
    }
    assert_eq!(lab.find_key(&other.kid), Some(other));
    assert!(!lab.statement(|uow| uow.signing_keys().set_end(&lab.tag(), retired, removed)));
}

/// So that two re-sealings at once do not mix.
pub fn a_key_is_resealed_only_from_the_master_key_that_sealed_it(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (key, other) = (lab.new_key(), lab.new_key());
    for key in [&key, &other] {
        lab.write(|uow| uow.signing_keys().insert(key));
    }
    let reseal = |from: &str, sealed: &[u8], to: &str| {
        lab.statement(|uow| uow.signing_keys().reseal(&key.kid, from, sealed, to))
    };
    assert!(!reseal("second", b"wrong", "third"));
    assert_eq!(lab.find_key(&key.kid).as_ref(), Some(&key));
    assert!(reseal("first", b"right\0\xff", "second"));
    assert!(!reseal("first", b"late", "second"));
    let resealed =
        SigningKey { sealed: b"right\0\xff".into(), sealed_by: "second".into(), ..key.clone() };
    assert_eq!(lab.find_key(&key.kid), Some(resealed));
    assert_eq!(lab.find_key(&other.kid), Some(other));
    assert!(!lab.statement(|uow| uow.signing_keys().reseal(&lab.tag(), "first", b"x", "second")));
}

/// Whoever locks the keys sees what the one before has written.
pub fn of_parallel_changes_under_the_lock_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = lab.new_key();
    lab.write(|uow| uow.signing_keys().insert(&key));
    let done = in_parallel(|_| {
        lab.write(|uow| {
            let keys = uow.signing_keys().lock()?;
            let seen = keys.into_iter().find(|seen| seen.kid == key.kid).unwrap();
            let next = seen.retired_at.unwrap_or(at(0)) + TICK;
            uow.signing_keys().set_end(&key.kid, Some(next), None)
        })
    });
    let changes = i32::try_from(done.len()).unwrap();
    assert_eq!(lab.find_key(&key.kid).unwrap().retired_at, Some(at(0) + TICK * changes));
}
