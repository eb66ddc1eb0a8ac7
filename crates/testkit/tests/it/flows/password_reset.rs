//! Setting a password by a mailed link, and what that takes away from whoever opened the account.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::{Content, Letter, RequestKind};
use portcullis_flows::{
    admin::CreateUser,
    people::{MailedTokenError, ResetError, ResetPassword, SignInError},
};
use portcullis_identity::Role;
use portcullis_kernel::{EntropyError, ErrorKind, Field, Origin};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, broken, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, is_stored, kinds, presented, waiting},
    told,
};

mockall::mock! {
    Dice {}
    impl portcullis_kernel::Entropy for Dice {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError>;
    }
}

fn is_refused(result: &Result<(), ResetError>) -> bool {
    matches!(result, Err(ResetError::Token(MailedTokenError::InvalidToken)))
}

/// From where Jane's account is known to be used.
fn known(engine: &TestEngine) -> Vec<String> {
    let (id, now) = (engine.find_user(JANE).unwrap().id, engine.now());
    engine.look(|uow| uow.known_addresses().list(id, now - Duration::DAY))
}

/// Sets the password from another address than [`home`].
fn reset_from(engine: &TestEngine, token: &str, client: &str) -> Result<(), ResetError> {
    let input = ResetPassword {
        token: Field::Given(token.into()),
        password: Field::Given(OTHER_PASSWORD.into()),
    };
    engine.reset_password(engine.check_reset(input).unwrap(), &from(client))
}

/// The one letter of this kind that is due.
fn only(engine: &TestEngine, kind: &str) -> Letter {
    let mut letters = engine.deliver();
    assert_eq!(kinds(&letters).iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [kind]);
    letters.remove(0)
}

#[test]
fn r9_a_reset_sets_the_password_and_ends_everything_that_was_begun_with_the_old_one() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE);
    let (entered, page) = (engine.enter(JANE), engine.enter_page(JANE));
    let caller = engine.bearer(&entered.tokens);
    engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    let token = engine.reset_token(JANE);
    reset_from(&engine, &token, "198.51.100.9").unwrap();
    assert!(!engine.is_alive(&jane.tokens) && !engine.is_alive(&entered.tokens));
    assert!(engine.page(&page).is_none());
    assert!(engine.try_confirm(&caller, &code).is_err());
    assert!(engine.show_user(JANE).unwrap().sessions.is_empty());
    assert_eq!(known(&engine), ["198.51.100.9"], "a thief may have been elsewhere");
    let old = engine.try_enter(JANE, PASSWORD, &home());
    assert!(matches!(old, Err(SignInError::InvalidCredentials)));
    engine.try_enter(JANE, OTHER_PASSWORD, &home()).unwrap();
    let user = engine.find_user(JANE).unwrap();
    assert_eq!((user.email.as_str(), user.role), (JANE, Role::VerifiedUser));
}

#[test]
fn p10_v5_the_owner_of_a_proven_address_is_told_and_how_it_came() {
    let engine = TestEngine::new();
    let jane = engine.join_verified(JANE).user.id;
    let token = engine.reset_token(JANE);
    reset_from(&engine, &token, "198.51.100.9").unwrap();
    let letter = only(&engine, "password_changed");
    assert_eq!((letter.to.as_str(), letter.asked.client), (JANE, from("198.51.100.9").client));
    assert_eq!(engine.count(jane, Action::PasswordReset, Outcome::Success), 1);
    let events = engine.events(jane);
    let event = events.iter().find(|event| event.action == Action::PasswordReset).unwrap();
    assert_eq!((event.actor, event.client), (Actor::User(jane), from("198.51.100.9").client));
}

#[test]
fn v10_nothing_of_whoever_planted_the_account_outlives_a_reset_by_the_owner_of_the_mailbox() {
    let engine = TestEngine::new();
    let opened_at = engine.now();
    let thief = engine.join(JANE);
    let confirm = engine.receive("verify_email");
    let (page, entered) = (engine.enter_page(JANE), engine.enter(JANE));
    let caller = engine.bearer(&entered.tokens);
    engine.try_change_email(&caller, "thief@example.com", PASSWORD).unwrap();
    let code = engine.receive("confirm_new_email");
    engine.clock.advance(Duration::minutes(10));
    // The thief asks for links too; they all go to the mailbox.
    engine.ask(RequestKind::Verification, JANE);
    let newer = engine.receive("verify_email");
    reset_from(&engine, &engine.reset_token(JANE), "198.51.100.9").unwrap();

    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_err(), "the password");
    assert!(!engine.is_alive(&thief.tokens) && !engine.is_alive(&entered.tokens), "the sessions");
    assert!(engine.page(&page).is_none(), "the pages");
    assert!(engine.try_confirm(&caller, &code).is_err(), "the change of address");
    for token in [&confirm, &newer] {
        assert!(engine.try_verify(token).is_err() && engine.try_disown(token).is_err(), "links");
    }
    assert_eq!(known(&engine), ["198.51.100.9"], "the limit that knew their address");
    let user = engine.find_user(JANE).unwrap();
    assert_eq!((user.role, user.is_verified()), (Role::VerifiedUser, true));
    assert_eq!((user.opened_from, user.email.as_str()), (None, JANE));
    let letter = only(&engine, "account_reclaimed");
    assert_eq!(letter.to, JANE);
    let Content::AccountReclaimed { opened_at: told_at, opened_from, token } = letter.content
    else {
        unreachable!()
    };
    assert_eq!(told_at.unix_timestamp(), opened_at.unix_timestamp());
    assert_eq!(opened_from.as_deref(), Some("203.0.113.0/24"));
    assert!(token.is_none(), "a password was just set");
    engine.try_enter(JANE, OTHER_PASSWORD, &home()).unwrap();
}

