//! What flows ask of storage, call by call, and what they make of answers that the memory storage
//! gives in races only.

mod agents;
mod order;
mod planned;

use mockall::predicate::{always, eq};
use portcullis_audit::{Action, Actor, AuditEvent, Outcome};
use portcullis_flows::{
    LimitClass, LimitError,
    people::{RefreshError, RegisterError, SignInError, SignedIn},
};
use portcullis_kernel::{Clock as _, EntropyError, ErrorKind, StoreError, UniqueKey};
use portcullis_limits::HitLog;
use portcullis_storage::TxMode::{Read, Statement, Write};
use portcullis_testkit::{engine::TestEngine, faults::Fault};
use portcullis_tokens::RefreshState;

use super::{JANE, PASSWORD, People as _, Stored as _, from, home, ip, told};
use planned::{Unit, planned};

mockall::mock! {
    Dice {}
    impl portcullis_kernel::Entropy for Dice {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError>;
    }
}

/// A unit that must do nothing but add this event.
fn writes_down(is_it: impl Fn(&AuditEvent) -> bool + Send + 'static) -> Unit {
    Unit::expecting(|unit| {
        unit.audit.expect_append().withf(is_it).times(1).returning(|_| Ok(()));
    })
}

/// What a sign-in reads of the account: nothing, if there is none; and it is asked all the same.
fn account(of: Option<(&TestEngine, &SignedIn)>) -> Unit {
    let user = of.map(|(_, jane)| jane.user.clone());
    let hash = of.and_then(|(donor, jane)| donor.look(|uow| uow.passwords().find(jane.user.id)));
    Unit::expecting(|unit| {
        unit.users.expect_find_by_email().with(eq(JANE)).times(1).return_once(move |_| Ok(user));
        unit.passwords.expect_find().times(1).return_once(move |_| Ok(hash));
        unit.known_addresses.expect_is_known().times(1).returning(|_, _, _| Ok(false));
    })
}

/// A unit in which one failed sign-in is counted.
fn counts_a_failure() -> Unit {
    Unit::expecting(|unit| {
        let charge = unit.rate_limits.expect_charge().times(1);
        charge.returning(|_, _, _, _, _| Ok(Some(HitLog::default())));
    })
}

#[test]
fn an_address_taken_between_the_look_and_the_insert_is_a_conflict_and_no_more_is_asked() {
    let look = Unit::expecting(|unit| {
        unit.users.expect_find_by_email().with(eq(JANE)).times(1).returning(|_| Ok(None));
    });
    let insert = Unit::expecting(|unit| {
        let taken = |_: &_| Err(StoreError::Conflict(UniqueKey::UserEmail));
        unit.users.expect_insert().times(1).returning(taken);
    });
    let engine = planned(&TestEngine::new(), vec![(Read, look), (Write, insert)]).build();
    let refused = engine.try_join(JANE).unwrap_err();
    assert!(matches!(refused, RegisterError::EmailTaken), "{refused:?}");
}

#[test]
fn a_limiter_that_cannot_ask_refuses_a_registration_before_anything_is_made() {
    for (fault, tries) in [(Fault::Unavailable, 1), (Fault::Contention, 3)] {
        let fails = || {
            Unit::expecting(|unit| {
                let charge = unit.rate_limits.expect_charge().times(1);
                charge.returning(move |_, _, _, _, _| Err(fault.error()));
            })
        };
        let units = (0..tries).map(|_| (Statement, fails())).collect();
        // Neither a salt nor an id can be made without random bytes, and none are asked for.
        let engine =
            planned(&TestEngine::new(), units).entropy(std::sync::Arc::new(MockDice::new()));
        let engine = engine.build();
        let refused = engine.admit_address(LimitClass::Register, ip("203.0.113.7"), &home());
        let refused = refused.unwrap_err();
        assert!(matches!(refused, LimitError::Store(_)), "{refused:?}");
        assert_eq!(told(&refused).0, ErrorKind::Unavailable);
    }
}

