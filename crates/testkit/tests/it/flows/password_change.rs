//! Changing one's password.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    admin::CreateUser,
    people::{ChangePassword, PasswordError, Register},
};
use portcullis_kernel::{ErrorKind, Field, Origin};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, kinds, waiting},
    told,
};

#[test]
fn p10_the_current_password_is_asked_for_and_a_wrong_one_changes_nothing() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let (caller, other) = (engine.bearer(&jane.tokens), engine.enter(JANE));
    for wrong in ["wrong password", "", &"x".repeat(50_000), "correct horse battery "] {
        let refused = engine.try_change_password(&caller, wrong, OTHER_PASSWORD).unwrap_err();
        let (kind, code, text) = told(&refused);
        assert_eq!((kind, code), (ErrorKind::Unauthenticated, "invalid_credentials"));
        assert_eq!(text, "The password is incorrect.");
    }
    assert!(engine.is_alive(&jane.tokens) && engine.is_alive(&other.tokens));
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_ok());
    assert!(engine.deliver().is_empty());
    assert_eq!(engine.count(jane.user.id, Action::PasswordRefused, Outcome::Failure), 4);
    assert_eq!(engine.count(jane.user.id, Action::PasswordChanged, Outcome::Success), 0);
}

#[test]
fn p10_a_change_ends_every_other_session_and_is_told() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    let (other, page) = (engine.enter(JANE), engine.enter_page(JANE));
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert!(engine.is_alive(&jane.tokens), "that of who asks stays");
    assert!(!engine.is_alive(&other.tokens) && engine.page(&page).is_none());
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_err());
    assert!(engine.try_enter(JANE, OTHER_PASSWORD, &home()).is_ok());
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")]);
    assert_eq!(engine.count(jane.user.id, Action::PasswordChanged, Outcome::Success), 1);
    let events = engine.events(jane.user.id);
    let event = events.iter().find(|e| e.action == Action::PasswordChanged).unwrap();
    assert_eq!((event.session, event.client), (Some(caller.session), home().client));
}

#[test]
fn links_to_set_a_password_and_a_change_of_address_die_with_a_change_of_password() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let confirm = engine.receive("verify_email");
    let reset = engine.reset_token(JANE);
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert!(engine.try_reset(&reset, "yet another password").is_err());
    assert!(engine.try_confirm(&caller, &code).is_err());
    assert_eq!(engine.try_verify(&confirm).unwrap().email.as_str(), JANE);
}

#[test]
fn no_notice_goes_to_an_address_that_was_never_proven() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert!(waiting(&engine).is_empty());
}

#[test]
fn of_two_changes_at_once_one_wins_and_the_other_ends_with_its_session() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let jane = one.join(JANE);
    let callers = [one.bearer(&jane.tokens), one.bearer(&one.enter(JANE).tokens)];
    let passwords = [OTHER_PASSWORD, "yet another password"];
    let results = at_once(2, |index| {
        let engine = [&one, &two][index];
        engine.try_change_password(&callers[index], PASSWORD, passwords[index])
    });
    let winner = results.iter().position(Result::is_ok).unwrap();
    assert!(matches!(results[1 - winner], Err(PasswordError::Gone | PasswordError::Wrong)));
    assert!(one.try_enter(JANE, passwords[winner], &home()).is_ok());
    assert!(one.try_enter(JANE, passwords[1 - winner], &home()).is_err());
    assert_eq!(one.count(jane.user.id, Action::PasswordChanged, Outcome::Success), 1);
}

/// What a change comes to when something happens after its password was checked.
fn with_something_in_between(
    between: impl FnOnce(&TestEngine, &super::Caller) + Send + 'static,
) -> (Arc<TestEngine>, Result<(), PasswordError>) {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let caller = others.bearer(&others.join(JANE).tokens);
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = others.peer().storage(faulty.clone()).build();
    faulty.heal();
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let (acting, held) = (Arc::clone(&others), caller.clone());
    faulty.run_at(writes, move || between(&acting, &held));
    let result = engine.try_change_password(&caller, OTHER_PASSWORD, PASSWORD);
    (others, result)
}

