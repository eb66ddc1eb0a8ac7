//! Cases of the calls that remove what is old, a bounded number of rows at a time.

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{MailedKind, MailedToken};
use portcullis_email::OutboxEntry;
use portcullis_identity::{EmailChange, Invitation};
use portcullis_kernel::{Instant, Origin, StoreResult};
use portcullis_limits::{BucketKey, Policy};
use portcullis_tokens::SigningKey;
use time::Duration;

use super::{
    case_list,
    lab::{Lab, TICK, at, long_ago},
};
use crate::{Storage, UnitOfWork};

case_list! {
    known_addresses_not_seen_for_long_are_removed,
    old_audit_events_are_removed,
    keys_long_removed_are_deleted,
    buckets_without_hits_in_the_window_are_removed,
    expired_tokens_are_removed_and_their_live_session_is_not,
    sessions_that_ended_or_cannot_go_on_are_removed,
    dead_sessions_are_removed_a_few_at_a_time,
    ended_sessions_are_removed_a_few_at_a_time,
    a_removed_session_takes_its_change_of_address_along,
    expired_mailed_tokens_are_removed_with_their_mails,
    expired_changes_are_removed_with_their_mails,
    expired_invitations_are_removed_with_their_mails,
    expired_mails_are_removed,
}

pub(super) type Sweep = fn(&mut dyn UnitOfWork, Instant, u32) -> StoreResult<u64>;

/// Removes what cases left before, so that rows can be counted.
pub(super) fn clear(lab: &Lab<'_>, sweep: Sweep) {
    let after_all = long_ago(0) + Duration::days(1000);
    while lab.write(|uow| sweep(uow, after_all, 1000)) > 0 {}
}

/// `KnownAddressRepository::delete_before`.
pub fn known_addresses_not_seen_for_long_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, before, limit| uow.known_addresses().delete_before(before, limit);
    clear(&lab, sweep);
    let user = lab.user().id;
    for (address, second) in [("a", -9), ("b", -9), ("c", -9), ("kept", -9), ("edge", 0)] {
        lab.statement(|uow| uow.known_addresses().touch(user, address, long_ago(second)));
    }
    lab.statement(|uow| uow.known_addresses().touch(user, "kept", long_ago(0)));
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    for (address, known) in
        [("a", false), ("b", false), ("c", false), ("kept", true), ("edge", true)]
    {
        let is_known = lab.read(|uow| uow.known_addresses().is_known(user, address, long_ago(-9)));
        assert_eq!(is_known, known, "{address}");
    }
}

/// `AuditRepository::delete_before`.
pub fn old_audit_events_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, before, limit| uow.audit().delete_before(before, limit);
    clear(&lab, sweep);
    let user = lab.user_id();
    let event = |now| {
        let (action, actor) = (Action::SignedIn, Actor::User(user));
        AuditEvent::new(action, actor, &Origin::local(), now, &lab.entropy).unwrap()
    };
    let kept = [event(long_ago(1)), event(long_ago(0))];
    let old = [event(long_ago(0) - TICK), event(long_ago(-1)), event(long_ago(-2))];
    for event in kept.iter().chain(&old) {
        lab.statement(|uow| uow.audit().append(event));
    }
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    assert_eq!(lab.read(|uow| uow.audit().list_for(user, 10)), kept);
}

/// `SigningKeyRepository::delete_removed`.
pub fn keys_long_removed_are_deleted(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, |uow, before, _| uow.signing_keys().delete_removed(before));
    let key = |retired_at, removed_at| {
        let key = SigningKey { retired_at, removed_at, ..lab.new_key() };
        lab.write(|uow| uow.signing_keys().insert(&key));
        key.kid
    };
    let old = Some(long_ago(-9));
    let removed = [key(old, old), key(old, Some(long_ago(0) - TICK))];
    let kept = [key(None, None), key(old, None), key(old, Some(long_ago(0)))];
    let delete = || lab.statement(|uow| uow.signing_keys().delete_removed(long_ago(0)));
    assert_eq!([delete(), delete()], [2, 0]);
    assert!(removed.iter().all(|kid| lab.find_key(kid).is_none()));
    assert!(kept.iter().all(|kid| lab.find_key(kid).is_some()));
}

