//! Cases of [`UserRepository`](crate::UserRepository).

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::MailedKind;
use portcullis_email::OutboxEntry;
use portcullis_identity::{DisplayName, EmailAddress, Role, User, UserFilter, UserStatus};
use portcullis_kernel::{Cursor, Origin, PageRequest, StoreError, UniqueKey, UserId};
use portcullis_tokens::Session;
use time::Duration;

use super::{
    case_list,
    lab::{Lab, TICK, at, email, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_user_comes_back_as_it_was_stored,
    names_and_addresses_of_any_script_and_the_full_length_come_back,
    an_unknown_user_is_not_found,
    a_taken_address_is_a_conflict,
    a_taken_id_is_a_conflict,
    of_many_registrations_of_one_address_one_succeeds,
    a_user_is_found_by_the_canonical_address_only,
    pages_follow_the_order_of_ids,
    a_page_goes_on_after_a_row_that_is_gone,
    the_address_filter_is_literal_text,
    filters_by_role_and_state_combine,
    changes_change_one_thing_of_one_user,
    a_change_says_whether_there_was_a_user,
    deletion_takes_along_what_belongs_to_the_user,
    deletion_leaves_others_and_the_audit_log_alone,
    a_deleted_users_address_is_free_again,
    a_user_is_held_while_active_only,
}

fn find(lab: &Lab<'_>, id: UserId) -> Option<User> {
    lab.read(|uow| uow.users().find(id))
}

/// Every field, times to the microsecond.
pub fn a_user_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for role in Role::ASSIGNABLE {
        for status in [UserStatus::Active, UserStatus::Suspended] {
            let user = User {
                email: email(&format!("Jane.{}@EXAMPLE.com", lab.tag())),
                email_verified_at: Some(at(0) + TICK * 999_999),
                role,
                status,
                created_at: at(-1) + TICK,
                opened_from: (role == Role::User).then(|| "2001:db8:1::/48".into()),
                ..lab.new_user()
            };
            lab.write(|uow| uow.users().insert(&user));
            let found = find(&lab, user.id).unwrap();
            assert_eq!(found, user);
            assert_eq!(found.email.delivery(), user.email.delivery());
        }
    }
}

/// Names of 80 characters, addresses of 254 bytes.
pub fn names_and_addresses_of_any_script_and_the_full_length_come_back(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let local = format!("{}{}", lab.tag(), "X".repeat(48));
    let domain = format!("{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(61));
    let longest = format!("{local}@{domain}");
    assert_eq!(longest.len(), 254);
    let unicode = format!("Ünï-Кирилл-{}@bücher.example", lab.tag());
    let names = ["🦀".repeat(80), "Zoë \u{5e9}\u{5dc}\u{5d5}\u{5dd} e\u{301} \\ ' \" % _".into()];
    for (raw, name) in [longest, unicode].iter().zip(names) {
        let display_name = Some(DisplayName::parse(&name).unwrap());
        let user = User { email: email(raw), display_name, ..lab.new_user() };
        lab.write(|uow| uow.users().insert(&user));
        let found = lab.read(|uow| uow.users().find_by_email(user.email.as_str())).unwrap();
        assert_eq!(found, user);
        assert_eq!(found.email.as_str(), user.email.as_str());
        assert_eq!(found.email.delivery(), user.email.delivery());
    }
}

/// By neither id nor address.
pub fn an_unknown_user_is_not_found(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.new_user();
    assert_eq!(find(&lab, user.id), None);
    assert_eq!(lab.read(|uow| uow.users().find_by_email(user.email.as_str())), None);
}

/// Also when its owner typed it in another case.
pub fn a_taken_address_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    let other = User { email: email(&user.email.as_str().to_uppercase()), ..lab.new_user() };
    let refused = storage.transact(|uow| uow.users().insert(&other));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::UserEmail))), "{refused:?}");
    assert_eq!(find(&lab, other.id), None);
    assert_eq!(find(&lab, user.id), Some(user));
}

