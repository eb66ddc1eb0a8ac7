//! Everything that locks rows of one account at once, on both databases: nobody waits for another for
//! ever, nothing fails, and what is left is whole.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{
    mail::AddressInput,
    people::{ChangeEmailError, DeleteError, PasswordError, RefreshError, ResetError, SignInError},
};
use portcullis_kernel::{Classify, ErrorKind, Origin};
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, presented},
};

/// Whether this is somebody's refusal, and no fault of ours.
fn refused(error: &impl Classify) -> bool {
    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable)
}

fn on_both(test: impl Fn(&Stored)) {
    for _ in 0..2 {
        test(&Stored::sqlite());
        if let Some(postgres) = Stored::postgres() {
            test(&postgres);
        }
    }
}

/// Does all that people, strangers, workers and the janitor do to Jane's account at once.
fn rush(engine: &TestEngine, last: impl Fn() + Sync) {
    let jane = engine.join_verified(JANE);
    let caller = engine.bearer(&jane.tokens);
    let replayed = engine.enter(JANE).tokens;
    let second = engine.rotate(&replayed.refresh).unwrap();
    engine.rotate(&second.refresh).unwrap();
    let reset = engine.reset_token(JANE);
    let other = engine.bearer(&engine.enter(JANE).tokens);
    let ask = engine.check_ask_for_mail(RequestKind::Reset, AddressInput { email: JANE.into() });
    let ask = ask.unwrap();
    at_once(10, |index| match index {
        0 => match engine.rotate(&replayed.refresh) {
            Err(error @ RefreshError::Fault(_)) => panic!("{error:?}"),
            result => assert!(result.is_err()),
        },
        1 => {
            if let Err(error @ PasswordError::Fault(_)) =
                engine.try_change_password(&caller, PASSWORD, OTHER_PASSWORD)
            {
                panic!("{error:?}");
            }
        }
        2 => {
            if let Err(error @ ResetError::Fault(_)) =
                engine.try_reset(&reset, "yet another password")
            {
                panic!("{error:?}");
            }
        }
        3 => {
            if let Err(error @ SignInError::Fault(_)) =
                engine.try_enter(JANE, PASSWORD, &from("198.51.100.9"))
            {
                panic!("{error:?}");
            }
        }
        4 => match engine.try_change_email(&other, JOHN, PASSWORD) {
            Err(ChangeEmailError::Password(PasswordError::Wrong | PasswordError::Gone))
            | Ok(()) => {}
            Err(error) => panic!("{error:?}"),
        },
        5 => engine.ask_for_mail(&ask, &home()).unwrap(),
        6 => drop(engine.deliver()),
        7 => drop(engine.clean().unwrap()),
        8 => drop(engine.end_other_sessions(&other, &home()).unwrap()),
        _ => last(),
    });
    engine.deliver();
}

fn engine(stored: &Stored) -> TestEngine {
    TestEngine::builder().storage(stored.storage()).build()
}

#[test]
fn an_account_that_everybody_works_on_at_once_is_whole_afterwards() {
    on_both(|stored| {
        let engine = engine(stored);
        rush(&engine, || {});
        let id = engine.find_user(JANE).unwrap().id;
        let passwords = [PASSWORD, OTHER_PASSWORD, "yet another password"];
        let works = |password: &&str| engine.try_enter(JANE, password, &home()).is_ok();
        assert_eq!(passwords.iter().filter(|password| works(password)).count(), 1);
        let replays = engine.count(id, Action::RefreshReplayed, Outcome::Failure);
        assert!(replays <= 1, "{replays}");
        assert!(engine.deliver().is_empty());
    });
}

#[test]
fn an_account_that_is_deleted_while_everybody_works_on_it_leaves_nothing() {
    on_both(|stored| {
        let engine = engine(stored);
        rush(&engine, || {
            let id = engine.find_user(JANE).unwrap().id;
            engine.delete_user(id, Actor::Operator, &Origin::local()).unwrap();
        });
        assert!(engine.find_user(JANE).is_err());
        assert!(engine.deliver().is_empty());
        let anew = engine.join(JANE);
        assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
        assert!(engine.is_alive(&anew.tokens));
    });
}

#[test]
fn two_owners_and_an_operator_who_erase_one_account_at_once_erase_it_once() {
    on_both(|stored| {
        let engine = engine(stored);
        let joined = engine.join(JANE);
        let link = engine.receive("verify_email");
        let (id, caller) = (joined.user.id, engine.bearer(&joined.tokens));
        let done = at_once(3, |index| match index {
            0 => match engine.try_delete(&caller, Some(PASSWORD)) {
                Ok(_) => true,
                // Erased while its password was being read, there is none that could be right.
                Err(DeleteError::Password(PasswordError::Gone | PasswordError::Wrong)) => false,
                Err(error) => panic!("{error:?}"),
            },
            1 => match engine.disown_account(&presented(MailedKind::VerifyEmail, &link), &home()) {
                Ok(()) => true,
                Err(error) => {
                    assert!(refused(&error), "{error:?}");
                    false
                }
            },
            _ => match engine.delete_user(id, Actor::Operator, &Origin::local()) {
                Ok(()) => true,
                Err(error) => {
                    assert!(refused(&error), "{error:?}");
                    false
                }
            },
        });
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
        let events = engine.events(id);
        let ends = [Action::UserDeleted, Action::UserDisowned];
        assert_eq!(events.iter().filter(|event| ends.contains(&event.action)).count(), 1);
        let mut done = events.iter().filter(|event| event.outcome == Outcome::Success);
        assert!(done.all(|event| event.client.is_none()), "{events:?}");
    });
}

#[test]
fn replays_beside_an_operator_who_ends_every_session_wait_for_nobody_for_ever() {
    on_both(|stored| {
        let engine = engine(stored);
        let jane = engine.join_verified(JANE).user.id;
        for _ in 0..5 {
            let replayed: Vec<_> = (0..4)
                .map(|_| {
                    let first = engine.enter(JANE).tokens;
                    let second = engine.rotate(&first.refresh).unwrap();
                    engine.rotate(&second.refresh).unwrap();
                    first.refresh
                })
                .collect();
            at_once(5, |index| match replayed.get(index) {
                None => {
                    for _ in 0..3 {
                        engine.revoke_sessions(jane, Actor::Operator, &Origin::local()).unwrap();
                    }
                }
                Some(token) => {
                    let refused = engine.rotate(token).unwrap_err();
                    assert!(matches!(refused, RefreshError::InvalidToken), "{refused:?}");
                }
            });
            assert!(engine.show_user(JANE).unwrap().sessions.is_empty());
        }
    });
}