/// `RateLimitRepository::delete_empty`; clocks of two instances may differ.
pub fn buckets_without_hits_in_the_window_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, now, limit| uow.rate_limits().delete_empty(now, limit);
    clear(&lab, sweep);
    let minute = Policy::new("contract", 5, Duration::MINUTE);
    let hour = Policy::new("contract", 5, Duration::HOUR);
    let bucket = |policy: &Policy, seconds: &[i64]| {
        let key = BucketKey::principal(policy, lab.tag());
        for second in seconds {
            let at = long_ago(*second);
            let charged = lab.statement(|uow| uow.rate_limits().charge(&key, policy, 1, at, at));
            assert!(charged.is_some());
        }
        key
    };
    let empty = [bucket(&minute, &[-60]), bucket(&minute, &[-90, -61]), bucket(&hour, &[-3600])];
    let kept = [bucket(&minute, &[-59]), bucket(&minute, &[-1, -90]), bucket(&hour, &[-61])];
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    let find = |key| lab.read(|uow| uow.rate_limits().find(key));
    assert!(empty.iter().all(|key| find(key).is_none()));
    assert!(kept.iter().all(|key| find(key).is_some()));
}

const SWEEP_DEAD: Sweep = |uow, now, limit| uow.sessions().delete_dead(now, limit);

/// At its end a token is still there, a moment later it is not.
pub fn expired_tokens_are_removed_and_their_live_session_is_not(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, SWEEP_DEAD);
    let (session, first) = lab.session(lab.user().id, long_ago(0));
    let second = lab.rotate(&session, &first, long_ago(0) + Duration::DAY);
    let sweep = |now| lab.write(|uow| SWEEP_DEAD(uow, now, 10));
    assert_eq!(sweep(first.expires_at), 0);
    assert!(lab.find_token(&first.digest).is_some());
    assert_eq!(sweep(first.expires_at + TICK), 1);
    assert_eq!(lab.find_token(&first.digest), None);
    let state = lab.find_token(&second.digest).unwrap();
    assert_eq!((state.token, state.session.generation), (second, 1));
}

/// Ended, at the absolute end, or without a token left; and their tokens with them.
pub fn sessions_that_ended_or_cannot_go_on_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, SWEEP_DEAD);
    let user = lab.user().id;
    let now = long_ago(0);
    let (ended, ended_token) = lab.session(user, now - Duration::DAY);
    assert!(lab.statement(|uow| uow.sessions().end(ended.id, user, now - Duration::HOUR)));
    let (mut over, over_token) = lab.new_session(user, now - Duration::DAY);
    over.expires_at = now;
    lab.write(|uow| uow.sessions().insert(&over, &over_token));
    let (unused, unused_token) = lab.session(user, now - Duration::days(30) - TICK);
    let (live, live_token) = lab.session(user, now - Duration::days(29));
    while lab.write(|uow| SWEEP_DEAD(uow, now, 10)) > 0 {}
    // Asked at its beginning, when each was live but for having ended.
    let find = |id, at| lab.read(|uow| uow.sessions().find_live(id, at));
    assert_eq!(find(over.id, over.created_at), None);
    assert_eq!(find(unused.id, unused.created_at), None);
    for token in [&ended_token, &over_token, &unused_token] {
        assert_eq!(lab.find_token(&token.digest), None);
    }
    // Nothing of the ended session is in the way of the same one.
    lab.write(|uow| uow.sessions().insert(&ended, &ended_token));
    let state = lab.find_token(&live_token.digest).unwrap();
    assert_eq!((state.token, state.session), (live_token, live));
}

/// Until none is left.
pub fn dead_sessions_are_removed_a_few_at_a_time(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, SWEEP_DEAD);
    let user = lab.user().id;
    let now = long_ago(0);
    let dead: Vec<_> = (0..5).map(|_| lab.session(user, now - Duration::days(31))).collect();
    let count = || {
        let sessions = dead.iter().filter(|(session, _)| {
            lab.read(|uow| uow.sessions().find_live(session.id, now)).is_some()
        });
        let tokens = dead.iter().filter(|(_, token)| lab.find_token(&token.digest).is_some());
        (sessions.count(), tokens.count())
    };
    assert!((1..=4).contains(&lab.write(|uow| SWEEP_DEAD(uow, now, 2))));
    let (sessions, tokens) = count();
    assert!(sessions >= 3, "{sessions} of 5 sessions are left after a limit of 2");
    assert_eq!(tokens, 3);
    while lab.write(|uow| SWEEP_DEAD(uow, now, 2)) > 0 {}
    assert_eq!(count(), (0, 0));
}

