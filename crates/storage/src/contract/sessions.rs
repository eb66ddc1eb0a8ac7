//! Cases of the sessions in [`SessionRepository`](crate::SessionRepository).

use portcullis_kernel::{Instant, Origin, SessionId, StoreError, UniqueKey, UserId};
use portcullis_tokens::{RefreshRow, Session};
use time::Duration;

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_session_and_its_token_come_back_as_they_were_stored,
    a_session_of_nobody_is_refused,
    a_taken_session_id_or_digest_is_a_conflict_and_leaves_nothing,
    a_session_is_live_until_its_absolute_end,
    the_list_shows_a_users_live_sessions_newest_use_first,
    the_list_leaves_out_sessions_whose_last_token_has_expired,
    a_session_is_ended_once_and_by_its_owner_only,
    a_session_past_its_end_is_not_ended,
    all_sessions_but_one_are_ended,
    the_longest_unused_sessions_beyond_the_most_are_ended,
    of_many_endings_of_one_session_one_succeeds,
}

fn list(lab: &Lab<'_>, user: UserId, now: Instant) -> Vec<SessionId> {
    let sessions = lab.read(|uow| uow.sessions().list_live(user, now));
    sessions.into_iter().map(|session| session.id).collect()
}

fn find_live(lab: &Lab<'_>, id: SessionId, now: Instant) -> Option<Session> {
    lab.read(|uow| uow.sessions().find_live(id, now))
}

/// Every field, times to the microsecond.
pub fn a_session_and_its_token_come_back_as_they_were_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let agent = "🦀".repeat(256);
    let origin = Origin::new("r", "2001:db8::1".parse().unwrap(), Some(&agent));
    for origin in [Origin::local(), origin] {
        let now = at(0) + TICK * 123_457;
        let id = SessionId::generate(&lab.entropy).unwrap();
        let end = now + Duration::days(180) + TICK;
        let session = Session::begin(id, user, &origin, end, now);
        let first = RefreshRow {
            expires_at: at(1) - TICK,
            used_at: Some(at(2) + TICK),
            raced_at: Some(at(3) - TICK),
            ..lab.token(&session, 0, now)
        };
        lab.write(|uow| uow.sessions().insert(&session, &first));
        let state = lab.find_token(&first.digest).unwrap();
        assert_eq!(state.token, first);
        assert_eq!(state.session, session);
        assert_eq!(find_live(&lab, id, now), Some(session));
    }
    let (session, first) = lab.new_session(user, at(0));
    assert_eq!(lab.find_token(&first.digest), None);
    assert_eq!(find_live(&lab, session.id, at(0)), None);
}

/// Nothing is left of a user that another transaction has deleted.
pub fn a_session_of_nobody_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (session, first) = lab.new_session(lab.user_id(), at(0));
    assert!(storage.transact(|uow| uow.sessions().insert(&session, &first)).is_err());
    assert_eq!(find_live(&lab, session.id, at(0)), None);
    assert_eq!(lab.find_token(&first.digest), None);
}

/// `Conflict(Other)`.
pub fn a_taken_session_id_or_digest_is_a_conflict_and_leaves_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, first) = lab.session(user, at(0));
    let (other, other_first) = lab.new_session(user, at(0));
    let same_digest = RefreshRow { digest: first.digest, ..other_first.clone() };
    let same_id = RefreshRow { session: session.id, ..other_first.clone() };
    for (session, token) in [(&other, &same_digest), (&session, &same_id)] {
        let refused = storage.transact(|uow| uow.sessions().insert(session, token));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    assert_eq!(find_live(&lab, other.id, at(0)), None);
    assert_eq!(lab.find_token(&other_first.digest), None);
    assert_eq!(lab.find_token(&first.digest).map(|state| state.session), Some(session));
}

/// At that very time it no longer is.
pub fn a_session_is_live_until_its_absolute_end(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (mut session, mut first) = lab.new_session(user, at(0));
    session.expires_at = at(100);
    // Longer than the session: what is tested is the session's own end.
    first.expires_at = at(1000);
    lab.write(|uow| uow.sessions().insert(&session, &first));
    assert!(find_live(&lab, session.id, at(100) - TICK).is_some());
    assert_eq!(list(&lab, user, at(100) - TICK), [session.id]);
    assert_eq!(find_live(&lab, session.id, at(100)), None);
    assert!(list(&lab, user, at(100)).is_empty());
    assert!(lab.find_token(&first.digest).is_some(), "a token is found, its session live or not");
}

