//! Every check of a password counts towards the account's bucket, wherever it is asked for.

use portcullis_audit::{Action, Outcome};
use portcullis_flows::people::{
    Caller, ChangeEmail, ChangeEmailError, ChangePassword, DeleteAccount, DeleteError, Deletion,
    PasswordError, SignInError,
};
use portcullis_kernel::{ErrorKind, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, at_once, from, home,
    mailbox::{Mail as _, OTHER_PASSWORD},
    told,
};

/// Where a password is asked for again.
#[derive(Clone, Copy, Debug)]
enum Place {
    ChangePassword,
    ChangeEmail,
    Delete,
}

const PLACES: [Place; 3] = [Place::ChangePassword, Place::ChangeEmail, Place::Delete];

fn confirm(
    engine: &TestEngine,
    place: Place,
    caller: &Caller,
    password: &str,
    origin: &Origin,
) -> Result<(), PasswordError> {
    let given = Field::Given(password.into());
    match place {
        Place::ChangePassword => {
            let input = ChangePassword { current: given, new: Field::Given(OTHER_PASSWORD.into()) };
            let change = engine.check_password_change(caller, input).unwrap();
            engine.change_password(caller, change, origin)
        }
        Place::ChangeEmail => {
            let input = ChangeEmail { email: "new@example.com".into(), password: given };
            let change = engine.check_email_change(caller, input).unwrap();
            engine.change_email(caller, change, origin).map_err(|error| match error {
                ChangeEmailError::Password(error) => error,
                other => panic!("{other:?}"),
            })
        }
        Place::Delete => {
            let password =
                engine.check_deletion(caller, DeleteAccount { password: given }).unwrap();
            match engine.delete_account(caller, password, origin) {
                Ok(deletion) => {
                    assert_eq!(deletion, Deletion::Done);
                    Ok(())
                }
                Err(DeleteError::Password(error)) => Err(error),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

fn with_limit(limit: u32) -> TestEngine {
    let engine = TestEngine::builder();
    engine.options(|options| options.limits.sign_in_failures.limit = limit).build()
}

/// A client address that nobody used before.
fn stranger(index: usize) -> Origin {
    from(&format!("198.51.100.{index}"))
}

fn is_shut(result: &Result<(), PasswordError>) -> bool {
    matches!(result, Err(PasswordError::TooManyFailures(_)))
}

#[test]
fn l8_wrong_passwords_count_wherever_they_are_typed_and_shut_every_place_and_sign_in() {
    for place in PLACES {
        let engine = with_limit(3);
        let jane = engine.join(JANE);
        let caller = engine.bearer(&jane.tokens);
        for index in 0..3 {
            let wrong = confirm(&engine, place, &caller, "wrong password", &stranger(index));
            assert!(matches!(wrong, Err(PasswordError::Wrong)), "{place:?} {index}");
        }
        for other in PLACES {
            let refused = confirm(&engine, other, &caller, PASSWORD, &stranger(99));
            assert!(is_shut(&refused), "{place:?} then {other:?}: {refused:?}");
            let refused = refused.unwrap_err();
            assert_eq!(
                (told(&refused).0, told(&refused).1),
                (ErrorKind::RateLimited, "rate_limited")
            );
        }
        let entered = engine.try_enter(JANE, PASSWORD, &stranger(99));
        assert!(matches!(entered, Err(SignInError::TooManyFailures(_))), "{place:?}");
        let refused = engine.count(jane.user.id, Action::PasswordRefused, Outcome::Failure);
        assert_eq!(refused, 3, "those that were judged");
        assert!(engine.is_alive(&jane.tokens), "the session is another matter");
    }
}

#[test]
fn l8_failed_sign_ins_of_strangers_shut_no_owner_out_where_they_are_known() {
    for place in PLACES {
        let engine = with_limit(2);
        let jane = engine.join(JANE);
        let caller = engine.bearer(&jane.tokens);
        for index in 0..4 {
            assert!(engine.try_enter(JANE, "wrong password", &stranger(index)).is_err());
        }
        assert!(is_shut(&confirm(&engine, place, &caller, PASSWORD, &stranger(99))), "{place:?}");
        let wrong = confirm(&engine, place, &caller, "wrong password", &home());
        assert!(matches!(wrong, Err(PasswordError::Wrong)), "wrong stays wrong there");
        confirm(&engine, place, &caller, PASSWORD, &home()).unwrap();
    }
}

#[test]
fn l8_a_right_password_gives_its_place_back_wherever_it_is_typed() {
    let engine = with_limit(2);
    let jane = engine.join(JANE);
    let caller = engine.bearer(&jane.tokens);
    for index in 0..5 {
        confirm(&engine, Place::ChangeEmail, &caller, PASSWORD, &stranger(index)).unwrap();
    }
    for index in 10..12 {
        let wrong = confirm(&engine, Place::Delete, &caller, "wrong password", &stranger(index));
        assert!(matches!(wrong, Err(PasswordError::Wrong)));
    }
    assert!(is_shut(&confirm(&engine, Place::Delete, &caller, PASSWORD, &stranger(20))));
    engine.clock.advance(Duration::minutes(15));
    let caller = engine.bearer(&engine.enter(JANE).tokens);
    confirm(&engine, Place::Delete, &caller, PASSWORD, &stranger(30)).unwrap();
}

#[test]
fn o4_parallel_guesses_at_several_places_do_not_outrun_the_count() {
    let one = with_limit(3);
    let two = one.peer().build();
    let caller = one.bearer(&one.join(JANE).tokens);
    let results = at_once(9, |index| {
        let engine = [&one, &two][index % 2];
        confirm(engine, PLACES[index % 3], &caller, "wrong password", &stranger(index))
    });
    let judged = results.iter().filter(|r| matches!(r, Err(PasswordError::Wrong))).count();
    assert_eq!(judged, 3);
    assert_eq!(results.iter().filter(|result| is_shut(result)).count(), 6);
}

#[test]
fn the_bucket_is_that_of_the_address_and_of_nobody_elses() {
    let engine = with_limit(1);
    let jane = engine.bearer(&engine.join(JANE).tokens);
    let john = engine.bearer(&engine.join(JOHN).tokens);
    let wrong = confirm(&engine, Place::Delete, &jane, "wrong password", &stranger(1));
    assert!(matches!(wrong, Err(PasswordError::Wrong)));
    assert!(is_shut(&confirm(&engine, Place::Delete, &jane, PASSWORD, &stranger(1))));
    confirm(&engine, Place::Delete, &john, PASSWORD, &stranger(1)).unwrap();
}

#[test]
fn l8_who_resets_the_password_under_fire_can_sign_in_from_where_they_did() {
    let engine = with_limit(2);
    engine.join_verified(JANE);
    let token = engine.reset_token(JANE);
    for index in 0..3 {
        assert!(engine.try_enter(JANE, "wrong password", &stranger(index)).is_err());
    }
    engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    assert!(engine.try_enter(JANE, OTHER_PASSWORD, &home()).is_ok());
    let elsewhere = engine.try_enter(JANE, OTHER_PASSWORD, &stranger(99));
    assert!(matches!(elsewhere, Err(SignInError::TooManyFailures(_))));
}
