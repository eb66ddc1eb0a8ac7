//! Cases of [`RecoveryRepository`](crate::RecoveryRepository): requests and their tries.

use portcullis_credentials::{RecoveryRequest, Tried};
use portcullis_email::OutboxEntry;
use portcullis_kernel::{Instant, RecoveryId, StoreError, UniqueKey};

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_request_comes_back_as_it_was_stored,
    a_request_is_dead_from_its_end_on,
    a_new_request_closes_the_open_one_of_its_address_and_side,
    a_taken_id_of_a_request_is_a_conflict,
    requests_to_an_address_are_locked_in_the_order_of_their_ids,
    tries_are_counted_for_each_kind_up_to_the_most,
    a_try_that_is_given_back_can_be_taken_again,
    of_many_tries_no_more_than_the_most_are_taken,
    of_parallel_work_under_the_lock_of_a_request_none_is_lost,
    of_many_requests_opened_at_once_one_is_open,
}

const SIDE: &str = "198.51.100.0/24";

fn find(lab: &Lab<'_>, id: RecoveryId, now: Instant) -> Option<RecoveryRequest> {
    let found = lab.read(|uow| uow.recoveries().find_open(id, now));
    assert_eq!(lab.write(|uow| uow.recoveries().lock_open(id, now)), found);
    found
}

fn of_address(lab: &Lab<'_>, canonical: &str, now: Instant) -> Vec<RecoveryRequest> {
    lab.write(|uow| uow.recoveries().lock_all(canonical, now))
}

fn take_try(lab: &Lab<'_>, id: RecoveryId, tried: Tried, most: u32) -> bool {
    lab.statement(|uow| uow.recoveries().take_try(id, tried, most))
}

fn known_side(lab: &Lab<'_>, canonical: &str) -> RecoveryRequest {
    RecoveryRequest { side: Some(SIDE.into()), ..lab.new_recovery(canonical) }
}

/// Every field, times to the microsecond.
pub fn a_request_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = format!("ünï+{}@example.com", lab.tag());
    let full = RecoveryRequest {
        asked_from: "2001:db8:1:2::/64".into(),
        own_tries: 3,
        other_tries: 7,
        created_at: at(0) + TICK,
        expires_at: at(60) - TICK,
        ..known_side(&lab, &address)
    };
    for request in [full, lab.new_recovery(&address)] {
        assert_eq!(find(&lab, request.id, at(1)), None);
        let request = lab.open_recovery(request);
        assert_eq!(find(&lab, request.id, at(1)), Some(request));
    }
}

/// At that very time it is neither found nor listed.
pub fn a_request_is_dead_from_its_end_on(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let request = lab.recovery();
    let end = request.expires_at;
    assert_eq!(find(&lab, request.id, end), None);
    assert_eq!(of_address(&lab, &request.email, end), []);
    assert_eq!(find(&lab, request.id, end - TICK).as_ref(), Some(&request));
    assert_eq!(of_address(&lab, &request.email, end - TICK), [request]);
}

/// With its mail, at the time of the new one; neither another address nor another side is touched, and
/// its codes stay.
pub fn a_new_request_closes_the_open_one_of_its_address_and_side(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (address, other) = (lab.address(), lab.address());
    let second_side = RecoveryRequest { side: Some("n".into()), ..lab.new_recovery(&address) };
    let requests = [
        lab.new_recovery(&address),
        known_side(&lab, &address),
        second_side,
        lab.new_recovery(&other),
        known_side(&lab, &other),
    ]
    .map(|request| lab.open_recovery(request));
    let mails = requests
        .each_ref()
        .map(|request| lab.queue(OutboxEntry { recovery: Some(request.id), ..lab.new_mail() }));
    let code = lab.code(requests[1].id, lab.agent().id);
    let now = at(1) + TICK;
    let new = RecoveryRequest { created_at: now, ..known_side(&lab, &address) };
    let new = lab.open_recovery(new);
    let open = requests.each_ref().map(|request| find(&lab, request.id, now).is_some());
    assert_eq!(open, [true, false, true, true, true]);
    assert_eq!(lab.waiting(mails.each_ref()), open);
    assert_eq!(find(&lab, new.id, now).as_ref(), Some(&new));
    let closed = RecoveryRequest { closed_at: Some(now), ..requests[1].clone() };
    let theirs = of_address(&lab, &address, now);
    assert!(theirs.contains(&closed), "{theirs:?}");
    assert_eq!(lab.codes(&[closed.id]), [code]);
    // Once more: what was closed before stays as it is.
    let newest = RecoveryRequest { created_at: at(2), ..known_side(&lab, &address) };
    lab.open_recovery(newest);
    assert!(of_address(&lab, &address, now).contains(&closed));
    assert_eq!(find(&lab, new.id, now), None);
}

