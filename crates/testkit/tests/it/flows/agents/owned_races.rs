//! What an owner does to an agent while something else is done to it, or to the owner.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    agents::{OwnedAgentError, WantedToken},
    people::Caller,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Origin, Slice};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage, Step},
};

use super::{
    super::{
        JANE, JOHN, PASSWORD, People as _, Stored as _, at_once,
        faults::at_every_step,
        home,
        mailbox::{Mail as _, OTHER_PASSWORD},
        told,
    },
    Agents as _, Bot, Key, StoredAgents as _, everywhere,
    owned::{Owners as _, bot_of, named, without_recovery_key},
};

/// What an owner wants: a key, a key's end, or the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Make,
    Revoke,
    GiveUp,
}

const WISHES: [Wish; 3] = [Wish::Make, Wish::Revoke, Wish::GiveUp];

impl Wish {
    fn come_true(
        self,
        engine: &TestEngine,
        caller: &Caller,
        bot: &Bot,
        key: &Key,
    ) -> Result<(), OwnedAgentError> {
        match self {
            Self::Make => engine.try_owned_key(caller, bot.id, named("late")).map(drop),
            Self::Revoke => engine.try_revoke(caller, bot.id, key),
            Self::GiveUp => engine.give_up_agent(caller, &bot.id.to_string(), &home()),
        }
    }
}

/// Jane, one of her agents, and a key of it.
struct Scene {
    jane: Caller,
    bot: Bot,
    key: Key,
}

impl Scene {
    fn new(engine: &TestEngine) -> Self {
        let jane = engine.caller(JANE);
        engine.deliver();
        let bot = bot_of(engine, &jane);
        let key = engine.make_key(&bot);
        Self { jane, bot, key }
    }
}

/// What a wish comes to when, right before it is written, another server does something.
fn with_something_in_between(
    wish: Wish,
    between: fn(&TestEngine, &Scene),
) -> (Arc<TestEngine>, Arc<Scene>, Result<(), OwnedAgentError>) {
    let memory = MemoryStorage::default();
    let fast = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let scene = Arc::new(Scene::new(&fast));
    let steps = FaultyStorage::over(Arc::new(memory));
    let slow = fast.peer().storage(steps.clone()).build();
    // Where it writes is seen by a wish of somebody else.
    let john = fast.caller(JOHN);
    let theirs = bot_of(&fast, &john);
    let key = fast.make_key(&theirs);
    steps.heal();
    wish.come_true(&slow, &john, &theirs, &key).unwrap();
    let writes = steps.position(Step::Begin(TxMode::Write)).unwrap();
    let (acting, held) = (Arc::clone(&fast), Arc::clone(&scene));
    steps.run_at(writes, move || between(&acting, &held));
    let result = wish.come_true(&slow, &scene.jane, &scene.bot, &scene.key);
    assert_eq!(steps.steps()[writes], Step::Begin(TxMode::Write), "{:?}", steps.steps());
    (fast, scene, result)
}

fn keys(engine: &TestEngine, bot: &Bot) -> usize {
    engine.list_api_keys(bot.id, &Slice::first(99)).unwrap().items.len()
}

#[test]
fn k12_a_wish_beside_whatever_ends_the_session_comes_to_nothing() {
    let ends: [fn(&TestEngine, &Scene); 4] = [
        |engine, scene| {
            let session = scene.jane.session.to_string();
            engine.end_session(&scene.jane, &session, &home()).unwrap();
        },
        |engine, _| engine.try_reset(&engine.reset_token(JANE), OTHER_PASSWORD).unwrap(),
        |engine, scene| {
            let jane = scene.jane.user.id;
            engine.suspend_user(jane, Actor::Operator, &Origin::local()).unwrap();
        },
        |engine, _| {
            let elsewhere = engine.bearer(&engine.enter(JANE).tokens);
            engine.try_change_password(&elsewhere, PASSWORD, OTHER_PASSWORD).unwrap();
        },
    ];
    for wish in WISHES {
        for end in ends {
            let (engine, scene, result) = with_something_in_between(wish, end);
            let refused = result.unwrap_err();
            assert!(matches!(refused, OwnedAgentError::Gone), "{wish:?}: {refused:?}");
            assert_eq!(told(&refused).1, "unauthorized");
            assert_eq!(keys(&engine, &scene.bot), 1);
            // Her agents wait while she is suspended.
            engine.resume_user(scene.jane.user.id, Actor::Operator, &Origin::local()).unwrap();
            assert!(engine.is_good(&engine.token(&scene.key)));
            assert_eq!(engine.agent(scene.bot.id).owner, Some(scene.jane.user.id));
        }
    }
}

