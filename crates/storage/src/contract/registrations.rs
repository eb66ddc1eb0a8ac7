//! Cases of [`RegistrationRepository`](crate::RegistrationRepository): registrations and how they end.

use portcullis_email::OutboxEntry;
use portcullis_kernel::{Instant, RegistrationId, StoreError, TokenDigest, UniqueKey};
use portcullis_registration::{Decision, Registration, RegistrationKind, State};

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel, long_ago},
};
use crate::{Storage, StorageExt};

case_list! {
    a_registration_comes_back_as_it_was_stored,
    what_there_is_once_of_a_registration_is_a_conflict_the_second_time,
    a_registration_of_no_agent_is_refused,
    a_registration_goes_with_its_agent_and_nothing_else_does,
    a_registration_that_is_removed_leaves_its_agent,
    an_open_registration_is_claimed_once,
    an_open_registration_is_denied_once,
    of_many_that_decide_one_does,
    a_claim_is_undone_by_its_token_until_its_end_and_once,
    of_many_that_undo_a_claim_one_does,
    unclaimed_agents_are_listed_the_oldest_first,
}

/// As every call finds it, held or not.
fn check_found(lab: &Lab<'_>, made: &Registration, there: bool) {
    let expected = there.then(|| made.clone());
    let found = lab.read(|uow| uow.registrations().find_by_view(&made.view));
    assert_eq!(found, expected);
    assert_eq!(lab.find_registration(made.agent), expected);
    let held = lab.write(|uow| uow.registrations().lock_by_claim(&made.claim));
    assert_eq!(held, expected);
    let held = lab.write(|uow| uow.registrations().lock_by_view(&made.view));
    assert_eq!(held, expected);
}

fn for_address(lab: &Lab<'_>) -> Registration {
    let kind = RegistrationKind::Email { address: format!("ünï+{}@example.com", lab.tag()) };
    Registration { kind, ..lab.new_registration() }
}

fn claim(lab: &Lab<'_>) -> Decision {
    Decision::Claim { undo: TokenDigest::of(&lab.tag()), undo_until: at(99) }
}

fn decide(lab: &Lab<'_>, id: RegistrationId, decision: &Decision, now: Instant) -> bool {
    lab.statement(|uow| uow.registrations().decide(id, decision, now))
}

/// Every field, times to the microsecond.
pub fn a_registration_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let full = Registration {
        codes: 3,
        asked_from: Some("2001:db8:1:2::/64".into()),
        created_at: at(0) + TICK,
        expires_at: at(60) - TICK,
        ..for_address(&lab)
    };
    let denied = Registration { state: State::Denied(at(1) + TICK), ..lab.new_registration() };
    let claimed = Registration { state: State::Claimed(at(2) - TICK), ..lab.new_registration() };
    for made in [full, lab.new_registration(), denied, claimed] {
        check_found(&lab, &made, false);
        let made = lab.add_registration(made);
        check_found(&lab, &made, true);
    }
    let other = TokenDigest::of(&lab.tag());
    assert_eq!(lab.write(|uow| uow.registrations().lock_by_claim(&other)), None);
    assert_eq!(lab.write(|uow| uow.registrations().lock_by_view(&other)), None);
}

/// `Conflict(Other)`, and the first one stays as it was.
pub fn what_there_is_once_of_a_registration_is_a_conflict_the_second_time(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let taken = lab.registration();
    let rival = || lab.new_registration();
    for rival in [
        Registration { id: taken.id, ..rival() },
        Registration { agent: taken.agent, ..rival() },
        Registration { claim: taken.claim, ..rival() },
        Registration { view: taken.view, ..rival() },
    ] {
        let refused = storage.transact(|uow| uow.registrations().insert(&rival));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
        check_found(&lab, &taken, true);
    }
    // The two kinds of token do not meet.
    let crossed = Registration { claim: taken.view, view: taken.claim, ..rival() };
    check_found(&lab, &lab.add_registration(crossed), true);
}

/// Nothing is left of an agent that another transaction has deleted.
pub fn a_registration_of_no_agent_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let made = Registration { agent: lab.agent_id(), ..lab.new_registration() };
    assert!(storage.transact(|uow| uow.registrations().insert(&made)).is_err());
    check_found(&lab, &made, false);
}

