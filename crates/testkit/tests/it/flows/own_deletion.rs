//! Erasing one's own account.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::{Content, RequestKind};
use portcullis_flows::{
    admin::Invite,
    people::{Caller, DeleteAccount, DeleteError, Deletion, MailedTokenError, PasswordError},
};
use portcullis_identity::EmailAddress;
use portcullis_kernel::{ErrorKind, Field, Origin, PageRequest};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, carried, is_stored, kinds, presented, waiting},
    told,
};

const KIND: MailedKind = MailedKind::DeleteAccount;

/// Somebody signed in whose account has no password.
fn passwordless(engine: &TestEngine) -> Caller {
    let caller = engine.bearer(&engine.join_verified(JANE).tokens);
    engine.storage.transact(|uow| uow.passwords().remove(caller.user.id)).unwrap();
    caller
}

#[test]
fn the_password_erases_the_account_with_everything_that_belongs_to_it() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let john = engine.join(JOHN);
    engine.deliver();
    let (caller, other) = (engine.bearer(&jane.tokens), engine.enter(JANE));
    let page = engine.enter_page(JANE);
    let reset = engine.reset_token(JANE);
    engine.try_change_email(&caller, "new@example.com", PASSWORD).unwrap();
    assert!(engine.try_enter(JANE, "wrong password", &from("198.51.100.9")).is_err());
    engine.try_enter(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    engine.ask(RequestKind::Reset, JANE);
    let id = jane.user.id;
    let before = engine.events(id);
    assert_eq!(engine.try_delete(&caller, Some(PASSWORD)).unwrap(), Deletion::Done);

    assert!(engine.find_user(JANE).is_err() && engine.find_user(&id.to_string()).is_err());
    assert!(!engine.is_alive(&jane.tokens) && !engine.is_alive(&other.tokens));
    assert!(engine.page(&page).is_none());
    assert!(!is_stored(&engine, MailedKind::ResetPassword, &reset));
    let since = engine.now() - Duration::days(30);
    assert_eq!(engine.look(|uow| uow.known_addresses().list(id, since)), [] as [String; 0]);
    assert!(engine.look(|uow| uow.passwords().find(id)).is_none());
    assert_eq!(kinds(&engine.deliver()), [(JANE, "account_deleted")], "no other mail is left");
    let after = engine.events(id);
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().any(|event| event.client.is_some()));
    assert!(after.iter().all(|event| event.client.is_none()), "{after:?}");
    let event = after.iter().find(|event| event.action == Action::UserDeleted).unwrap();
    assert_eq!((event.actor, event.subject), (Actor::User(id), Some(id)));
    assert!(engine.is_alive(&john.tokens));
    assert_ne!(engine.join(JANE).user.id, id, "the address is free again");
}

#[test]
fn a_wrong_or_missing_password_erases_nothing() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    for wrong in ["wrong password", ""] {
        let refused = engine.try_delete(&caller, Some(wrong)).unwrap_err();
        assert!(matches!(refused, DeleteError::Password(PasswordError::Wrong)));
        let (kind, code, _) = told(&refused);
        assert_eq!((kind, code), (ErrorKind::Unauthenticated, "invalid_credentials"));
    }
    for (password, why) in [
        (Field::Absent, "is required"),
        (Field::Invalid("must be a string".into()), "must be a string"),
    ] {
        let Err(DeleteError::Invalid(invalid)) =
            engine.check_deletion(&caller, DeleteAccount { password })
        else {
            panic!("{why}");
        };
        assert_eq!(broken(&invalid), [("password", why)]);
    }
    assert!(engine.is_alive(&jane.tokens));
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.count(jane.user.id, Action::PasswordRefused, Outcome::Failure), 2);
}

#[test]
fn a_mailbox_that_was_never_proven_gets_no_farewell() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.try_delete(&caller, Some(PASSWORD)).unwrap();
    assert!(waiting(&engine).is_empty(), "nor the link that still waited");
}

#[test]
fn the_farewell_says_who_asked_and_outlives_the_account() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join_verified("Jane@Example.com").tokens);
    let password = Field::Given(PASSWORD.into());
    let password = engine.check_deletion(&caller, DeleteAccount { password }).unwrap();
    engine.delete_account(&caller, password, &from("198.51.100.9")).unwrap();
    engine.clock.advance(Duration::HOUR);
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane@example.com", "account_deleted")]);
    assert_eq!(letters[0].asked.client, from("198.51.100.9").client);
    assert!(engine.deliver().is_empty());
}

#[test]
fn an_account_without_a_password_is_erased_by_a_mailed_link_once() {
    let engine = TestEngine::new();
    let caller = passwordless(&engine);
    assert_eq!(engine.try_delete(&caller, None).unwrap(), Deletion::Mailed);
    assert!(engine.find_user(JANE).is_ok(), "nothing is erased yet");
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [(JANE, "confirm_deletion")]);
    let Content::ConfirmDeletion { expires_at, .. } = letters[0].content else { unreachable!() };
    assert_eq!(expires_at.unix_timestamp(), engine.now().unix_timestamp() + 3600);
    let token = carried(&letters[0]);
    assert!(token.starts_with("udt_"));
    let link = presented(KIND, &token);
    for _ in 0..2 {
        assert_eq!(engine.preview_deletion(&link).unwrap().id, caller.user.id);
    }
    engine.confirm_deletion(&link, &home()).unwrap();
    assert!(engine.find_user(JANE).is_err());
    assert_eq!(kinds(&engine.deliver()), [(JANE, "account_deleted")]);
    let again = engine.confirm_deletion(&link, &home()).unwrap_err();
    assert!(matches!(again, MailedTokenError::InvalidToken));
    assert!(engine.preview_deletion(&link).is_err());
    for action in [Action::DeletionAsked, Action::UserDeleted] {
        assert_eq!(engine.count(caller.user.id, action, Outcome::Success), 1, "{action:?}");
    }
    assert!(engine.events(caller.user.id).iter().all(|event| event.client.is_none()));
}

