//! The database fails at every step of what agents do: each is done wholly or not at all, and can be tried
//! again.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{CreateKey, RotateKey};
use portcullis_kernel::{AgentId, Origin, Slice};
use portcullis_testkit::{engine::TestEngine, faults::Fault};

use super::{
    super::{
        KEYS, Stored as _,
        faults::{Run, at_every_step},
        home,
        mailbox::{Mail as _, kinds, waiting},
    },
    Agents as _, BOX, Bot, Key, OTHER_BOX, StoredAgents as _,
};

const FAULT: Fault = Fault::Unavailable;

/// Whether it was done, whatever its caller was told.
fn done<T, E>(run: &Run<T, E>) -> bool {
    run.result.is_ok() || run.committed
}

fn keys(engine: &TestEngine, bot: AgentId) -> usize {
    engine.list_api_keys(bot, &Slice::first(99)).unwrap().items.len()
}

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    (bot, key)
}

#[test]
fn an_agent_is_registered_wholly_or_not_at_all() {
    for fault in [FAULT, Fault::Failed] {
        let steps = at_every_step(
            fault,
            |_| (),
            |engine, ()| engine.try_sign_up("bot", Some(BOX)),
            |engine, (), run| {
                let made = u64::from(done(&run));
                assert_eq!(engine.event_count(), KEYS + made);
                assert_eq!(waiting(engine).len() as u64, made);
                if let Ok(registered) = run.result {
                    assert_eq!(engine.agent(registered.agent.id), registered.agent);
                }
            },
        );
        assert!(steps >= 8, "{steps}");
    }
}

#[test]
fn an_address_is_proven_wholly_or_not_at_all() {
    for moved in [false, true] {
        let steps = at_every_step(
            FAULT,
            |engine| {
                let bot = if moved {
                    let bot = engine.sign_up_at("bot", OTHER_BOX);
                    engine.try_move(&bot, BOX);
                    bot.id
                } else {
                    engine.try_sign_up("bot", Some(BOX)).unwrap().agent.id
                };
                (bot, engine.receive("agent_verify_email"))
            },
            |engine, (_, link)| engine.prove(link),
            |engine, (bot, link), run| {
                let done = done(&run);
                assert_eq!(engine.agent(bot).is_recovered_by(BOX), done);
                let notices = kinds(&engine.deliver()).len();
                assert_eq!(notices, usize::from(done && moved));
                let proofs = engine.bot_count(bot, Action::AgentEmailVerified, Outcome::Success);
                assert_eq!(proofs, usize::from(done) + usize::from(moved));
                assert_eq!(engine.prove(&link).is_ok(), !done);
            },
        );
        assert!(steps >= 8, "{steps}");
    }
}

#[test]
fn another_address_is_asked_for_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| {
            let bot = engine.sign_up_at("bot", BOX);
            let email = portcullis_flows::agents::ChangeAgentEmail { email: OTHER_BOX.into() };
            (engine.manage(&bot).unwrap(), engine.check_agent_email(email).unwrap())
        },
        |engine, (agent, email)| engine.change_agent_email(agent, email, &home()),
        |engine, (agent, _), run| {
            let done = done(&run);
            assert_eq!(engine.agent(agent.id).pending_email.is_some(), done);
            assert_eq!(engine.deliver().len(), if done { 2 } else { 0 });
            let asked = engine.bot_count(agent.id, Action::AgentEmailChangeAsked, Outcome::Success);
            assert_eq!(asked, usize::from(done));
        },
    );
}

#[test]
fn a_key_is_made_and_rotated_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| {
            let bot = engine.sign_up_bot("bot");
            let wanted = CreateKey { name: "ci".into(), ..CreateKey::default() };
            (engine.manage(&bot).unwrap(), engine.check_create_key(wanted).unwrap())
        },
        |engine, (agent, new)| {
            engine.create_key(agent, new.clone(), Actor::Agent(agent.id), &home())
        },
        |engine, (agent, _), run| {
            assert_eq!(keys(engine, agent.id), usize::from(done(&run)));
            let made = engine.bot_count(agent.id, Action::ApiKeyCreated, Outcome::Success);
            assert_eq!(made, usize::from(done(&run)));
        },
    );
    let steps = at_every_step(
        FAULT,
        with_key,
        |engine, (bot, key)| {
            let agent = engine.find_agent(&bot.id.to_string()).map_err(|error| match error {
                portcullis_flows::agents::MissingAgent::Fault(fault) => fault.into(),
                _ => portcullis_flows::agents::KeyError::NotFound,
            })?;
            let rotation = RotateKey::default().check().unwrap();
            let actor = Actor::Agent(bot.id);
            engine.rotate_api_key(&agent.agent, &key.id.to_string(), rotation, actor, &home())
        },
        |engine, (bot, key), run| {
            let done = done(&run);
            assert_eq!(keys(engine, bot.id), 1 + usize::from(done));
            let old = engine.look(|uow| uow.api_keys().find(key.id)).unwrap();
            assert_eq!(old.is_live(engine.now()), !done, "one of the two lives");
            let rotated = engine.bot_count(bot.id, Action::ApiKeyRotated, Outcome::Success);
            assert_eq!(rotated, usize::from(done));
        },
    );
    assert!(steps >= 10, "{steps}");
}

#[test]
fn f3_codes_are_asked_for_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| engine.sign_up_at("bot", BOX),
        |engine, _| engine.try_ask(BOX, None, &home()),
        |engine, bot, run| {
            let waits = waiting(engine).len();
            assert_eq!(waits, usize::from(done(&run)));
            let codes: Vec<_> = engine.deliver().iter().flat_map(super::codes_in).collect();
            assert_eq!(codes.len(), waits);
            if let Some((id, code)) = codes.first() {
                let done = engine.try_recover(BOX, code, false, &home()).unwrap();
                assert_eq!((done.id, *id), (bot.id, bot.id));
            }
        },
    );
}

