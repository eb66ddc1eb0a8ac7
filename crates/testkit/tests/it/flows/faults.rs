//! The database fails at every step of every use case, one at a time: nothing is left half done.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::people::SignOut;
use portcullis_kernel::{Classify, ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::TestEngine,
    entropy::FailingEntropy,
    faults::{Fault, FaultyStorage, Step},
};
use portcullis_tokens::{KeyPurpose, KeyState};

use super::{JANE, KEYS, PASSWORD, People as _, Stored as _, from, home, told};

/// A server over storage that fails as planned.
struct Fragile {
    engine: TestEngine,
    faulty: Arc<FaultyStorage>,
}

impl Fragile {
    fn new() -> Self {
        let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
        let engine = TestEngine::builder().storage(faulty.clone()).build();
        Self { engine, faulty }
    }
}

/// What one run with one failing step came to.
pub(super) struct Run<T, E> {
    pub(super) result: Result<T, E>,
    /// The commit was done, and only its answer was lost.
    pub(super) committed: bool,
}

/// Runs `work` once for each of its steps, on a server that `prepare` makes anew each time, with
/// that step failing; then `check` looks at what is left. Says how many steps there were.
pub(super) fn at_every_step<P, T, E: Classify>(
    fault: Fault,
    prepare: impl Fn(&TestEngine) -> P,
    work: impl Fn(&TestEngine, &P) -> Result<T, E>,
    check: impl Fn(&TestEngine, P, Run<T, E>),
) -> usize {
    for number in 0.. {
        let Fragile { engine, faulty } = Fragile::new();
        let prepared = prepare(&engine);
        faulty.fail_at(number, fault);
        let result = work(&engine, &prepared);
        let failed = faulty.steps().get(number).copied();
        faulty.heal();
        let Some(failed) = failed else {
            assert!(result.is_ok(), "no step failed");
            return number;
        };
        if let Err(error) = &result {
            let expected = match fault {
                Fault::Failed => ErrorKind::Internal,
                Fault::Unavailable | Fault::Contention => ErrorKind::Unavailable,
            };
            assert_eq!(error.kind(), expected, "at {number}, {failed:?}");
        }
        check(&engine, prepared, Run { result, committed: failed == Step::Committed });
    }
    unreachable!("work without end");
}

const FAULTS: [Fault; 2] = [Fault::Unavailable, Fault::Failed];

#[test]
fn an_account_is_registered_wholly_or_not_at_all() {
    for fault in FAULTS {
        let steps = at_every_step(
            fault,
            |_| (),
            |engine, ()| engine.try_join(JANE),
            |engine, (), run| {
                let exists = engine.find_user(JANE).is_ok();
                assert_eq!(exists, run.result.is_ok() || run.committed);
                if !exists {
                    assert_eq!(engine.event_count(), KEYS, "those of the keys");
                    engine.join(JANE);
                }
                let details = engine.show_user(JANE).unwrap();
                assert_eq!((details.has_password, details.sessions.len()), (true, 1));
                let user = details.user.id;
                assert_eq!(engine.count(user, Action::UserRegistered, Outcome::Success), 1);
                engine.enter(JANE);
            },
        );
        assert!(steps >= 10, "{steps}");
    }
}

#[test]
fn a_registration_that_met_contention_at_its_commit_succeeds_at_the_next_try() {
    let Fragile { engine, faulty } = Fragile::new();
    faulty.heal();
    engine.join("first@example.com");
    let commit = faulty.position(Step::Commit).unwrap();
    faulty.fail_at(commit, Fault::Contention);
    let joined = engine.join(JANE);
    assert!(engine.is_alive(&joined.tokens));
    assert_eq!(engine.count(joined.user.id, Action::UserRegistered, Outcome::Success), 1);
}

#[test]
fn contention_that_does_not_end_is_unavailable_and_leaves_nothing() {
    let Fragile { engine, faulty } = Fragile::new();
    let tokens = engine.join(JANE).tokens;
    let caller = engine.try_bearer(&tokens).unwrap();
    faulty.take_down(Fault::Contention);
    let refused = engine.end_other_sessions(&caller, &Origin::local()).unwrap_err();
    assert_eq!(
        (told(&refused).0, told(&refused).1),
        (ErrorKind::Unavailable, "service_unavailable")
    );
    assert_eq!(faulty.steps().len(), 3, "three tries");
    faulty.heal();
    assert!(engine.is_alive(&tokens));
}

#[test]
fn a_sign_in_leaves_a_whole_session_or_none() {
    for fault in FAULTS {
        let steps = at_every_step(
            fault,
            |engine| engine.join(JANE),
            // From an address that is not known, so that the account's bucket is asked too.
            |engine, _| engine.try_enter(JANE, PASSWORD, &from("192.0.2.1")),
            |engine, joined, run| {
                let user = joined.user.id;
                let begun = usize::from(run.result.is_ok() || run.committed);
                assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1 + begun);
                assert_eq!(engine.count(user, Action::SignedIn, Outcome::Success), begun);
                if let Ok(entered) = run.result {
                    assert!(engine.is_alive(&entered.tokens));
                }
                engine.try_enter(JANE, PASSWORD, &from("192.0.2.1")).unwrap();
                assert!(engine.is_alive(&joined.tokens));
            },
        );
        assert!(steps >= 14, "{steps}");
    }
}

#[test]
fn a_wrong_password_is_never_accepted_because_something_failed() {
    for fault in FAULTS {
        for number in 0.. {
            let Fragile { engine, faulty } = Fragile::new();
            engine.join(JANE);
            faulty.fail_at(number, fault);
            let result = engine.try_enter(JANE, "wrong password", &from("192.0.2.1"));
            assert!(result.is_err());
            if faulty.steps().len() <= number {
                break;
            }
        }
    }
}

