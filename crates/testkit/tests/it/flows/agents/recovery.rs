//! Recovery of agents by codes that are mailed to their proven address.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::agents::{Recover, RecoverError};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, ExposeSecret as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        Stored as _, from, home,
        mailbox::{Mail as _, kinds, waiting},
        told,
    },
    Agents as _, BOX, Bot, OTHER_BOX, StoredAgents as _, codes_in,
};

/// An engine that mails whatever it is asked for.
pub(super) fn unlimited() -> TestEngine {
    TestEngine::builder().options(|options| options.limits.enabled = false).build()
}

/// So many agents of one mailbox, the oldest first.
pub(super) fn swarm(engine: &TestEngine, size: usize) -> Vec<Bot> {
    let join = |n| {
        engine.clock.advance(Duration::SECOND);
        engine.sign_up_at(&format!("bot-{n}"), BOX)
    };
    (0..size).map(join).collect()
}

pub(super) fn recover(engine: &TestEngine, code: &str) -> Result<Bot, RecoverError> {
    let done = engine.try_recover(BOX, code, false, &home())?;
    let recovery = done.recovery_key.into_secret().expose_secret().to_owned();
    Ok(Bot { id: done.id, recovery })
}

pub(super) fn is_wrong<T: std::fmt::Debug>(result: Result<T, RecoverError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, RecoverError::InvalidCode), "{error:?}");
    let text = "The code is wrong, expired or was tried too often.".to_owned();
    assert_eq!(told(&error), (ErrorKind::Unauthenticated, "invalid_code", text));
}

#[test]
fn v3_a_recovered_agent_has_another_recovery_key_and_everything_else_lives_on() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    let token = engine.token(&key);
    let codes = engine.codes("Bots@Example.com");
    let again = recover(&engine, &codes[0].1).unwrap();
    assert_eq!(again.id, bot.id);
    assert!(again.recovery.starts_with("rk_") && again.recovery != bot.recovery);
    assert!(engine.manage(&bot).is_err() && engine.manage(&again).is_ok());
    assert!(engine.is_good(&token) && engine.is_good(&engine.token(&key)));
    assert!(engine.agent(bot.id).is_recovered_by(BOX));
}

#[test]
fn v4_a_recovery_that_says_so_revokes_every_key_and_token_on_every_server() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let (bot, neighbour) = (engine.sign_up_at("bot", BOX), engine.sign_up_bot("neighbour"));
    let keys = [engine.make_key(&bot), engine.make_key(&bot)];
    let foreign = engine.make_key(&neighbour);
    let tokens: Vec<_> = keys.iter().map(|key| other.token(key)).collect();
    let code = engine.codes(BOX).remove(0).1;
    engine.try_recover(BOX, &code, true, &home()).unwrap();
    for server in [&engine, &other] {
        assert!(!tokens.iter().any(|token| server.is_good(token)));
        assert!(tokens.iter().all(|token| server.try_refresh(token).is_err()));
        assert!(server.is_good(&server.token(&foreign)));
    }
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::AgentRecovered).unwrap();
    assert_eq!(event.detail.as_deref(), Some("keys_revoked"));
}

#[test]
fn v5_the_owner_is_told_and_no_secret_with_it() {
    for revoke in [false, true] {
        let engine = TestEngine::new();
        let bot = engine.sign_up_at("bot", BOX);
        let code = engine.codes(BOX).remove(0).1;
        let done = engine.try_recover(BOX, &code, revoke, &from("198.51.100.9")).unwrap();
        let letters = engine.deliver();
        assert_eq!(kinds(&letters), [(BOX, "agent_recovered")]);
        let Content::AgentRecovered { agent, keys_revoked, .. } = &letters[0].content else {
            unreachable!()
        };
        assert_eq!((agent, *keys_revoked), (&bot.id.to_string(), revoke));
        assert_eq!(letters[0].asked.client, from("198.51.100.9").client);
        let letter = format!("{:?}", letters[0]);
        assert!(!letter.contains(&done.recovery_key.into_secret().expose_secret()[..12]));
        let events = engine.bot_events(bot.id);
        let event = events.iter().find(|event| event.action == Action::AgentRecovered).unwrap();
        assert_eq!((event.actor, event.outcome), (Actor::Anonymous, Outcome::Success));
        assert_eq!(event.client, from("198.51.100.9").client);
    }
}

#[test]
fn v1_what_is_told_of_a_request_is_the_same_for_every_address() {
    let engine = TestEngine::new();
    engine.sign_up_at("bot", BOX);
    engine.try_sign_up("unproven", Some(OTHER_BOX)).unwrap();
    let expires_at = engine.now() + Duration::minutes(15);
    for (typed, canonical) in [
        ("Bots@Example.com ", BOX),
        (OTHER_BOX, OTHER_BOX),
        ("Nobody@example.com", "nobody@example.com"),
    ] {
        for left in [2, 1, 0] {
            let asked = engine.try_ask(typed, None, &home()).unwrap();
            assert_eq!((asked.email.as_str(), asked.code_expires_at), (canonical, expires_at));
            let standing = asked.standing.unwrap();
            assert_eq!((standing.limit, standing.remaining), (3, left), "e6: {typed}");
        }
        let refused = engine.try_ask(typed, None, &home()).unwrap_err();
        assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::RateLimited, "rate_limited"));
    }
}

#[test]
fn v2_only_a_proven_address_of_an_agent_that_may_act_gets_codes() {
    let engine = unlimited();
    let bot = engine.sign_up_at("bot", BOX);
    engine.try_sign_up("waits", Some(OTHER_BOX)).unwrap();
    engine.try_move(&bot, "next@example.com");
    engine.deliver();
    for email in [OTHER_BOX, "next@example.com", "nobody@example.com"] {
        assert_eq!(engine.codes(email), [], "{email}");
    }
    let set = |status| {
        engine.set_agent_status(bot.id, status, Actor::Operator, &Origin::local()).unwrap();
    };
    set(AgentStatus::Suspended);
    assert_eq!(engine.codes(BOX), []);
    set(AgentStatus::Active);
    assert_eq!(engine.codes(BOX).len(), 1);
    assert!(waiting(&engine).is_empty());
}

