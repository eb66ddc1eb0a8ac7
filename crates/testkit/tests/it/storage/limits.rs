use std::{sync::Barrier, thread};

use portcullis_limits::{BucketKey, HitLog, Policy};
use portcullis_storage::{Storage, StorageExt};
use time::Duration;

use super::lab::{at, on_both};

const THREADS: usize = 50;
const TWENTY: Policy = Policy::new("twenty", 20, Duration::MINUTE);

/// How many of the threads are told yes.
fn charge_at_once(storage: &dyn Storage, key: &BucketKey, hits: u32) -> usize {
    let start = Barrier::new(THREADS);
    let charge = || {
        start.wait();
        let charge =
            storage.statement(|uow| uow.rate_limits().charge(key, &TWENTY, hits, at(0), at(0)));
        charge.unwrap().is_some()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(charge)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|yes| *yes).count()
    })
}

#[test]
fn fifty_threads_on_one_bucket_get_exactly_the_limit() {
    on_both(|storage| {
        let key = BucketKey::principal(&TWENTY, "singles");
        assert_eq!(charge_at_once(storage, &key, 1), 20);
        let slices = BucketKey::principal(&TWENTY, "slices");
        assert_eq!(charge_at_once(storage, &slices, 3), 6);
        let log = storage.read(|uow| uow.rate_limits().find(&slices)).unwrap().unwrap();
        assert_eq!(log.as_str().len(), 18 * HitLog::WIDTH);
    });
}

#[test]
fn fifty_refunds_give_no_more_back_than_was_taken() {
    on_both(|storage| {
        let key = BucketKey::principal(&TWENTY, "refunds");
        assert_eq!(charge_at_once(storage, &key, 1), 20);
        let refund = || storage.statement(|uow| uow.rate_limits().refund(&key, at(0))).unwrap();
        let given = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(refund)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|yes| *yes).count()
        });
        let log = storage.read(|uow| uow.rate_limits().find(&key)).unwrap().unwrap();
        assert_eq!(log.as_str().len(), (20 - given) * HitLog::WIDTH);
    });
}
