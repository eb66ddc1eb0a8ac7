//! The database fails at every step of what agents do that sign themselves up, and their people: each is
//! done wholly or not at all.

use portcullis_audit::{Action, Outcome};
use portcullis_flows::registration::Report;
use portcullis_testkit::{engine::TestEngine, faults::Fault};

use super::{
    super::{
        JANE, JOHN, KEYS, People as _, Stored as _,
        agents::{Key, StoredAgents as _},
        faults::{Run, at_every_step},
        home,
        mailbox::{Mail as _, kinds, waiting},
    },
    Claims as _, StoredClaims as _, codes_in,
};

const FAULTS: [Fault; 2] = [Fault::Unavailable, Fault::Failed];

/// Whether it was done, whatever its caller was told.
fn done<T, E>(run: &Run<T, E>) -> bool {
    run.result.is_ok() || run.committed
}

fn is_owned(engine: &TestEngine, newcomer: &super::Newcomer) -> bool {
    engine.find_bot(newcomer).unwrap().owner.is_some()
}

#[test]
fn f3_an_agent_signs_up_wholly_or_not_at_all() {
    for (email, events, mails) in [(None, 2, 0), (Some(JANE), 2, 1)] {
        for fault in FAULTS {
            let steps = at_every_step(
                fault,
                |engine| super::asked(engine, email),
                |engine, sign_up| engine.sign_up(sign_up, &home()),
                |engine, _, run| {
                    // The limiter's own step commits, too, and counts an event of its own never.
                    let made = engine.event_count() - KEYS;
                    assert!(made == 0 || made == events, "{made}");
                    let sent = if made == 0 { 0 } else { mails };
                    assert_eq!(waiting(engine).len(), sent);
                    if run.result.is_ok() {
                        assert_eq!(made, events);
                    }
                },
            );
            assert!(steps >= 9, "{steps}");
        }
    }
}

#[test]
fn f3_a_code_is_asked_for_wholly_or_not_at_all() {
    let steps = at_every_step(
        Fault::Unavailable,
        |engine| {
            let newcomer = engine.anonymous();
            (engine.code(&newcomer, JOHN), newcomer)
        },
        |engine, (_, newcomer)| engine.try_start(newcomer, JANE, &home()),
        |engine, (old, newcomer), run| {
            let done = done(&run);
            assert_eq!(waiting(engine).len(), usize::from(done));
            let letters = engine.deliver();
            let code = codes_in(&letters).pop().map_or(old, |(_, code)| code);
            engine.complete(&newcomer, &code).unwrap();
            assert_eq!(engine.find_user(JANE).is_ok(), done, "the code that lives is the one told");
        },
    );
    assert!(steps >= 10, "{steps}");
}

/// Never two keys, and never none.
#[test]
fn k9_f3_a_claim_is_made_wholly_or_not_at_all() {
    type Prepare = fn(&TestEngine);
    let worlds: [(Prepare, &[&str]); 3] = [
        (|_| (), &["agent_claimed"]),
        (|engine| drop(engine.join_verified(JANE)), &["agent_claimed"]),
        (
            |engine| {
                engine.join(JANE);
                engine.deliver();
            },
            &["account_reclaimed", "agent_claimed"],
        ),
    ];
    for (prepare, told) in worlds {
        for fault in FAULTS {
            let steps = at_every_step(
                fault,
                |engine| {
                    prepare(engine);
                    let newcomer = engine.anonymous();
                    (engine.code(&newcomer, JANE), newcomer)
                },
                |engine, (code, newcomer)| engine.complete(newcomer, code),
                |engine, (code, newcomer), run| {
                    let done = done(&run);
                    let old = newcomer.key.as_ref().unwrap();
                    assert_eq!(engine.lives(old), !done, "the old key dies with the new one");
                    assert_eq!(is_owned(engine, &newcomer), done);
                    let letters = engine.deliver();
                    let mut sent: Vec<_> = kinds(&letters).iter().map(|(_, kind)| *kind).collect();
                    sent.sort_unstable();
                    assert_eq!(sent, if done { told } else { &[] });
                    let claims =
                        engine.bot_count(newcomer.agent, Action::AgentClaimed, Outcome::Success);
                    assert_eq!(claims, usize::from(done));
                    if let Ok(claimed) = run.result {
                        assert!(engine.lives(&Key::from(claimed.key)));
                    } else if !done {
                        let again = engine.complete(&newcomer, &code).unwrap();
                        assert!(engine.lives(&Key::from(again.key)) && !engine.lives(old));
                    }
                },
            );
            assert!(steps >= 19, "{steps}");
        }
    }
}

#[test]
fn o3_a_wrong_code_is_never_forgotten_because_something_failed() {
    for number in 0.. {
        let faulty = portcullis_testkit::faults::FaultyStorage::over(std::sync::Arc::new(
            portcullis_storage::MemoryStorage::default(),
        ));
        let engine = TestEngine::builder().storage(faulty.clone()).build();
        let newcomer = engine.anonymous();
        let code = engine.code(&newcomer, JANE);
        faulty.fail_at(number, Fault::Unavailable);
        let first = engine.complete(&newcomer, &super::wrong(&code, 0)).unwrap_err();
        let failed = faulty.steps().get(number).copied();
        faulty.heal();
        let judged = portcullis_kernel::Classify::code(&first) == "otp_invalid";
        let tries = engine.attempt(&newcomer).unwrap().tries;
        // Whoever was told that it was wrong has used a try.
        assert!(tries == 1 || !judged, "at {number}, {failed:?}");
        for n in 1..=(4 - tries) {
            engine.complete(&newcomer, &super::wrong(&code, n)).unwrap_err();
        }
        engine.complete(&newcomer, &code).unwrap();
        if failed.is_none() {
            assert!(number >= 8, "{number}");
            break;
        }
    }
}

#[test]
fn a_refusal_and_an_undoing_are_done_wholly_or_not_at_all() {
    at_every_step(
        Fault::Unavailable,
        |engine| {
            let newcomer = engine.anonymous();
            (engine.code(&newcomer, JANE), newcomer)
        },
        |engine, (_, newcomer)| engine.try_deny(newcomer, Report::Yes),
        |engine, (code, newcomer), run| {
            let done = done(&run);
            let denied = engine.bot_count(newcomer.agent, Action::ClaimDenied, Outcome::Success);
            assert_eq!(denied, usize::from(done));
            assert_eq!(engine.complete(&newcomer, &code).is_ok(), !done);
        },
    );
    let steps = at_every_step(
        Fault::Unavailable,
        |engine| {
            let newcomer = engine.anonymous();
            let key = engine.claim(&newcomer, JANE);
            (newcomer, key, engine.receive("agent_claimed"))
        },
        |engine, (_, _, undo)| engine.try_undo(undo),
        |engine, (newcomer, key, undo), run| {
            let done = done(&run);
            assert_eq!(engine.lives(&key), !done);
            assert_eq!(is_owned(engine, &newcomer), !done);
            let undone = engine.bot_count(newcomer.agent, Action::ClaimUndone, Outcome::Success);
            assert_eq!(undone, usize::from(done));
            assert_eq!(engine.try_undo(&undo).is_ok(), !done);
        },
    );
    assert!(steps >= 8, "{steps}");
}
