use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::{PasswordHash, PasswordPolicy};
use portcullis_flows::{
    admin::CreateUser,
    people::{SignIn, SignInError},
};
use portcullis_kernel::{ErrorKind, Field, Origin, UserId};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};

use super::{
    JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _, at_once, broken, from, home, told,
};

fn stored_hash(engine: &TestEngine, user: UserId) -> PasswordHash {
    engine.look(|uow| uow.passwords().find(user)).unwrap()
}

/// The same storage behind a server whose operator asked for more work per password.
fn raised(engine: &TestEngine) -> TestEngine {
    engine.peer().options(|options| options.argon2.iterations = 3).build()
}

#[test]
fn the_right_password_begins_a_session_of_its_own() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let entered = engine.try_enter(" JANE@Example.com", PASSWORD, &from("192.0.2.1")).unwrap();
    assert_eq!(entered.user, joined.user);
    assert_eq!(entered.tokens.access.expires_in, 900);
    let caller = engine.bearer(&entered.tokens);
    assert_ne!(caller.session, engine.bearer(&joined.tokens).session);
    assert_eq!(engine.count(joined.user.id, Action::SignedIn, Outcome::Success), 1);
    assert_eq!(engine.count(joined.user.id, Action::SignedIn, Outcome::Failure), 0);
    let event = engine.events(joined.user.id).into_iter().find(|e| e.action == Action::SignedIn);
    let event = event.unwrap();
    assert_eq!((event.session, event.client), (Some(caller.session), from("192.0.2.1").client));
    assert!(engine.is_alive(&entered.tokens) && engine.is_alive(&joined.tokens));
}

#[test]
fn e1_unknown_address_no_password_empty_and_over_long_are_told_what_a_wrong_password_is() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let without = CreateUser { email: JOHN.into(), ..CreateUser::default() };
    let john = engine.create_user(without, Actor::Operator, &Origin::local()).unwrap().id;
    let long = "x".repeat(129);
    let huge = "x".repeat(50_000);
    let expected =
        (ErrorKind::Unauthenticated, "invalid_credentials", "The email or password is incorrect.");
    for (email, password) in [
        (JANE, "wrong password"),
        (JANE, ""),
        (JANE, long.as_str()),
        (JANE, huge.as_str()),
        (JANE, "correct horse battery "),
        ("nobody@example.com", PASSWORD),
        ("nobody@example.com", ""),
        (JOHN, PASSWORD),
        (JOHN, ""),
    ] {
        let refused = engine.try_enter(email, password, &home()).unwrap_err();
        let (kind, code, text) = told(&refused);
        assert_eq!((kind, code, text.as_str()), expected, "{email} {}", password.len());
    }
    assert_eq!(engine.count(jane, Action::SignedIn, Outcome::Failure), 5);
    assert_eq!(engine.count(john, Action::SignedIn, Outcome::Failure), 2);
    // One of the registration, one of the creation, those of the keys; and one for each failure.
    assert_eq!(engine.event_count(), KEYS + 2 + 9);
}

#[test]
fn a_malformed_address_and_missing_fields_are_broken_input() {
    let engine = TestEngine::new();
    let nothing = engine.check_sign_in(SignIn::default()).unwrap_err();
    assert_eq!(broken(&nothing), [("email", "is required"), ("password", "is required")]);
    let wrong =
        SignIn { email: "jane".into(), password: Field::Invalid("must be a string".into()) };
    assert_eq!(
        broken(&engine.check_sign_in(wrong).unwrap_err()),
        [("email", "must be a valid email address"), ("password", "must be a string")]
    );
    let empty = SignIn { email: JANE.into(), password: Field::Given("".into()) };
    assert!(engine.check_sign_in(empty).is_ok(), "an empty password is wrong, not broken");
}

#[test]
fn r9_a_suspended_user_is_told_so_with_the_right_password_only() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user.id;
    engine.suspend_user(user, Actor::Operator, &Origin::local()).unwrap();
    let wrong = engine.try_enter(JANE, "wrong password", &home()).unwrap_err();
    assert!(matches!(wrong, SignInError::InvalidCredentials));
    let right = engine.try_enter(JANE, PASSWORD, &home()).unwrap_err();
    assert!(matches!(right, SignInError::Suspended));
    assert_eq!((told(&right).0, told(&right).1), (ErrorKind::Forbidden, "forbidden"));
    assert_eq!(engine.show_user(JANE).unwrap().sessions, []);
    assert_eq!(engine.count(user, Action::SignedIn, Outcome::Failure), 2);
    engine.resume_user(user, Actor::Operator, &Origin::local()).unwrap();
    engine.enter(JANE);
}

