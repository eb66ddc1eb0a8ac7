use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::admin::{CreateUser, CreateUserError, FindUserError};
use portcullis_identity::{Role, UserFilter, UserStatus};
use portcullis_kernel::{Clock as _, ErrorKind, Field, Origin, PageRequest, UserId};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{JANE, JOHN, PASSWORD, People as _, Stored as _, broken, from, home, told};

const OPERATOR: Actor = Actor::Operator;

fn create(engine: &TestEngine, input: CreateUser) -> Result<UserId, CreateUserError> {
    engine.create_user(input, OPERATOR, &Origin::local()).map(|user| user.id)
}

fn stranger() -> UserId {
    "01JN2X4K8M3F7QPZRVWT6YBHCE".parse().unwrap()
}

#[test]
fn an_operator_makes_an_account_of_any_role() {
    let engine = TestEngine::new();
    let input = CreateUser {
        email: " Jane@Example.com".into(),
        password: Field::Given(PASSWORD.into()),
        display_name: " Jane ".into(),
        role: "admin".into(),
        email_verified: true,
    };
    let id = create(&engine, input).unwrap();
    let details = engine.show_user(JANE).unwrap();
    assert_eq!((details.user.id, details.user.role), (id, Role::Admin));
    assert_eq!(details.user.email_verified_at, Some(engine.clock.now()));
    assert_eq!(details.user.display_name.as_ref().unwrap().as_str(), "Jane");
    assert!(details.has_password);
    assert_eq!(details.sessions, [], "nobody signed in");
    let events = engine.events(id);
    assert_eq!(
        (events.len(), events[0].action, events[0].actor),
        (1, Action::UserCreated, OPERATOR)
    );
    assert_eq!(events[0].detail.as_deref(), Some("admin"));
    assert!(engine.is_alive(&engine.enter(JANE).tokens));
}

#[test]
fn the_role_of_a_new_account_follows_the_proof_of_its_address() {
    let engine = TestEngine::new();
    let made = |email: &str, email_verified| {
        let input = CreateUser { email: email.into(), email_verified, ..CreateUser::default() };
        create(&engine, input).unwrap();
        let details = engine.show_user(email).unwrap();
        assert!(!details.has_password);
        details.user.role
    };
    assert_eq!((made(JANE, true), made(JOHN, false)), (Role::VerifiedUser, Role::User));
}

#[test]
fn every_broken_field_of_a_new_account_is_named_at_once() {
    let engine = TestEngine::new();
    let input = CreateUser {
        email: "jane".into(),
        password: Field::Given("short".into()),
        display_name: "".into(),
        role: "guest".into(),
        email_verified: false,
    };
    let refused = create(&engine, input).unwrap_err();
    assert_eq!(told(&refused).1, "validation_error");
    let CreateUserError::Invalid(invalid) = &refused else { panic!("{refused:?}") };
    assert_eq!(
        broken(invalid),
        [
            ("display_name", "must not be empty; leave it out or send null for no name"),
            ("email", "must be a valid email address"),
            ("password", "must be at least 8 characters"),
            ("role", "must be one of user, verified_user, host, admin"),
        ]
    );
    let nothing = create(&engine, CreateUser::default()).unwrap_err();
    let CreateUserError::Invalid(invalid) = &nothing else { panic!("{nothing:?}") };
    assert_eq!(broken(invalid), [("email", "is required")]);
}

#[test]
fn a_taken_address_makes_no_account() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user;
    let events = engine.event_count();
    let input = CreateUser { email: "JANE@example.com".into(), ..CreateUser::default() };
    let refused = create(&engine, input).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    assert_eq!(engine.find_user(JANE).unwrap(), user);
    assert_eq!(engine.event_count(), events);
}

#[test]
fn accounts_are_listed_in_pages_in_the_order_of_their_making() {
    let engine = TestEngine::new();
    let ids: Vec<UserId> = (0..5)
        .map(|index| {
            engine.clock.advance(Duration::SECOND);
            let email = Field::Given(format!("user{index}@example.com"));
            create(&engine, CreateUser { email, ..CreateUser::default() }).unwrap()
        })
        .collect();
    let mut request = PageRequest::first(2);
    let mut pages = Vec::new();
    loop {
        let page = engine.list_users(&UserFilter::default(), &request).unwrap();
        pages.push(page.items.iter().map(|user| user.id).collect::<Vec<_>>());
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(pages, [&ids[..2], &ids[2..4], &ids[4..]]);
    let nothing = engine.list_users(&UserFilter::default(), &PageRequest::first(0)).unwrap();
    assert_eq!(nothing.items.len(), 1, "a page has a row at least");
}

#[test]
fn a_page_has_200_accounts_at_most() {
    let engine = TestEngine::new();
    for index in 0..201 {
        let email = Field::Given(format!("user{index}@example.com"));
        create(&engine, CreateUser { email, ..CreateUser::default() }).unwrap();
    }
    let page = engine.list_users(&UserFilter::default(), &PageRequest::first(u32::MAX)).unwrap();
    assert_eq!(page.items.len(), 200);
    assert!(page.next.is_some());
}

#[test]
fn accounts_are_filtered_by_address_role_and_state() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    let john = engine.join(JOHN).user.id;
    engine.set_role(jane, Role::Host, OPERATOR, &Origin::local()).unwrap();
    engine.suspend_user(john, OPERATOR, &Origin::local()).unwrap();
    let found = |filter: UserFilter| {
        let page = engine.list_users(&filter, &PageRequest::first(10)).unwrap();
        page.items.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    let all = UserFilter::default;
    assert_eq!(found(UserFilter { role: Some(Role::Host), ..all() }), [jane]);
    assert_eq!(found(UserFilter { status: Some(UserStatus::Suspended), ..all() }), [john]);
    assert_eq!(found(UserFilter { email_contains: Some("john".into()), ..all() }), [john]);
    assert_eq!(found(UserFilter { email_contains: Some("%".into()), ..all() }), []);
}

#[test]
fn an_account_is_found_by_id_and_by_any_spelling_of_its_address() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user;
    for name in [user.id.to_string().as_str(), JANE, " JANE@example.COM "] {
        assert_eq!(engine.find_user(name).unwrap(), user, "{name}");
    }
    for name in ["", "jane", JOHN, &stranger().to_string(), &user.id.to_string().to_lowercase()] {
        let refused = engine.find_user(name).unwrap_err();
        assert!(matches!(refused, FindUserError::NotFound), "{name}");
        assert_eq!(told(&refused).1, "not_found");
    }
}