/// With its attempt, and the mails about that.
pub fn a_registration_goes_with_its_agent_and_nothing_else_does(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let made = [(); 2].map(|()| lab.registration());
    let attempts = made.each_ref().map(|made| lab.attempt(made.id));
    let mails = attempts
        .each_ref()
        .map(|attempt| lab.queue(OutboxEntry { claim: Some(attempt.id), ..lab.new_mail() }));
    let [gone, kept] = &made;
    assert!(lab.write(|uow| uow.agents().delete(gone.agent)));
    check_found(&lab, gone, false);
    assert_eq!(lab.find_attempt(gone.id), None);
    check_found(&lab, &Registration { codes: 1, ..kept.clone() }, true);
    assert_eq!(lab.find_attempt(kept.id).as_ref(), Some(&attempts[1]));
    assert_eq!(lab.waiting(mails.each_ref()), [false, true]);
}

/// Its attempt does not stay either.
pub fn a_registration_that_is_removed_leaves_its_agent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let made = lab.registration();
    let attempt = lab.attempt(made.id);
    let mail = lab.queue(OutboxEntry { claim: Some(attempt.id), ..lab.new_mail() });
    let remove = || lab.write(|uow| uow.registrations().remove(made.id));
    assert_eq!([remove(), remove()], [true, false]);
    check_found(&lab, &made, false);
    assert_eq!(lab.find_attempt(made.id), None);
    assert_eq!(lab.waiting([&mail]), [false]);
    assert!(lab.find_agent(made.agent).is_some());
    lab.add_registration(made);
}

/// Its attempt goes, and the mails about it; not those of another.
fn is_decided_once(lab: &Lab<'_>, decision: &Decision, state: State) {
    let made = [(); 2].map(|()| lab.registration());
    let attempts = made.each_ref().map(|made| lab.attempt(made.id));
    let mails = attempts
        .each_ref()
        .map(|attempt| lab.queue(OutboxEntry { claim: Some(attempt.id), ..lab.new_mail() }));
    let [decided, other] = made;
    assert!(decide(lab, decided.id, decision, at(7) + TICK));
    let decided = Registration { state, codes: 1, ..decided };
    check_found(lab, &decided, true);
    assert_eq!(lab.find_attempt(decided.id), None);
    assert_eq!(lab.find_attempt(other.id).as_ref(), Some(&attempts[1]));
    assert_eq!(lab.waiting(mails.each_ref()), [false, true]);
    for again in [claim(lab), Decision::Deny] {
        assert!(!decide(lab, decided.id, &again, at(8)));
        check_found(lab, &decided, true);
    }
    check_found(lab, &Registration { codes: 1, ..other }, true);
    let unknown = RegistrationId::generate(&lab.entropy).unwrap();
    assert!(!decide(lab, unknown, decision, at(7)));
}

/// At the time that is told.
pub fn an_open_registration_is_claimed_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    is_decided_once(&lab, &claim(&lab), State::Claimed(at(7) + TICK));
}

/// At the time that is told.
pub fn an_open_registration_is_denied_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    is_decided_once(&lab, &Decision::Deny, State::Denied(at(7) + TICK));
}

/// Each as a statement of its own, and each in a transaction; what is stored is what the winner said.
pub fn of_many_that_decide_one_does(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let made = lab.registration();
        let won = in_parallel(|index| {
            let now = at(i64::try_from(index).unwrap());
            let (decision, state) = match index % 2 {
                0 => (claim(&lab), State::Claimed(now)),
                _ => (Decision::Deny, State::Denied(now)),
            };
            let first = if alone {
                decide(&lab, made.id, &decision, now)
            } else {
                lab.write(|uow| uow.registrations().decide(made.id, &decision, now))
            };
            first.then_some(state)
        });
        let winners: Vec<_> = won.into_iter().flatten().collect();
        let found = lab.find_registration(made.agent).unwrap();
        assert_eq!(winners, [found.state]);
    }
}

