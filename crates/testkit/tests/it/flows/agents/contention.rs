//! Everything that locks rows of one mailbox and its agents at once, on both databases: nobody waits for
//! another for ever, nothing fails, and what is left is whole.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    agents::{
        ChangeAgentEmail, CreateKey, KeyError, MissingAgent, RecoverError, RegisterAgent, RotateKey,
    },
    mail::AddressInput,
};
use portcullis_kernel::{Classify, ErrorKind, Origin, Slice, UserId};
use portcullis_testkit::{app::Stored, engine::TestEngine};

use super::{
    super::{JANE, at_once, from, home, mailbox::Mail as _},
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, everywhere, wrong,
};

fn on_both(test: impl Fn(&Stored)) {
    for _ in 0..2 {
        // Memory has one writer at a time, and nothing to wait for.
        everywhere().skip(1).for_each(|stored| test(&stored));
    }
}

/// Whatever a result is, it is no fault of ours.
fn fine<T, E: Classify + std::fmt::Debug>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let ours = matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
            assert!(!ours, "{error:?}");
            None
        }
    }
}

fn engine(stored: &Stored) -> TestEngine {
    let engine = TestEngine::builder().storage(stored.storage());
    engine.options(|options| options.limits.enabled = false).build()
}

/// Three agents of one mailbox and one user, each with keys that were used.
fn swarm(engine: &TestEngine, owner: UserId) -> Vec<Bot> {
    let made = (0..3).map(|_| {
        let input = RegisterAgent {
            agent_name: "bot".into(),
            email: BOX.into(),
            ..RegisterAgent::default()
        };
        let input = engine.check_register_agent(input).unwrap();
        let made = engine.create_agent(input, Some(owner), Actor::Operator, &Origin::local());
        let bot = Bot::from(made.unwrap());
        engine.prove(&engine.receive("agent_verify_email")).unwrap();
        bot
    });
    made.collect()
}

/// Does all that agents, strangers, workers and the janitor do to one mailbox at once.
fn rush(engine: &TestEngine, bots: &[Bot], last: impl Fn() + Sync) {
    let keys: Vec<_> = bots.iter().flat_map(|bot| [0; 4].map(|_| engine.make_key(bot))).collect();
    let tokens: Vec<_> = keys.iter().map(|key| engine.token(key)).collect();
    let agents: Vec<_> = bots.iter().map(|bot| engine.manage(bot).unwrap()).collect();
    let codes = engine.codes(BOX);
    let wrong = wrong(&codes);
    let email = engine.check_agent_email(ChangeAgentEmail { email: OTHER_BOX.into() }).unwrap();
    let resend = engine.check_ask_for_agent_mail(AddressInput { email: OTHER_BOX.into() }).unwrap();
    let wanted = CreateKey { name: "late".into(), ..CreateKey::default() };
    let new = engine.check_create_key(wanted).unwrap();
    let rotation = RotateKey::default().check().unwrap();
    at_once(14, |index| match index {
        0..=2 => {
            let (id, code) = &codes[index];
            let done = engine.try_recover(BOX, code, true, &from("198.51.100.9"));
            assert!(done.as_ref().ok().is_none_or(|done| done.id == *id));
            fine(done);
        }
        3 => {
            for code in &wrong[..3] {
                let missed = engine.try_recover(BOX, code, false, &home());
                assert!(matches!(missed, Err(RecoverError::InvalidCode)), "{missed:?}");
            }
        }
        4 => {
            for _ in 0..3 {
                fine(engine.try_ask(BOX, None, &home()));
            }
        }
        5 => {
            for agent in &agents {
                fine(engine.change_agent_email(agent, &email, &home()));
            }
        }
        6 => engine.ask_for_mail(&resend, &home()).unwrap(),
        7 | 8 => drop(engine.deliver()),
        9 => drop(engine.clean().unwrap()),
        10 => {
            for key in &keys {
                let id = key.agent.to_string();
                let all = portcullis_flows::agents::WantedToken::default();
                fine(engine.try_exchange(&id, &key.secret, &all, &from("192.0.2.7")));
            }
            engine.flush_uses().unwrap();
        }
        11 => {
            for (agent, key) in agents.iter().zip(keys.iter().step_by(4)) {
                let (id, actor) = (key.id.to_string(), Actor::Agent(agent.id));
                fine(engine.create_key(agent, new.clone(), actor, &home()));
                fine(engine.rotate_api_key(agent, &id, rotation, actor, &home()));
            }
        }
        12 => {
            for token in &tokens {
                let Ok(caller) = engine.try_agent(token) else { continue };
                fine(engine.refresh_agent(&caller, &home()));
            }
        }
        _ => last(),
    });
    engine.deliver();
}

