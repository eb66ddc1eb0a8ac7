//! Cases of [`RegistrationRepository`](crate::RegistrationRepository): attempts to claim, and their tries.

use portcullis_email::OutboxEntry;
use portcullis_kernel::{ClaimAttemptId, RegistrationId, StoreError, UniqueKey};
use portcullis_registration::{ClaimAttempt, Decision, Registration};

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, in_parallel, long_ago},
    sweeps::{Sweep, clear, sweeps_what_expired},
};
use crate::{Storage, StorageExt, UnitOfWork};

case_list! {
    an_attempt_comes_back_as_it_was_stored,
    an_attempt_takes_the_place_of_the_one_before_and_of_its_mails,
    attempts_with_a_code_are_counted,
    an_attempt_that_cannot_be_is_refused,
    a_registration_is_found_by_the_attempt_that_counts,
    tries_are_counted_up_to_the_most_and_given_back,
    of_many_tries_no_more_than_the_most_are_taken,
    of_parallel_work_under_the_lock_of_a_registration_none_is_lost,
    attempts_whose_code_is_dead_are_removed_with_their_mails,
}

fn take_try(lab: &Lab<'_>, id: ClaimAttemptId, most: u32) -> bool {
    lab.statement(|uow| uow.registrations().take_try(id, most))
}

fn codes(lab: &Lab<'_>, of: &Registration) -> u32 {
    lab.find_registration(of.agent).unwrap().codes
}

fn by_attempt(lab: &Lab<'_>, id: ClaimAttemptId) -> Option<RegistrationId> {
    lab.write(|uow| uow.registrations().lock_by_attempt(id)).map(|found| found.id)
}

/// Every field, times to the microsecond.
pub fn an_attempt_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let full = ClaimAttempt {
        email: format!("ünï+{}@example.com", lab.tag()),
        delivery: "Ünï@example.com".into(),
        tries: 4,
        created_at: at(0) + TICK,
        expires_at: at(60) - TICK,
        ..lab.new_attempt(lab.registration().id)
    };
    let bare = ClaimAttempt { code: None, ..lab.new_attempt(lab.registration().id) };
    for attempt in [full, bare] {
        assert_eq!(lab.find_attempt(attempt.registration), None);
        assert_eq!(by_attempt(&lab, attempt.id), None);
        let attempt = lab.put_attempt(attempt);
        assert_eq!(by_attempt(&lab, attempt.id), Some(attempt.registration));
        assert_eq!(lab.find_attempt(attempt.registration), Some(attempt));
    }
}

/// Of the same registration, and of no other.
pub fn an_attempt_takes_the_place_of_the_one_before_and_of_its_mails(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (made, other) = (lab.registration(), lab.registration());
    let attempts = [made.id, other.id].map(|of| lab.attempt(of));
    let mails = attempts
        .each_ref()
        .map(|attempt| lab.queue(OutboxEntry { claim: Some(attempt.id), ..lab.new_mail() }));
    let plain = lab.queue(lab.new_mail());
    let next = ClaimAttempt { code: None, ..lab.new_attempt(made.id) };
    let next = lab.put_attempt(next);
    assert_eq!(lab.find_attempt(made.id), Some(next));
    assert_eq!(lab.find_attempt(other.id).as_ref(), Some(&attempts[1]));
    assert_eq!(lab.waiting([&mails[0], &mails[1], &plain]), [false, true, true]);
    assert!(!take_try(&lab, attempts[0].id, 5));
}

/// One without is none of the codes.
pub fn attempts_with_a_code_are_counted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (made, other) = (lab.registration(), lab.registration());
    for (has_code, count) in [(true, 1), (false, 1), (true, 2), (true, 3), (false, 3)] {
        let attempt = lab.new_attempt(made.id);
        let code = attempt.code.filter(|_| has_code);
        lab.put_attempt(ClaimAttempt { code, ..attempt });
        assert_eq!((codes(&lab, &made), codes(&lab, &other)), (count, 0));
    }
}

