//! Cases of [`OutboxRepository`](crate::OutboxRepository).

use portcullis_credentials::MailedKind;
use portcullis_email::OutboxEntry;
use portcullis_kernel::{
    EmailChangeId, Instant, InvitationId, MailId, RecoveryId, StoreError, TokenDigest, UniqueKey,
};

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt, TxMode};

case_list! {
    a_mail_comes_back_as_it_was_stored,
    a_mail_about_nothing_that_is_there_is_refused,
    a_taken_id_of_a_mail_is_a_conflict,
    mails_are_claimed_in_the_order_in_which_they_are_due,
    a_claimed_mail_is_due_again_at_the_time_set,
    mails_sealed_by_another_master_key_are_not_claimed,
    of_many_claims_as_statements_each_mail_goes_to_one,
    of_many_claims_in_transactions_each_mail_goes_to_one,
    a_claim_that_is_rolled_back_never_was,
    who_claimed_a_mail_last_may_postpone_or_remove_it,
    mails_of_one_master_key_are_listed,
    a_mail_is_resealed_only_from_the_master_key_that_sealed_it,
    of_parallel_changes_to_locked_mails_none_is_lost,
    a_mail_goes_with_what_it_is_about,
}

fn claim(lab: &Lab<'_>, now: Instant, until: Instant) -> Option<OutboxEntry> {
    lab.statement(|uow| uow.outbox().claim(&lab.sealed_by, now, until))
}

fn is_due(lab: &Lab<'_>, now: Instant) -> bool {
    lab.read(|uow| uow.outbox().is_due(&lab.sealed_by, now))
}

/// Every field, times to the microsecond, any bytes in what is sealed.
pub fn a_mail_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let full = OutboxEntry {
        kind: "verify_email".into(),
        user: Some(user),
        token: Some(lab.mailed_token(user, MailedKind::VerifyEmail).digest),
        change: Some(lab.email_change(user).id),
        invitation: Some(lab.invitation().id),
        agent: Some(lab.agent().id),
        agent_token: Some(lab.agent_token(lab.agent().id).digest),
        recovery: Some(lab.recovery().id),
        sealed: (0..=255).cycle().take(5000).collect(),
        created_at: at(0) + TICK,
        due_at: at(1) - TICK,
        expires_at: at(60) + TICK,
        attempts: 7,
        ..lab.new_mail()
    };
    for mail in [full, lab.new_mail()] {
        let mail = lab.queue(mail);
        assert_eq!(lab.find_mail(mail.id), Some(mail));
    }
}

/// Whichever of seven it is.
pub fn a_mail_about_nothing_that_is_there_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let new = || lab.new_mail();
    for mail in [
        OutboxEntry { user: Some(lab.user_id()), ..new() },
        OutboxEntry { token: Some(TokenDigest::of(&lab.tag())), ..new() },
        OutboxEntry { change: Some(EmailChangeId::generate(&lab.entropy).unwrap()), ..new() },
        OutboxEntry { invitation: Some(InvitationId::generate(&lab.entropy).unwrap()), ..new() },
        OutboxEntry { agent: Some(lab.agent_id()), ..new() },
        OutboxEntry { agent_token: Some(TokenDigest::of(&lab.tag())), ..new() },
        OutboxEntry { recovery: Some(RecoveryId::generate(&lab.entropy).unwrap()), ..new() },
    ] {
        assert!(storage.transact(|uow| uow.outbox().insert(&mail)).is_err());
        assert_eq!(lab.find_mail(mail.id), None);
    }
}

