//! What an administrator does to the sessions and accounts of others, and not to their own.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::admin::{AuthorizeError, FindUserError, authorize_admin};
use portcullis_identity::{Role, UserStatus};
use portcullis_kernel::{ErrorKind, Origin, UserId};
use portcullis_testkit::engine::TestEngine;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, from, home,
    mailbox::{Mail as _, waiting},
    told,
};

/// An administrator, and somebody else.
fn office(engine: &TestEngine) -> (UserId, UserId) {
    let admin = engine.join(JANE).user.id;
    engine.set_role(admin, Role::Admin, Actor::Operator, &Origin::local()).unwrap();
    let other = engine.join(JOHN).user.id;
    engine.deliver();
    (admin, other)
}

#[test]
fn r9_ending_every_session_of_an_account_ends_what_hangs_on_them_and_nothing_else() {
    let engine = TestEngine::new();
    let (admin, john) = office(&engine);
    let (api, page) = (engine.enter(JOHN), engine.enter_page(JOHN));
    let caller = engine.bearer(&api.tokens);
    engine.try_change_email(&caller, "new@example.com", PASSWORD).unwrap();
    let jane = engine.enter(JANE);
    engine.revoke_sessions(john, Actor::User(admin), &from("192.0.2.9")).unwrap();
    assert!(!engine.is_alive(&api.tokens) && engine.page(&page).is_none());
    assert!(engine.show_user(JOHN).unwrap().sessions.is_empty());
    assert!(engine.deliver().is_empty(), "the code of the change is mailed to nobody");
    assert!(engine.is_alive(&jane.tokens));
    assert!(engine.try_enter(JOHN, PASSWORD, &home()).is_ok(), "the account is open");
    let events = engine.events(john);
    let event = events.iter().find(|event| event.action == Action::SessionsRevoked).unwrap();
    assert_eq!((event.actor, event.subject), (Actor::User(admin), Some(john)));
    assert_eq!(event.client, from("192.0.2.9").client);
    assert_eq!(engine.count(john, Action::SessionsRevoked, Outcome::Success), 1);
}

#[test]
fn an_administrator_does_not_shut_or_demote_or_erase_themselves() {
    let engine = TestEngine::new();
    let (admin, john) = office(&engine);
    let (actor, origin) = (Actor::User(admin), from("192.0.2.9"));
    let before = engine.event_count();
    for refused in [
        engine.set_role(admin, Role::User, actor, &origin),
        engine.suspend_user(admin, actor, &origin),
        engine.delete_user(admin, actor, &origin),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, FindUserError::OwnAccount));
        assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    }
    let user = engine.find_user(JANE).unwrap();
    assert_eq!((user.role, user.status), (Role::Admin, UserStatus::Active));
    assert_eq!(engine.event_count(), before);
    engine.revoke_sessions(admin, actor, &origin).unwrap();
    assert!(engine.show_user(JANE).unwrap().sessions.is_empty(), "their sessions they may end");
    engine.set_role(admin, Role::User, Actor::User(john), &origin).unwrap();
    engine.delete_user(admin, Actor::Operator, &Origin::local()).unwrap();
    assert!(engine.find_user(JANE).is_err(), "another one, or the command line, may");
}

#[test]
fn administrators_are_judged_by_the_role_that_is_stored_and_not_by_the_one_in_their_token() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    let id = engine.find_user(JANE).unwrap().id;
    for (role, may) in
        [(Role::User, false), (Role::Admin, true), (Role::Host, false), (Role::VerifiedUser, false)]
    {
        engine.set_role(id, role, Actor::Operator, &Origin::local()).unwrap();
        let judged = authorize_admin(&engine.bearer(&tokens));
        assert_eq!(judged, if may { Ok(Actor::User(id)) } else { Err(AuthorizeError::NotAdmin) });
    }
    assert_eq!(told(&AuthorizeError::NotAdmin).0, ErrorKind::Forbidden);
}

#[test]
fn sessions_of_nobody_are_not_ended() {
    let engine = TestEngine::new();
    let events = engine.event_count();
    let nobody = "01JN2X4K8M3F7QPZRVWT6YBHCE".parse().unwrap();
    let refused = engine.revoke_sessions(nobody, Actor::Operator, &Origin::local());
    assert!(matches!(refused, Err(FindUserError::NotFound)));
    assert_eq!(engine.event_count(), events);
}

#[test]
fn an_account_that_an_operator_erased_leaves_no_mail() {
    let engine = TestEngine::new();
    let john = engine.join_verified(JOHN);
    let caller = engine.bearer(&john.tokens);
    engine.try_change_email(&caller, "new@example.com", PASSWORD).unwrap();
    assert_eq!(waiting(&engine).len(), 2);
    engine.delete_user(john.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(waiting(&engine).is_empty());
}
