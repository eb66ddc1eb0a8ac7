//! Cases of the refresh tokens in [`SessionRepository`](crate::SessionRepository).

use portcullis_kernel::{SessionId, StoreError, TokenDigest, UniqueKey};
use portcullis_tokens::RefreshRow;

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_token_is_rotated_once,
    of_many_callers_one_rotates_a_token,
    of_many_transactions_one_rotates_a_token,
    a_rotation_alone_is_all_or_nothing,
    a_session_advances_by_one_generation,
    a_session_that_is_not_live_does_not_rotate,
    a_session_at_another_generation_does_not_rotate,
    a_session_that_is_gone_does_not_rotate,
    a_taken_digest_does_not_rotate,
    a_token_of_another_session_does_not_rotate,
    a_spent_token_is_marked_as_raced_once,
    raced_tokens_of_one_session_are_counted_since_a_time,
}

/// The time of it is kept; a spent or unknown token is refused and writes nothing.
pub fn a_token_is_rotated_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let now = at(1) + TICK;
    let second = lab.rotate(&session, &first, now);
    let state = lab.find_token(&first.digest).unwrap();
    assert_eq!(state.token, RefreshRow { used_at: Some(now), ..first.clone() });
    let before = lab.find_token(&second.digest);
    for spent in [first.digest, TokenDigest::of(&lab.tag())] {
        for generation in [1, 2] {
            let successor = lab.token(&session, generation, at(2));
            assert!(!lab.write(|uow| uow.sessions().rotate(&spent, &successor, at(2))));
            assert_eq!(lab.find_token(&successor.digest), None);
        }
    }
    assert_eq!(lab.find_token(&second.digest), before);
}

/// Each as a statement of its own.
pub fn of_many_callers_one_rotates_a_token(storage: &dyn Storage) {
    one_wins(storage, |lab, first, successor| {
        lab.statement(|uow| uow.sessions().rotate(&first.digest, successor, at(1)))
    });
}

/// Each in a transaction.
pub fn of_many_transactions_one_rotates_a_token(storage: &dyn Storage) {
    one_wins(storage, |lab, first, successor| {
        lab.write(|uow| uow.sessions().rotate(&first.digest, successor, at(1)))
    });
}

fn one_wins(
    storage: &dyn Storage,
    rotate: impl Fn(&Lab<'_>, &RefreshRow, &RefreshRow) -> bool + Sync,
) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let successors = in_parallel(|_| {
        let successor = lab.token(&session, 1, at(1));
        rotate(&lab, &first, &successor).then_some(successor)
    });
    let successors: Vec<_> = successors.into_iter().flatten().collect();
    assert_eq!(successors.len(), 1);
    let state = lab.find_token(&successors[0].digest).unwrap();
    assert_eq!((&state.token, state.session.generation), (&successors[0], 1));
}

/// As a statement of its own, too: a taken digest is found last, when the rest is written.
pub fn a_rotation_alone_is_all_or_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let successor = RefreshRow { digest: first.digest, ..lab.token(&session, 1, at(1)) };
    let refused = storage.statement(|uow| uow.sessions().rotate(&first.digest, &successor, at(1)));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    let state = lab.find_token(&first.digest).unwrap();
    assert_eq!((state.token, state.session), (first, session));
}

/// Its last use is now; its other tokens stay.
pub fn a_session_advances_by_one_generation(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mut session, first) = lab.session(lab.user().id, at(0));
    let (sibling, sibling_first) = lab.session(session.user, at(0));
    let second = lab.rotate(&session, &first, at(1) + TICK);
    let third = lab.rotate(&session, &second, at(2) + TICK);
    session.generation = 2;
    session.last_used_at = at(2) + TICK;
    for (token, used_at) in
        [(first, Some(at(1) + TICK)), (second, Some(at(2) + TICK)), (third, None)]
    {
        let state = lab.find_token(&token.digest).unwrap();
        assert_eq!(state.token, RefreshRow { used_at, ..token });
        assert_eq!(state.session, session);
    }
    assert_eq!(lab.find_token(&sibling_first.digest).unwrap().session, sibling);
}