/// One of no registration, and one whose id is taken, which is a `Conflict(Other)`; nothing is changed.
pub fn an_attempt_that_cannot_be_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let unknown = RegistrationId::generate(&lab.entropy).unwrap();
    let of_none = lab.new_attempt(unknown);
    assert!(storage.transact(|uow| uow.registrations().put_attempt(&of_none)).is_err());
    assert_eq!(lab.find_attempt(unknown), None);
    let (taken, made) = (lab.attempt(lab.registration().id), lab.registration());
    let own = lab.attempt(made.id);
    let rival = ClaimAttempt { id: taken.id, ..lab.new_attempt(made.id) };
    let refused = storage.transact(|uow| uow.registrations().put_attempt(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(codes(&lab, &made), 1);
    for attempt in [taken, own] {
        assert_eq!(lab.find_attempt(attempt.registration), Some(attempt));
    }
}

/// Not by one that another took the place of, or that went with a decision.
pub fn a_registration_is_found_by_the_attempt_that_counts(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let made = lab.registration();
    let first = lab.attempt(made.id).id;
    assert_eq!(by_attempt(&lab, first), Some(made.id));
    let second = lab.attempt(made.id).id;
    assert_eq!((by_attempt(&lab, first), by_attempt(&lab, second)), (None, Some(made.id)));
    assert!(lab.statement(|uow| uow.registrations().decide(made.id, &Decision::Deny, at(1))));
    assert_eq!(by_attempt(&lab, second), None);
}

/// There are never fewer than none; another attempt is not touched.
pub fn tries_are_counted_up_to_the_most_and_given_back(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let [attempt, other] = [(); 2].map(|()| lab.attempt(lab.registration().id));
    let tries = || lab.find_attempt(attempt.registration).unwrap().tries;
    let give_back = |id| lab.statement(|uow| uow.registrations().give_back_try(id));
    give_back(attempt.id);
    assert!(!take_try(&lab, attempt.id, 0));
    assert_eq!(tries(), 0);
    for count in 1..=3 {
        assert!(take_try(&lab, attempt.id, 3));
        assert_eq!(tries(), count);
    }
    for most in [3, 2, 0] {
        assert!(!take_try(&lab, attempt.id, most));
    }
    give_back(attempt.id);
    assert!(take_try(&lab, attempt.id, 3) && !take_try(&lab, attempt.id, 3));
    assert!(take_try(&lab, attempt.id, u32::MAX));
    assert_eq!(tries(), 4);
    assert_eq!(lab.find_attempt(other.registration), Some(other));
    let unknown = ClaimAttemptId::generate(&lab.entropy).unwrap();
    give_back(unknown);
    assert!(!take_try(&lab, unknown, 5));
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_tries_no_more_than_the_most_are_taken(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let attempt = lab.attempt(lab.registration().id);
        let taken = in_parallel(|_| {
            if alone {
                take_try(&lab, attempt.id, 5)
            } else {
                lab.write(|uow| uow.registrations().take_try(attempt.id, 5))
            }
        });
        assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 5);
        assert_eq!(lab.find_attempt(attempt.registration).unwrap().tries, 5);
    }
}

/// Who locks a registration sees what the one before has written, by whatever it is found; and of those
/// that put an attempt under the lock the last one is left.
pub fn of_parallel_work_under_the_lock_of_a_registration_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let made = lab.registration();
    let first = lab.attempt(made.id);
    in_parallel(|index| {
        lab.write(|uow: &mut dyn UnitOfWork| {
            let registrations = uow.registrations();
            let held = match index % 3 {
                0 => registrations.lock_by_claim(&made.claim)?,
                1 => registrations.lock_by_view(&made.view)?,
                _ => registrations.lock_by_attempt(first.id)?,
            };
            assert_eq!(held.map(|held| held.id), Some(made.id));
            let tries = registrations.attempt(made.id)?.unwrap().tries;
            // At this count there is one to take, and whoever saw an older one finds none.
            assert!(registrations.take_try(first.id, tries + 1)?, "{tries}");
            Ok(())
        });
    });
    let tries = lab.find_attempt(made.id).unwrap().tries;
    assert_eq!(usize::try_from(tries).unwrap(), THREADS);
    let put = in_parallel(|_| {
        let attempt = lab.new_attempt(made.id);
        lab.write(|uow: &mut dyn UnitOfWork| {
            let held = uow.registrations().lock_by_claim(&made.claim)?.unwrap();
            uow.registrations().put_attempt(&attempt)?;
            Ok((held.codes, attempt.id))
        })
    });
    let last = put.into_iter().max_by_key(|(codes, _)| *codes).unwrap().1;
    assert_eq!(lab.find_attempt(made.id).unwrap().id, last);
    assert_eq!(usize::try_from(codes(&lab, &made)).unwrap(), THREADS + 1);
}

/// `RegistrationRepository::delete_dead_attempts`; at its end a code is dead. The registration stays.
pub fn attempts_whose_code_is_dead_are_removed_with_their_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.registrations().delete_dead_attempts(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let attempt = ClaimAttempt { expires_at, ..lab.new_attempt(lab.registration().id) };
        let attempt = lab.put_attempt(attempt);
        OutboxEntry { claim: Some(attempt.id), ..lab.new_mail() }
    });
    let lab = Lab::alone(storage);
    clear(&lab, sweep);
    let made = lab.registration();
    let bare = ClaimAttempt { code: None, expires_at: long_ago(0), ..lab.new_attempt(made.id) };
    lab.put_attempt(bare);
    assert_eq!(lab.write(|uow| sweep(uow, long_ago(0), 9)), 1);
    assert_eq!(lab.find_attempt(made.id), None);
    assert_eq!(lab.find_registration(made.agent), Some(made));
}