#[test]
fn v10_a_sign_in_of_the_planter_beside_the_reset_leaves_no_session() {
    let memory = MemoryStorage::default();
    let owner = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    owner.join(JANE);
    owner.deliver();
    let token = owner.reset_token(JANE);
    let faulty = FaultyStorage::over(Arc::new(memory));
    let thief = owner.peer().storage(faulty.clone()).build();
    faulty.heal();
    thief.enter(JANE);
    let writes = faulty.position(Step::Begin(TxMode::Write)).unwrap();
    let acting = Arc::clone(&owner);
    faulty.run_at(writes, move || acting.try_reset(&token, OTHER_PASSWORD).unwrap());
    let refused = thief.try_enter(JANE, PASSWORD, &home());
    assert!(matches!(refused, Err(SignInError::InvalidCredentials)));
    assert!(owner.show_user(JANE).unwrap().sessions.is_empty());
}

#[test]
fn r9_what_is_begun_between_the_look_and_the_write_of_a_reset_ends_with_it() {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let jane = others.join_verified(JANE);
    let token = others.reset_token(JANE);
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = others.peer().storage(faulty.clone()).build();
    let acting = Arc::clone(&others);
    let first = jane.tokens.refresh.clone();
    faulty.run_at(3, move || {
        acting.rotate(&first).unwrap();
        acting.enter(JANE);
        acting.enter_page(JANE);
    });
    slow.try_reset(&token, OTHER_PASSWORD).unwrap();
    assert!(others.show_user(JANE).unwrap().sessions.is_empty());
}

#[test]
fn of_two_resets_with_one_link_on_two_servers_one_wins() {
    let one = TestEngine::new();
    let two = one.peer().build();
    let jane = one.join_verified(JANE).user.id;
    let token = one.reset_token(JANE);
    let passwords = [OTHER_PASSWORD, "yet another password"];
    let results = at_once(2, |index| [&one, &two][index].try_reset(&token, passwords[index]));
    let winner = results.iter().position(Result::is_ok).unwrap();
    assert!(is_refused(&results[1 - winner]));
    assert!(one.try_enter(JANE, passwords[winner], &home()).is_ok());
    assert!(one.try_enter(JANE, passwords[1 - winner], &home()).is_err());
    assert_eq!(one.count(jane, Action::PasswordReset, Outcome::Success), 1);
}

#[test]
fn a_link_to_set_a_password_is_good_once_for_an_hour_and_until_a_newer_one() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        engine.join(JANE);
        engine.deliver();
        let older = engine.reset_token(JANE);
        let token = engine.reset_token(JANE);
        assert!(is_refused(&engine.try_reset(&older, OTHER_PASSWORD)), "a newer one came");
        engine.clock.advance(Duration::HOUR + late);
        let looked = presented(MailedKind::ResetPassword, &token);
        assert_eq!(engine.preview_reset(&looked).is_ok(), good, "{late}");
        assert_eq!(engine.try_reset(&token, OTHER_PASSWORD).is_ok(), good, "{late}");
        assert!(is_refused(&engine.try_reset(&token, "yet another password")), "once");
        assert_eq!(engine.try_enter(JANE, OTHER_PASSWORD, &home()).is_ok(), good);
    }
}

#[test]
fn v8_looking_at_a_link_to_set_a_password_changes_nothing() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    engine.deliver();
    let token = engine.reset_token(JANE);
    let events = engine.event_count();
    for _ in 0..3 {
        let looked = presented(MailedKind::ResetPassword, &token);
        assert_eq!(engine.preview_reset(&looked).unwrap(), jane.user);
    }
    assert_eq!(engine.event_count(), events);
    assert!(engine.is_alive(&jane.tokens));
    assert!(engine.try_reset(&token, OTHER_PASSWORD).is_ok());
}

