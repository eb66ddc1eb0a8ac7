use portcullis_kernel::{StoreError, UniqueKey};
use portcullis_storage::{StorageExt, TxMode};

use super::lab::{at, new_session, new_token, new_user, on_both};

#[test]
fn a_unit_that_only_reads_refuses_changes() {
    on_both(|storage| {
        let refused = storage.begin(TxMode::Read).unwrap().users().insert(&new_user());
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    });
}

/// PostgreSQL answers such a COMMIT with a ROLLBACK and no error.
#[test]
fn after_a_failed_statement_nothing_is_published() {
    on_both(|storage| {
        let (first, second) = (new_user(), new_user());
        storage.transact(|uow| uow.users().insert(&first)).unwrap();
        let mut unit = storage.begin(TxMode::Write).unwrap();
        unit.users().insert(&second).unwrap();
        let taken = unit.users().insert(&first);
        assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
        assert!(unit.commit().is_err());
        assert_eq!(storage.read(|uow| uow.users().find(second.id)).unwrap(), None);
    });
}

#[test]
fn a_taken_id_is_another_conflict_than_a_taken_address() {
    on_both(|storage| {
        let user = new_user();
        storage.transact(|uow| uow.users().insert(&user)).unwrap();
        let mut other = new_user();
        other.id = user.id;
        let taken = storage.transact(|uow| uow.users().insert(&other));
        assert!(matches!(taken, Err(StoreError::Conflict(UniqueKey::Other))), "{taken:?}");
    });
}

/// The rows go while the rotation is on its way.
#[test]
fn a_session_that_is_gone_does_not_rotate() {
    on_both(|storage| {
        let user = new_user();
        let (session, first) = new_session(user.id);
        storage
            .transact(|uow| {
                uow.users().insert(&user)?;
                uow.sessions().insert(&session, &first)
            })
            .unwrap();
        storage.transact(|uow| uow.users().delete(user.id)).unwrap();
        let successor = new_token(&session, 1);
        let rotated =
            storage.transact(|uow| uow.sessions().rotate(&first.digest, &successor, at(1)));
        assert!(!rotated.unwrap());
    });
}