/// `Conflict(Other)`.
pub fn a_taken_id_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    let other = User { id: user.id, ..lab.new_user() };
    let refused = storage.transact(|uow| uow.users().insert(&other));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(find(&lab, user.id), Some(user));
}

/// The others are told of the conflict.
pub fn of_many_registrations_of_one_address_one_succeeds(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let email = lab.new_user().email;
    let done = in_parallel(|_| {
        let user = User { email: email.clone(), ..lab.new_user() };
        storage.transact(|uow| uow.users().insert(&user)).map(|()| user)
    });
    let (stored, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 1, "{refused:?}");
    for refusal in refused {
        let conflict = matches!(refusal, Err(StoreError::Conflict(UniqueKey::UserEmail)));
        assert!(conflict, "{refusal:?}");
    }
    let found = lab.read(|uow| uow.users().find_by_email(email.as_str()));
    assert_eq!(found.as_ref(), stored[0].as_ref().ok());
}

/// Not by the form mail is sent to.
pub fn a_user_is_found_by_the_canonical_address_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = User { email: email(&format!("Jane{}@example.com", lab.tag())), ..lab.new_user() };
    lab.write(|uow| uow.users().insert(&user));
    let by = |text: &str| lab.read(|uow| uow.users().find_by_email(text));
    assert_eq!(by(user.email.delivery()), None);
    assert_eq!(by(user.email.as_str()), Some(user));
}

/// Seven users, of whom some were made in one millisecond.
fn seven(lab: &Lab<'_>) -> (UserFilter, Vec<UserId>) {
    let tag = lab.tag();
    let mut ids = Vec::new();
    for (index, second) in [3, 1, 1, 4, 1, 5, 9].into_iter().enumerate() {
        let id = UserId::generate(at(second), &lab.entropy).unwrap();
        let email = email(&format!("{index}@{tag}.example"));
        let user = User { id, email, ..lab.new_user() };
        lab.write(|uow| uow.users().insert(&user));
        ids.push(id);
    }
    ids.sort();
    (UserFilter { email_contains: Some(tag), ..UserFilter::default() }, ids)
}

/// Each row once; no cursor on the last page, be it full or not.
pub fn pages_follow_the_order_of_ids(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (filter, ids) = seven(&lab);
    for limit in [1, 3, 6, 7, 8, u32::MAX] {
        let mut request = PageRequest::first(limit);
        for expected in ids.chunks(usize::try_from(limit).unwrap()) {
            let page = lab.read(|uow| uow.users().list(&filter, &request));
            let seen: Vec<_> = page.items.iter().map(|user| user.id).collect();
            assert_eq!(seen, expected, "pages of {limit}");
            let last = expected.last() == ids.last();
            let next = (!last).then(|| Cursor::after(expected.last().unwrap().to_string()));
            assert_eq!(page.next, next, "pages of {limit}");
            request.after = page.next;
        }
    }
}

/// A cursor is a place, not a row.
pub fn a_page_goes_on_after_a_row_that_is_gone(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (filter, ids) = seven(&lab);
    let after = Some(Cursor::after(ids[2].to_string()));
    lab.write(|uow| uow.users().delete(ids[2]));
    let page = lab.read(|uow| uow.users().list(&filter, &PageRequest { after, limit: 2 }));
    let seen: Vec<_> = page.items.iter().map(|user| user.id).collect();
    assert_eq!(seen, ids[3..5]);
}

