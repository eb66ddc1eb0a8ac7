//! Proving the address of an account, and saying that the account is somebody else's.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::{Content, RequestKind};
use portcullis_flows::people::{MailedTokenError, PresentToken, Register};
use portcullis_identity::Role;
use portcullis_kernel::{ErrorKind, Field, Origin};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, home,
    mailbox::{Mail as _, address, carried, is_stored, kinds, presented, waiting},
    refresh::claim,
    told,
};

/// Registers Jane and reads her mail.
fn invited(engine: &TestEngine) -> String {
    engine.join(JANE);
    engine.receive("verify_email")
}

fn is_refused<T>(result: &Result<T, MailedTokenError>) -> bool {
    matches!(result, Err(MailedTokenError::InvalidToken))
}

#[test]
fn m1_a_registration_mails_one_link_to_the_address_as_its_owner_spells_it() {
    let engine = TestEngine::new();
    let input = Register {
        email: " Jane.Doe@EXAMPLE.com".into(),
        password: Field::Given(PASSWORD.into()),
        ..Register::default()
    };
    let joined = engine.register(engine.check_registration(input).unwrap(), &home()).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane.Doe@example.com", "verify_email")]);
    let Content::VerifyEmail { expires_at, .. } = letters[0].content else { unreachable!() };
    let (now, asked) = (engine.now().unix_timestamp(), &letters[0].asked);
    assert_eq!(expires_at.unix_timestamp(), now + 24 * 3600);
    assert_eq!((asked.at.unix_timestamp(), asked.client), (now, home().client));
    assert_eq!(asked.request_id, home().request_id);
    let token = carried(&letters[0]);
    assert!(token.starts_with("uvt_") && token.len() == 4 + 43 + 6);
    assert_eq!(engine.try_verify(&token).unwrap().id, joined.user.id);
    assert!(engine.deliver().is_empty());
}

#[test]
fn m7_a_registration_that_is_not_published_leaves_neither_account_nor_mail() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    faulty.heal();
    engine.join(JOHN);
    let commit = faulty.position(Step::Commit).unwrap();
    engine.deliver();
    faulty.fail_at(commit, Fault::Failed);
    assert!(engine.try_join(JANE).is_err());
    faulty.heal();
    assert!(engine.find_user(JANE).is_err());
    assert!(waiting(&engine).is_empty());
    // Nor was the mail counted that was never queued.
    engine.join(JANE);
    let mut mails = vec![engine.deliver().len()];
    for _ in 0..3 {
        engine.ask(RequestKind::Verification, JANE);
        mails.push(engine.deliver().len());
    }
    assert_eq!(mails, [1, 1, 1, 0]);
}

#[test]
fn l9_verification_mails_first_and_resent_together_are_3_an_hour_and_10_a_day() {
    let engine = TestEngine::new();
    engine.join(JANE);
    let mut mails = vec![engine.deliver().len()];
    for hour in 0..24 {
        for _ in 0..5 {
            engine.ask(RequestKind::Verification, " JANE@example.com");
            mails.push(engine.deliver().len());
        }
        let sent: usize = mails.iter().sum();
        assert_eq!(sent, [3, 6, 9, 10].get(hour).copied().unwrap_or(10), "in hour {hour}");
        engine.clock.advance(Duration::HOUR);
    }
    engine.ask(RequestKind::Verification, JANE);
    assert_eq!(engine.deliver().len(), 1, "a day after the first three");
    engine.join(JOHN);
    assert_eq!(engine.deliver().len(), 1, "each address counts for itself");
}

#[test]
fn l9_requests_that_nobody_gets_take_nothing_from_who_registers_the_address_next() {
    let engine = TestEngine::new();
    for _ in 0..20 {
        engine.ask(RequestKind::Verification, JANE);
        engine.ask(RequestKind::Reset, JANE);
    }
    assert!(engine.deliver().is_empty());
    engine.join(JANE);
    engine.try_verify(&engine.receive("verify_email")).unwrap();
}

#[test]
fn l9_a_registration_of_an_address_over_its_limit_succeeds_without_a_mail() {
    let engine = TestEngine::new();
    for _ in 0..3 {
        let user = engine.join(JANE).user;
        assert_eq!(engine.deliver().len(), 1);
        engine.delete_user(user.id, Actor::Operator, &Origin::local()).unwrap();
    }
    let joined = engine.join(JANE);
    assert!(engine.is_alive(&joined.tokens));
    assert!(waiting(&engine).is_empty());
    engine.clock.advance(Duration::HOUR);
    engine.ask(RequestKind::Verification, JANE);
    engine.try_verify(&engine.receive("verify_email")).unwrap();
}

