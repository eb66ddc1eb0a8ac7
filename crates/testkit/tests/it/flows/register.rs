use std::collections::HashSet;

use portcullis_audit::{Action, Outcome};
use portcullis_credentials::PasswordPolicy;
use portcullis_flows::{
    Invalid,
    people::{Register, RegisterError},
};
use portcullis_identity::{Role, UserFilter, UserStatus};
use portcullis_kernel::{Clock as _, Field, PageRequest};
use portcullis_testkit::engine::TestEngine;

use super::{JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, home, told};

fn input(email: &str, password: &str, display_name: Option<&str>) -> Register {
    Register {
        email: email.into(),
        password: Field::Given(password.into()),
        display_name: display_name.map_or(Field::Absent, Field::from),
        ..Register::default()
    }
}

/// What is broken, if anything.
fn refusal(engine: &TestEngine, input: Register) -> Option<Invalid> {
    match engine.check_registration(input) {
        Ok(_) => None,
        Err(RegisterError::Invalid(invalid)) => Some(invalid),
        Err(other) => panic!("{other:?}"),
    }
}

/// What is wrong with the password, if anything.
fn password_error(engine: &TestEngine, input: Register) -> Option<String> {
    let invalid = refusal(engine, input)?;
    let [("password", why)] = broken(&invalid)[..] else { panic!("{invalid:?}") };
    Some(why.to_owned())
}

#[test]
fn a_registration_makes_an_account_and_signs_its_owner_in() {
    let engine = TestEngine::new();
    let given = input("  Jane@EXAMPLE.com ", PASSWORD, Some(" Jane Smith "));
    let registration = engine.check_registration(given).unwrap();
    let joined = engine.register(registration, &home()).unwrap();
    let user = &joined.user;
    assert_eq!(user.email.as_str(), JANE);
    assert_eq!(user.display_name.as_ref().unwrap().as_str(), "Jane Smith");
    assert_eq!((user.role, user.status), (Role::User, UserStatus::Active));
    assert_eq!((user.email_verified_at, user.created_at), (None, engine.clock.now()));
    assert_eq!(joined.tokens.access.expires_in, 900);
    let caller = engine.bearer(&joined.tokens);
    assert_eq!(&caller.user, user);
    let sessions = engine.list_sessions(&caller).unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].session.ip.as_deref(), Some("203.0.113.7"));
    assert_eq!(sessions[0].session.user_agent.as_deref(), Some("test/1"));
    assert!(engine.is_alive(&joined.tokens));
    let events = engine.events(user.id);
    assert_eq!(events.len(), 1, "one event, and none of a sign-in");
    assert_eq!((events[0].action, events[0].outcome), (Action::UserRegistered, Outcome::Success));
    assert_eq!(events[0].session, Some(caller.session));
    assert_eq!(events[0].client, home().client);
}

#[test]
fn every_broken_field_is_named_at_once() {
    let engine = TestEngine::new();
    let nothing = refusal(&engine, Register::default()).unwrap();
    assert_eq!(broken(&nothing), [("email", "is required"), ("password", "is required")]);
    let wrong = Register {
        email: Field::Invalid("must be a string".into()),
        password: Field::Given("short".into()),
        display_name: "\u{202e}".into(),
        invitation: Field::Given("".into()),
    };
    let wrong = refusal(&engine, wrong).unwrap();
    assert_eq!(
        broken(&wrong),
        [
            ("display_name", "must not contain control characters"),
            ("email", "must be a string"),
            ("invite_token", "must not be empty"),
            ("password", "must be at least 8 characters"),
        ]
    );
    let known = refusal(&engine, input("jane", "seven77", None)).unwrap();
    assert_eq!(
        broken(&known),
        [("email", "must be a valid email address"), ("password", "must be at least 8 characters"),]
    );
    assert_eq!(told(&known).2, "Request validation failed.");
}

#[test]
fn p1_p3_a_password_has_8_to_128_characters() {
    let engine = TestEngine::new();
    for fits in ["kX9!vQ2z".to_owned(), "🦀".repeat(8), "xy".repeat(64), "🦀".repeat(128)] {
        assert_eq!(password_error(&engine, input(JANE, &fits, None)), None, "{fits}");
    }
    for (raw, wanted) in [
        (String::new(), "must be at least 8 characters"),
        ("🦀".repeat(7), "must be at least 8 characters"),
        ("x".repeat(129), "must be at most 128 characters"),
        ("x".repeat(60_000), "must be at most 128 characters"),
    ] {
        let why = password_error(&engine, input(JANE, &raw, None));
        assert_eq!(why.as_deref(), Some(wanted), "{} bytes", raw.len());
    }
}

