//! What the janitor removes of what is mailed.

use portcullis_audit::Actor;
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{Cleaned, admin::Invite};
use portcullis_kernel::{Field, Origin, PageRequest};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, at_once,
    mailbox::{Mail as _, address, carried, is_stored, presented, waiting},
};

/// What was mailed and what waits, removed by one round.
fn cleaned(engine: &TestEngine) -> (u64, u64) {
    let Cleaned { mailed, mails, .. } = engine.clean().unwrap();
    (mailed, mails)
}

#[test]
fn r11_expired_links_go_and_live_ones_stay() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.deliver();
    let reset = engine.reset_token(JANE);
    engine.clock.advance(Duration::HOUR - Duration::SECOND);
    assert_eq!(cleaned(&engine), (0, 0));
    assert!(is_stored(&engine, MailedKind::ResetPassword, &reset));
    engine.clock.advance(Duration::SECOND);
    assert_eq!(cleaned(&engine), (1, 0), "the reset");
    engine.clock.advance(Duration::hours(23));
    assert_eq!(cleaned(&engine), (1, 0), "the confirmation");
    assert_eq!(cleaned(&engine), (0, 0));
}

#[test]
fn r11_an_expired_change_of_address_goes_and_its_waiting_mail_with_it() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.deliver();
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    engine.clock.advance(Duration::minutes(15) - Duration::SECOND);
    assert_eq!(cleaned(&engine), (0, 0));
    engine.clock.advance(Duration::SECOND);
    assert_eq!(cleaned(&engine), (1, 0));
    assert!(waiting(&engine).is_empty());
}

#[test]
fn r11_an_expired_invitation_goes() {
    let engine = TestEngine::new();
    for email in [Field::Absent, JANE.into()] {
        engine.invite(Invite { email }, Actor::Operator, &Origin::local()).unwrap();
    }
    engine.clock.advance(Duration::days(7) - Duration::SECOND);
    assert_eq!(cleaned(&engine), (0, 0));
    assert_eq!(engine.list_invitations(&PageRequest::first(9)).unwrap().items.len(), 2);
    engine.clock.advance(Duration::SECOND);
    assert_eq!(cleaned(&engine), (2, 0));
    assert!(waiting(&engine).is_empty());
}

#[test]
fn r11_mails_that_nobody_delivered_in_time_go() {
    let engine = TestEngine::new();
    engine.queue_test_mail(&address(&engine, JANE)).unwrap();
    engine.ask(RequestKind::Reset, "nobody@example.com");
    engine.ask(RequestKind::Verification, "nobody@example.com");
    engine.clock.advance(Duration::HOUR);
    assert_eq!(cleaned(&engine), (0, 2), "the test and the request of a reset");
    engine.clock.advance(Duration::hours(23));
    assert_eq!(cleaned(&engine), (0, 1));
    assert!(waiting(&engine).is_empty());
}

#[test]
fn a_mail_in_hand_that_the_janitor_removed_is_reported_without_harm() {
    let engine = TestEngine::new();
    engine.queue_test_mail(&address(&engine, JANE)).unwrap();
    let mail = engine.claim_mail().unwrap().unwrap();
    engine.clock.advance(Duration::HOUR);
    assert_eq!(cleaned(&engine), (0, 1));
    assert!(!engine.renew_mail(&mail).unwrap());
    engine.mail_delivered(&mail).unwrap();
    assert!(engine.deliver().is_empty());
}

#[test]
fn the_last_confirmation_removed_leaves_the_account_and_a_new_one_can_be_asked_for() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    engine.clock.advance(Duration::DAY);
    let Cleaned { mailed, sessions, .. } = engine.clean().unwrap();
    assert_eq!((mailed, sessions), (1, 0));
    assert!(waiting(&engine).is_empty(), "and its mail went along");
    engine.ask(RequestKind::Verification, JANE);
    engine.try_verify(&engine.receive("verify_email")).unwrap();
    assert!(engine.is_alive(&joined.tokens));
}

#[test]
fn sessions_of_browsers_go_like_any_other() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.enter_page(JANE);
    engine.clock.advance(Duration::hours(12));
    engine.clean().unwrap();
    engine.clock.advance(Duration::SECOND);
    engine.clean().unwrap();
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
    assert_eq!(engine.clean().unwrap().sessions, 0, "the token and the session went");
}

#[test]
fn two_servers_may_clean_what_is_mailed_at_once() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    engine.join(JANE);
    engine.join(JOHN);
    let link = engine.deliver();
    engine.queue_test_mail(&address(&engine, JANE)).unwrap();
    engine.clock.advance(Duration::DAY);
    let removed = at_once(2, |index| cleaned([&engine, &other][index]));
    let sum = removed.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sum, (2, 1));
    let dead = presented(MailedKind::VerifyEmail, &carried(&link[0]));
    assert!(engine.preview_verification(&dead).is_err());
}
