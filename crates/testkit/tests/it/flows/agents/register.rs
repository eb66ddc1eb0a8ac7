use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::agents::{MetadataInput, RegisterAgent, RegisterAgentError, RegisteredAgent};
use portcullis_kernel::{Classify as _, ErrorKind, ExposeSecret as _, Field};
use portcullis_testkit::{engine::TestEngine, entropy::FailingEntropy};
use time::Duration;

use super::{
    super::{
        KEYS, Stored as _, home,
        mailbox::{Mail as _, carried, kinds, waiting},
        told,
    },
    Agents as _, BOX, Bot, StoredAgents as _, basic,
};

/// What is refused, as a client is told: the code, and every broken field.
fn refused(input: RegisterAgent) -> (&'static str, String) {
    let invalid = TestEngine::new().check_register_agent(input).unwrap_err();
    assert_eq!(invalid.kind(), ErrorKind::InvalidInput);
    (invalid.code(), invalid.to_string())
}

fn named(name: &str) -> RegisterAgent {
    RegisterAgent { agent_name: name.into(), ..RegisterAgent::default() }
}

#[test]
fn k1_a_new_agent_has_an_id_a_recovery_key_and_nothing_else() {
    let engine = TestEngine::new();
    let made = engine.try_sign_up("first-bot", None).unwrap();
    assert_eq!(made.verification_expires_at, None);
    let agent = engine.agent(made.agent.id);
    assert_eq!(agent, made.agent);
    assert_eq!((agent.name.as_str(), agent.created_at), ("first-bot", engine.now()));
    assert!(agent.is_active() && agent.owner.is_none());
    assert_eq!((agent.email, agent.pending_email), (None, None));
    let id = agent.id.to_string();
    let hex = id.strip_prefix("agt_").unwrap();
    assert!(hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    let bot = Bot::from(made);
    assert!(bot.recovery.len() == 3 + 43 + 6 && bot.recovery.starts_with("rk_"));
    assert_eq!(engine.manage(&bot).unwrap().id, bot.id);
    assert!(waiting(&engine).is_empty());
    let events = engine.bot_events(bot.id);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].action, events[0].actor),
        (Action::AgentRegistered, Actor::Agent(bot.id))
    );
    assert_eq!((events[0].client, events[0].outcome), (home().client, Outcome::Success));
}

#[test]
fn i7_every_broken_field_has_its_code_and_is_named() {
    for name in ["", "ab", "a b c", "a_b", "abc\n", "b\u{f6}t", &"x".repeat(51)] {
        let (code, text) = refused(named(name));
        let why = "agent_name must be 3 to 50 letters (a-z, A-Z), digits or hyphens.";
        assert_eq!((code, text.as_str()), ("invalid_agent_name", why), "{name:?}");
    }
    for email in ["", "x", "a@b@c", "\"a\"@example.com", "a@example.com,b@example.com"] {
        let (code, text) = refused(RegisterAgent { email: email.into(), ..named("bot") });
        assert_eq!((code, text.starts_with("email must ")), ("invalid_email", true), "{email}");
    }
    for input in [
        RegisterAgent::default(),
        RegisterAgent { agent_name: Field::Invalid("must be a string".into()), ..named("") },
        RegisterAgent { email: Field::Invalid("must be a string".into()), ..named("bot") },
        RegisterAgent { metadata: Field::Invalid("must be an object".into()), ..named("bot") },
    ] {
        assert_eq!(refused(input).0, "validation_error");
    }
    let both = RegisterAgent { email: "x".into(), ..named("x") };
    let (code, text) = refused(both);
    assert_eq!(code, "invalid_agent_name", "that of the first");
    assert!(text.contains("agent_name must") && text.contains("email must"), "{text}");
}

#[test]
fn metadata_is_bounded_and_kept_as_it_came() {
    let engine = TestEngine::new();
    let with = |metadata| RegisterAgent { metadata: Field::Given(metadata), ..named("bot") };
    let text = |text: &str| Field::Given(text.to_owned());
    let crabs = "\u{1f980}".repeat(200);
    let whole = MetadataInput {
        description: text(&"x".repeat(200)),
        owner: text("Jane"),
        version: text("1.2.3"),
    };
    let made = engine.check_register_agent(with(whole)).unwrap();
    let made = engine.register_agent(made, &home()).unwrap();
    let metadata = engine.agent(made.agent.id).metadata;
    assert_eq!(metadata.description.unwrap().len(), 200);
    assert_eq!(
        (metadata.owner.as_deref(), metadata.version.as_deref()),
        (Some("Jane"), Some("1.2.3"))
    );
    for (metadata, why) in [
        (
            MetadataInput { owner: text(&"x".repeat(201)), ..MetadataInput::default() },
            "metadata.owner must be at most 200 characters.",
        ),
        (
            MetadataInput { version: text("1\u{1b}[31m"), ..MetadataInput::default() },
            "metadata.version must not contain control characters.",
        ),
        (
            MetadataInput {
                description: Field::Invalid("must be a string".into()),
                ..MetadataInput::default()
            },
            "metadata.description must be a string.",
        ),
        (
            MetadataInput { description: text(&crabs), owner: text(&crabs), version: text(&crabs) },
            "metadata must be at most 2 KiB in all.",
        ),
    ] {
        assert_eq!(refused(with(metadata)), ("validation_error", why.to_owned()));
    }
}