#[test]
fn f3_an_agent_is_recovered_wholly_or_not_at_all() {
    for fault in [FAULT, Fault::Failed] {
        let steps = at_every_step(
            fault,
            |engine| {
                let (bot, key) = with_key(engine);
                let token = engine.token(&key);
                (bot, token, engine.codes(BOX).remove(0).1)
            },
            |engine, (_, _, code)| engine.try_recover(BOX, code, true, &home()),
            |engine, (bot, token, code), run| {
                let done = done(&run);
                assert_eq!(engine.manage(&bot).is_err(), done, "the old key dies with the new one");
                assert_eq!(engine.is_good(&token), !done);
                assert_eq!(kinds(&engine.deliver()).len(), usize::from(done));
                let events = engine.bot_count(bot.id, Action::AgentRecovered, Outcome::Success);
                assert_eq!(events, usize::from(done));
                assert_eq!(engine.try_recover(BOX, &code, true, &home()).is_ok(), !done);
            },
        );
        assert!(steps >= 15, "{steps}");
    }
}

#[test]
fn o3_a_wrong_code_is_never_taken_and_never_forgotten_because_something_failed() {
    for number in 0.. {
        let faulty = portcullis_testkit::faults::FaultyStorage::over(std::sync::Arc::new(
            portcullis_storage::MemoryStorage::default(),
        ));
        let engine = TestEngine::builder().storage(faulty.clone()).build();
        engine.sign_up_at("bot", BOX);
        let codes = engine.codes(BOX);
        let wrong = super::wrong(&codes);
        faulty.fail_at(number, FAULT);
        assert!(engine.try_recover(BOX, &wrong[0], false, &home()).is_err());
        let failed = faulty.steps().get(number).copied();
        faulty.heal();
        for code in &wrong[1..5] {
            assert!(engine.try_recover(BOX, code, false, &home()).is_err());
        }
        let good = engine.try_recover(BOX, &codes[0].1, false, &home()).is_ok();
        let counted = matches!(failed, None | Some(portcullis_testkit::faults::Step::Committed));
        assert_eq!(good, !counted, "at {number}: four tries, or five");
        if failed.is_none() {
            break;
        }
    }
}

#[test]
fn an_agent_is_erased_wholly_or_not_at_all() {
    let steps = at_every_step(
        FAULT,
        |engine| {
            let (bot, key) = with_key(engine);
            let token = engine.token(&key);
            (bot, token)
        },
        |engine, (bot, _)| engine.delete_agent(bot.id, Actor::Operator, &Origin::local()),
        |engine, (bot, token), run| {
            let gone = done(&run);
            assert_eq!(engine.find_agent(&bot.id.to_string()).is_err(), gone);
            assert_eq!(engine.is_good(&token), !gone);
            assert_eq!(kinds(&engine.deliver()).len(), usize::from(gone));
            let events = engine.bot_events(bot.id);
            assert_eq!(events.iter().all(|event| event.client.is_none()), gone);
        },
    );
    assert!(steps >= 7, "{steps}");
}

#[test]
fn r2_a_refresh_and_a_logout_are_done_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| {
            let (_, key) = with_key(engine);
            let token = engine.token(&key);
            (engine.try_agent(&token).unwrap(), token)
        },
        |engine, (caller, _)| engine.refresh_agent(caller, &home()),
        |engine, (_, token), run| {
            assert_eq!(engine.is_good(&token), !done(&run));
            assert_eq!(engine.try_refresh(&token).is_ok(), !done(&run));
        },
    );
    at_every_step(
        FAULT,
        |engine| {
            let (bot, key) = with_key(engine);
            let token = engine.token(&key);
            (engine.try_agent(&token).unwrap(), token, bot)
        },
        |engine, (caller, ..)| engine.sign_out_agent(caller, &home()),
        |engine, (_, token, bot), run| {
            assert_eq!(engine.is_good(&token), !done(&run));
            let events = engine.bot_count(bot.id, Action::TokenRevoked, Outcome::Success);
            assert_eq!(events, usize::from(done(&run)));
        },
    );
}

#[test]
fn m7_whatever_fails_codes_come_once_or_twice_and_are_good() {
    for number in 0.. {
        let faulty = portcullis_testkit::faults::FaultyStorage::over(std::sync::Arc::new(
            portcullis_storage::MemoryStorage::default(),
        ));
        let engine = TestEngine::builder().storage(faulty.clone()).build();
        let bot = engine.sign_up_at("bot", BOX);
        engine.try_ask(BOX, None, &home()).unwrap();
        faulty.fail_at(number, FAULT);
        let mut arrived = Vec::new();
        while let Ok(Some(mail)) = engine.claim_mail() {
            arrived.extend(super::codes_in(&mail.letter));
            if engine.mail_delivered(&mail).is_err() {
                break;
            }
        }
        let failed = faulty.steps().get(number).copied();
        faulty.heal();
        engine.clock.advance(time::Duration::seconds(30));
        arrived.extend(engine.deliver().iter().flat_map(super::codes_in));
        assert!((1..=2).contains(&arrived.len()), "at {number}, {failed:?}: {arrived:?}");
        assert!(arrived.iter().all(|code| *code == arrived[0]), "the same codes");
        assert!(engine.try_recover(BOX, &arrived[0].1, false, &home()).is_ok());
        assert_eq!(engine.bot_count(bot.id, Action::RecoveryAsked, Outcome::Success), 1);
        if failed.is_none() {
            break;
        }
    }
}