#[test]
fn agents_that_everybody_works_on_at_once_are_whole_afterwards() {
    on_both(|stored| {
        let engine = engine(stored);
        let jane = engine.join_verified(JANE).user.id;
        let bots = swarm(&engine, jane);
        rush(&engine, &bots, || {});
        for bot in &bots {
            let recovered = engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Success);
            assert_eq!(engine.manage(bot).is_err(), recovered == 1, "{stored:?}: {recovered}");
            let keys = engine.list_api_keys(bot.id, &Slice::first(99)).unwrap().items;
            let alive = keys.iter().filter(|key| key.is_live(engine.now())).count();
            assert_eq!(alive == 0, recovered == 1, "{stored:?}: no key outlives a recovery");
        }
        assert!(engine.deliver().is_empty());
    });
}

#[test]
fn agents_that_are_erased_while_everybody_works_on_them_leave_nothing() {
    on_both(|stored| {
        let engine = engine(stored);
        let jane = engine.join_verified(JANE).user.id;
        let bots = swarm(&engine, jane);
        rush(&engine, &bots, || {
            for bot in bots.iter().rev() {
                engine.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
            }
        });
        engine.flush_uses().unwrap();
        for bot in &bots {
            assert!(engine.find_agent(&bot.id.to_string()).is_err(), "{stored:?}");
            let events = engine.bot_events(bot.id);
            let mut told = events.iter().filter(|event| event.outcome == Outcome::Success);
            assert!(told.all(|event| event.client.is_none()), "{events:?}");
        }
        assert!(engine.deliver().is_empty());
        assert_eq!(engine.codes(BOX), []);
    });
}

#[test]
fn a_user_who_goes_while_everybody_works_on_their_agents_leaves_them_shut() {
    on_both(|stored| {
        let engine = engine(stored);
        let jane = engine.join_verified(JANE).user.id;
        let bots = swarm(&engine, jane);
        rush(&engine, &bots, || {
            engine.delete_user(jane, Actor::Operator, &Origin::local()).unwrap();
        });
        for bot in &bots {
            let agent = engine.agent(bot.id);
            assert!(agent.owner.is_none() && agent.recovery.is_none(), "{stored:?}: {agent:?}");
            assert!(agent.email.is_none() && agent.pending_email.is_none());
            let keys = engine.list_api_keys(bot.id, &Slice::first(99)).unwrap().items;
            assert!(keys.iter().all(|key| !key.is_live(engine.now())), "{keys:?}");
        }
        assert_eq!(engine.codes(BOX), []);
    });
}

#[test]
fn one_agent_that_many_rotate_revoke_erase_and_use_at_once_fails_nobody() {
    on_both(|stored| {
        let engine = engine(stored);
        let peer = engine.peer().storage(stored.another_instance().storage()).build();
        for _ in 0..5 {
            let bot = engine.sign_up_bot("bot");
            let keys: Vec<_> = (0..12).map(|_| engine.make_key(&bot)).collect();
            for key in &keys {
                engine.token(key);
                peer.token_from(key, "192.0.2.7");
            }
            let agent = engine.manage(&bot).unwrap();
            let rotation = RotateKey::default().check().unwrap();
            at_once(6, |index| match index {
                0 | 1 => [&engine, &peer][index].flush_uses().unwrap(),
                2 => {
                    for key in keys.iter().rev() {
                        let revoked = engine.revoke_key(
                            bot.id,
                            &key.id.to_string(),
                            Actor::Operator,
                            &home(),
                        );
                        assert!(matches!(revoked, Ok(_) | Err(KeyError::NotFound)), "{revoked:?}");
                    }
                }
                3 => {
                    for key in &keys {
                        let (id, actor) = (key.id.to_string(), Actor::Agent(bot.id));
                        fine(engine.rotate_api_key(&agent, &id, rotation, actor, &home()));
                    }
                }
                _ => {
                    let gone = engine.delete_agent(bot.id, Actor::Operator, &Origin::local());
                    assert!(matches!(gone, Ok(_) | Err(MissingAgent::NotFound)), "{gone:?}");
                }
            });
            engine.flush_uses().unwrap();
            assert!(engine.find_agent(&bot.id.to_string()).is_err());
        }
    });
}
