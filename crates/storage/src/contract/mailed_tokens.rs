//! Cases of [`MailedTokenRepository`](crate::MailedTokenRepository).

use portcullis_credentials::{MailedKind, MailedToken};
use portcullis_email::OutboxEntry;
use portcullis_kernel::{Instant, StoreError, TokenDigest, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_mailed_token_comes_back_as_it_was_stored,
    a_token_of_one_kind_is_none_of_another,
    a_mailed_token_is_dead_from_its_end_on,
    a_new_token_takes_the_place_of_the_older_one_of_its_kind,
    of_many_callers_one_spends_a_token,
    of_many_transactions_one_spends_a_token,
    a_spent_token_takes_its_mail_along,
    tokens_of_one_kind_are_removed_with_their_mails,
    a_mailed_token_of_nobody_is_refused,
    a_taken_digest_of_a_mailed_token_is_a_conflict,
    of_many_tokens_put_under_the_users_lock_the_last_is_left,
    of_many_tokens_put_at_once_one_is_left,
}

use MailedKind::{DeleteAccount, ResetPassword, VerifyEmail};

fn find(lab: &Lab<'_>, token: &MailedToken, now: Instant) -> Option<MailedToken> {
    lab.read(|uow| uow.mailed_tokens().find(token.kind, &token.digest, now))
}

/// The token and a mail that carries it.
fn mailed(lab: &Lab<'_>, token: MailedToken) -> (MailedToken, OutboxEntry) {
    lab.write(|uow| uow.mailed_tokens().put(&token));
    let mail = lab.queue(OutboxEntry { token: Some(token.digest), ..lab.new_mail() });
    (token, mail)
}

/// Every field, times to the microsecond.
pub fn a_mailed_token_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    for kind in MailedKind::ALL {
        let token = MailedToken {
            email: format!("ünï+{}@example.com", lab.tag()),
            created_at: at(0) + TICK,
            expires_at: at(60) - TICK,
            ..lab.new_mailed_token(user, kind)
        };
        assert_eq!(find(&lab, &token, at(1)), None);
        lab.write(|uow| uow.mailed_tokens().put(&token));
        assert_eq!(find(&lab, &token, at(1)), Some(token));
    }
}

/// It is neither found nor spent as such.
pub fn a_token_of_one_kind_is_none_of_another(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = lab.mailed_token(lab.user().id, VerifyEmail);
    for kind in [ResetPassword, DeleteAccount] {
        let digest = &token.digest;
        assert_eq!(lab.read(|uow| uow.mailed_tokens().find(kind, digest, at(1))), None);
        assert!(!lab.statement(|uow| uow.mailed_tokens().spend(kind, digest, at(1))));
    }
    assert_eq!(find(&lab, &token, at(1)), Some(token));
}

/// At that very time it is neither found nor spent.
pub fn a_mailed_token_is_dead_from_its_end_on(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = lab.mailed_token(lab.user().id, ResetPassword);
    let end = token.expires_at;
    let spend =
        |now| lab.statement(|uow| uow.mailed_tokens().spend(token.kind, &token.digest, now));
    assert_eq!(find(&lab, &token, end), None);
    assert!(!spend(end));
    assert_eq!(find(&lab, &token, end - TICK).as_ref(), Some(&token));
    assert!(spend(end - TICK));
}

/// With the mail of that one; neither another kind nor another user is touched.
pub fn a_new_token_takes_the_place_of_the_older_one_of_its_kind(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (old, old_mail) = mailed(&lab, lab.new_mailed_token(user, ResetPassword));
    let (kept, kept_mail) = mailed(&lab, lab.new_mailed_token(user, VerifyEmail));
    let (foreign, foreign_mail) = mailed(&lab, lab.new_mailed_token(other, ResetPassword));
    // Also one that has expired.
    let expired = MailedToken { expires_at: at(1), ..lab.new_mailed_token(user, ResetPassword) };
    let (expired, expired_mail) = mailed(&lab, expired);
    let (new, new_mail) = mailed(&lab, lab.new_mailed_token(user, ResetPassword));
    for (token, found) in
        [(old, false), (expired, false), (new, true), (kept, true), (foreign, true)]
    {
        assert_eq!(find(&lab, &token, at(0)).is_some(), found);
    }
    let mails = [&old_mail, &expired_mail, &new_mail, &kept_mail, &foreign_mail];
    assert_eq!(lab.waiting(mails), [false, false, true, true, true]);
}

/// Each as a statement of its own.
pub fn of_many_callers_one_spends_a_token(storage: &dyn Storage) {
    one_spends(storage, |lab, token| {
        lab.statement(|uow| uow.mailed_tokens().spend(token.kind, &token.digest, at(1)))
    });
}

