//! Accounts that end while they are in use, on both databases: nothing waits for the other for ever,
//! and nothing is left behind.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use portcullis_audit::Actor;
use portcullis_flows::{admin::FindUserError, people::SignedIn};
use portcullis_kernel::Origin;
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{JANE, PASSWORD, People as _, home};

const SESSIONS: usize = 4;

/// Runs `end` while the account is refreshed and signed in to without a pause.
fn end_under_fire(stored: &Stored, end: impl Fn(&TestEngine, &SignedIn)) -> TestEngine {
    let engine = TestEngine::builder()
        .storage(stored.storage())
        .options(|options| options.limits.enabled = false)
        .build();
    let jane = engine.join(JANE);
    let chains: Vec<_> = (0..SESSIONS).map(|_| engine.enter(JANE).tokens).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for mut tokens in chains {
            let engine = &engine;
            scope.spawn(move || {
                while let Ok(next) = engine.rotate(&tokens.refresh) {
                    tokens = next;
                }
                // It ends with the account, and not by itself.
                assert!(engine.try_bearer(&tokens).is_none());
            });
        }
        let (engine, over) = (&engine, &over);
        let entering = scope.spawn(move || {
            let mut last = None;
            while !over.load(Ordering::Acquire) {
                last = engine.try_enter(JANE, PASSWORD, &home()).ok().or(last);
            }
            last
        });
        thread::yield_now();
        end(engine, &jane);
        over.store(true, Ordering::Release);
        if let Some(last) = entering.join().unwrap() {
            assert!(engine.try_bearer(&last.tokens).is_none());
            assert!(engine.rotate(&last.tokens.refresh).is_err());
        }
    });
    engine
}

fn on_both(test: impl Fn(&Stored)) {
    for _ in 0..5 {
        test(&Stored::sqlite());
        if let Some(postgres) = Stored::postgres() {
            test(&postgres);
        }
    }
}

#[test]
fn an_account_is_deleted_under_fire() {
    on_both(|stored| {
        let engine = end_under_fire(stored, |engine, jane| {
            engine.delete_user(jane.user.id, Actor::Operator, &Origin::local()).unwrap();
        });
        assert!(matches!(engine.find_user(JANE), Err(FindUserError::NotFound)));
        engine.join(JANE);
    });
}

#[test]
fn an_account_is_suspended_under_fire_and_resumed_without_a_session() {
    on_both(|stored| {
        let engine = end_under_fire(stored, |engine, jane| {
            engine.suspend_user(jane.user.id, Actor::Operator, &Origin::local()).unwrap();
        });
        let id = engine.find_user(JANE).unwrap().id;
        engine.resume_user(id, Actor::Operator, &Origin::local()).unwrap();
        assert!(engine.show_user(JANE).unwrap().sessions.is_empty());
        engine.enter(JANE);
    });
}