/// At that very time it undoes nothing any more; nor does that of another, or of a claim without one.
pub fn a_claim_is_undone_by_its_token_until_its_end_and_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let undos = [(); 2].map(|()| TokenDigest::of(&lab.tag()));
    let made = undos.map(|undo| {
        let made = lab.registration();
        let undo_until = at(99) + TICK;
        assert!(decide(&lab, made.id, &Decision::Claim { undo, undo_until }, at(1)));
        Registration { state: State::Claimed(at(1)), ..made }
    });
    let by = |undo: &TokenDigest, now| {
        let found = lab.read(|uow| uow.registrations().find_by_undo(undo, now));
        assert_eq!(lab.write(|uow| uow.registrations().lock_by_undo(undo, now)), found);
        found
    };
    for (made, undo) in made.iter().zip(&undos) {
        assert_eq!(by(undo, at(99)).as_ref(), Some(made));
        assert_eq!(by(undo, at(99) + TICK), None);
    }
    assert_eq!(by(&TokenDigest::of(&lab.tag()), at(1)), None);
    let forget = |id| lab.statement(|uow| uow.registrations().forget_undo(id));
    assert_eq!([forget(made[0].id), forget(made[0].id)], [true, false]);
    assert_eq!(undos.map(|undo| by(&undo, at(2)).is_some()), [false, true]);
    check_found(&lab, &made[0], true);
    let denied = lab.registration();
    assert!(decide(&lab, denied.id, &Decision::Deny, at(1)));
    let unknown = RegistrationId::generate(&lab.entropy).unwrap();
    for without in [denied.id, lab.registration().id, unknown] {
        assert!(!forget(without));
    }
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_that_undo_a_claim_one_does(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let made = lab.registration();
        assert!(decide(&lab, made.id, &claim(&lab), at(1)));
        let undone = in_parallel(|_| {
            if alone {
                lab.statement(|uow| uow.registrations().forget_undo(made.id))
            } else {
                lab.write(|uow| uow.registrations().forget_undo(made.id))
            }
        });
        assert_eq!(undone.into_iter().filter(|first| *first).count(), 1);
    }
}

/// First those for an address, by the end of their time; then anonymous ones, by their age. Neither those
/// that were claimed nor those whose time is not over; denied ones, though.
pub fn unclaimed_agents_are_listed_the_oldest_first(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let email = |second, state| {
        let (created_at, expires_at) = (long_ago(-99), long_ago(second));
        lab.add_registration(Registration { created_at, expires_at, state, ..for_address(&lab) })
    };
    let anonymous = |created_at, state| {
        let (expires_at, made) = (long_ago(-9), lab.new_registration());
        lab.add_registration(Registration { created_at, expires_at, state, ..made })
    };
    let (open, denied) = (State::Open, State::Denied(long_ago(-9)));
    let claimed = State::Claimed(long_ago(-9));
    let mut stale = vec![email(-8, denied), email(-7, open), email(-7, open), email(0, open)];
    stale[1..3].sort_by_key(|made| made.id);
    let mut nameless = vec![anonymous(long_ago(-6), open), anonymous(long_ago(0) - TICK, denied)];
    let kept = [
        email(-9, claimed),
        email(1, open),
        anonymous(long_ago(-9), claimed),
        anonymous(long_ago(0), open),
    ];
    let list = |anonymous_before, limit| {
        lab.read(|uow| uow.registrations().list_unclaimed(long_ago(0), anonymous_before, limit))
    };
    let agents = |made: &[Registration]| made.iter().map(|made| made.agent).collect::<Vec<_>>();
    assert_eq!(list(None, 9), agents(&stale));
    stale.append(&mut nameless);
    for limit in [0, 1, 3, 5, 6, 9, u32::MAX] {
        let most = usize::try_from(limit).unwrap().min(stale.len());
        assert_eq!(list(Some(long_ago(0)), limit), agents(&stale[..most]), "{limit}");
    }
    for made in stale.iter().chain(&kept) {
        assert!(lab.write(|uow| uow.agents().delete(made.agent)));
    }
    assert_eq!(list(Some(long_ago(0)), 9), []);
}
