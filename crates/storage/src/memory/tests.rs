use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use portcullis_kernel::{Instant, StoreError, StoreResult};
use portcullis_limits::{BucketKey, HitLog};

use super::{MemoryStorage, Shared, Unit, tables::Bucket};
use crate::{Storage, TxMode};

#[cfg(feature = "contract")]
#[test]
fn memory_keeps_the_contract() {
    crate::contract::run_all(&|| Box::new(MemoryStorage::default()));
}

#[cfg(feature = "contract")]
#[test]
fn the_cases_can_share_one_database_side_by_side() {
    let storage = MemoryStorage::default();
    crate::contract::run_all(&|| Box::new(storage.clone()));
    std::thread::scope(|scope| {
        for case in crate::contract::cases() {
            let storage = &storage;
            scope.spawn(move || (case.run)(storage));
        }
    });
}

#[test]
fn a_unit_that_waits_for_its_own_thread_gives_up() {
    let patience = Duration::from_millis(10);
    let storage = MemoryStorage(Shared { patience, ..Shared::default() }.into());
    let writing = storage.begin(TxMode::Write).unwrap();
    let second = storage.begin(TxMode::Write).map(drop);
    assert!(matches!(second, Err(StoreError::Unavailable(_))));
    let read = storage.begin(TxMode::Read).unwrap().signing_keys().list();
    assert!(matches!(read, Err(StoreError::Unavailable(_))));
    drop(writing);
    assert!(storage.begin(TxMode::Write).is_ok());
}

#[test]
fn a_unit_that_reads_changes_nothing() {
    let storage = MemoryStorage::default();
    let mut reading = storage.begin(TxMode::Read).unwrap();
    let changed = reading.signing_keys().set_end("k", None, None);
    assert!(matches!(changed, Err(StoreError::Failed(_))));
}

#[test]
fn a_panic_inside_the_lock_undoes_the_change_and_locks_nobody_out() {
    let storage = MemoryStorage::default();
    let key = BucketKey::from_stored("k".into());
    for mode in [TxMode::Statement, TxMode::Write] {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            storage.0.lock().writing = mode == TxMode::Write;
            let unit = Unit { shared: &storage.0, mode };
            unit.change(|tables| -> StoreResult<()> {
                let bucket = Bucket { log: HitLog::default(), empty_at: Instant::UNIX_EPOCH };
                tables.buckets.put(key.clone(), bucket);
                resume_unwind(Box::new("on purpose"))
            })
        }));
        assert!(panicked.is_err());
        assert!(storage.0.state.is_poisoned());
        let found = storage.begin(TxMode::Write).unwrap().rate_limits().find(&key);
        assert_eq!(found.unwrap(), None);
    }
}