#[test]
fn p8_a_hash_is_renewed_when_the_parameters_rise_and_the_password_still_works() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user.id;
    let old = stored_hash(&engine, user);
    engine.enter(JANE);
    assert_eq!(stored_hash(&engine, user), old, "nothing to renew");
    let raised = raised(&engine);
    assert!(raised.try_enter(JANE, "wrong password", &home()).is_err());
    assert_eq!(stored_hash(&engine, user), old, "a wrong password renews nothing");
    raised.enter(JANE);
    let renewed = stored_hash(&engine, user);
    assert!(renewed.as_str().starts_with("$argon2id$v=19$m=19456,t=3,p=1$"));
    raised.enter(JANE);
    engine.enter(JANE);
    assert_eq!(stored_hash(&engine, user), renewed, "never made weaker again");
}

#[test]
fn p8_a_password_that_new_rules_would_refuse_is_renewed_all_the_same() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user.id;
    let strict = engine.peer().options(|options| {
        options.argon2.iterations = 3;
        options.password = PasswordPolicy { min_chars: 60, ..PasswordPolicy::default() };
    });
    strict.build().enter(JANE);
    assert!(stored_hash(&engine, user).as_str().contains("t=3"));
}

#[test]
fn p8_parallel_sign_ins_that_renew_the_hash_all_succeed() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user.id;
    let raised = raised(&engine);
    let results = at_once(4, |_| raised.try_enter(JANE, PASSWORD, &home()));
    for result in results {
        assert!(raised.is_alive(&result.unwrap().tokens));
    }
    assert_eq!(engine.count(user, Action::SignedIn, Outcome::Failure), 0);
}

/// A server where something happens while a sign-in is under way, after its password was checked.
fn with_something_in_between(
    between: impl FnOnce(&TestEngine, UserId) + Send + 'static,
) -> (TestEngine, UserId, Result<portcullis_flows::people::SignedIn, SignInError>) {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let user = others.join(JANE).user.id;
    let faulty = FaultyStorage::over(Arc::new(memory));
    let engine = others.peer().storage(faulty.clone()).build();
    faulty.heal();
    engine.enter(JANE);
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let acting = Arc::clone(&others);
    faulty.run_at(writes, move || between(&acting, user));
    let result = engine.try_enter(JANE, PASSWORD, &home());
    (engine, user, result)
}

#[test]
fn a_password_changed_beside_a_sign_in_leaves_no_session_of_the_old_one() {
    let (engine, user, result) = with_something_in_between(|engine, user| {
        let other = engine.join(JOHN).user.id;
        let hash = stored_hash(engine, other);
        // The hash of another password, as a change of password stores it.
        let hash = PasswordHash::from_stored(altered(hash.as_str()));
        let now = engine.now();
        let change = engine.storage.transact(|uow| {
            uow.passwords().put(user, &hash, now)?;
            uow.sessions().end_all(user, None, now)
        });
        change.unwrap();
    });
    assert!(matches!(result, Err(SignInError::InvalidCredentials)));
    assert_eq!(engine.look(|uow| uow.sessions().list_live(user, engine.now())), []);
}

/// A PHC string whose hash differs in its first character.
fn altered(phc: &str) -> String {
    let (head, hash) = phc.rsplit_once('$').unwrap();
    let other = if hash.starts_with('A') { "B" } else { "A" };
    format!("{head}${other}{}", &hash[1..])
}

#[test]
fn a_hash_renewed_beside_a_sign_in_does_not_refuse_the_right_password() {
    let (engine, user, result) = with_something_in_between(|engine, _| {
        raised(engine).enter(JANE);
    });
    assert!(engine.is_alive(&result.unwrap().tokens));
    assert!(stored_hash(&engine, user).as_str().contains("t=3"), "and stays renewed");
}

#[test]
fn r9_an_account_deleted_beside_a_sign_in_stays_deleted() {
    let (engine, _, result) = with_something_in_between(|engine, user| {
        engine.delete_user(user, Actor::Operator, &Origin::local()).unwrap();
    });
    assert!(matches!(result, Err(SignInError::InvalidCredentials)));
    assert!(engine.find_user(JANE).is_err());
}

#[test]
fn r9_an_account_suspended_beside_a_sign_in_has_nothing_that_works_then_or_later() {
    let (engine, user, result) = with_something_in_between(|engine, user| {
        engine.suspend_user(user, Actor::Operator, &Origin::local()).unwrap();
    });
    let tokens = result.map(|entered| entered.tokens);
    assert!(tokens.as_ref().is_ok_and(|tokens| !engine.is_alive(tokens)) || tokens.is_err());
    engine.resume_user(user, Actor::Operator, &Origin::local()).unwrap();
    assert!(tokens.is_err() || !engine.is_alive(&tokens.unwrap()));
}
