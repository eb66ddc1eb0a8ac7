//! Changing the address of an account: who is asked, who is told, and what ends the wish.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::{Content, RequestKind};
use portcullis_flows::people::{
    ChangeEmail, ChangeEmailError, ConfirmEmailError, PasswordError, SignOut,
};
use portcullis_identity::Role;
use portcullis_kernel::{ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, broken, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, carried, is_stored, kinds, waiting},
    refresh::claim,
    told,
};

const NEW: &str = "New.Jane@example.com";

/// To whom mails go, and what each is, in the order of the recipients.
fn sorted(engine: &TestEngine) -> Vec<(String, &'static str)> {
    let letters = engine.deliver();
    let mut kinds: Vec<_> =
        kinds(&letters).into_iter().map(|(to, kind)| (to.to_owned(), kind)).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_change_of_address_takes_the_code_that_went_to_the_new_one() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    assert_eq!(engine.find_user(JANE).unwrap(), jane.user, "nothing has changed yet");
    let letters = engine.deliver();
    assert_eq!(letters.len(), 2);
    let letter = letters.iter().find(|letter| letter.to == NEW).unwrap();
    let Content::ConfirmNewEmail { expires_at, .. } = letter.content else { panic!("{letter:?}") };
    assert_eq!(expires_at.unix_timestamp(), engine.now().unix_timestamp() + 900);
    let code = carried(letter);
    assert_eq!((code.len(), code.bytes().all(|b| b.is_ascii_digit())), (6, true));
    let notice = letters.iter().find(|letter| letter.to == JANE).unwrap();
    assert_eq!(notice.content.kind(), "email_change_asked");
    assert!(!format!("{notice:?}").contains(&code));
    engine.clock.advance(Duration::MINUTE);
    let changed = engine.try_confirm(&caller, &code).unwrap();
    assert_eq!((changed.email.as_str(), changed.email.delivery()), ("new.jane@example.com", NEW));
    assert_eq!(changed.email_verified_at, Some(engine.now()));
    assert_eq!(engine.find_user(NEW).unwrap(), changed);
    assert!(engine.find_user(JANE).is_err());
    assert_eq!(sorted(&engine), [(JANE.to_owned(), "email_changed")]);
    assert!(engine.try_enter(NEW, PASSWORD, &home()).is_ok());
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_err());
    assert!(engine.is_alive(&jane.tokens), "sessions go on");
    for action in [Action::EmailChangeAsked, Action::EmailChanged] {
        assert_eq!(engine.count(jane.user.id, action, Outcome::Success), 1, "{action:?}");
    }
}

#[test]
fn r12_the_new_address_and_the_role_it_proves_show_from_the_next_refresh() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let caller = engine.bearer(&joined.tokens);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let user = engine.try_confirm(&caller, &engine.receive("confirm_new_email")).unwrap();
    assert_eq!((user.role, user.opened_from), (Role::VerifiedUser, None));
    assert_eq!(claim(&engine, &joined.tokens, "email"), JANE);
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    assert_eq!(claim(&engine, &next, "email"), "new.jane@example.com");
    assert_eq!(claim(&engine, &next, "role"), "verified_user");
}

#[test]
fn a_change_of_address_lowers_no_role() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    engine.set_role(joined.user.id, Role::Admin, Actor::Operator, &Origin::local()).unwrap();
    let caller = engine.bearer(&joined.tokens);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let user = engine.try_confirm(&caller, &engine.receive("confirm_new_email")).unwrap();
    assert_eq!(user.role, Role::Admin);
}

#[test]
fn an_address_that_was_never_proven_is_told_nothing() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    engine.try_confirm(&caller, &code).unwrap();
    assert!(waiting(&engine).is_empty());
}

#[test]
fn what_was_mailed_to_the_old_address_dies_with_it() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let confirm = engine.receive("verify_email");
    let reset = engine.reset_token(JANE);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    engine.ask(RequestKind::Reset, JANE);
    engine.try_confirm(&caller, &code).unwrap();
    assert!(!is_stored(&engine, MailedKind::VerifyEmail, &confirm));
    assert!(!is_stored(&engine, MailedKind::ResetPassword, &reset));
    assert!(engine.try_verify(&confirm).is_err() && engine.try_disown(&confirm).is_err());
    assert!(engine.try_reset(&reset, OTHER_PASSWORD).is_err());
    assert!(engine.deliver().is_empty(), "nobody has the old address any more");
    engine.join(JANE);
}

#[test]
fn the_password_is_asked_for() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    let refused = engine.try_change_email(&caller, NEW, "wrong password").unwrap_err();
    let (kind, code, _) = told(&refused);
    assert_eq!((kind, code), (ErrorKind::Unauthenticated, "invalid_credentials"));
    assert!(waiting(&engine).is_empty());
    assert_eq!(engine.count(jane.user.id, Action::PasswordRefused, Outcome::Failure), 1);
    assert_eq!(engine.count(jane.user.id, Action::EmailChangeAsked, Outcome::Success), 0);
}

#[test]
fn every_broken_field_is_named_at_once_and_the_own_address_is_none_to_change_to() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let judge = |input: ChangeEmail| match engine.check_email_change(&caller, input) {
        Err(ChangeEmailError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    let required = "is required";
    assert_eq!(
        broken(&judge(ChangeEmail::default())),
        [("email", required), ("password", required)]
    );
    let own = ChangeEmail { email: " JANE@example.com".into(), password: Field::Absent };
    let own = judge(own);
    assert_eq!(
        broken(&own),
        [("email", "is the address of this account already"), ("password", required)]
    );
}

#[test]
fn an_address_of_another_domain_is_refused_where_domains_are_set() {
    let engine = TestEngine::builder()
        .options(|options| options.registration.domains = vec!["example.com".into()])
        .build();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let refused = engine.try_change_email(&caller, "jane@example.org", PASSWORD).unwrap_err();
    assert!(matches!(refused, ChangeEmailError::DomainRefused));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Forbidden, "forbidden"));
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
}