#[test]
fn m1_the_address_of_a_new_agent_gets_a_link_of_an_hour() {
    let engine = TestEngine::new();
    let made = engine.try_sign_up("bot", Some("Bots@Example.com ")).unwrap();
    assert_eq!(made.verification_expires_at, Some(engine.now() + Duration::HOUR));
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Bots@example.com", "agent_verify_email")]);
    let Content::AgentVerifyEmail { name, agent, token, expires_at } = &letters[0].content else {
        unreachable!()
    };
    assert_eq!((name.as_str(), agent), ("bot", &made.agent.id.to_string()));
    assert!(token.expose_secret().starts_with("evt_"));
    assert_eq!(expires_at.unix_timestamp(), engine.now().unix_timestamp() + 3600);
    assert_eq!(letters[0].asked.client, home().client);
    let agent = engine.agent(made.agent.id);
    assert_eq!(agent.pending_email.unwrap().as_str(), BOX);
    assert!(agent.email.is_none(), "v2: it is not proven");
}

#[test]
fn e5_an_address_that_other_agents_have_changes_nothing_for_a_new_one() {
    let engine = TestEngine::new();
    let fresh = engine.try_sign_up("bot", Some(BOX)).unwrap();
    let unproven = engine.try_sign_up("bot", Some(BOX)).unwrap();
    engine.deliver();
    engine.clock.advance(Duration::HOUR);
    let first = engine.sign_up_at("bot", BOX);
    let proven = engine.try_sign_up("bot", Some(BOX)).unwrap();
    for made in [&fresh, &unproven, &proven] {
        let expires_at = made.agent.created_at + Duration::HOUR;
        assert_eq!(made.verification_expires_at, Some(expires_at));
        assert_eq!(made.agent.pending_email.as_ref().unwrap().as_str(), BOX);
    }
    assert_eq!(kinds(&engine.deliver()), [(BOX, "agent_verify_email")]);
    assert!(engine.agent(first.id).is_recovered_by(BOX), "whose it is, it stays");
}

#[test]
fn l9_an_address_over_its_limit_gets_no_mail_and_the_answer_is_the_same() {
    let engine = TestEngine::new();
    let made: Vec<_> = (0..5).map(|_| engine.try_sign_up("bot", Some(BOX)).unwrap()).collect();
    assert!(made.iter().all(|made| made.verification_expires_at.is_some()));
    let links: Vec<_> = engine.deliver().iter().map(carried).collect();
    assert_eq!(links.len(), 3);
    for link in &links {
        drop(engine.prove(link).unwrap());
    }
    let proven = |made: &&RegisteredAgent| engine.agent(made.agent.id).is_recovered_by(BOX);
    assert_eq!(made.iter().filter(proven).count(), 3);
    engine.clock.advance(Duration::HOUR);
    engine.resend(BOX);
    assert_eq!(engine.deliver().len(), 2, "and theirs can be asked for later");
}

#[test]
fn a_closed_door_lets_nobody_in_and_writes_nothing() {
    let closed = TestEngine::builder().options(|options| options.agents.open = false).build();
    let refused = closed.try_sign_up("bot", Some(BOX)).unwrap_err();
    assert!(matches!(refused, RegisterAgentError::Closed));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Forbidden, "forbidden"));
    assert!(waiting(&closed).is_empty());
    assert_eq!(closed.event_count(), KEYS);
}

#[test]
fn k3_no_secret_of_an_agent_lies_in_storage_as_it_was_shown() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let key = engine.make_key(&bot);
    let stored = engine.look(|uow| {
        let agent = uow.agents().find(bot.id)?;
        Ok(format!("{agent:?} {:?}", uow.api_keys().find(key.id)?))
    });
    // The prefix and four more characters tell its owner which key it is.
    assert!(stored.contains(&key.secret[..7]) && !stored.contains(&key.secret[..8]));
    assert!(!stored.contains(&bot.recovery[3..]));
    let events = format!("{:?}", engine.bot_events(bot.id));
    for secret in [&bot.recovery, &key.secret] {
        assert!(!events.contains(&secret[..12]));
    }
    assert!(!events.contains("example.com"));
}

#[test]
fn without_entropy_no_agent_is_made() {
    let engine = TestEngine::new();
    let dry = engine.peer().entropy(Arc::new(FailingEntropy)).build();
    let failed = dry.try_sign_up("bot", Some(BOX)).unwrap_err();
    assert_eq!(told(&failed).0, ErrorKind::Internal);
    assert_eq!(engine.event_count(), KEYS);
    assert!(waiting(&engine).is_empty());
}

#[test]
fn k4_the_recovery_key_of_one_agent_opens_no_other() {
    let engine = TestEngine::new();
    let (one, other) = (engine.sign_up_bot("one"), engine.sign_up_bot("two"));
    let key = engine.make_key(&one);
    for (id, secret) in [
        (other.id.to_string(), &one.recovery),
        (one.id.to_string(), &key.secret),
        (one.id.to_string().to_uppercase(), &one.recovery),
        (format!(" {}", one.id), &one.recovery),
        (String::new(), &one.recovery),
        (one.id.to_string(), &one.recovery[..50].to_owned()),
        (one.id.to_string(), &format!("{} ", one.recovery)),
        (one.id.to_string(), &String::new()),
    ] {
        let refused = engine.authenticate_recovery(Some(basic(&id, secret))).unwrap_err();
        let (kind, code, text) = told(&refused);
        assert_eq!((kind, code), (ErrorKind::Unauthenticated, "unauthorized"), "{id} {secret}");
        assert_eq!(text, "The credential is wrong, expired or revoked.");
    }
    let missing = engine.authenticate_recovery(None).unwrap_err();
    assert_eq!(told(&missing).1, "unauthorized");
    assert_eq!(
        engine.authenticate_recovery(Some(basic(one.id, &one.recovery))).unwrap().id,
        one.id
    );
    assert_eq!(engine.bot_events(other.id).len(), 1, "strangers write nothing");
    assert!(engine.try_sign_up("one", None).is_ok(), "a name is nobody's own");
}