/// A rotation is a use.
pub fn the_list_shows_a_users_live_sessions_newest_use_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (a, a_token) = lab.session(user, at(0));
    let (b, _) = lab.session(user, at(2));
    let (c, _) = lab.session(user, at(1));
    let (d, _) = lab.session(user, at(3));
    let (foreign, _) = lab.session(other, at(4));
    assert_eq!(list(&lab, user, at(5)), [d.id, b.id, c.id, a.id]);
    lab.rotate(&a, &a_token, at(6));
    assert!(lab.statement(|uow| uow.sessions().end(b.id, user, at(7))));
    assert_eq!(list(&lab, user, at(8)), [a.id, d.id, c.id]);
    assert_eq!(list(&lab, other, at(8)), [foreign.id]);
    let listed = lab.read(|uow| uow.sessions().list_live(user, at(8)));
    assert_eq!(listed.first(), Some(&Session { generation: 1, last_used_at: at(6), ..a }));
}

/// At that very time they have; a spent token that lives longer does not help.
pub fn the_list_leaves_out_sessions_whose_last_token_has_expired(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, first) = lab.session(user, at(0));
    let successor = RefreshRow { expires_at: at(100), ..lab.token(&session, 1, at(1)) };
    assert!(lab.write(|uow| uow.sessions().rotate(&first.digest, &successor, at(1))));
    assert_eq!(list(&lab, user, at(100) - TICK), [session.id]);
    assert!(list(&lab, user, at(100)).is_empty());
    assert!(find_live(&lab, session.id, at(100)).is_some(), "the session itself lives on");
}

/// `end`; the time of it is kept.
pub fn a_session_is_ended_once_and_by_its_owner_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (session, first) = lab.session(user, at(0));
    let (sibling, _) = lab.session(user, at(0));
    let end = |by, now| lab.statement(|uow| uow.sessions().end(session.id, by, now));
    assert!(!end(other, at(1)));
    assert!(find_live(&lab, session.id, at(1)).is_some());
    assert!(end(user, at(2) + TICK));
    assert!(!end(user, at(3)));
    assert_eq!(find_live(&lab, session.id, at(3)), None);
    let ended = lab.find_token(&first.digest).map(|state| state.session.ended_at);
    assert_eq!(ended, Some(Some(at(2) + TICK)));
    assert_eq!(list(&lab, user, at(3)), [sibling.id]);
    let unknown = SessionId::generate(&lab.entropy).unwrap();
    assert!(!lab.statement(|uow| uow.sessions().end(unknown, user, at(3))));
}

/// By none of the calls that end sessions.
pub fn a_session_past_its_end_is_not_ended(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, first) = lab.session(user, at(0));
    let now = session.expires_at;
    assert!(!lab.statement(|uow| uow.sessions().end(session.id, user, now)));
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(user, None, now)), 0);
    assert_eq!(lab.statement(|uow| uow.sessions().end_beyond(user, 0, now)), 0);
    assert_eq!(lab.find_token(&first.digest).unwrap().session, session);
}

/// Or all; only the user's own.
pub fn all_sessions_but_one_are_ended(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let own: Vec<_> = (0..4).map(|second| lab.session(user, at(second)).0.id).collect();
    let (foreign, _) = lab.session(other, at(0));
    assert!(lab.statement(|uow| uow.sessions().end(own[0], user, at(5))));
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(user, Some(own[2]), at(6))), 2);
    assert_eq!(list(&lab, user, at(7)), [own[2]]);
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(user, Some(own[2]), at(8))), 0);
    // Somebody else's session keeps nothing.
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(user, Some(foreign.id), at(9))), 1);
    assert!(list(&lab, user, at(9)).is_empty());
    assert_eq!(list(&lab, other, at(9)), [foreign.id]);
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(other, None, at(9))), 1);
    assert!(list(&lab, other, at(9)).is_empty());
}

/// Use is a sign-in or a rotation; ended sessions do not count.
pub fn the_longest_unused_sessions_beyond_the_most_are_ended(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (first, token) = lab.session(user, at(0));
    let [second, third, fourth, ended] =
        [1, 2, 3, 4].map(|second| lab.session(user, at(second)).0.id);
    let (foreign, _) = lab.session(other, at(0));
    lab.rotate(&first, &token, at(5));
    assert!(lab.statement(|uow| uow.sessions().end(ended, user, at(6))));
    let end_beyond = |most| lab.statement(|uow| uow.sessions().end_beyond(user, most, at(7)));
    assert_eq!(end_beyond(4), 0);
    assert_eq!(list(&lab, user, at(7)), [first.id, fourth, third, second]);
    assert_eq!(end_beyond(2), 2);
    assert_eq!(list(&lab, user, at(7)), [first.id, fourth]);
    assert_eq!(end_beyond(2), 0);
    assert_eq!(end_beyond(0), 2);
    assert!(list(&lab, user, at(7)).is_empty());
    assert_eq!(list(&lab, other, at(7)), [foreign.id]);
}

/// And the others are told so.
pub fn of_many_endings_of_one_session_one_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (session, _) = lab.session(user, at(0));
    let ended = in_parallel(|_| lab.statement(|uow| uow.sessions().end(session.id, user, at(1))));
    assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
}
