//! Limits of agents, their keys, and those who ask for them.

use std::net::IpAddr;

use portcullis_flows::{
    EngineOptions, LimitClass, LimitError, Limited as _,
    agents::{AdmitAgentError, AgentAuthError, AgentLimit, CreateKey, ExchangeError, WantedToken},
};
use portcullis_kernel::{ErrorKind, Field};
use portcullis_limits::Standing;
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{
    engine::TestEngine,
    faults::{Fault, FaultyStorage},
};
use time::Duration;

use super::{
    super::{at_once, from, ip, told},
    Agents as _, Bot, Key, basic, everywhere,
};

const CLIENT: &str = "192.0.2.1";

/// How many requests of a client address in a row are let through.
fn through(engine: &TestEngine, class: LimitClass) -> usize {
    let ask = || engine.admit_address(class, ip(CLIENT), &from(CLIENT));
    (0..700).take_while(|_| ask().is_ok()).count()
}

fn bearer(engine: &TestEngine, token: Option<&str>, limit: AgentLimit, client: &str) -> Outcome {
    judge(engine.admit_agent(token, limit, ip(client), &from(client)))
}

fn by_key(
    engine: &TestEngine,
    bot: &Bot,
    secret: &str,
    limit: AgentLimit,
    client: &str,
) -> Outcome {
    let presented = Some(basic(bot.id, secret));
    judge(engine.admit_recovery(presented, limit, ip(client), &from(client)))
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Good(Standing),
    Refused(Option<Standing>),
    Over(Standing),
}

fn judge<T>(
    result: Result<portcullis_flows::agents::AdmittedAgent<T>, AdmitAgentError>,
) -> Outcome {
    match result {
        Ok(admitted) => Outcome::Good(admitted.standing.unwrap()),
        Err(AdmitAgentError::Auth(_, standing)) => Outcome::Refused(standing),
        Err(AdmitAgentError::Limit(error)) => Outcome::Over(error.standing().unwrap()),
        Err(error) => panic!("{error:?}"),
    }
}

fn good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Good(_))
}

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

fn exchange(
    engine: &TestEngine,
    id: &str,
    secret: &str,
    client: &str,
) -> Result<(), ExchangeError> {
    engine.try_exchange(id, secret, &WantedToken::default(), &from(client)).map(drop)
}

#[test]
fn l11_every_class_of_an_address_has_the_limit_of_the_contract() {
    for (class, limit, window) in [
        (LimitClass::AgentRegister, 10, Duration::HOUR),
        (LimitClass::AgentToken, 600, Duration::MINUTE),
        (LimitClass::AgentResend, 5, Duration::HOUR),
        (LimitClass::Recovery, 5, Duration::minutes(15)),
        (LimitClass::Recover, 10, Duration::minutes(15)),
        (LimitClass::AgentAnonymous, 60, Duration::MINUTE),
        (LimitClass::OAuthAnonymous, 60, Duration::MINUTE),
        (LimitClass::Credits, 60, Duration::MINUTE),
    ] {
        let engine = TestEngine::new();
        assert_eq!(through(&engine, class), limit, "{class:?}");
        engine.clock.advance(window + window / 12);
        assert_eq!(through(&engine, class), limit, "{class:?}, after its window");
    }
}

#[test]
fn l13_what_mails_or_tries_a_code_is_refused_while_the_store_is_down() {
    for (class, open) in [
        (LimitClass::AgentRegister, false),
        (LimitClass::AgentResend, false),
        (LimitClass::Recovery, false),
        (LimitClass::Recover, false),
        (LimitClass::AgentToken, true),
        (LimitClass::AgentAnonymous, true),
        (LimitClass::OAuthAnonymous, true),
        (LimitClass::Credits, true),
    ] {
        let faulty = FaultyStorage::over(std::sync::Arc::new(MemoryStorage::default()));
        let engine = TestEngine::builder().storage(faulty.clone()).build();
        faulty.take_down(Fault::Unavailable);
        let asked = engine.admit_address(class, ip(CLIENT), &from(CLIENT));
        assert_eq!(asked.is_ok(), open, "{class:?}");
        if let Err(error) = asked {
            assert_eq!(told(&error).0, ErrorKind::Unavailable);
        }
    }
}

#[test]
fn l11_exchanges_count_towards_the_id_as_typed_and_the_address_before_the_key_is_looked_at() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let id = bot.id.to_string();
    let wrong = (0..100).take_while(|_| {
        matches!(exchange(&engine, &id, "wrong", CLIENT), Err(ExchangeError::Auth(_)))
    });
    assert_eq!(wrong.count(), 60);
    let refused = exchange(&engine, &id, &key.secret, CLIENT).unwrap_err();
    assert!(matches!(refused, ExchangeError::Limit(LimitError::Exceeded(_))));
    assert_eq!(refused.standing().unwrap().remaining, 0);
    assert!(exchange(&engine, &id, &key.secret, "192.0.2.2").is_ok(), "l8: nobody is shut out");
    let other = engine.sign_up_bot("other");
    let others = engine.make_key(&other);
    assert!(exchange(&engine, &other.id.to_string(), &others.secret, CLIENT).is_ok());
    let unknown = (0..100).take_while(|_| {
        matches!(exchange(&engine, "nobody", "x", CLIENT), Err(ExchangeError::Auth(_)))
    });
    assert_eq!(unknown.count(), 60, "unknown ids count alike");
}