#[test]
fn r9_a_session_or_account_that_ended_meanwhile_changes_no_password() {
    let ended = with_something_in_between(|engine, caller| {
        engine.end_session(caller, &caller.session.to_string(), &home()).unwrap();
    });
    let suspended = with_something_in_between(|engine, caller| {
        engine.suspend_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    });
    for (engine, result) in [ended, suspended] {
        let refused = result.unwrap_err();
        assert!(matches!(refused, PasswordError::Gone), "{refused:?}");
        assert_eq!(
            (told(&refused).0, told(&refused).1),
            (ErrorKind::Unauthenticated, "unauthorized")
        );
        let id = engine.find_user(JANE).unwrap().id;
        engine.resume_user(id, Actor::Operator, &Origin::local()).unwrap();
        assert!(engine.try_enter(JANE, OTHER_PASSWORD, &home()).is_ok());
        assert_eq!(engine.count(id, Action::PasswordChanged, Outcome::Success), 1);
    }
    let (engine, deleted) = with_something_in_between(|engine, caller| {
        engine.delete_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    });
    assert!(matches!(deleted, Err(PasswordError::Gone)));
    assert!(engine.find_user(JANE).is_err());
}

#[test]
fn a_password_changed_meanwhile_by_its_owner_is_not_changed_back() {
    let (engine, result) = with_something_in_between(|engine, caller| {
        engine.try_change_password(caller, OTHER_PASSWORD, "yet another password").unwrap();
    });
    assert!(matches!(result, Err(PasswordError::Wrong)));
    assert!(engine.try_enter(JANE, "yet another password", &home()).is_ok());
}

#[test]
fn p5_a_new_password_keeps_every_rule_and_all_that_is_broken_is_named() {
    let engine = TestEngine::new();
    let input = Register {
        email: JANE.into(),
        password: Field::Given(PASSWORD.into()),
        display_name: "Jane Smith".into(),
        ..Register::default()
    };
    let joined = engine.register(engine.check_registration(input).unwrap(), &home()).unwrap();
    let caller = engine.bearer(&joined.tokens);
    let judge = |new: &str| {
        let current = Field::Given(PASSWORD.into());
        let input = ChangePassword { current, new: Field::Given(new.into()) };
        let invalid = engine.check_password_change(&caller, input).unwrap_err();
        let [("new_password", why)] = broken(&invalid)[..] else { panic!("{invalid:?}") };
        why.to_owned()
    };
    assert_eq!(judge("seven77"), "must be at least 8 characters");
    assert_eq!(judge(&"x".repeat(129)), "must be at most 128 characters");
    assert_eq!(judge("PassWord1"), "is one of the most common passwords; choose another");
    assert_eq!(judge("JANE@example.com"), "must not be your email address or name");
    assert_eq!(judge("jane SMITH"), "must not be your email address or name");
    let nothing = engine.check_password_change(&caller, ChangePassword::default()).unwrap_err();
    let required = "is required";
    assert_eq!(broken(&nothing), [("current_password", required), ("new_password", required)]);
}

#[test]
fn a_user_without_a_password_changes_none() {
    let engine = TestEngine::new();
    let made = CreateUser { email: JANE.into(), ..CreateUser::default() };
    engine.create_user(made, Actor::Operator, &Origin::local()).unwrap();
    engine.try_reset(&engine.reset_token(JANE), PASSWORD).unwrap();
    let caller = engine.bearer(&engine.enter(JANE).tokens);
    let id = caller.user.id;
    engine.storage.transact(|uow| uow.passwords().remove(id)).unwrap();
    for current in ["", PASSWORD] {
        let refused = engine.try_change_password(&caller, current, OTHER_PASSWORD);
        assert!(matches!(refused, Err(PasswordError::Wrong)));
    }
    assert!(!engine.show_user(JANE).unwrap().has_password);
}

#[test]
fn only_the_address_of_who_changed_it_is_known_from_then_on() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    engine.try_enter(JANE, PASSWORD, &from("198.51.100.9")).unwrap();
    let known = || {
        let since = engine.now() - Duration::DAY;
        engine.look(|uow| uow.known_addresses().list(jane.user.id, since))
    };
    assert_eq!(known().len(), 2);
    let caller = engine.bearer(&jane.tokens);
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert_eq!(known(), ["203.0.113.7"]);
}
