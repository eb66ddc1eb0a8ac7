//! Cases of [`InboxRepository`](crate::InboxRepository).

use portcullis_email::ports::InboxEntry;
use portcullis_kernel::MailId;

use super::{
    case_list,
    lab::{Lab, TICK, at},
};
use crate::Storage;

case_list! {
    a_delivered_mail_comes_back_as_it_was_stored,
    a_mail_delivered_again_takes_its_own_place,
    the_newest_mails_are_listed_first,
    all_but_the_newest_mails_are_removed,
    the_inbox_is_cleared,
}

fn new(lab: &Lab<'_>, second: i64) -> InboxEntry {
    let id = MailId::generate(&lab.entropy).unwrap();
    InboxEntry { id, received_at: at(second), sealed: lab.tag().into_bytes() }
}

fn put(lab: &Lab<'_>, second: i64) -> InboxEntry {
    let entry = new(lab, second);
    lab.statement(|uow| uow.inbox().put(&entry));
    entry
}

fn find(lab: &Lab<'_>, id: MailId) -> Option<InboxEntry> {
    lab.read(|uow| uow.inbox().find(id))
}

fn list(lab: &Lab<'_>, limit: u32) -> Vec<InboxEntry> {
    lab.read(|uow| uow.inbox().list(limit))
}

/// A lab with an empty inbox.
#[track_caller]
fn empty(storage: &dyn Storage) -> Lab<'_> {
    let lab = Lab::alone(storage);
    lab.statement(|uow| uow.inbox().clear());
    lab
}

/// To the microsecond, any bytes in what is sealed.
pub fn a_delivered_mail_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = empty(storage);
    let sealed = (0..=255).cycle().take(5000).collect();
    let entry = InboxEntry { received_at: at(0) + TICK, sealed, ..new(&lab, 0) };
    assert_eq!(find(&lab, entry.id), None);
    lab.statement(|uow| uow.inbox().put(&entry));
    put(&lab, 1);
    assert_eq!(find(&lab, entry.id), Some(entry));
}

/// There are not two.
pub fn a_mail_delivered_again_takes_its_own_place(storage: &dyn Storage) {
    let lab = empty(storage);
    let (first, other) = (put(&lab, 0), put(&lab, 1));
    let again = InboxEntry { id: first.id, ..new(&lab, 2) };
    lab.statement(|uow| uow.inbox().put(&again));
    assert_eq!(find(&lab, first.id).as_ref(), Some(&again));
    assert_eq!(list(&lab, 10), [again, other]);
}

/// No more than are asked for.
pub fn the_newest_mails_are_listed_first(storage: &dyn Storage) {
    let lab = empty(storage);
    assert_eq!(list(&lab, 10), []);
    let [b, a, c] = [2, 3, 1].map(|second| put(&lab, second));
    let all = [a, b, c];
    for limit in [0, 1, 2, 3, 4, u32::MAX] {
        let most = usize::try_from(limit).unwrap().min(3);
        assert_eq!(list(&lab, limit), all[..most], "{limit}");
    }
}

/// Until none is left.
pub fn all_but_the_newest_mails_are_removed(storage: &dyn Storage) {
    let lab = empty(storage);
    let [b, a, _, _] = [3, 4, 1, 2].map(|second| put(&lab, second));
    let trim = |keep| lab.statement(|uow| uow.inbox().trim(keep));
    assert_eq!([trim(u32::MAX), trim(4), trim(2), trim(2)], [0, 0, 2, 0]);
    assert_eq!(list(&lab, 10), [a, b]);
    assert_eq!([trim(0), trim(0)], [2, 0]);
    assert_eq!(list(&lab, 10), []);
}

/// Of every mail.
pub fn the_inbox_is_cleared(storage: &dyn Storage) {
    let lab = empty(storage);
    let [a, _] = [1, 2].map(|second| put(&lab, second));
    let clear = || lab.statement(|uow| uow.inbox().clear());
    assert_eq!([clear(), clear()], [2, 0]);
    assert_eq!(list(&lab, 10), []);
    assert_eq!(find(&lab, a.id), None);
}