#[test]
fn what_is_shown_of_an_account_are_its_live_sessions() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let other = engine.bearer(&engine.enter(JANE).tokens);
    engine.end_session(&other, &other.session.to_string(), &home()).unwrap();
    let details = engine.show_user(&joined.user.id.to_string()).unwrap();
    assert_eq!(details.sessions.len(), 1);
    assert_eq!(details.sessions[0].id, engine.bearer(&joined.tokens).session);
}

#[test]
fn each_change_is_written_down_once_with_who_did_it() {
    let engine = TestEngine::new();
    let user = engine.join(JANE).user.id;
    let admin = engine.join(JOHN).user.id;
    let actor = Actor::User(admin);
    engine.set_role(user, Role::Admin, actor, &from("192.0.2.9")).unwrap();
    engine.suspend_user(user, actor, &from("192.0.2.9")).unwrap();
    assert_eq!(engine.find_user(JANE).unwrap().status, UserStatus::Suspended);
    engine.resume_user(user, actor, &from("192.0.2.9")).unwrap();
    assert_eq!(engine.find_user(JANE).unwrap().status, UserStatus::Active);
    for action in [Action::RoleChanged, Action::UserSuspended, Action::UserResumed] {
        assert_eq!(engine.count(user, action, Outcome::Success), 1, "{action:?}");
    }
    let events = engine.events(user);
    let event = events.iter().find(|event| event.action == Action::RoleChanged).unwrap();
    assert_eq!((event.actor, event.subject), (actor, Some(user)));
    assert_eq!(event.detail.as_deref(), Some("admin"));
}

#[test]
fn nothing_is_done_to_an_account_that_is_not_there() {
    let engine = TestEngine::new();
    let events = engine.event_count();
    let (id, local) = (stranger(), Origin::local());
    for result in [
        engine.set_role(id, Role::Host, OPERATOR, &local),
        engine.suspend_user(id, OPERATOR, &local),
        engine.resume_user(id, OPERATOR, &local),
        engine.delete_user(id, OPERATOR, &local),
    ] {
        assert!(matches!(result, Err(FindUserError::NotFound)));
    }
    assert_eq!(engine.event_count(), events);
}

#[test]
fn a_deleted_account_leaves_its_events_under_its_id_without_addresses() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let john = engine.join(JOHN);
    let user = joined.user.id;
    assert!(engine.try_enter(JANE, "wrong password", &from("192.0.2.1")).is_err());
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    assert!(engine.rotate(&joined.tokens.refresh).is_err());
    let before = engine.events(user);
    engine.delete_user(user, OPERATOR, &Origin::local()).unwrap();
    assert!(!engine.is_alive(&next));
    assert!(matches!(engine.find_user(JANE), Err(FindUserError::NotFound)));
    assert!(matches!(engine.find_user(&user.to_string()), Err(FindUserError::NotFound)));
    let after = engine.events(user);
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().any(|event| event.client.is_some()));
    assert!(after.iter().all(|event| event.client.is_none()));
    assert_eq!(engine.count(user, Action::UserDeleted, Outcome::Success), 1);
    let told = format!("{after:?}");
    assert!(!told.contains(JANE) && !told.contains("192.0.2.1"), "{told}");
    assert_eq!(engine.events(john.user.id)[0].client, home().client, "others keep theirs");
    assert!(matches!(
        engine.delete_user(user, OPERATOR, &Origin::local()),
        Err(FindUserError::NotFound)
    ));
    assert!(engine.is_alive(&john.tokens));
}

#[test]
fn a_deleted_address_can_be_registered_anew_and_inherits_nothing() {
    let engine = TestEngine::new();
    let old = engine.join(JANE).user.id;
    engine.set_role(old, Role::Admin, OPERATOR, &Origin::local()).unwrap();
    engine.delete_user(old, OPERATOR, &Origin::local()).unwrap();
    let new = engine.join(JANE).user;
    assert_eq!(new.role, Role::User);
    assert_eq!(engine.events(new.id).len(), 1);
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
}