#[test]
fn a_refresh_that_failed_can_be_tried_again_with_the_same_token() {
    for fault in FAULTS {
        let steps = at_every_step(
            fault,
            |engine| engine.join(JANE),
            |engine, joined| engine.rotate(&joined.tokens.refresh),
            |engine, joined, run| {
                let again = engine.rotate(&joined.tokens.refresh);
                if run.committed {
                    // The client cannot know its successor; it is a race, and no replay.
                    assert!(again.is_err());
                    assert!(engine.try_bearer(&joined.tokens).is_some());
                    let user = joined.user.id;
                    assert_eq!(engine.count(user, Action::RefreshRaced, Outcome::Failure), 1);
                } else {
                    assert!(run.result.is_err());
                    assert!(engine.is_alive(&again.unwrap()));
                }
            },
        );
        assert!(steps >= 5, "{steps}");
    }
}

#[test]
fn a_replay_that_could_not_be_acted_on_is_still_one_when_it_comes_again() {
    for fault in FAULTS {
        at_every_step(
            fault,
            |engine| {
                let first = engine.join(JANE);
                let second = engine.rotate(&first.tokens.refresh).unwrap();
                (first, engine.rotate(&second.refresh).unwrap())
            },
            |engine, (first, _)| match engine.rotate(&first.tokens.refresh) {
                Err(portcullis_flows::people::RefreshError::Fault(fault)) => Err(fault),
                Err(_) => Ok(()),
                Ok(_) => panic!("a used token gave a successor"),
            },
            |engine, (first, last), _| {
                assert!(engine.rotate(&first.tokens.refresh).is_err());
                assert!(!engine.is_alive(&last));
                let user = first.user.id;
                assert_eq!(engine.count(user, Action::RefreshReplayed, Outcome::Failure), 1);
            },
        );
    }
}

#[test]
fn a_sign_out_is_done_and_written_down_or_neither() {
    for fault in FAULTS {
        at_every_step(
            fault,
            |engine| {
                let joined = engine.join(JANE);
                (engine.bearer(&joined.tokens), joined)
            },
            |engine, (caller, joined)| {
                let token = joined.tokens.refresh.expose_secret();
                engine.sign_out(
                    caller,
                    SignOut { refresh_token: Field::Given(token.into()) },
                    &home(),
                )
            },
            |engine, (_, joined), run| {
                let done = engine.count(joined.user.id, Action::SignedOut, Outcome::Success) == 1;
                assert_eq!(done, run.committed);
                assert_eq!(engine.is_alive(&joined.tokens), !done);
            },
        );
    }
}

#[test]
fn an_account_is_deleted_wholly_or_not_at_all() {
    for fault in FAULTS {
        at_every_step(
            fault,
            |engine| engine.join(JANE),
            |engine, joined| engine.delete_user(joined.user.id, Actor::Operator, &Origin::local()),
            |engine, joined, run| {
                let gone = engine.find_user(JANE).is_err();
                assert_eq!(gone, run.committed);
                let events = engine.events(joined.user.id);
                assert_eq!(events.iter().all(|event| event.client.is_none()), gone);
                assert_eq!(engine.is_alive(&joined.tokens), !gone);
            },
        );
    }
}

#[test]
fn there_is_a_key_that_signs_whatever_becomes_of_a_rotation() {
    for fault in FAULTS {
        for number in 0.. {
            let Fragile { engine, faulty } = Fragile::new();
            let tokens = engine.join(JANE).tokens;
            faulty.fail_at(number, fault);
            let rotated = engine.rotate_key(KeyPurpose::People, true);
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            engine.reload_keys().unwrap();
            let keys = engine.list_keys().unwrap();
            let now = engine.now();
            let theirs = || keys.iter().filter(|key| key.purpose == KeyPurpose::People);
            let active = theirs().filter(|key| key.state(now) == KeyState::Active).count();
            assert_eq!(active, 1);
            let done = rotated.is_ok() || failed == Some(Step::Committed);
            assert_eq!(theirs().count(), 1 + usize::from(done));
            assert!(engine.is_alive(&tokens));
            if failed.is_none() {
                break;
            }
        }
    }
}

#[test]
fn opening_keys_on_an_empty_database_can_be_tried_again() {
    for fault in FAULTS {
        for number in 0.. {
            let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
            let engine = TestEngine::builder().storage(faulty.clone()).build_closed();
            faulty.fail_at(number, fault);
            let opened = engine.open_keys();
            let failed = faulty.steps().get(number).copied();
            faulty.heal();
            if let Err(error) = &opened {
                assert_eq!(error.is_transient(), fault == Fault::Unavailable);
            }
            engine.open_keys().unwrap();
            assert_eq!(engine.list_keys().unwrap().len() as u64, KEYS);
            if failed.is_none() {
                break;
            }
        }
    }
}

#[test]
fn without_entropy_nothing_is_issued_and_nothing_stored() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    let dry = engine.peer().entropy(Arc::new(FailingEntropy)).build();
    let before = engine.event_count();
    assert_eq!(told(&dry.try_join("new@example.com").unwrap_err()).0, ErrorKind::Internal);
    assert!(engine.find_user("new@example.com").is_err());
    assert_eq!(told(&dry.try_enter(JANE, PASSWORD, &home()).unwrap_err()).0, ErrorKind::Internal);
    assert_eq!(told(&dry.rotate(&joined.tokens.refresh).unwrap_err()).0, ErrorKind::Internal);
    assert_eq!(engine.event_count(), before);
    assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1);
    assert!(engine.is_alive(&joined.tokens));
}
