//! Cases of [`InvitationRepository`](crate::InvitationRepository).

use portcullis_email::OutboxEntry;
use portcullis_identity::Invitation;
use portcullis_kernel::{
    Cursor, Instant, InvitationId, PageRequest, StoreError, TokenDigest, UniqueKey,
};

use super::{
    case_list,
    lab::{Lab, TICK, at, email, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    an_invitation_comes_back_as_it_was_stored,
    an_invitation_is_dead_from_its_end_on,
    of_many_callers_one_spends_an_invitation,
    of_many_transactions_one_spends_an_invitation,
    a_spent_invitation_takes_its_mail_along,
    a_withdrawn_invitation_takes_its_mail_along,
    the_invitations_for_an_address_are_withdrawn_together,
    pages_of_invitations_follow_the_order_of_ids,
    a_page_goes_on_after_an_invitation_that_is_gone,
    a_taken_id_or_digest_of_an_invitation_is_a_conflict,
}

fn find(lab: &Lab<'_>, invitation: &Invitation, now: Instant) -> Option<Invitation> {
    lab.read(|uow| uow.invitations().find(&invitation.digest, now))
}

/// A mail that carries the invitation.
fn mail(lab: &Lab<'_>, invitation: &Invitation) -> OutboxEntry {
    lab.queue(OutboxEntry { invitation: Some(invitation.id), ..lab.new_mail() })
}

/// Every field, times to the microsecond, the address in both its forms or none.
pub fn an_invitation_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = email(&format!("Jane.{}@EXAMPLE.com", lab.tag()));
    for email in [None, Some(address)] {
        let invitation = Invitation {
            email,
            created_at: at(0) + TICK,
            expires_at: at(60) - TICK,
            ..lab.new_invitation()
        };
        assert_eq!(find(&lab, &invitation, at(1)), None);
        lab.write(|uow| uow.invitations().insert(&invitation));
        let found = find(&lab, &invitation, at(1)).unwrap();
        assert_eq!(found, invitation);
        let delivery = |of: &Invitation| of.email.as_ref().map(|email| email.delivery().to_owned());
        assert_eq!(delivery(&found), delivery(&invitation));
    }
}

/// At that very time it is neither found nor spent.
pub fn an_invitation_is_dead_from_its_end_on(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let invitation = lab.invitation();
    let end = invitation.expires_at;
    let spend = |now| lab.statement(|uow| uow.invitations().spend(&invitation.digest, now));
    assert_eq!(find(&lab, &invitation, end), None);
    assert!(!spend(end));
    assert_eq!(find(&lab, &invitation, end - TICK).as_ref(), Some(&invitation));
    assert!(spend(end - TICK));
}

/// Each as a statement of its own.
pub fn of_many_callers_one_spends_an_invitation(storage: &dyn Storage) {
    one_spends(storage, |lab, invitation| {
        lab.statement(|uow| uow.invitations().spend(&invitation.digest, at(1)))
    });
}

/// Each in a transaction.
pub fn of_many_transactions_one_spends_an_invitation(storage: &dyn Storage) {
    one_spends(storage, |lab, invitation| {
        lab.write(|uow| uow.invitations().spend(&invitation.digest, at(1)))
    });
}

