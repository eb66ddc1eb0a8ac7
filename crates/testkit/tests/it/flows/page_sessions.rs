//! Sign-ins on the pages.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    AdmittedPage,
    people::{Caller, Deletion, Register, SignInError, SignOut},
};
use portcullis_kernel::{ExposeSecret as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use portcullis_tokens::{PageToken, RefreshToken};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, from, home, ip,
    mailbox::{Mail as _, OTHER_PASSWORD},
};

/// Something that ends a session of this caller.
type End = fn(&TestEngine, &Caller);

/// A registered user on the pages.
fn entered(engine: &TestEngine) -> (PageToken, Caller) {
    engine.join(JANE);
    let page = engine.enter_page(JANE);
    let caller = engine.page(&page).unwrap();
    (page, caller)
}

#[test]
fn a_sign_in_on_the_pages_lasts_12_hours_and_not_a_moment_longer() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let jane = engine.join(JANE).user;
        let page = engine.try_enter_page(JANE, PASSWORD, &home()).unwrap();
        assert_eq!((page.user.id, page.expires_at), (jane.id, engine.now() + Duration::hours(12)));
        assert_eq!(engine.page(&page.token).unwrap().user, jane);
        engine.clock.advance(Duration::hours(12) + late);
        assert_eq!(engine.page(&page.token).is_some(), good, "{late}");
        assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1 + usize::from(good));
    }
}

#[test]
fn a_registration_on_the_pages_signs_its_owner_in_there() {
    let engine = TestEngine::new();
    let input = Register {
        email: JANE.into(),
        password: Field::Given(PASSWORD.into()),
        ..Register::default()
    };
    let joined = engine.register_page(engine.check_registration(input).unwrap(), &home()).unwrap();
    let caller = engine.page(&joined.token).unwrap();
    assert_eq!(caller.user, joined.user);
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
    assert_eq!(engine.count(joined.user.id, Action::UserRegistered, Outcome::Success), 1);
    engine.try_verify(&engine.receive("verify_email")).unwrap();
    assert!(engine.page(&joined.token).unwrap().user.is_verified(), "the user as stored now");
}

#[test]
fn j4_what_a_browser_holds_is_no_refresh_token_and_the_reverse() {
    let engine = TestEngine::new();
    let (page, caller) = entered(&engine);
    let tokens = engine.enter(JANE).tokens;
    let text = page.expose_secret();
    assert!(text.starts_with("pst_") && text.len() == 4 + 43 + 6);
    assert!(RefreshToken::parse(text.into()).is_none());
    for other in [tokens.refresh.expose_secret(), tokens.access.token.expose_secret(), "pst_", ""] {
        assert!(engine.authenticate_page(other.into()).unwrap().is_none(), "{other}");
    }
    assert!(engine.authenticate(text).is_err());
    let sign_out = SignOut { refresh_token: Field::Given(text.into()) };
    engine.sign_out(&caller, sign_out, &home()).unwrap();
    assert!(engine.page(&page).is_some(), "nor does it sign out as one");
    assert_eq!(engine.count(caller.user.id, Action::RefreshReplayed, Outcome::Failure), 0);
}

#[test]
fn a_page_is_asked_for_any_number_of_times_and_rotates_nothing() {
    let engine = TestEngine::new();
    let (page, _) = entered(&engine);
    let events = engine.event_count();
    for _ in 0..20 {
        assert!(engine.page(&page).is_some());
    }
    assert_eq!(engine.event_count(), events);
}

#[test]
fn r6_signing_out_ends_the_browsers_session_and_no_other_and_is_no_error_twice() {
    let engine = TestEngine::new();
    let (page, caller) = entered(&engine);
    let (other, tokens) = (engine.enter_page(JANE), engine.enter(JANE).tokens);
    engine.sign_out_page(&caller, &home()).unwrap();
    engine.sign_out_page(&caller, &home()).unwrap();
    assert!(engine.page(&page).is_none());
    assert!(engine.page(&other).is_some() && engine.is_alive(&tokens));
    assert_eq!(engine.count(caller.user.id, Action::SessionEnded, Outcome::Success), 1);
}