#[test]
fn v6_no_code_is_right_before_one_was_asked_for() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let before = (engine.agent(bot.id), engine.event_count());
    for code in ["000000", "123456"] {
        is_wrong(recover(&engine, code));
    }
    engine.try_ask(BOX, None, &home()).unwrap();
    is_wrong(recover(&engine, "000000"));
    assert_eq!((engine.agent(bot.id), engine.event_count()), before, "no mail went yet");
    engine.manage(&bot).unwrap();
}

#[test]
fn o1_a_used_code_is_told_as_used_within_its_life_and_does_nothing() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let code = engine.codes(BOX).remove(0).1;
    let again = recover(&engine, &code).unwrap();
    engine.deliver();
    let before = (engine.agent(bot.id), engine.event_count());
    for _ in 0..20 {
        let used = recover(&engine, &code).unwrap_err();
        assert!(matches!(used, RecoverError::AlreadyUsed));
        assert_eq!((told(&used).0, told(&used).1), (ErrorKind::Conflict, "code_already_used"));
    }
    assert_eq!((engine.agent(bot.id), engine.event_count()), before);
    assert!(waiting(&engine).is_empty() && engine.manage(&again).is_ok());
    is_wrong(engine.try_recover(OTHER_BOX, &code, false, &home()));
    let next = engine.codes(BOX).remove(0).1;
    assert!(matches!(recover(&engine, &code), Err(RecoverError::AlreadyUsed)), "still");
    recover(&engine, &next).unwrap();
    engine.clock.advance(Duration::minutes(15));
    is_wrong(recover(&engine, &code));
    engine.clean().unwrap();
    is_wrong(recover(&engine, &code));
}

#[test]
fn o7_a_code_lives_15_minutes_and_not_a_moment_longer() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        engine.sign_up_at("bot", BOX);
        let code = engine.codes(BOX).remove(0).1;
        engine.clock.advance(Duration::minutes(15) + late);
        assert_eq!(recover(&engine, &code).is_ok(), good, "{late}");
    }
}

#[test]
fn o7_the_life_of_a_code_begins_with_the_request_and_not_with_the_mail() {
    let engine = TestEngine::new();
    engine.sign_up_at("bot", BOX);
    engine.try_ask(BOX, None, &home()).unwrap();
    engine.clock.advance(Duration::minutes(14));
    let letters = engine.deliver();
    let Content::AgentRecoveryCodes { expires_at, .. } = letters[0].content else { unreachable!() };
    let end = engine.now().unix_timestamp() + 60;
    assert_eq!(expires_at.unix_timestamp(), end);
    let code = codes_in(&letters[0]).remove(0).1;
    engine.clock.advance(Duration::MINUTE);
    is_wrong(recover(&engine, &code));
    let late = TestEngine::new();
    late.sign_up_at("bot", BOX);
    late.try_ask(BOX, None, &home()).unwrap();
    late.clock.advance(Duration::minutes(15));
    assert!(late.deliver().is_empty(), "no mail with codes that are dead");
    assert!(waiting(&late).is_empty());
}

#[test]
fn o8_only_six_ascii_digits_in_a_string_are_a_code() {
    let engine = TestEngine::new();
    engine.sign_up_at("bot", BOX);
    let code = engine.codes(BOX).remove(0).1;
    let wide: String =
        code.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
    let shapes = [
        &format!(" {code}"),
        &format!("{code}\n"),
        &code[1..],
        &format!("{code}0"),
        &wide,
        "abcdef",
        "-12345",
        "+12345",
        "1e5000",
        "0x1234",
    ];
    for shape in shapes {
        is_wrong(recover(&engine, shape));
    }
    for field in [Field::Absent, Field::Given("".into()), Field::Invalid("must be a string".into())]
    {
        let input = Recover { email: BOX.into(), code: field, revoke_keys: Field::Absent };
        assert_eq!(engine.check_recover(input).unwrap_err().code(), "validation_error");
    }
    let flag = Field::Invalid("must be true or false".into());
    let input =
        Recover { email: BOX.into(), code: Field::Given("000000".into()), revoke_keys: flag };
    assert_eq!(engine.check_recover(input).unwrap_err().code(), "validation_error");
    let email =
        Recover { email: "x".into(), code: Field::Given("000000".into()), ..Recover::default() };
    assert_eq!(engine.check_recover(email).unwrap_err().code(), "invalid_email");
    assert!(recover(&engine, &code).is_ok(), "none of these was a try");
}

#[test]
fn o11_a_newer_request_kills_the_codes_before_it_and_their_mail() {
    let engine = TestEngine::new();
    engine.sign_up_at("bot", BOX);
    let older = engine.codes(BOX).remove(0).1;
    engine.try_ask(BOX, None, &home()).unwrap();
    is_wrong(recover(&engine, &older));
    let hung = engine.claim_mail().unwrap().unwrap();
    let newer = engine.codes(BOX).remove(0).1;
    let between = codes_in(&hung.letter).remove(0).1;
    if between != newer {
        is_wrong(recover(&engine, &between));
    }
    engine.mail_failed(&hung, portcullis_flows::mail::Failure::Temporary).unwrap();
    engine.clock.advance(Duration::MINUTE);
    assert!(engine.deliver().is_empty(), "m7: a mail with dead codes goes nowhere");
    recover(&engine, &newer).unwrap();
}