#[test]
fn the_proof_lifts_a_plain_user_and_lowers_nobody() {
    for (before, after) in [
        (Role::User, Role::VerifiedUser),
        (Role::VerifiedUser, Role::VerifiedUser),
        (Role::Host, Role::Host),
        (Role::Admin, Role::Admin),
    ] {
        let engine = TestEngine::new();
        let id = engine.join(JANE).user.id;
        engine.set_role(id, before, Actor::Operator, &Origin::local()).unwrap();
        let user = engine.try_verify(&engine.receive("verify_email")).unwrap();
        assert_eq!((user.role, user.email_verified_at), (after, Some(engine.now())));
        assert_eq!(engine.find_user(JANE).unwrap(), user);
    }
}

#[test]
fn r12_tokens_tell_of_the_proof_from_the_next_refresh_or_sign_in_and_not_before() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    engine.try_verify(&engine.receive("verify_email")).unwrap();
    assert_eq!(claim(&engine, &joined.tokens, "role"), "user");
    assert_eq!(engine.bearer(&joined.tokens).user.role, Role::VerifiedUser, "as stored now");
    let next = engine.rotate(&joined.tokens.refresh).unwrap();
    assert_eq!(claim(&engine, &next, "role"), "verified_user");
    assert_eq!(claim(&engine, &engine.enter(JANE).tokens, "role"), "verified_user");
}

#[test]
fn a_link_tells_when_and_from_which_network_the_account_was_opened_until_it_is_confirmed() {
    let engine = TestEngine::new();
    let opened_at = engine.now();
    let token = invited(&engine);
    engine.clock.advance(Duration::HOUR);
    let shown = engine.preview_verification(&presented(MailedKind::VerifyEmail, &token)).unwrap();
    assert_eq!(shown.opened_from.as_deref(), Some("203.0.113.0/24"));
    assert_eq!((shown.created_at, shown.email.as_str()), (opened_at, JANE));
    assert_eq!(engine.try_verify(&token).unwrap().opened_from, None);
    assert_eq!(engine.find_user(JANE).unwrap().opened_from, None);
}

#[test]
fn v8_looking_at_a_link_changes_nothing() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let (before, events) = (engine.find_user(JANE).unwrap(), engine.event_count());
    let looked = presented(MailedKind::VerifyEmail, &token);
    for _ in 0..3 {
        assert_eq!(engine.preview_verification(&looked).unwrap(), before);
    }
    assert_eq!((engine.find_user(JANE).unwrap(), engine.event_count()), (before, events));
    assert!(engine.try_verify(&token).is_ok());
}

#[test]
fn v9_a_used_link_gives_nothing() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let user = engine.try_verify(&token).unwrap();
    let looked = presented(MailedKind::VerifyEmail, &token);
    assert!(is_refused(&engine.preview_verification(&looked)));
    assert!(is_refused(&engine.try_disown(&token)), "nor does it erase a confirmed account");
    let refused = engine.try_verify(&token).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Unauthenticated, "invalid_token"));
    assert!(!is_stored(&engine, MailedKind::VerifyEmail, &token));
    assert_eq!(engine.count(user.id, Action::EmailVerified, Outcome::Success), 1);
}

#[test]
fn a_newer_link_kills_the_older_and_its_mail_if_that_still_waits() {
    let engine = TestEngine::new();
    let older = invited(&engine);
    engine.ask(RequestKind::Verification, JANE);
    let newer = engine.receive("verify_email");
    assert!(is_refused(&engine.try_verify(&older)));
    assert!(is_refused(&engine.try_disown(&older)));
    assert!(engine.try_verify(&newer).is_ok());
    engine.join(JOHN);
    engine.clock.advance(Duration::SECOND);
    engine.ask(RequestKind::Verification, JOHN);
    // The request is younger than the first mail, which it overtakes.
    let first = engine.claim_mail().unwrap().unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JOHN, "verify_email")]);
    engine.mail_delivered(&first).unwrap();
    assert!(is_refused(&engine.try_verify(&carried(&first.letter))));
}

#[test]
fn a_link_lives_24_hours_and_not_a_moment_longer() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let token = invited(&engine);
        engine.clock.advance(Duration::DAY + late);
        let looked = presented(MailedKind::VerifyEmail, &token);
        assert_eq!(engine.preview_verification(&looked).is_ok(), good, "{late}");
        assert_eq!(engine.try_verify(&token).is_ok(), good, "{late}");
        assert_eq!(engine.find_user(JANE).unwrap().is_verified(), good);
    }
}

#[test]
fn j4_only_a_link_of_its_kind_confirms() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let reset = engine.reset_token(JANE);
    for other in [reset.as_str(), "x", "uvt_", &token[..token.len() - 1], &format!("{token}0")] {
        assert!(is_refused(&engine.try_verify(other)), "{other}");
        assert!(is_refused(&engine.try_disown(other)), "{other}");
    }
    for (field, why) in [
        (Field::Absent, "is required"),
        (Field::Given("".into()), "must not be empty"),
        (Field::Invalid("must be a string".into()), "must be a string"),
    ] {
        let invalid = PresentToken { token: field }.check(MailedKind::VerifyEmail).unwrap_err();
        assert_eq!(broken(&invalid), [("token", why)]);
    }
    assert!(engine.try_verify(&token).is_ok());
}