#[test]
fn r9_whatever_ends_sessions_ends_those_of_browsers() {
    let ends: [(&str, End); 6] = [
        ("a change of password elsewhere", |engine, _| {
            let elsewhere = engine.bearer(&engine.enter(JANE).tokens);
            engine.try_change_password(&elsewhere, PASSWORD, OTHER_PASSWORD).unwrap();
        }),
        ("a reset", |engine, _| {
            engine.deliver();
            engine.try_reset(&engine.reset_token(JANE), OTHER_PASSWORD).unwrap();
        }),
        ("a suspension", |engine, caller| {
            engine.suspend_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
            engine.resume_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
        }),
        ("an operator", |engine, caller| {
            engine.revoke_sessions(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
        }),
        ("a deletion", |engine, caller| {
            assert_eq!(engine.try_delete(caller, Some(PASSWORD)).unwrap(), Deletion::Done);
        }),
        ("ending all others", |engine, _| {
            let elsewhere = engine.bearer(&engine.enter(JANE).tokens);
            assert_eq!(engine.end_other_sessions(&elsewhere, &home()).unwrap(), 2);
        }),
    ];
    for (what, end) in ends {
        let engine = TestEngine::new();
        let (page, caller) = entered(&engine);
        end(&engine, &caller);
        assert!(engine.page(&page).is_none(), "{what}");
    }
}

#[test]
fn a_change_of_password_on_the_pages_keeps_the_browser_and_ends_the_rest() {
    let engine = TestEngine::new();
    let (page, caller) = entered(&engine);
    let tokens = engine.enter(JANE).tokens;
    engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD).unwrap();
    assert!(engine.page(&page).is_some() && !engine.is_alive(&tokens));
}

#[test]
fn a_browsers_session_is_listed_among_the_others_and_can_be_ended_from_there() {
    let engine = TestEngine::new();
    let (page, caller) = entered(&engine);
    let elsewhere = engine.bearer(&engine.enter(JANE).tokens);
    let listed = engine.list_sessions(&caller).unwrap();
    assert_eq!(listed.len(), 3);
    let current: Vec<_> = listed.iter().filter(|view| view.current).collect();
    assert_eq!((current.len(), current[0].session.id), (1, caller.session));
    assert_eq!(current[0].session.ip.as_deref(), Some("203.0.113.7"));
    engine.end_session(&elsewhere, &caller.session.to_string(), &home()).unwrap();
    assert!(engine.page(&page).is_none());
}

#[test]
fn r13_sessions_of_browsers_count_towards_the_most() {
    let engine = TestEngine::builder().options(|o| o.refresh.max_sessions = 2).build();
    let joined = engine.join(JANE).tokens;
    let pages: Vec<_> = (0..3)
        .map(|_| {
            engine.clock.advance(Duration::SECOND);
            engine.enter_page(JANE)
        })
        .collect();
    assert!(!engine.is_alive(&joined) && engine.page(&pages[0]).is_none());
    assert!(engine.page(&pages[1]).is_some() && engine.page(&pages[2]).is_some());
}

#[test]
fn e1_a_sign_in_on_the_pages_is_judged_like_any_other() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE).user.id;
    for (email, password) in
        [(JANE, "wrong password"), (JANE, ""), ("nobody@example.com", PASSWORD)]
    {
        let refused = engine.try_enter_page(email, password, &home());
        assert!(matches!(refused, Err(SignInError::InvalidCredentials)), "{email}");
    }
    engine.suspend_user(jane, Actor::Operator, &Origin::local()).unwrap();
    let shut = engine.try_enter_page(JANE, PASSWORD, &home());
    assert!(matches!(shut, Err(SignInError::Suspended)));
    assert_eq!(engine.count(jane, Action::SignedIn, Outcome::Failure), 3);
}

#[test]
fn w5_a_form_is_good_in_the_browser_that_got_it_on_every_server_and_nowhere_else() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let (page, _) = entered(&engine);
    let mine = page.expose_secret();
    let theirs = engine.enter_page(JANE);
    let form = engine.form_token(mine);
    assert!(engine.is_own_form(mine, &form) && other.is_own_form(mine, &form));
    assert!(!engine.is_own_form(theirs.expose_secret(), &form));
    assert!(!engine.is_own_form(mine, "") && !engine.is_own_form(mine, mine));
    assert!(!form.contains(mine));
}

#[test]
fn a_live_sign_in_is_counted_towards_its_user_and_anything_else_towards_the_address() {
    let engine = TestEngine::new();
    let (page, caller) = entered(&engine);
    let client = "192.0.2.1";
    let ask = |cookie: Option<&str>| -> AdmittedPage {
        engine.admit_page(cookie.map(Into::into), ip(client), &from(client)).unwrap()
    };
    let admitted = ask(Some(page.expose_secret()));
    assert_eq!(admitted.caller.unwrap().user.id, caller.user.id);
    assert_eq!(admitted.standing.unwrap().limit, 100);
    engine.sign_out_page(&caller, &home()).unwrap();
    let never_issued = format!("pst_{}", "0".repeat(49));
    for (index, cookie) in
        [None, Some("x"), Some(never_issued.as_str()), Some(page.expose_secret())]
            .into_iter()
            .enumerate()
    {
        let admitted = ask(cookie);
        assert!(admitted.caller.is_none(), "{cookie:?}");
        let standing = admitted.standing.unwrap();
        assert_eq!((standing.limit, standing.remaining as usize), (30, 29 - index));
    }
    while engine.admit_page(None, ip(client), &from(client)).is_ok() {}
    engine.join(JOHN);
    let john = engine.enter_page(JOHN);
    let cookie = Some(john.expose_secret().into());
    assert!(engine.admit_page(cookie, ip(client), &from(client)).is_err(), "looked at first");
}