#[test]
fn a_link_to_erase_lives_an_hour_and_until_a_newer_one_and_only_its_kind_erases() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let caller = passwordless(&engine);
        let reset = engine.reset_token(JANE);
        engine.try_delete(&caller, None).unwrap();
        let older = engine.receive("confirm_deletion");
        engine.try_delete(&caller, None).unwrap();
        let token = engine.receive("confirm_deletion");
        for other in [older.as_str(), reset.as_str(), "udt_", "x"] {
            assert!(engine.confirm_deletion(&presented(KIND, other), &home()).is_err(), "{other}");
        }
        engine.clock.advance(Duration::HOUR + late);
        let erased = engine.confirm_deletion(&presented(KIND, &token), &home());
        assert_eq!((erased.is_ok(), engine.find_user(JANE).is_err()), (good, good), "{late}");
    }
}

#[test]
fn l9_links_to_erase_and_to_reset_share_the_limit_of_the_address() {
    let engine = TestEngine::new();
    let caller = passwordless(&engine);
    engine.reset_token(JANE);
    for mails in [1, 1, 0, 0] {
        assert_eq!(engine.try_delete(&caller, None).unwrap(), Deletion::Mailed);
        assert_eq!(engine.deliver().len(), mails);
    }
    assert_eq!(engine.count(caller.user.id, Action::DeletionAsked, Outcome::Success), 4);
}

#[test]
fn of_parallel_confirmations_on_two_servers_one_erases() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let caller = passwordless(&one);
    one.try_delete(&caller, None).unwrap();
    let link = presented(KIND, &one.receive("confirm_deletion"));
    let results = at_once(4, |index| [&one, &two][index % 2].confirm_deletion(&link, &home()));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(one.count(caller.user.id, Action::UserDeleted, Outcome::Success), 1);
    assert_eq!(one.deliver().len(), 1, "one farewell");
}

#[test]
fn a_suspended_account_is_not_erased_by_its_owner() {
    let engine = TestEngine::new();
    let caller = passwordless(&engine);
    engine.try_delete(&caller, None).unwrap();
    let link = presented(KIND, &engine.receive("confirm_deletion"));
    engine.suspend_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(engine.confirm_deletion(&link, &home()).is_err());
    assert!(engine.find_user(JANE).is_ok());
}

/// What a deletion comes to when something happens after the password was checked.
fn with_something_in_between(
    between: impl FnOnce(&TestEngine, &Caller) + Send + 'static,
) -> (Arc<TestEngine>, Result<Deletion, DeleteError>) {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let john = others.bearer(&others.join(JOHN).tokens);
    let jane = others.bearer(&others.join(JANE).tokens);
    others.deliver();
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = others.peer().storage(faulty.clone()).build();
    faulty.heal();
    engine.try_delete(&john, Some(PASSWORD)).unwrap();
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let (acting, held) = (Arc::clone(&others), jane.clone());
    faulty.run_at(writes, move || between(&acting, &held));
    let result = engine.try_delete(&jane, Some(PASSWORD));
    (others, result)
}

#[test]
fn v10_a_deletion_beside_whatever_ends_the_session_or_the_password_erases_nothing() {
    let ended = with_something_in_between(|engine, caller| {
        engine.end_session(caller, &caller.session.to_string(), &home()).unwrap();
    });
    let reset = with_something_in_between(|engine, _| {
        engine.try_reset(&engine.reset_token(JANE), OTHER_PASSWORD).unwrap();
    });
    let changed = with_something_in_between(|engine, caller| {
        engine.try_change_password(caller, PASSWORD, OTHER_PASSWORD).unwrap();
    });
    let suspended = with_something_in_between(|engine, caller| {
        engine.suspend_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    });
    for (engine, result) in [ended, reset, changed, suspended] {
        assert!(matches!(result, Err(DeleteError::Password(PasswordError::Gone))), "{result:?}");
        assert!(engine.find_user(JANE).is_ok());
    }
}

#[test]
fn of_two_deletions_of_one_account_one_is_done() {
    let (engine, result) = with_something_in_between(|engine, caller| {
        engine.try_delete(caller, Some(PASSWORD)).unwrap();
    });
    assert!(matches!(result, Err(DeleteError::Password(PasswordError::Gone))));
    assert!(engine.find_user(JANE).is_err());
}

#[test]
fn an_erased_account_leaves_no_invitation_for_its_address() {
    let engine = TestEngine::new();
    for email in [JANE, JOHN] {
        let invite = Invite { email: email.into() };
        engine.invite(invite, Actor::Operator, &Origin::local()).unwrap();
    }
    let jane = engine.join(JANE);
    engine.try_delete(&engine.bearer(&jane.tokens), Some(PASSWORD)).unwrap();
    let left = engine.list_invitations(&PageRequest::first(10)).unwrap().items;
    let left: Vec<_> = left.into_iter().filter_map(|invitation| invitation.email).collect();
    assert_eq!(left.iter().map(EmailAddress::as_str).collect::<Vec<_>>(), [JOHN]);
    assert_eq!(kinds(&engine.deliver()), [(JOHN, "invitation")]);
}