#[test]
fn a_key_with_a_limit_bears_so_many_uses_a_minute_wherever_they_come_from() {
    for stored in everywhere() {
        let one = TestEngine::builder().storage(stored.storage()).build();
        let two = one.peer().storage(stored.another_instance().storage()).build();
        let bot = one.sign_up_bot("bot");
        let wanted = CreateKey {
            name: "slow".into(),
            rate_limit_per_minute: Field::Given(5),
            ..CreateKey::default()
        };
        let key = one.try_key(&bot, wanted).unwrap();
        let (sibling, id) = (one.make_key(&bot), bot.id.to_string());
        let done = at_once(12, |index| {
            let client = format!("192.0.2.{index}");
            exchange([&one, &two][index % 2], &id, &key.secret, &client)
        });
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 5, "{stored:?}");
        for error in done.into_iter().filter_map(Result::err) {
            assert!(matches!(error, ExchangeError::Limit(LimitError::Exceeded(_))), "{error:?}");
        }
        assert!(exchange(&one, &id, &sibling.secret, CLIENT).is_ok(), "a sibling has none");
        one.clock.advance(Duration::MINUTE);
        let token = one.token(&key);
        let calls =
            (0..20).take_while(|_| good(&bearer(&one, Some(&token), AgentLimit::Usual, CLIENT)));
        assert_eq!(calls.count(), 4, "{stored:?}: its tokens count towards it");
    }
}

#[test]
fn an_accepted_credential_counts_towards_its_agent_and_not_towards_the_address() {
    for (limit, most, window) in [
        (AgentLimit::Usual, 100, Duration::MINUTE),
        (AgentLimit::Refresh, 30, Duration::MINUTE),
        (AgentLimit::MakeKey, 20, Duration::HOUR),
        (AgentLimit::ChangeEmail, 5, Duration::HOUR),
    ] {
        let engine = TestEngine::new();
        let (bot, key) = with_key(&engine);
        let (other, others) = with_key(&engine);
        let tokens = [engine.token(&key), engine.token(&others)];
        let client = |n: usize| format!("192.0.{n}.1");
        let calls = (0..150).take_while(|n| {
            let called = if n % 2 == 0 {
                bearer(&engine, Some(&tokens[0]), limit, &client(*n))
            } else {
                by_key(&engine, &bot, &bot.recovery, limit, CLIENT)
            };
            good(&called)
        });
        assert_eq!(calls.count(), most, "{limit:?}: by either credential");
        let Outcome::Over(standing) = bearer(&engine, Some(&tokens[0]), limit, CLIENT) else {
            panic!("{limit:?}")
        };
        assert_eq!((standing.limit as usize, standing.remaining), (most, 0));
        assert!(good(&bearer(&engine, Some(&tokens[1]), limit, CLIENT)), "another agent");
        assert_eq!(through(&engine, LimitClass::AgentAnonymous), 60, "no address was charged");
        engine.clock.advance(window + window / 12);
        assert!(good(&by_key(&engine, &other, &other.recovery, limit, CLIENT)));
        assert!(good(&by_key(&engine, &bot, &bot.recovery, limit, CLIENT)));
    }
}

#[test]
fn a_refused_credential_counts_towards_the_address_which_is_looked_at_first() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    let refused = (0..100).take_while(|n| {
        let called = match n % 3 {
            0 => bearer(&engine, None, AgentLimit::Usual, CLIENT),
            1 => bearer(&engine, Some("x"), AgentLimit::Refresh, CLIENT),
            _ => by_key(&engine, &bot, "rk_x", AgentLimit::MakeKey, CLIENT),
        };
        match called {
            Outcome::Refused(standing) => standing.unwrap().limit == 60,
            Outcome::Over(_) => false,
            Outcome::Good(_) => panic!("let in"),
        }
    });
    assert_eq!(refused.count(), 60);
    for over in [
        bearer(&engine, Some(&token), AgentLimit::Usual, CLIENT),
        by_key(&engine, &bot, &bot.recovery, AgentLimit::Usual, CLIENT),
    ] {
        assert!(matches!(over, Outcome::Over(_)), "{over:?}");
    }
    assert!(good(&bearer(&engine, Some(&token), AgentLimit::Usual, "192.0.2.2")));
}

#[test]
fn while_the_database_is_away_no_good_credential_is_called_bad() {
    let faulty = FaultyStorage::over(std::sync::Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    faulty.take_down(Fault::Unavailable);
    let client: IpAddr = ip(CLIENT);
    let refused = engine.admit_agent(Some(&token), AgentLimit::Usual, client, &from(CLIENT));
    let Err(AdmitAgentError::Auth(error @ AgentAuthError::Fault(_), None)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(told(&error).0, ErrorKind::Unavailable);
    let presented = Some(basic(bot.id, &bot.recovery));
    let refused = engine.admit_recovery(presented, AgentLimit::Usual, client, &from(CLIENT));
    assert!(matches!(refused, Err(AdmitAgentError::Auth(AgentAuthError::Fault(_), None))));
    let refused = exchange(&engine, &bot.id.to_string(), &key.secret, CLIENT).unwrap_err();
    assert_eq!(told(&refused).0, ErrorKind::Unavailable);
    let never = exchange(&engine, &bot.id.to_string(), "sk_x", CLIENT).unwrap_err();
    assert_eq!(told(&never).1, "unauthorized", "no key of ours, whatever the database says");
}

#[test]
fn with_limits_off_nothing_is_counted_and_nothing_told() {
    let off = |options: &mut EngineOptions| options.limits.enabled = false;
    let engine = TestEngine::builder().options(off).build();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    for _ in 0..120 {
        let client = ip(CLIENT);
        let called = engine.admit_agent(Some(&token), AgentLimit::Refresh, client, &from(CLIENT));
        assert!(called.unwrap().standing.is_none());
        exchange(&engine, &bot.id.to_string(), &key.secret, CLIENT).unwrap();
    }
}