#[test]
fn v6_no_password_is_set_without_the_link_that_asking_for_it_mailed() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    let confirm = engine.receive("verify_email");
    let never_issued = TestEngine::new();
    never_issued.join(JANE);
    never_issued.deliver();
    let foreign = never_issued.peer().build().reset_token(JANE);
    engine.ask(RequestKind::Reset, JANE);
    for token in [confirm.as_str(), foreign.as_str(), "rst_", "x", JANE] {
        let refused = engine.try_reset(token, OTHER_PASSWORD).unwrap_err();
        let (kind, code, _) = told(&refused);
        assert_eq!((kind, code), (ErrorKind::Unauthenticated, "invalid_token"), "{token}");
    }
    assert!(engine.is_alive(&jane.tokens));
    assert!(engine.try_enter(JANE, PASSWORD, &home()).is_ok());
    assert!(engine.try_verify(&confirm).is_ok(), "nor was the other link spent");
}

#[test]
fn p5_a_password_that_is_refused_leaves_the_link_good() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.deliver();
    let token = engine.reset_token(JANE);
    for (password, why) in [
        ("short", "must be at least 8 characters"),
        ("PassWord1", "is one of the most common passwords; choose another"),
        ("JANE@example.com", "must not be your email address or name"),
    ] {
        let Err(ResetError::Invalid(invalid)) = engine.try_reset(&token, password) else {
            panic!("{password}");
        };
        assert_eq!(broken(&invalid), [("password", why)]);
    }
    let nothing = engine.check_reset(ResetPassword::default()).unwrap_err();
    assert_eq!(broken(&nothing), [("password", "is required"), ("token", "is required")]);
    assert!(engine.try_reset(&token, OTHER_PASSWORD).is_ok());
}

#[test]
fn l11_an_unknown_link_costs_no_hash() {
    let donor = TestEngine::new();
    donor.join(JANE);
    donor.deliver();
    let token = donor.reset_token(JANE);
    donor.try_reset(&token, OTHER_PASSWORD).unwrap();
    // A salt cannot be made without random bytes, and none are asked for.
    let engine = donor.peer().entropy(Arc::new(MockDice::new())).build();
    for token in [token.as_str(), "rst_", "x"] {
        assert!(is_refused(&engine.try_reset(token, OTHER_PASSWORD)));
    }
}

#[test]
fn an_account_without_a_password_gets_one_by_its_link_and_nothing_was_taken_from_anybody() {
    let engine = TestEngine::new();
    let made = CreateUser { email: JANE.into(), ..CreateUser::default() };
    engine.create_user(made, Actor::Operator, &Origin::local()).unwrap();
    engine.try_reset(&engine.reset_token(JANE), OTHER_PASSWORD).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")]);
    let entered = engine.try_enter(JANE, OTHER_PASSWORD, &home()).unwrap();
    assert_eq!(entered.user.role, Role::VerifiedUser);
}

#[test]
fn a_reset_lowers_no_role_and_opens_no_suspended_account() {
    let engine = TestEngine::new();
    let id = engine.join(JANE).user.id;
    engine.deliver();
    engine.set_role(id, Role::Host, Actor::Operator, &Origin::local()).unwrap();
    let token = engine.reset_token(JANE);
    engine.suspend_user(id, Actor::Operator, &Origin::local()).unwrap();
    assert!(is_refused(&engine.try_reset(&token, OTHER_PASSWORD)));
    assert!(matches!(engine.try_enter(JANE, PASSWORD, &home()), Err(SignInError::Suspended)));
    engine.resume_user(id, Actor::Operator, &Origin::local()).unwrap();
    engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    assert_eq!(engine.find_user(JANE).unwrap().role, Role::Host);
}

#[test]
fn every_other_link_of_the_account_and_the_mail_that_waits_with_one_die_with_a_reset() {
    let engine = TestEngine::new();
    let jane = engine.bearer(&engine.join_verified(JANE).tokens);
    let token = engine.reset_token(JANE);
    engine.storage.transact(|uow| uow.passwords().remove(jane.user.id)).unwrap();
    engine.try_delete(&jane, None).unwrap();
    let erase = engine.receive("confirm_deletion");
    engine.try_delete(&jane, None).unwrap();
    assert_eq!(waiting(&engine).len(), 1);
    engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")]);
    assert!(!is_stored(&engine, MailedKind::DeleteAccount, &erase));
    assert!(
        engine.confirm_deletion(&presented(MailedKind::DeleteAccount, &erase), &home()).is_err()
    );
}

#[test]
fn an_account_that_an_operator_opened_is_not_told_of_as_a_strangers() {
    let engine = TestEngine::new();
    let made = CreateUser {
        email: JANE.into(),
        password: Field::Given(PASSWORD.into()),
        ..CreateUser::default()
    };
    engine.create_user(made, Actor::Operator, &Origin::local()).unwrap();
    engine.ask(RequestKind::Reset, JANE);
    engine.try_reset(&engine.receive("reset_password"), OTHER_PASSWORD).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "password_changed")]);
}