/// `Conflict(Other)`.
pub fn a_taken_id_of_a_mail_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let mail = lab.queue(lab.new_mail());
    let rival = OutboxEntry { id: mail.id, ..lab.new_mail() };
    let refused = storage.transact(|uow| uow.outbox().insert(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(lab.find_mail(mail.id), Some(mail));
}

/// Whenever they were made; those that are not due yet are left.
pub fn mails_are_claimed_in_the_order_in_which_they_are_due(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    assert_eq!(claim(&lab, at(9), at(99)), None);
    let due = |seconds: i64, ticks: i32| {
        let (created_at, due_at) = (at(-seconds), at(seconds) + TICK * ticks);
        lab.queue(OutboxEntry { created_at, due_at, ..lab.new_mail() })
    };
    let [third, first, late, second] = [due(5, 1), due(4, 0), due(6, 1), due(5, 0)];
    for mail in [first, second, third] {
        let claimed = OutboxEntry { due_at: at(99), attempts: 1, ..mail };
        assert_eq!(claim(&lab, at(6), at(99)), Some(claimed));
    }
    assert_eq!(claim(&lab, at(6), at(99)), None);
    assert_eq!(claim(&lab, at(6) + TICK, at(99)).map(|mail| mail.id), Some(late.id));
}

/// At that very time, and taken once more; the answer and the row are one.
pub fn a_claimed_mail_is_due_again_at_the_time_set(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    assert!(!is_due(&lab, at(99)));
    let mut mail = lab.queue(lab.new_mail());
    for (attempts, now, until) in [(1, at(0), at(30)), (2, at(30), at(60) + TICK)] {
        assert!(!is_due(&lab, now - TICK));
        assert_eq!(claim(&lab, now - TICK, until), None);
        assert!(is_due(&lab, now));
        (mail.due_at, mail.attempts) = (until, attempts);
        assert_eq!(claim(&lab, now, until).as_ref(), Some(&mail));
        assert!(!is_due(&lab, until - TICK));
        assert_eq!(lab.find_mail(mail.id).as_ref(), Some(&mail));
    }
}

/// Nor are they due for who has not that key.
pub fn mails_sealed_by_another_master_key_are_not_claimed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let other = OutboxEntry { sealed_by: lab.tag(), ..lab.new_mail() };
    let other = lab.queue(other);
    assert!(!is_due(&lab, at(1)));
    assert_eq!(claim(&lab, at(1), at(99)), None);
    assert!(lab.read(|uow| uow.outbox().is_due(&other.sealed_by, at(1))));
    let claimed = lab.statement(|uow| uow.outbox().claim(&other.sealed_by, at(1), at(99)));
    assert_eq!(claimed.map(|mail| mail.id), Some(other.id));
}

/// And none is left over.
pub fn of_many_claims_as_statements_each_mail_goes_to_one(storage: &dyn Storage) {
    each_goes_to_one(storage, |lab| claim(lab, at(1), at(99)));
}

/// And none is left over.
pub fn of_many_claims_in_transactions_each_mail_goes_to_one(storage: &dyn Storage) {
    each_goes_to_one(storage, |lab| {
        lab.write(|uow| uow.outbox().claim(&lab.sealed_by, at(1), at(99)))
    });
}

fn each_goes_to_one(storage: &dyn Storage, claim: impl Fn(&Lab<'_>) -> Option<OutboxEntry> + Sync) {
    let lab = Lab::new(storage);
    let mut queued: Vec<_> = (0..THREADS * 3).map(|_| lab.queue(lab.new_mail()).id).collect();
    let claimed = in_parallel(|_| {
        let mut own = Vec::new();
        while let Some(mail) = claim(&lab) {
            assert_eq!(mail.attempts, 1);
            own.push(mail.id);
        }
        own
    });
    let mut claimed: Vec<_> = claimed.into_iter().flatten().collect();
    claimed.sort_unstable();
    queued.sort_unstable();
    assert_eq!(claimed, queued);
}

/// It is due as it was.
pub fn a_claim_that_is_rolled_back_never_was(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let mail = lab.queue(lab.new_mail());
    let mut unit = storage.begin(TxMode::Write).unwrap();
    let claimed = unit.outbox().claim(&lab.sealed_by, at(1), at(99)).unwrap();
    assert_eq!(claimed.map(|mail| mail.id), Some(mail.id));
    drop(unit);
    assert_eq!(lab.find_mail(mail.id), Some(mail));
}

/// And nobody else; nor can what is gone be postponed or removed.
pub fn who_claimed_a_mail_last_may_postpone_or_remove_it(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mail, other) = (lab.queue(lab.new_mail()), lab.new_mail());
    let other = lab.queue(OutboxEntry { due_at: at(999), ..other });
    let postpone = |id: MailId, attempt, due_at| {
        lab.statement(|uow| uow.outbox().postpone(id, attempt, due_at))
    };
    let remove = |id: MailId, attempt| lab.statement(|uow| uow.outbox().remove(id, attempt));
    let first = claim(&lab, at(0), at(10)).unwrap().attempts;
    let second = claim(&lab, at(10), at(20)).unwrap();
    assert!(!postpone(mail.id, first, at(11)));
    assert!(!remove(mail.id, first));
    assert_eq!(lab.find_mail(mail.id).as_ref(), Some(&second));
    assert!(postpone(mail.id, second.attempts, at(12) + TICK));
    let postponed = OutboxEntry { due_at: at(12) + TICK, ..second };
    assert_eq!(lab.find_mail(mail.id).as_ref(), Some(&postponed));
    let third = claim(&lab, at(13), at(30)).unwrap().attempts;
    assert!(!remove(mail.id, postponed.attempts));
    assert_eq!([remove(mail.id, third), remove(mail.id, third)], [true, false]);
    assert!(!postpone(mail.id, third, at(40)));
    assert_eq!(lab.find_mail(mail.id), None);
    assert_eq!(lab.find_mail(other.id), Some(other));
}