/// Each in a transaction.
pub fn of_many_transactions_one_spends_a_token(storage: &dyn Storage) {
    one_spends(storage, |lab, token| {
        lab.write(|uow| uow.mailed_tokens().spend(token.kind, &token.digest, at(1)))
    });
}

fn one_spends(storage: &dyn Storage, spend: impl Fn(&Lab<'_>, &MailedToken) -> bool + Sync) {
    let lab = Lab::new(storage);
    let token = lab.mailed_token(lab.user().id, VerifyEmail);
    let done = in_parallel(|_| spend(&lab, &token));
    assert_eq!(done.into_iter().filter(|done| *done).count(), 1);
    assert!(!spend(&lab, &token));
    assert_eq!(find(&lab, &token, at(1)), None);
}

/// And no other mail of the user.
pub fn a_spent_token_takes_its_mail_along(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let (token, mail) = mailed(&lab, lab.new_mailed_token(user, VerifyEmail));
    let (_, other_mail) = mailed(&lab, lab.new_mailed_token(user, ResetPassword));
    let notice = lab.queue(OutboxEntry { user: Some(user), ..lab.new_mail() });
    let spend = |digest: &TokenDigest| {
        lab.statement(|uow| uow.mailed_tokens().spend(VerifyEmail, digest, at(1)))
    };
    assert!(!spend(&TokenDigest::of(&lab.tag())));
    assert_eq!(lab.waiting([&mail, &other_mail, &notice]), [true; 3]);
    assert!(spend(&token.digest));
    assert_eq!(lab.waiting([&mail, &other_mail, &notice]), [false, true, true]);
}

/// `remove`; neither another kind nor another user is touched.
pub fn tokens_of_one_kind_are_removed_with_their_mails(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (gone, mail) = mailed(&lab, lab.new_mailed_token(user, ResetPassword));
    let (kept, kept_mail) = mailed(&lab, lab.new_mailed_token(user, DeleteAccount));
    let (foreign, foreign_mail) = mailed(&lab, lab.new_mailed_token(other, ResetPassword));
    let remove = || lab.statement(|uow| uow.mailed_tokens().remove(user, ResetPassword));
    assert_eq!([remove(), remove()], [1, 0]);
    for (token, found) in [(gone, false), (kept, true), (foreign, true)] {
        assert_eq!(find(&lab, &token, at(0)).is_some(), found);
    }
    assert_eq!(lab.waiting([&mail, &kept_mail, &foreign_mail]), [false, true, true]);
}

/// Nothing is left of a user that another transaction has deleted.
pub fn a_mailed_token_of_nobody_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = lab.new_mailed_token(lab.user_id(), VerifyEmail);
    assert!(storage.transact(|uow| uow.mailed_tokens().put(&token)).is_err());
    assert_eq!(find(&lab, &token, at(0)), None);
}

/// `Conflict(Other)`, and both users' tokens stay as they were.
pub fn a_taken_digest_of_a_mailed_token_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let (old, taken) = (lab.mailed_token(user, VerifyEmail), lab.mailed_token(other, VerifyEmail));
    let new = MailedToken { digest: taken.digest, ..lab.new_mailed_token(user, VerifyEmail) };
    let refused = storage.transact(|uow| uow.mailed_tokens().put(&new));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    for token in [old, taken] {
        assert_eq!(find(&lab, &token, at(0)), Some(token));
    }
}

/// As flows put them; with its mail.
pub fn of_many_tokens_put_under_the_users_lock_the_last_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let put = in_parallel(|_| {
        let token = lab.new_mailed_token(user, ResetPassword);
        let mail = OutboxEntry { token: Some(token.digest), ..lab.new_mail() };
        lab.write(|uow| {
            uow.users().lock(user)?;
            uow.mailed_tokens().put(&token)?;
            uow.outbox().insert(&mail)
        });
        (token, mail)
    });
    let is_left = |token: &MailedToken| find(&lab, token, at(0)).is_some();
    assert_eq!(put.iter().filter(|(token, _)| is_left(token)).count(), 1);
    assert!(put.iter().all(|(token, mail)| lab.waiting([mail]) == [is_left(token)]));
}

/// Without that lock some may be in the way of others; no more than that.
pub fn of_many_tokens_put_at_once_one_is_left(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let put = in_parallel(|_| {
        let token = lab.new_mailed_token(user, ResetPassword);
        let put = storage.transact(|uow| uow.mailed_tokens().put(&token));
        assert!(matches!(put, Ok(()) | Err(StoreError::Contention(_))), "{put:?}");
        token
    });
    assert_eq!(put.iter().filter(|token| find(&lab, token, at(0)).is_some()).count(), 1);
}