#[test]
fn k12_a_wish_beside_the_loss_of_the_agent_comes_to_nothing() {
    let losses: [fn(&TestEngine, &Scene); 3] = [
        |engine, scene| {
            engine.give_up_agent(&scene.jane, &scene.bot.id.to_string(), &home()).unwrap();
        },
        |engine, scene| {
            engine.delete_agent(scene.bot.id, Actor::Operator, &Origin::local()).unwrap();
        },
        |engine, scene| {
            let john = engine.find_user(JOHN).unwrap().id;
            let moved = engine.storage.transact(|uow| {
                let mut agent = uow.agents().lock(scene.bot.id)?.unwrap();
                agent.owner = Some(john);
                uow.agents().update(&agent)
            });
            assert!(moved.unwrap());
        },
    ];
    for wish in WISHES {
        for loss in losses {
            let (engine, scene, result) = with_something_in_between(wish, loss);
            let refused = result.unwrap_err();
            assert!(matches!(refused, OwnedAgentError::NotFound), "{wish:?}: {refused:?}");
            assert!(keys(&engine, &scene.bot) <= 1, "no other key");
            let by_jane = engine.bot_events(scene.bot.id);
            let by_jane = by_jane.iter().filter(|event| event.key != Some(scene.key.id));
            assert!(by_jane.into_iter().all(|event| event.action != Action::ApiKeyCreated));
        }
    }
}

#[test]
fn v10_an_account_that_is_erased_meanwhile_does_nothing_more() {
    for wish in WISHES {
        let (engine, scene, result) = with_something_in_between(wish, |engine, scene| {
            engine.try_delete(&scene.jane, Some(PASSWORD)).unwrap();
        });
        assert!(matches!(result, Err(OwnedAgentError::Gone)), "{wish:?}");
        assert_eq!(engine.agent(scene.bot.id).owner, None);
        let live = engine.look(|uow| uow.api_keys().list_live(&[scene.bot.id], engine.now()));
        assert!(live.is_empty());
    }
}

#[test]
fn k8_a_key_is_not_made_by_rules_that_the_agent_has_no_more() {
    let (engine, scene, result) = with_something_in_between(Wish::Make, |engine, scene| {
        without_recovery_key(engine, scene.bot.id);
    });
    let refused = result.unwrap_err();
    assert!(matches!(refused, OwnedAgentError::Changed));
    assert_eq!(told(&refused).1, "conflict");
    assert_eq!(keys(&engine, &scene.bot), 1);
    // Another recovery key gives the same rights, and who has the old one ends nothing of the owner's.
    for wish in WISHES {
        let (_, _, result) = with_something_in_between(wish, |engine, scene| {
            let id = scene.bot.id;
            engine.reset_recovery_key(id, Actor::Operator, &Origin::local()).unwrap();
        });
        result.unwrap();
    }
}

#[test]
fn an_agent_that_is_suspended_meanwhile_gets_no_key_and_can_be_given_up() {
    for wish in WISHES {
        let (engine, scene, result) = with_something_in_between(wish, |engine, scene| {
            let shut = AgentStatus::Suspended;
            engine.set_agent_status(scene.bot.id, shut, Actor::Operator, &Origin::local()).unwrap();
        });
        if wish == Wish::Make {
            assert!(matches!(result, Err(OwnedAgentError::Suspended)));
            assert_eq!(keys(&engine, &scene.bot), 1);
        } else {
            result.unwrap();
        }
    }
}