/// Due or not, taken or not; those of another key are not.
pub fn mails_of_one_master_key_are_listed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let taken = OutboxEntry { attempts: 3, ..lab.new_mail() };
    let later = OutboxEntry { due_at: at(999), ..lab.new_mail() };
    let mut own = [lab.new_mail(), taken, later].map(|mail| lab.queue(mail));
    lab.queue(OutboxEntry { sealed_by: lab.tag(), ..lab.new_mail() });
    let mut listed = lab.write(|uow| uow.outbox().lock_sealed_by(&lab.sealed_by));
    own.sort_by_key(|mail| mail.id);
    listed.sort_by_key(|mail| mail.id);
    assert_eq!(listed, own);
    assert_eq!(lab.write(|uow| uow.outbox().lock_sealed_by(&lab.tag())), []);
}

/// So that two re-sealings at once do not mix; nothing else of it changes.
pub fn a_mail_is_resealed_only_from_the_master_key_that_sealed_it(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mut mail, other) = (lab.queue(lab.new_mail()), lab.queue(lab.new_mail()));
    let (before, now) = (lab.tag(), lab.sealed_by.clone());
    let reseal = |id, from: &str, sealed: &[u8], to: &str| {
        lab.statement(|uow| uow.outbox().reseal(id, from, sealed, to))
    };
    assert!(!reseal(mail.id, &before, b"wrong", &now));
    assert_eq!(lab.find_mail(mail.id).as_ref(), Some(&mail));
    assert!(reseal(mail.id, &now, b"away", &before));
    assert_eq!(lab.find_mail(mail.id), None);
    assert!(reseal(mail.id, &before, b"right\0\xff", &now));
    assert!(!reseal(mail.id, &before, b"late", &now));
    mail.sealed = b"right\0\xff".into();
    assert_eq!(lab.find_mail(mail.id), Some(mail));
    assert_eq!(lab.find_mail(other.id), Some(other));
    let unknown = MailId::generate(&lab.entropy).unwrap();
    assert!(!reseal(unknown, &now, b"x", &before));
}

/// Whoever locks the mails sees what the one before has written.
pub fn of_parallel_changes_to_locked_mails_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let mails: Vec<_> = (0..3).map(|_| lab.new_mail()).collect();
    for mail in &mails {
        lab.queue(OutboxEntry { sealed: vec![0], ..mail.clone() });
    }
    let key = lab.sealed_by.as_str();
    in_parallel(|_| {
        lab.write(|uow| {
            for mail in uow.outbox().lock_sealed_by(key)? {
                assert!(uow.outbox().reseal(mail.id, key, &[mail.sealed[0] + 1], key)?);
            }
            Ok(())
        });
    });
    let changes = u8::try_from(THREADS).unwrap();
    for mail in mails {
        assert_eq!(lab.find_mail(mail.id).unwrap().sealed, [changes]);
    }
}

/// Of seven things whichever goes first, or is used or closed, claimed or not; what is about nothing
/// stays.
pub fn a_mail_goes_with_what_it_is_about(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let kept = lab.queue(OutboxEntry { due_at: at(9), ..lab.new_mail() });
    for gone in 0..9 {
        let user = lab.user().id;
        // Not of that user, so that each goes alone.
        let other = lab.user().id;
        let token = lab.mailed_token(other, MailedKind::ResetPassword);
        let change = lab.email_change(other);
        let invitation = lab.invitation();
        let agent = lab.agent().id;
        let agent_token = lab.agent_token(lab.agent().id);
        let recovery = lab.recovery();
        let mail = lab.queue(OutboxEntry {
            user: Some(user),
            token: Some(token.digest),
            change: Some(change.id),
            invitation: Some(invitation.id),
            agent: Some(agent),
            agent_token: Some(agent_token.digest),
            recovery: Some(recovery.id),
            ..lab.new_mail()
        });
        let attempt = claim(&lab, at(1), at(99)).unwrap().attempts;
        assert_eq!(lab.waiting([&mail]), [true]);
        assert!(lab.statement(|uow| match gone {
            0 => uow.users().delete(user),
            1 => uow.mailed_tokens().spend(token.kind, &token.digest, at(1)),
            2 => uow.email_changes().remove(other),
            3 => uow.invitations().remove(invitation.id),
            4 => uow.agents().delete(agent),
            5 => uow.agents().delete(agent_token.agent),
            6 => uow.agent_tokens().spend(&agent_token.digest, at(1)),
            7 => uow.agent_tokens().put(&lab.new_agent_token(agent_token.agent)).map(|()| true),
            _ => uow.recoveries().open(&lab.new_recovery(&recovery.email)).map(|()| true),
        }));
        assert_eq!(lab.waiting([&mail, &kept]), [false, true], "{gone}");
        assert!(!lab.statement(|uow| uow.outbox().postpone(mail.id, attempt, at(1))));
        assert!(!lab.statement(|uow| uow.outbox().remove(mail.id, attempt)));
    }
}