/// Ended, or at its absolute end; nothing is written.
pub fn a_session_that_is_not_live_does_not_rotate(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (ended, ended_first) = lab.session(user, at(0));
    let (expired, expired_first) = lab.session(user, at(0));
    assert!(lab.statement(|uow| uow.sessions().end(ended.id, user, at(1))));
    let end = expired.expires_at;
    for (session, first, now) in [(&ended, &ended_first, at(2)), (&expired, &expired_first, end)] {
        let before = lab.find_token(&first.digest);
        let successor = lab.token(session, 1, now);
        assert!(!lab.write(|uow| uow.sessions().rotate(&first.digest, &successor, now)));
        assert_eq!(lab.find_token(&successor.digest), None);
        assert_eq!(lab.find_token(&first.digest), before);
    }
    let successor = lab.token(&expired, 1, end - TICK);
    let rotated =
        lab.write(|uow| uow.sessions().rotate(&expired_first.digest, &successor, end - TICK));
    assert!(rotated);
}

/// Neither to its own generation nor past the next; nothing is written.
pub fn a_session_at_another_generation_does_not_rotate(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let second = lab.rotate(&session, &first, at(1));
    let before = lab.find_token(&second.digest);
    for generation in [0, 1, 3, i32::MAX] {
        let successor = lab.token(&session, generation, at(2));
        let rotated = lab.write(|uow| uow.sessions().rotate(&second.digest, &successor, at(2)));
        assert!(!rotated, "{generation}");
        assert_eq!(lab.find_token(&successor.digest), None);
        assert_eq!(lab.find_token(&second.digest), before);
    }
}

/// Deleted with its user, or never there.
pub fn a_session_that_is_gone_does_not_rotate(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (gone, first) = lab.session(user, at(0));
    lab.write(|uow| uow.users().delete(user));
    let unknown = SessionId::generate(&lab.entropy).unwrap();
    let successor = lab.token(&gone, 1, at(1));
    for successor in [RefreshRow { session: unknown, ..successor.clone() }, successor] {
        assert!(!lab.write(|uow| uow.sessions().rotate(&first.digest, &successor, at(1))));
        assert_eq!(lab.find_token(&successor.digest), None);
    }
}

/// `Conflict(Other)`, and the session stays as it was.
pub fn a_taken_digest_does_not_rotate(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let successor = RefreshRow { digest: first.digest, ..lab.token(&session, 1, at(1)) };
    let refused = storage.transact(|uow| uow.sessions().rotate(&first.digest, &successor, at(1)));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    let state = lab.find_token(&first.digest).unwrap();
    assert_eq!((state.token, state.session), (first, session));
}

/// Whatever its generation; nothing is written to either.
pub fn a_token_of_another_session_does_not_rotate(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, first) = lab.session(user, at(0));
    let (_, foreign) = lab.session(user, at(0));
    let before = (lab.find_token(&first.digest), lab.find_token(&foreign.digest));
    let successor = lab.token(&session, 1, at(1));
    assert!(!lab.write(|uow| uow.sessions().rotate(&foreign.digest, &successor, at(1))));
    assert_eq!(lab.find_token(&successor.digest), None);
    assert_eq!((lab.find_token(&first.digest), lab.find_token(&foreign.digest)), before);
}

/// The time of it is kept; one that is not spent, or unknown, cannot race.
pub fn a_spent_token_is_marked_as_raced_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.session(lab.user().id, at(0));
    let second = lab.rotate(&session, &first, at(1));
    let mark = |digest, now| lab.statement(|uow| uow.sessions().mark_raced(digest, now));
    assert!(mark(&first.digest, at(2) + TICK));
    assert!(!mark(&first.digest, at(3)));
    let state = lab.find_token(&first.digest).unwrap();
    assert_eq!((state.token.used_at, state.token.raced_at), (Some(at(1)), Some(at(2) + TICK)));
    assert!(!mark(&second.digest, at(3)));
    assert_eq!(lab.find_token(&second.digest).unwrap().token, second);
    assert!(!mark(&TokenDigest::of(&lab.tag()), at(3)));
}

/// A race at that very time counts.
pub fn raced_tokens_of_one_session_are_counted_since_a_time(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, mut token) = lab.session(user, at(0));
    let (other, other_token) = lab.session(user, at(0));
    for second in [10, 20, 30] {
        let successor = lab.rotate(&session, &token, at(second));
        lab.statement(|uow| uow.sessions().mark_raced(&token.digest, at(second)));
        token = successor;
    }
    lab.rotate(&other, &other_token, at(40));
    lab.statement(|uow| uow.sessions().mark_raced(&other_token.digest, at(40)));
    let count = |id, since| lab.read(|uow| uow.sessions().count_raced(id, since));
    assert_eq!(count(session.id, at(0)), 3);
    assert_eq!(count(session.id, at(20)), 2);
    assert_eq!(count(session.id, at(20) + TICK), 1);
    assert_eq!(count(session.id, at(30) + TICK), 0);
    assert_eq!(count(other.id, at(0)), 1);
}