fn one_spends(storage: &dyn Storage, spend: impl Fn(&Lab<'_>, &Invitation) -> bool + Sync) {
    let lab = Lab::new(storage);
    let invitation = lab.invitation();
    let done = in_parallel(|_| spend(&lab, &invitation));
    assert_eq!(done.into_iter().filter(|done| *done).count(), 1);
    assert!(!spend(&lab, &invitation));
    assert_eq!(find(&lab, &invitation, at(1)), None);
}

/// And no other one's.
pub fn a_spent_invitation_takes_its_mail_along(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (gone, kept) = (lab.invitation(), lab.invitation());
    let mails = [mail(&lab, &gone), mail(&lab, &kept)];
    let spend = |digest: &TokenDigest| lab.statement(|uow| uow.invitations().spend(digest, at(1)));
    assert!(!spend(&TokenDigest::of(&lab.tag())));
    assert_eq!(lab.waiting(mails.each_ref()), [true, true]);
    assert!(spend(&gone.digest));
    assert_eq!(lab.waiting(mails.each_ref()), [false, true]);
    assert_eq!(find(&lab, &kept, at(1)), Some(kept));
}

/// `remove`; once, also when it has expired, and no other one.
pub fn a_withdrawn_invitation_takes_its_mail_along(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let expired = Invitation { expires_at: at(-1), ..lab.new_invitation() };
    lab.write(|uow| uow.invitations().insert(&expired));
    let (gone, kept) = (lab.invitation(), lab.invitation());
    let mails = [mail(&lab, &expired), mail(&lab, &gone), mail(&lab, &kept)];
    let remove = |id| lab.statement(|uow| uow.invitations().remove(id));
    for id in [expired.id, gone.id] {
        assert_eq!([remove(id), remove(id)], [true, false]);
    }
    assert!(!remove(InvitationId::generate(&lab.entropy).unwrap()));
    assert_eq!(find(&lab, &gone, at(1)), None);
    assert_eq!(find(&lab, &kept, at(1)), Some(kept));
    assert_eq!(lab.waiting(mails.each_ref()), [false, false, true]);
}

/// `remove_for`; those for the address and no others.
pub fn the_invitations_for_an_address_are_withdrawn_together(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let for_whom = |email| {
        let invitation = Invitation { email, ..lab.new_invitation() };
        lab.write(|uow| uow.invitations().insert(&invitation));
        invitation
    };
    let theirs = lab.new_user().email;
    let another = lab.new_user().email;
    let gone = [for_whom(Some(theirs.clone())), for_whom(Some(theirs.clone()))];
    let kept = [for_whom(Some(another)), for_whom(None)];
    let mails = [mail(&lab, &gone[0]), mail(&lab, &kept[0])];
    let remove = || lab.statement(|uow| uow.invitations().remove_for(theirs.as_str()));
    assert_eq!([remove(), remove()], [2, 0]);
    for invitation in gone {
        assert_eq!(find(&lab, &invitation, at(1)), None);
    }
    for invitation in kept {
        assert_eq!(find(&lab, &invitation, at(1)), Some(invitation));
    }
    assert_eq!(lab.waiting(mails.each_ref()), [false, true]);
}

/// Seven invitations in the order of their ids, where there are no others.
fn seven(lab: &Lab<'_>) -> Vec<Invitation> {
    let after_all = at(1_000_000_000);
    while lab.write(|uow| uow.invitations().delete_expired(after_all, 1000)) > 0 {}
    let mut invitations: Vec<_> = (0..7).map(|_| lab.invitation()).collect();
    invitations.sort_by_key(|invitation| invitation.id);
    invitations
}

/// Each once; no cursor on the last page, be it full or not; none that has expired.
pub fn pages_of_invitations_follow_the_order_of_ids(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let invitations = seven(&lab);
    for seconds in [1, 2] {
        let expired = Invitation { expires_at: at(seconds), ..lab.new_invitation() };
        lab.write(|uow| uow.invitations().insert(&expired));
    }
    for limit in [1, 3, 6, 7, 8, u32::MAX] {
        let mut request = PageRequest::first(limit);
        for expected in invitations.chunks(usize::try_from(limit).unwrap()) {
            let page = lab.read(|uow| uow.invitations().list(&request, at(2)));
            assert_eq!(page.items, expected, "pages of {limit}");
            let last = expected.last() == invitations.last();
            let next = (!last).then(|| Cursor::after(expected.last().unwrap().id.to_string()));
            assert_eq!(page.next, next, "pages of {limit}");
            request.after = page.next;
        }
    }
}

/// A cursor is a place, not a row.
pub fn a_page_goes_on_after_an_invitation_that_is_gone(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let invitations = seven(&lab);
    let after = Some(Cursor::after(invitations[2].id.to_string()));
    assert!(lab.statement(|uow| uow.invitations().spend(&invitations[2].digest, at(1))));
    let request = PageRequest { after, limit: 2 };
    let page = lab.read(|uow| uow.invitations().list(&request, at(1)));
    assert_eq!(page.items, invitations[3..5]);
}

/// `Conflict(Other)`.
pub fn a_taken_id_or_digest_of_an_invitation_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let taken = lab.invitation();
    let same_id = Invitation { id: taken.id, ..lab.new_invitation() };
    let same_digest = Invitation { digest: taken.digest, ..lab.new_invitation() };
    for rival in [&same_id, &same_digest] {
        let refused = storage.transact(|uow| uow.invitations().insert(rival));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    assert_eq!(find(&lab, &same_id, at(1)), None);
    assert_eq!(find(&lab, &taken, at(1)), Some(taken));
}