/// `Conflict(Other)`, and both stay as they were.
pub fn a_taken_id_of_a_request_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (old, taken) = (lab.recovery(), lab.recovery());
    let rival = RecoveryRequest { id: taken.id, ..lab.new_recovery(&old.email) };
    let refused = storage.transact(|uow| uow.recoveries().open(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    for request in [old, taken] {
        assert_eq!(find(&lab, request.id, at(1)), Some(request));
    }
}

/// Closed ones too; not those to another address.
pub fn requests_to_an_address_are_locked_in_the_order_of_their_ids(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    lab.recovery();
    let mut ids = Vec::new();
    for second in 0..4 {
        for request in [lab.new_recovery(&address), known_side(&lab, &address)] {
            let request = RecoveryRequest { created_at: at(second), ..request };
            ids.push(lab.open_recovery(request).id);
        }
    }
    let expired = RecoveryRequest { expires_at: at(5), side: Some("n".into()), ..lab.recovery() };
    let id = RecoveryId::generate(&lab.entropy).unwrap();
    lab.open_recovery(RecoveryRequest { id, email: address.clone(), ..expired });
    ids.sort();
    let listed = of_address(&lab, &address, at(5));
    assert_eq!(listed.iter().map(|request| request.id).collect::<Vec<_>>(), ids);
    assert_eq!(listed.iter().filter(|request| request.is_open(at(5))).count(), 2);
    assert_eq!(of_address(&lab, &lab.address(), at(5)), []);
}

/// Neither the other kind nor another request is touched.
pub fn tries_are_counted_for_each_kind_up_to_the_most(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mut request, other) = (lab.recovery(), lab.recovery());
    let found = |request: &RecoveryRequest| {
        assert_eq!(find(&lab, request.id, at(1)).as_ref(), Some(request));
    };
    assert!(!take_try(&lab, request.id, Tried::ByAsker, 0));
    found(&request);
    for tries in 1..=3 {
        assert!(take_try(&lab, request.id, Tried::ByAsker, 3));
        request.own_tries = tries;
        found(&request);
    }
    for most in [3, 2, 0] {
        assert!(!take_try(&lab, request.id, Tried::ByAsker, most));
    }
    assert!(take_try(&lab, request.id, Tried::ByOther, 1));
    assert!(!take_try(&lab, request.id, Tried::ByOther, 1));
    request.other_tries = 1;
    found(&request);
    assert!(take_try(&lab, request.id, Tried::ByAsker, u32::MAX));
    request.own_tries = 4;
    found(&request);
    found(&other);
    let unknown = RecoveryId::generate(&lab.entropy).unwrap();
    assert!(!take_try(&lab, unknown, Tried::ByAsker, 5));
}

/// Of its kind; there are never fewer than none.
pub fn a_try_that_is_given_back_can_be_taken_again(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let request = lab.recovery();
    let give_back = |tried| lab.statement(|uow| uow.recoveries().give_back_try(request.id, tried));
    let tries = || {
        let found = find(&lab, request.id, at(1)).unwrap();
        (found.own_tries, found.other_tries)
    };
    for tried in [Tried::ByAsker, Tried::ByOther] {
        give_back(tried);
        assert_eq!(tries(), (0, 0));
        assert!(take_try(&lab, request.id, Tried::ByAsker, 1));
        assert!(take_try(&lab, request.id, Tried::ByOther, 1));
        give_back(tried);
        assert_eq!(tries(), if tried == Tried::ByAsker { (0, 1) } else { (1, 0) });
        assert!(take_try(&lab, request.id, tried, 1));
        assert!(!take_try(&lab, request.id, tried, 1));
        give_back(Tried::ByAsker);
        give_back(Tried::ByOther);
    }
    let unknown = RecoveryId::generate(&lab.entropy).unwrap();
    lab.statement(|uow| uow.recoveries().give_back_try(unknown, Tried::ByAsker));
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_tries_no_more_than_the_most_are_taken(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for tried in [Tried::ByAsker, Tried::ByOther] {
        for alone in [true, false] {
            let id = lab.recovery().id;
            let taken = in_parallel(|_| {
                if alone {
                    take_try(&lab, id, tried, 5)
                } else {
                    lab.write(|uow| uow.recoveries().take_try(id, tried, 5))
                }
            });
            assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 5);
            let found = find(&lab, id, at(1)).unwrap();
            assert_eq!(found.own_tries + found.other_tries, 5);
        }
    }
}

/// Who locks a request sees what the one before has written; by its id and by its address.
pub fn of_parallel_work_under_the_lock_of_a_request_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let request = lab.recovery();
    in_parallel(|index| {
        lab.write(|uow| {
            let recoveries = uow.recoveries();
            let tries = if index % 2 == 0 {
                recoveries.lock_open(request.id, at(1))?.unwrap().own_tries
            } else {
                recoveries.lock_all(&request.email, at(1))?[0].own_tries
            };
            // At this count there is one to take, and whoever saw an older one finds none.
            let taken = recoveries.take_try(request.id, Tried::ByAsker, tries + 1)?;
            assert!(taken, "{tries}");
            Ok(())
        });
    });
    let tries = find(&lab, request.id, at(1)).unwrap().own_tries;
    assert_eq!(usize::try_from(tries).unwrap(), THREADS);
}

/// Some may be in the way of others; no more than that.
pub fn of_many_requests_opened_at_once_one_is_open(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    for side in [None, Some(SIDE)] {
        let opened = in_parallel(|_| {
            let side = side.map(str::to_owned);
            let request = RecoveryRequest { side, ..lab.new_recovery(&address) };
            let opened = storage.transact(|uow| uow.recoveries().open(&request));
            assert!(matches!(opened, Ok(()) | Err(StoreError::Contention(_))), "{opened:?}");
            request.id
        });
        let open = opened.into_iter().filter(|id| find(&lab, *id, at(1)).is_some());
        assert_eq!(open.count(), 1);
    }
    let open = of_address(&lab, &address, at(1));
    assert_eq!(open.iter().filter(|request| request.is_open(at(1))).count(), 2);
}