/// No wildcards, no escapes, no folding of case.
pub fn the_address_filter_is_literal_text(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let tag = lab.tag();
    for local in ["a_b", "axb", "a%b", "xa'b"] {
        let user = User { email: email(&format!("{local}-{tag}@example.com")), ..lab.new_user() };
        lab.write(|uow| uow.users().insert(&user));
    }
    let matching = |text: String| {
        let filter = UserFilter { email_contains: Some(text), ..UserFilter::default() };
        let page = lab.read(|uow| uow.users().list(&filter, &PageRequest::first(10)));
        let local = |email: &EmailAddress| email.as_str().split('-').next().unwrap().to_owned();
        page.items.iter().map(|user| local(&user.email)).collect::<Vec<_>>()
    };
    assert_eq!(matching(tag.clone()).len(), 4);
    assert_eq!(matching(format!("a_b-{tag}")), ["a_b"]);
    assert_eq!(matching(format!("a%b-{tag}")), ["a%b"]);
    assert_eq!(matching(format!("a'b-{tag}")), ["xa'b"]);
    for nothing in ["%", "a\\_b", "A_B", "\\a_b", "[a]_b"] {
        assert!(matching(format!("{nothing}-{tag}")).is_empty(), "{nothing}");
    }
}

/// Each of three conditions can be left out.
pub fn filters_by_role_and_state_combine(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let tag = lab.tag();
    let (active, suspended) = (UserStatus::Active, UserStatus::Suspended);
    for (role, status) in [
        (Role::User, active),
        (Role::User, suspended),
        (Role::Admin, active),
        (Role::VerifiedUser, active),
    ] {
        let email = email(&format!("{}@{tag}.example", lab.tag()));
        let user = User { email, role, status, ..lab.new_user() };
        lab.write(|uow| uow.users().insert(&user));
    }
    for (role, status, count) in [
        (None, None, 4),
        (Some(Role::User), None, 2),
        (None, Some(active), 3),
        (Some(Role::User), Some(suspended), 1),
        (Some(Role::Admin), Some(suspended), 0),
        (Some(Role::Host), None, 0),
    ] {
        let filter = UserFilter { email_contains: Some(tag.clone()), role, status };
        let page = lab.read(|uow| uow.users().list(&filter, &PageRequest::first(10)));
        assert_eq!(page.items.len(), count, "{filter:?}");
    }
}

/// `set_display_name`, `set_role`, `set_status`.
pub fn changes_change_one_thing_of_one_user(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (mut user, other) = (lab.user(), lab.user());
    user.display_name = Some(DisplayName::parse("Zoë").unwrap());
    assert!(lab.statement(|uow| uow.users().set_display_name(user.id, user.display_name.as_ref())));
    assert_eq!(find(&lab, user.id).as_ref(), Some(&user));
    user.role = Role::Host;
    assert!(lab.statement(|uow| uow.users().set_role(user.id, Role::Host)));
    assert_eq!(find(&lab, user.id).as_ref(), Some(&user));
    user.status = UserStatus::Suspended;
    assert!(lab.statement(|uow| uow.users().set_status(user.id, UserStatus::Suspended)));
    assert_eq!(find(&lab, user.id).as_ref(), Some(&user));
    user.display_name = None;
    assert!(lab.statement(|uow| uow.users().set_display_name(user.id, None)));
    assert_eq!(find(&lab, user.id), Some(user));
    assert_eq!(find(&lab, other.id), Some(other));
}

/// Also when it changes nothing of the user.
pub fn a_change_says_whether_there_was_a_user(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    for (id, there) in [(user.id, true), (lab.user_id(), false)] {
        let status = UserStatus::Active;
        assert_eq!(lab.statement(|uow| uow.users().set_display_name(id, None)), there);
        assert_eq!(lab.statement(|uow| uow.users().set_role(id, Role::User)), there);
        assert_eq!(lab.statement(|uow| uow.users().set_status(id, status)), there);
        assert_eq!(lab.statement(|uow| uow.users().delete(id)), there);
        assert!(!lab.statement(|uow| uow.users().delete(id)));
    }
}