#[test]
fn parallel_makers_of_either_side_do_not_outrun_the_bound() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage());
        let engine = engine.options(|options| options.agents.most_keys = 5).build();
        let jane = engine.caller(JANE);
        let bot = bot_of(&engine, &jane);
        let made = at_once(12, |index| {
            if index % 2 == 0 {
                engine.try_owned_key(&jane, bot.id, named("hers")).is_ok()
            } else {
                engine.try_key(&bot, named("its own")).is_ok()
            }
        });
        assert_eq!(made.into_iter().filter(|made| *made).count(), 5, "{stored:?}");
        assert_eq!(keys(&engine, &bot), 5);
    }
}

#[test]
fn of_many_that_give_one_agent_up_one_does_and_no_key_outlives_it() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let scene = Scene::new(&engine);
        let token = engine.token(&scene.key);
        let done = at_once(8, |index| {
            let wish = if index % 2 == 0 { Wish::GiveUp } else { Wish::Make };
            wish.come_true(&engine, &scene.jane, &scene.bot, &scene.key)
        });
        let given_up = done.iter().step_by(2).filter(|done| done.is_ok()).count();
        assert_eq!(given_up, 1, "{stored:?}: {done:?}");
        for refused in done.iter().filter_map(|done| done.as_ref().err()) {
            assert!(matches!(refused, OwnedAgentError::NotFound), "{stored:?}: {refused:?}");
        }
        let live = engine.look(|uow| uow.api_keys().list_live(&[scene.bot.id], engine.now()));
        assert!(live.is_empty() && !engine.is_good(&token), "{stored:?}");
        assert_eq!(engine.bot_count(scene.bot.id, Action::AgentDisowned, Outcome::Success), 1);
    }
}

#[test]
fn k6_no_token_got_beside_a_revocation_by_the_owner_outlives_it() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let scene = Scene::new(&engine);
        let got = at_once(8, |index| {
            if index == 4 {
                engine.try_revoke(&scene.jane, scene.bot.id, &scene.key).unwrap();
                return None;
            }
            let (id, all) = (scene.bot.id.to_string(), WantedToken::default());
            let issued = engine.try_exchange(&id, &scene.key.secret, &all, &home()).ok()?;
            Some(super::text(&issued))
        });
        for token in got.into_iter().flatten() {
            assert!(!engine.is_good(&token), "{stored:?}");
        }
    }
}

#[test]
fn every_wish_comes_true_wholly_or_not_at_all() {
    for wish in WISHES {
        for fault in [Fault::Unavailable, Fault::Failed] {
            let steps = at_every_step(
                fault,
                |engine| (Scene::new(engine), engine.event_count()),
                |engine, (scene, _)| wish.come_true(engine, &scene.jane, &scene.bot, &scene.key),
                |engine, (scene, before), run| {
                    let done = run.result.is_ok() || run.committed;
                    assert_eq!(engine.event_count(), before + u64::from(done), "{wish:?}");
                    let agent = engine.agent(scene.bot.id);
                    assert_eq!(agent.owner.is_none(), done && wish == Wish::GiveUp);
                    assert_eq!(agent.recovery.is_none(), done && wish == Wish::GiveUp);
                    let now = engine.now();
                    let live = engine.look(|uow| uow.api_keys().list_live(&[agent.id], now)).len();
                    let wanted = match (done, wish) {
                        (false, _) => 1,
                        (true, Wish::Make) => 2,
                        (true, Wish::Revoke | Wish::GiveUp) => 0,
                    };
                    assert_eq!(live, wanted, "{wish:?}");
                },
            );
            assert!(steps >= 7, "{steps}");
        }
    }
}