/// Also when their tokens have not expired.
pub fn ended_sessions_are_removed_a_few_at_a_time(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, SWEEP_DEAD);
    let user = lab.user().id;
    let ended: Vec<_> = (0..5).map(|_| lab.session(user, long_ago(-1))).collect();
    assert_eq!(lab.statement(|uow| uow.sessions().end_all(user, None, long_ago(0))), 5);
    let left = || ended.iter().filter(|(_, token)| lab.find_token(&token.digest).is_some()).count();
    for expected in [3, 1, 0, 0] {
        lab.write(|uow| SWEEP_DEAD(uow, long_ago(0), 2));
        assert_eq!(left(), expected);
    }
}

/// With the mail of that; the change of another session stays.
pub fn a_removed_session_takes_its_change_of_address_along(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    clear(&lab, SWEEP_DEAD);
    let [gone, kept] = [-31, -1].map(|days| {
        let user = lab.user().id;
        let session = lab.session(user, long_ago(0) + Duration::days(days)).0.id;
        let change = lab.new_email_change(user, session);
        lab.write(|uow| uow.email_changes().put(&change));
        let mail = lab.queue(OutboxEntry { change: Some(change.id), ..lab.new_mail() });
        (change, mail)
    });
    while lab.write(|uow| SWEEP_DEAD(uow, long_ago(0), 10)) > 0 {}
    let find = |change: &EmailChange| lab.read(|uow| uow.email_changes().find(change.id, at(0)));
    assert_eq!(find(&gone.0), None);
    assert_eq!(find(&kept.0).as_ref(), Some(&kept.0));
    assert_eq!(lab.waiting([&gone.1, &kept.1]), [false, true]);
}

/// When the rows of a sweep expire: three that are dead, the last of them just now, and one that
/// is not.
const ENDS: [(i64, Duration); 4] =
    [(-9, Duration::ZERO), (-5, Duration::ZERO), (0, Duration::ZERO), (0, TICK)];

/// Removes two rows at a time, of those that `make` makes; each has a mail.
pub(super) fn sweeps_what_expired(
    storage: &dyn Storage,
    sweep: Sweep,
    make: impl Fn(&Lab<'_>, Instant) -> OutboxEntry,
) {
    let lab = Lab::alone(storage);
    clear(&lab, sweep);
    let mails = ENDS.map(|(second, more)| lab.queue(make(&lab, long_ago(second) + more)));
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    assert_eq!(lab.waiting(mails.each_ref()), [false, false, false, true]);
}

/// `MailedTokenRepository::delete_expired`; at its end a token is dead.
pub fn expired_mailed_tokens_are_removed_with_their_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.mailed_tokens().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let token = lab.new_mailed_token(lab.user().id, MailedKind::VerifyEmail);
        let token = MailedToken { expires_at, ..token };
        lab.write(|uow| uow.mailed_tokens().put(&token));
        OutboxEntry { token: Some(token.digest), ..lab.new_mail() }
    });
}

/// `EmailChangeRepository::delete_expired`; at its end a change is dead.
pub fn expired_changes_are_removed_with_their_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.email_changes().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let user = lab.user().id;
        let change = lab.new_email_change(user, lab.session(user, at(0)).0.id);
        let change = EmailChange { expires_at, ..change };
        lab.write(|uow| uow.email_changes().put(&change));
        OutboxEntry { change: Some(change.id), ..lab.new_mail() }
    });
}

/// `InvitationRepository::delete_expired`; at its end an invitation is dead.
pub fn expired_invitations_are_removed_with_their_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.invitations().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let invitation = Invitation { expires_at, ..lab.new_invitation() };
        lab.write(|uow| uow.invitations().insert(&invitation));
        OutboxEntry { invitation: Some(invitation.id), ..lab.new_mail() }
    });
}

/// `OutboxRepository::delete_expired`; due or not, whichever master key sealed them.
pub fn expired_mails_are_removed(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.outbox().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| OutboxEntry {
        expires_at,
        ..lab.new_mail()
    });
}