/// Password, sessions, refresh tokens, known addresses, mailed tokens, a change of address, mails.
pub fn deletion_takes_along_what_belongs_to_the_user(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    lab.write(|uow| uow.passwords().put(user, &lab.hash(), at(0)));
    lab.write(|uow| uow.known_addresses().touch(user, "192.0.2.1", at(0)));
    let (session, first) = lab.session(user, at(0));
    let second = lab.rotate(&session, &first, at(1));
    let (token, change) = (lab.mailed_token(user, MailedKind::VerifyEmail), lab.email_change(user));
    let mails = [
        lab.queue(OutboxEntry { user: Some(user), ..lab.new_mail() }),
        lab.queue(OutboxEntry { token: Some(token.digest), ..lab.new_mail() }),
        lab.queue(OutboxEntry { change: Some(change.id), ..lab.new_mail() }),
    ];
    assert!(lab.write(|uow| uow.users().delete(user)));
    assert_eq!(find(&lab, user), None);
    assert_eq!(lab.read(|uow| uow.passwords().find(user)), None);
    assert_eq!(lab.read(|uow| uow.sessions().find_live(session.id, at(2))), None);
    assert_eq!(lab.find_token(&first.digest), None);
    assert_eq!(lab.find_token(&second.digest), None);
    assert!(!lab.read(|uow| uow.known_addresses().is_known(user, "192.0.2.1", at(0))));
    let found = lab.read(|uow| uow.mailed_tokens().find(token.kind, &token.digest, at(0)));
    assert_eq!(found, None);
    assert_eq!(lab.read(|uow| uow.email_changes().find(change.id, at(0))), None);
    assert_eq!(lab.waiting(mails.each_ref()), [false; 3]);
    // Nothing of the session is in the way of the same one for somebody else.
    let session = Session { user: lab.user().id, ..session };
    lab.write(|uow| uow.sessions().insert(&session, &first));
}

/// The audit log outlives whom it is about.
pub fn deletion_leaves_others_and_the_audit_log_alone(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user());
    let hash = lab.hash();
    lab.write(|uow| uow.passwords().put(other.id, &hash, at(0)));
    let (session, token) = lab.session(other.id, at(0));
    let (action, by) = (Action::SignedIn, Actor::User(user));
    let event = AuditEvent::new(action, by, &Origin::local(), at(0), &lab.entropy).unwrap();
    lab.write(|uow| uow.audit().append(&event));
    let mails = [
        lab.queue(OutboxEntry { user: Some(other.id), ..lab.new_mail() }),
        lab.queue(lab.new_mail()),
    ];
    assert!(lab.write(|uow| uow.users().delete(user)));
    assert_eq!(lab.waiting(mails.each_ref()), [true; 2]);
    assert_eq!(lab.read(|uow| uow.audit().list_for(user, 10)), [event]);
    assert_eq!(lab.read(|uow| uow.passwords().find(other.id)), Some(hash));
    assert_eq!(lab.find_token(&token.digest).map(|state| state.session), Some(session));
    assert_eq!(find(&lab, other.id), Some(other));
}

/// For another account.
pub fn a_deleted_users_address_is_free_again(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    lab.write(|uow| uow.users().delete(user.id));
    let created_at = at(0) + Duration::DAY;
    let heir = User { id: lab.user_id(), created_at, ..user };
    lab.write(|uow| uow.users().insert(&heir));
    let found = lab.read(|uow| uow.users().find_by_email(heir.email.as_str()));
    assert_eq!(found, Some(heir));
}

/// An unknown, suspended or deleted one is not; holding changes nothing.
pub fn a_user_is_held_while_active_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    let hold = |id| lab.write(|uow| uow.users().hold_active(id));
    assert!(hold(user.id));
    assert_eq!(lab.read(|uow| uow.users().find(user.id)), Some(user.clone()));
    lab.write(|uow| uow.users().set_status(user.id, UserStatus::Suspended));
    assert!(!hold(user.id));
    lab.write(|uow| uow.users().set_status(user.id, UserStatus::Active));
    assert!(hold(user.id));
    lab.write(|uow| uow.users().delete(user.id));
    assert!(!hold(user.id));
}