#[test]
fn a_suspended_account_is_not_confirmed_until_it_is_resumed() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let id = engine.find_user(JANE).unwrap().id;
    engine.suspend_user(id, Actor::Operator, &Origin::local()).unwrap();
    assert!(is_refused(&engine.try_verify(&token)) && is_refused(&engine.try_disown(&token)));
    engine.resume_user(id, Actor::Operator, &Origin::local()).unwrap();
    assert!(engine.try_verify(&token).is_ok());
}

#[test]
fn o6_a_link_proves_the_mailbox_it_went_to_and_no_other() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let mut user = engine.find_user(JANE).unwrap();
    user.email = address(&engine, JOHN);
    engine.storage.transact(|uow| uow.users().update(&user)).unwrap();
    assert!(is_refused(&engine.try_verify(&token)) && is_refused(&engine.try_disown(&token)));
    assert!(!engine.find_user(JOHN).unwrap().is_verified());
}

#[test]
fn the_proof_of_the_address_ends_a_change_of_it() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    let token = engine.receive("verify_email");
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    engine.try_verify(&token).unwrap();
    assert!(engine.try_confirm(&caller, &code).is_err());
    assert_eq!(engine.find_user(JANE).unwrap().id, caller.user.id);
}

#[test]
fn this_was_not_me_erases_the_unconfirmed_account_once_and_wholly() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let page = engine.enter_page(JANE);
    let token = engine.receive("verify_email");
    let reset = engine.reset_token(JANE);
    engine.ask(RequestKind::Reset, JANE);
    engine.try_disown(&token).unwrap();
    assert!(engine.find_user(JANE).is_err());
    assert!(!engine.is_alive(&joined.tokens) && engine.page(&page).is_none());
    assert!(!is_stored(&engine, MailedKind::ResetPassword, &reset));
    assert!(engine.deliver().is_empty(), "the request finds nobody");
    assert!(is_refused(&engine.try_disown(&token)), "once");
    let events = engine.events(joined.user.id);
    let last = events.iter().find(|event| event.action == Action::UserDisowned).unwrap();
    assert_eq!((last.actor, last.outcome), (Actor::Anonymous, Outcome::Success));
    assert!(events.iter().all(|event| event.client.is_none()), "{events:?}");
    assert_ne!(engine.join(JANE).user.id, joined.user.id, "the mailbox is free again");
}

#[test]
fn a_confirmed_account_is_never_erased_by_a_link() {
    let engine = TestEngine::new();
    let token = invited(&engine);
    let mut user = engine.find_user(JANE).unwrap();
    // Proven by other means, with the link still alive.
    user.verify_email(engine.now());
    engine.storage.transact(|uow| uow.users().update(&user)).unwrap();
    assert!(is_refused(&engine.try_disown(&token)));
    assert_eq!(engine.find_user(JANE).unwrap(), user);
}

#[test]
fn of_confirming_and_disowning_at_once_on_two_servers_one_is_done() {
    for round in 0..8 {
        let one = TestEngine::new();
        let two = one.peer().build();
        let token = invited(&one);
        let done = at_once(2, |index| match (index + round) % 2 {
            0 => one.try_verify(&token).map(drop),
            _ => two.try_disown(&token),
        });
        let verified = done[usize::from(round % 2 == 1)].is_ok();
        assert_eq!(done.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(one.find_user(JANE).is_ok_and(|user| user.is_verified()), verified);
        assert_eq!(one.find_user(JANE).is_err(), !verified);
    }
}

#[test]
fn what_was_done_between_the_look_and_the_write_of_a_confirmation_stands() {
    for disowned in [true, false] {
        let memory = MemoryStorage::default();
        let faster = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
        let token = invited(&faster);
        let faulty = FaultyStorage::over(Arc::new(memory));
        let slow = faster.peer().storage(faulty.clone()).build();
        let (acting, spent) = (Arc::clone(&faster), token.clone());
        // The look takes three steps: it begins, and asks for the token and for the user.
        faulty.run_at(3, move || {
            if disowned {
                acting.try_disown(&spent).unwrap();
            } else {
                acting.try_verify(&spent).unwrap();
            }
        });
        let result =
            if disowned { slow.try_verify(&token).map(drop) } else { slow.try_disown(&token) };
        assert_eq!(faulty.steps()[3], Step::Begin(TxMode::Write));
        assert!(is_refused(&result));
        assert_eq!(faster.find_user(JANE).is_err(), disowned);
    }
}