/// An engine over a storage that holds Jane's session, whose token somebody else rotates between
/// the look and the write; `again` is the second look.
fn outrun(again: impl FnOnce(RefreshState) -> Unit) -> (TestEngine, SignedIn) {
    let donor = TestEngine::new();
    let jane = donor.join(JANE);
    let digest = jane.tokens.refresh.digest();
    let found = donor.look(|uow| uow.sessions().find_token(&digest)).unwrap();
    let (state, user) = (found.clone(), jane.user.clone());
    let look = Unit::expecting(|unit| {
        let find = unit.sessions.expect_find_token().with(eq(digest)).times(1);
        find.return_once(move |_| Ok(Some(state)));
        unit.users.expect_find().with(eq(user.id)).times(1).return_once(move |_| Ok(Some(user)));
    });
    let rotate = Unit::expecting(|unit| {
        let rotate = unit.sessions.expect_rotate().times(1);
        rotate.with(eq(digest), always(), eq(donor.clock.now())).returning(|_, _, _| Ok(false));
    });
    let units = vec![(Read, look), (Statement, rotate), (Write, again(found))];
    (planned(&donor, units).build(), jane)
}

#[test]
fn a_refresh_that_was_outrun_looks_again_and_is_refused_as_a_race() {
    let (engine, jane) = outrun(|mut state| {
        let digest = state.token.digest;
        let (session, user) = (state.session.id, state.session.user);
        let is_race = move |event: &AuditEvent| {
            event.action == Action::RefreshRaced
                && event.outcome == Outcome::Failure
                && (event.subject, event.session) == (Some(user), Some(session))
        };
        let mut unit = writes_down(is_race);
        state.token.used_at = Some(state.token.issued_at);
        state.session.generation += 1;
        let find = unit.sessions.expect_find_token().with(eq(digest)).times(1);
        find.return_once(move |_| Ok(Some(state)));
        let mark = unit.sessions.expect_mark_raced().with(eq(digest), always()).times(1);
        mark.returning(|_, _| Ok(true));
        unit.sessions.expect_count_raced().times(1).returning(|_, _| Ok(1));
        unit.users.expect_hold_active().with(eq(user)).times(1).returning(|_| Ok(true));
        unit.published()
    });
    let refused = engine.rotate(&jane.tokens.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::InvalidToken), "{refused:?}");
}

#[test]
fn a_refresh_whose_session_went_meanwhile_is_refused_and_changes_nothing() {
    let (engine, jane) = outrun(|_| {
        let gone = Unit::expecting(|unit| {
            unit.sessions.expect_find_token().times(1).returning(|_| Ok(None));
        });
        gone.published()
    });
    let refused = engine.rotate(&jane.tokens.refresh).unwrap_err();
    assert!(matches!(refused, RefreshError::InvalidToken), "{refused:?}");
}

#[test]
fn a_wrong_password_writes_one_event_and_an_unknown_address_the_same() {
    let donor = TestEngine::new();
    let jane = donor.join(JANE);
    for known in [Some((&donor, &jane)), None] {
        let user = known.map(|(_, jane)| jane.user.id);
        let failure = writes_down(move |event| {
            (event.action, event.outcome) == (Action::SignedIn, Outcome::Failure)
                && (event.actor, event.subject) == (Actor::Anonymous, user)
        });
        let units =
            vec![(Read, account(known)), (Statement, counts_a_failure()), (Statement, failure)];
        let engine = planned(&donor, units).build();
        let refused = engine.try_enter(JANE, "another password", &from("192.0.2.1")).unwrap_err();
        assert!(matches!(refused, SignInError::InvalidCredentials), "{refused:?}");
    }
}

#[test]
fn a_sign_in_beside_a_change_of_password_stores_no_session() {
    let donor = TestEngine::new();
    let jane = donor.join(JANE);
    let refund = Unit::expecting(|unit| {
        unit.rate_limits.expect_refund().times(1).returning(|_, _| Ok(true));
    });
    let changed = Unit::expecting(|unit| {
        unit.users.expect_hold_active().with(eq(jane.user.id)).times(1).returning(|_| Ok(true));
        unit.passwords.expect_replace().times(1).returning(|_, _, _, _| Ok(false));
    });
    let look_again = Unit::expecting(|unit| {
        unit.passwords.expect_find().with(eq(jane.user.id)).times(1).returning(|_| Ok(None));
    });
    let units = vec![
        (Read, account(Some((&donor, &jane)))),
        (Statement, counts_a_failure()),
        (Statement, refund),
        (Write, changed.published()),
        (Read, look_again),
    ];
    let engine = planned(&donor, units).build();
    let refused = engine.try_enter(JANE, PASSWORD, &from("192.0.2.1")).unwrap_err();
    assert!(matches!(refused, SignInError::InvalidCredentials), "{refused:?}");
}