#[test]
fn e1_a_taken_address_takes_the_same_steps_and_the_mail_there_says_so() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let jane = engine.join_verified(JANE);
    engine.join_verified("John@Example.com");
    let caller = engine.bearer(&jane.tokens);
    let steps = |email: &str| {
        faulty.heal();
        engine.try_change_email(&caller, email, PASSWORD).unwrap();
        faulty.steps()
    };
    assert_eq!(steps(JOHN), steps("nobody@example.com"));
    engine.deliver();
    engine.try_change_email(&caller, "JOHN@EXAMPLE.COM", PASSWORD).unwrap();
    let letters = engine.deliver();
    let letter = letters.iter().find(|letter| letter.to != JANE).unwrap();
    assert_eq!(letter.to, "John@example.com", "the address as it is stored");
    assert!(matches!(letter.content, Content::NewEmailTaken {}), "and no code: {letter:?}");
}

#[test]
fn an_address_taken_in_the_meantime_is_a_conflict_and_changes_nothing() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    let john = engine.join(JOHN);
    engine.deliver();
    let refused = engine.try_confirm(&caller, &code).unwrap_err();
    assert!(matches!(refused, ConfirmEmailError::EmailTaken));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    assert_eq!(engine.find_user(JANE).unwrap(), jane.user);
    assert_eq!(engine.find_user(JOHN).unwrap(), john.user);
    assert!(waiting(&engine).is_empty(), "nobody is told of a change that was none");
    assert_eq!(engine.count(jane.user.id, Action::EmailChanged, Outcome::Success), 0);
}

#[test]
fn o6_a_change_dies_with_the_session_that_asked_for_it() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    engine.deliver();
    let caller = engine.bearer(&jane.tokens);
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    let other = engine.bearer(&engine.enter(JANE).tokens);
    assert!(matches!(engine.try_confirm(&other, &code), Err(ConfirmEmailError::InvalidCode)));
    let token = Field::Given(jane.tokens.refresh.expose_secret().into());
    engine.sign_out(&caller, SignOut { refresh_token: token }, &home()).unwrap();
    assert!(matches!(engine.try_confirm(&caller, &code), Err(ConfirmEmailError::InvalidCode)));
    assert!(matches!(engine.try_confirm(&other, &code), Err(ConfirmEmailError::InvalidCode)));
    assert_eq!(engine.find_user(JANE).unwrap().id, jane.user.id);
}

#[test]
fn m7_the_mail_of_a_change_whose_session_ended_is_dropped() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    engine.end_session(&caller, &caller.session.to_string(), &home()).unwrap();
    assert!(engine.deliver().is_empty());
    assert!(waiting(&engine).is_empty());
}

#[test]
fn o11_a_newer_wish_replaces_the_older_and_its_mail_if_that_still_waits() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_email(&caller, "first@example.com", PASSWORD).unwrap();
    let first = engine.receive("confirm_new_email");
    engine.try_change_email(&caller, "second@example.com", PASSWORD).unwrap();
    engine.try_change_email(&caller, NEW, PASSWORD).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [(NEW, "confirm_new_email")], "the second was overtaken");
    assert!(engine.try_confirm(&caller, &first).is_err());
    let user = engine.try_confirm(&caller, &carried(&letters[0])).unwrap();
    assert_eq!(user.email.delivery(), NEW);
}

/// What a wish comes to when something happens after the password was checked.
fn with_something_in_between(
    between: impl FnOnce(&TestEngine, &super::Caller) + Send + 'static,
) -> (Arc<TestEngine>, Result<(), ChangeEmailError>) {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let caller = others.bearer(&others.join(JANE).tokens);
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = others.peer().storage(faulty.clone()).build();
    faulty.heal();
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    others.deliver();
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let (acting, held) = (Arc::clone(&others), caller.clone());
    faulty.run_at(writes, move || between(&acting, &held));
    let result = engine.try_change_email(&caller, NEW, PASSWORD);
    (others, result)
}

#[test]
fn v10_a_wish_beside_whatever_ends_the_session_or_the_password_is_not_begun() {
    let ended = with_something_in_between(|engine, caller| {
        engine.end_session(caller, &caller.session.to_string(), &home()).unwrap();
    });
    let reset = with_something_in_between(|engine, _| {
        engine.try_reset(&engine.reset_token(JANE), OTHER_PASSWORD).unwrap();
        engine.deliver();
    });
    let changed = with_something_in_between(|engine, caller| {
        engine.try_change_password(caller, PASSWORD, OTHER_PASSWORD).unwrap();
    });
    let suspended = with_something_in_between(|engine, caller| {
        engine.suspend_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    });
    for (engine, result) in [ended, reset, changed, suspended] {
        let refused = result.unwrap_err();
        assert!(matches!(refused, ChangeEmailError::Password(PasswordError::Gone)), "{refused:?}");
        let letters = engine.deliver();
        assert!(!letters.iter().any(|letter| letter.to == NEW), "{:?}", kinds(&letters));
    }
}

#[test]
fn m5_a_notice_tells_from_where_it_was_asked() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join_verified(JANE).tokens);
    let input = ChangeEmail { email: NEW.into(), password: Field::Given(PASSWORD.into()) };
    let change = engine.check_email_change(&caller, input).unwrap();
    engine.change_email(&caller, change, &from("198.51.100.9")).unwrap();
    for letter in engine.deliver() {
        assert_eq!(letter.asked.client, from("198.51.100.9").client, "{letter:?}");
    }
}