#[test]
fn p5_a_password_is_neither_common_nor_the_address_nor_the_name() {
    let engine = TestEngine::new();
    let common = "is one of the most common passwords; choose another";
    let personal = "must not be your email address or name";
    for (email, password, name, wanted) in [
        (JANE, "PassWord1", None, common),
        (JANE, "JANE@example.com", None, personal),
        ("Jane@Example.COM ", "jane@example.com", None, personal),
        (JANE, "jane SMITH", Some(" Jane Smith "), personal),
    ] {
        let why = password_error(&engine, input(email, password, name));
        assert_eq!(why.as_deref(), Some(wanted), "{password}");
    }
    let lax = TestEngine::builder().options(|options| {
        options.password = PasswordPolicy { refuse_common: false, ..PasswordPolicy::default() };
    });
    assert_eq!(password_error(&lax.build(), input(JANE, "PassWord1", None)), None);
}

#[test]
fn p2_a_password_is_taken_exactly_as_sent() {
    let engine = TestEngine::new();
    let password = "  Кириллица \0 e\u{301} 🦀  ";
    let registration = engine.check_registration(input(JANE, password, None)).unwrap();
    engine.register(registration, &home()).unwrap();
    for altered in
        [password.trim(), &password.to_lowercase(), &password.replace("e\u{301}", "\u{e9}")]
    {
        assert!(engine.try_enter(JANE, altered, &home()).is_err(), "{altered:?}");
    }
    assert!(engine.try_enter(JANE, password, &home()).is_ok());
}

#[test]
fn p6_hashes_are_argon2id_with_a_salt_of_their_own() {
    let engine = TestEngine::new();
    let hashes: HashSet<String> = [JANE, JOHN]
        .map(|email| engine.join(email).user.id)
        .map(|id| engine.look(|uow| uow.passwords().find(id)).unwrap().as_str().to_owned())
        .into();
    assert_eq!(hashes.len(), 2, "one password, two salts");
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")));
}

#[test]
fn a_name_is_optional_but_never_empty_or_over_80_characters() {
    let engine = TestEngine::new();
    assert!(engine.check_registration(input(JANE, PASSWORD, None)).is_ok());
    assert!(engine.check_registration(input(JANE, PASSWORD, Some(&"é".repeat(80)))).is_ok());
    for name in ["", "   ", &"é".repeat(81), "a\u{1b}[2J", "a\nb"] {
        let invalid = refusal(&engine, input(JANE, PASSWORD, Some(name))).unwrap();
        assert_eq!(broken(&invalid)[0].0, "display_name", "{name:?}");
    }
}

#[test]
fn a_taken_address_is_a_conflict_however_it_is_spelled() {
    let engine = TestEngine::new();
    engine.join("jane@bücher.example");
    let events = engine.event_count();
    for spelling in ["JANE@bücher.example", "jane@xn--bcher-kva.example", " Jane@BÜCHER.example "]
    {
        let refused = engine.try_join(spelling).unwrap_err();
        assert!(matches!(refused, RegisterError::EmailTaken), "{spelling}");
        assert_eq!(told(&refused).1, "conflict");
    }
    let users = engine.list_users(&UserFilter::default(), &PageRequest::first(10)).unwrap();
    assert_eq!(users.items.len(), 1);
    assert_eq!(engine.show_user("jane@bücher.example").unwrap().sessions.len(), 1);
    assert_eq!(engine.event_count(), events, "nothing was written");
}

#[test]
fn look_alike_letters_are_a_switch_and_another_mailbox() {
    let unicode = "j\u{430}ne@example.com";
    let strict = TestEngine::new();
    assert!(strict.check_registration(input(unicode, PASSWORD, None)).is_err());
    let lax = TestEngine::builder().options(|options| options.email.unicode_local = true).build();
    lax.join(JANE);
    assert_ne!(lax.join(unicode).user.email.as_str(), JANE);
}

#[test]
fn of_parallel_registrations_of_one_address_one_succeeds() {
    let engine = TestEngine::new();
    let results = at_once(8, |_| engine.try_join(JANE));
    let (joined, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(joined.len(), 1);
    assert!(refused.iter().all(|result| matches!(result, Err(RegisterError::EmailTaken))));
    let winner = joined.into_iter().next().unwrap().unwrap();
    assert_eq!(engine.show_user(JANE).unwrap().user, winner.user);
    assert_eq!(engine.count(winner.user.id, Action::UserRegistered, Outcome::Success), 1);
    assert!(engine.is_alive(&winner.tokens));
}
