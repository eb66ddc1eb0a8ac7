//! API keys of an agent: what may be asked for, what is stored, how they end.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{CreateKey, KeyError, SliceInput};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{Classify as _, ErrorKind, Field, Origin, Scopes, Slice};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{Stored as _, at_once, from, home, ip, told},
    Agents as _, Bot, Key, StoredAgents as _, basic, everywhere,
};

/// What agents may do unless somebody says otherwise.
const USUAL: &str = "messages:read messages:write conversations:read presence:update";

fn named(name: &str) -> CreateKey {
    CreateKey { name: name.into(), ..CreateKey::default() }
}

fn list(of: &[&str]) -> Field<Vec<String>> {
    Field::Given(of.iter().map(|text| (*text).to_owned()).collect())
}

fn stored(engine: &TestEngine, key: &Key) -> portcullis_credentials::ApiKey {
    engine.look(|uow| uow.api_keys().find(key.id)).unwrap()
}

fn revoke(engine: &TestEngine, bot: &Bot, key: &Key) -> Result<(), KeyError> {
    engine.revoke_key(bot.id, &key.id.to_string(), Actor::Agent(bot.id), &home()).map(drop)
}

#[test]
fn k1_k2_a_key_begins_as_it_is_set_and_ends_with_a_checksum() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    assert!(key.secret.starts_with("sk_") && key.secret.len() == 3 + 43 + 6);
    assert!(key.id.to_string().starts_with("aky_"));
    let row = stored(&engine, &key);
    assert_eq!((row.name.as_str(), row.hint.as_str()), ("ci", &key.secret[..7]));
    assert_eq!(row.scopes, USUAL.parse::<Scopes>().unwrap());
    assert_eq!((row.expires_at, row.rate_limit, row.last_used_at), (None, None, None));
    assert!(row.networks.as_slice().is_empty());
    let prefix = portcullis_credentials::KeyPrefix::parse("vj_live_").unwrap();
    let other = engine.peer().options(|options| options.agents.key_prefix = prefix).build();
    let live = other.make_key(&bot);
    assert!(live.secret.starts_with("vj_live_"));
    assert!(other.is_good(&other.token(&key)), "keys outlive a change of the setting");
    assert!(engine.is_good(&engine.token(&live)));
}

#[test]
fn k8_a_key_gets_scopes_of_the_catalogue_only() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let two = CreateKey { scopes: list(&["presence:update", "messages:read"]), ..named("two") };
    let key = engine.try_key(&bot, two).unwrap();
    assert_eq!(stored(&engine, &key).scopes.to_string(), "presence:update messages:read");
    for wanted in [
        &[][..],
        &["admin"],
        &["messages:read", "admin"],
        &["messages:read "],
        &["messages:read messages:write"],
        &["MESSAGES:READ"],
        &[""],
        &["*"],
    ] {
        let input = CreateKey { scopes: list(wanted), ..named("key") };
        let refused = engine.check_create_key(input).unwrap_err();
        assert_eq!(refused.code(), "validation_error", "{wanted:?}");
        assert!(refused.to_string().starts_with("scopes must "), "{refused}");
    }
}

#[test]
fn the_usual_scopes_and_the_catalogue_are_settings_of_their_own() {
    let scopes = |text: &str| text.parse::<Scopes>().unwrap();
    let engine = TestEngine::builder().options(|options| {
        options.agents.scopes = scopes("a b c");
        options.agents.default_scopes = scopes("b");
    });
    let engine = engine.build();
    let bot = engine.sign_up_bot("bot");
    assert_eq!(stored(&engine, &engine.make_key(&bot)).scopes, scopes("b"));
    let all = CreateKey { scopes: list(&["c", "a"]), ..named("key") };
    assert_eq!(stored(&engine, &engine.try_key(&bot, all).unwrap()).scopes, scopes("c a"));
    let refused =
        engine.check_create_key(CreateKey { scopes: list(&["messages:read"]), ..named("x") });
    assert_eq!(refused.unwrap_err().to_string(), "scopes must be among: a b c.");
}

#[test]
fn every_broken_field_of_a_key_has_its_code() {
    let engine = TestEngine::new();
    let code = |input| engine.check_create_key(input).unwrap_err().code();
    for name in ["", " ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
        assert_eq!(code(named(name)), "invalid_key_name", "{name:?}");
    }
    assert_eq!(code(CreateKey::default()), "validation_error", "none at all");
    for days in [0, -1, 3651, i64::MAX, i64::MIN] {
        let input = CreateKey { expires_in_days: Field::Given(days), ..named("key") };
        assert_eq!(code(input), "validation_error", "{days}");
    }
    for limit in [0, -1, 1_000_001, i64::MAX] {
        let input = CreateKey { rate_limit_per_minute: Field::Given(limit), ..named("key") };
        assert_eq!(code(input), "validation_error", "{limit}");
    }
    let many: Vec<String> = (0..21).map(|n| format!("192.0.2.{n}")).collect();
    for cidrs in [Field::Given(vec![]), list(&["x"]), list(&["192.0.2.0/33"]), Field::Given(many)] {
        assert_eq!(code(CreateKey { allowed_cidrs: cidrs, ..named("key") }), "validation_error");
    }
    for input in [
        CreateKey { scopes: Field::Invalid("must be a list of strings".into()), ..named("key") },
        CreateKey { expires_in_days: Field::Invalid("must be a number".into()), ..named("key") },
    ] {
        assert_eq!(code(input), "validation_error");
    }
    let bounds = CreateKey {
        expires_in_days: Field::Given(3650),
        rate_limit_per_minute: Field::Given(10_000),
        ..named(&"\u{e9}".repeat(100))
    };
    assert!(engine.check_create_key(bounds).is_ok());
}

#[test]
fn a_key_with_an_end_works_until_then_and_not_a_moment_longer() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let day = CreateKey { expires_in_days: Field::Given(1), ..named("day") };
    let key = engine.try_key(&bot, day).unwrap();
    engine.clock.advance(Duration::DAY - Duration::SECOND);
    let token = engine.token(&key);
    assert!(engine.is_good(&token));
    engine.clock.advance(Duration::SECOND);
    assert!(!engine.is_good(&token), "its tokens die with it");
    let refused = engine.try_exchange(
        &bot.id.to_string(),
        &key.secret,
        &super::WantedToken::default(),
        &home(),
    );
    assert_eq!(told(&refused.unwrap_err()).1, "unauthorized");
    assert!(matches!(revoke(&engine, &bot, &key), Err(KeyError::NotFound)));
}

#[test]
fn an_agent_has_at_most_50_keys_that_live() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let keys: Vec<_> = (0..50).map(|_| engine.make_key(&bot)).collect();
    let refused = engine.try_key(&bot, named("more")).unwrap_err();
    assert!(matches!(refused, KeyError::TooMany(50)));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    revoke(&engine, &bot, &keys[7]).unwrap();
    let day = CreateKey { expires_in_days: Field::Given(1), ..named("day") };
    engine.try_key(&bot, day).unwrap();
    assert!(engine.try_key(&bot, named("more")).is_err());
    engine.clock.advance(Duration::DAY);
    engine.try_key(&bot, named("more")).unwrap();
    let other = engine.sign_up_bot("other");
    engine.make_key(&other);
}

#[test]
fn parallel_makers_do_not_outrun_the_bound() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage());
        let engine = engine.options(|options| options.agents.most_keys = 5).build();
        let bot = engine.sign_up_bot("bot");
        let made = at_once(12, |_| engine.try_key(&bot, named("key")));
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 5, "{stored:?}");
        for refused in made.into_iter().filter_map(Result::err) {
            assert!(matches!(refused, KeyError::TooMany(5)), "{refused:?}");
        }
    }
}

#[test]
fn k6_a_revoked_key_and_all_its_tokens_are_dead_at_once_on_every_server() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let bot = engine.sign_up_bot("bot");
    let (key, sibling) = (engine.make_key(&bot), engine.make_key(&bot));
    let (first, second, alive) = (engine.token(&key), other.token(&key), other.token(&sibling));
    let (id, at) =
        engine.revoke_key(bot.id, &key.id.to_string(), Actor::Agent(bot.id), &home()).unwrap();
    assert_eq!((id, at), (key.id, engine.now()));
    for server in [&engine, &other] {
        assert!(!server.is_good(&first) && !server.is_good(&second) && server.is_good(&alive));
        assert!(server.try_refresh(&first).is_err());
        let all = super::WantedToken::default();
        assert!(server.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).is_err());
    }
    assert!(matches!(revoke(&engine, &bot, &key), Err(KeyError::NotFound)), "once");
    assert_eq!(engine.bot_count(bot.id, Action::ApiKeyRevoked, Outcome::Success), 1);
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::ApiKeyRevoked).unwrap();
    assert_eq!((event.key, event.actor), (Some(key.id), Actor::Agent(bot.id)));
}

#[test]
fn k4_keys_of_another_agent_are_not_there() {
    let engine = TestEngine::new();
    let (bot, thief) = (engine.sign_up_bot("bot"), engine.sign_up_bot("thief"));
    let key = engine.make_key(&bot);
    let token = engine.token(&key);
    for named in [key.id.to_string(), "aky_x".into(), String::new(), bot.id.to_string()] {
        let refused = engine.revoke_key(thief.id, &named, Actor::Agent(thief.id), &home());
        let refused = refused.unwrap_err();
        assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::NotFound, "not_found"));
    }
    assert!(engine.is_good(&token));
    assert!(engine.list_api_keys(thief.id, &Slice::first(9)).unwrap().items.is_empty());
    assert_eq!(engine.bot_events(thief.id).len(), 1);
    let refused = engine.authenticate_recovery(Some(basic(thief.id, &bot.recovery)));
    assert!(refused.is_err());
}

#[test]
fn keys_are_listed_newest_first_the_dead_too_page_by_page() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let mut keys: Vec<_> = (0..5)
        .map(|_| {
            engine.clock.advance(Duration::SECOND);
            engine.make_key(&bot)
        })
        .collect();
    revoke(&engine, &bot, &keys[2]).unwrap();
    keys.reverse();
    let mut listed = Vec::new();
    let mut cursor = Field::Absent;
    loop {
        let slice = SliceInput { limit: "2".into(), cursor }.check().unwrap();
        let page = engine.list_api_keys(bot.id, &slice).unwrap();
        listed.extend(page.items);
        let Some(next) = page.next else { break };
        cursor = Field::Given(next.encode());
    }
    let ids =
        |keys: &mut dyn Iterator<Item = portcullis_kernel::ApiKeyId>| keys.collect::<Vec<_>>();
    assert_eq!(ids(&mut listed.iter().map(|key| key.id)), ids(&mut keys.iter().map(|key| key.id)));
    assert_eq!(listed[2].revoked_at, Some(engine.now()));
    for (limit, cursor) in [("0", ""), ("201", ""), ("x", ""), ("2", "%"), ("2", "abc")] {
        let cursor = if cursor.is_empty() { Field::Absent } else { cursor.into() };
        let refused = SliceInput { limit: limit.into(), cursor };
        let refused = refused.check::<portcullis_kernel::ApiKeyId>().unwrap_err();
        assert_eq!(refused.code(), "validation_error");
    }
}

#[test]
fn a_key_is_used_from_its_networks_only() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let cidrs = list(&["192.0.2.0/24", "2001:db8::/48"]);
    let key = engine.try_key(&bot, CreateKey { allowed_cidrs: cidrs, ..named("key") }).unwrap();
    let all = super::WantedToken::default();
    let exchange =
        |client: &str| engine.try_exchange(&bot.id.to_string(), &key.secret, &all, &from(client));
    let token = super::text(&exchange("192.0.2.77").unwrap());
    assert!(exchange("2001:db8:0:7::1").is_ok() && exchange("::ffff:192.0.2.1").is_ok());
    let refused = exchange("198.51.100.1").unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Forbidden, "forbidden"));
    assert!(engine.authenticate_agent(&token, &from("192.0.2.1")).is_ok());
    for elsewhere in [from("198.51.100.1"), Origin::local()] {
        let refused = engine.authenticate_agent(&token, &elsewhere).unwrap_err();
        assert_eq!(told(&refused).1, "forbidden");
    }
    engine.flush_uses().unwrap();
    let events = engine.bot_events(bot.id);
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event.action == Action::AgentCredentialRefused)
        .map(|event| (event.detail.as_deref(), event.client, event.key))
        .collect();
    assert_eq!(refused, [(Some("network"), Some(ip("198.51.100.1")), Some(key.id))]);
}

#[test]
fn a_credential_that_died_a_moment_ago_makes_no_key() {
    type End = fn(&TestEngine, &Bot);
    let ends: [(End, &str); 3] = [
        (
            |engine, bot| {
                engine.reset_recovery_key(bot.id, Actor::Operator, &Origin::local()).unwrap();
            },
            "unauthorized",
        ),
        (
            |engine, bot| {
                let shut = AgentStatus::Suspended;
                engine.set_agent_status(bot.id, shut, Actor::Operator, &Origin::local()).unwrap();
            },
            "forbidden",
        ),
        (
            |engine, bot| {
                engine.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
            },
            "unauthorized",
        ),
    ];
    for (end, code) in ends {
        let engine = TestEngine::new();
        let bot = engine.sign_up_bot("bot");
        let accepted = engine.manage(&bot).unwrap();
        let new = engine.check_create_key(named("late")).unwrap();
        end(&engine, &bot);
        let refused = engine.create_key(&accepted, new, Actor::Agent(bot.id), &home()).unwrap_err();
        assert_eq!(told(&refused).1, code);
        assert!(engine.list_api_keys(bot.id, &Slice::first(9)).unwrap().items.is_empty());
        assert_eq!(engine.bot_count(bot.id, Action::ApiKeyCreated, Outcome::Success), 0);
    }
}

#[test]
fn dead_keys_stay_in_the_list_for_90_days() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let (revoked, alive) = (engine.make_key(&bot), engine.make_key(&bot));
    let day = CreateKey { expires_in_days: Field::Given(1), ..named("day") };
    engine.try_key(&bot, day).unwrap();
    revoke(&engine, &bot, &revoked).unwrap();
    engine.clock.advance(Duration::days(90));
    assert_eq!(engine.clean().unwrap().agents, 0);
    engine.clock.advance(Duration::SECOND);
    assert_eq!(engine.clean().unwrap().agents, 1, "the one that was revoked");
    engine.clock.advance(Duration::DAY);
    assert_eq!(engine.clean().unwrap().agents, 1, "the one that ended");
    let left = engine.list_api_keys(bot.id, &Slice::first(9)).unwrap().items;
    assert_eq!(left.iter().map(|key| key.id).collect::<Vec<_>>(), [alive.id]);
}

#[test]
fn a_recovery_key_that_was_replaced_a_moment_ago_revokes_and_erases_nothing() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    let accepted = engine.manage(&bot).unwrap();
    let (id, at) = (key.id.to_string(), engine.now());
    let other = engine.make_key(&bot);
    assert_eq!(engine.revoke_own_key(&accepted, &other.id.to_string(), &home()).unwrap().1, at);
    engine.reset_recovery_key(bot.id, Actor::Operator, &Origin::local()).unwrap();
    let refused = engine.revoke_own_key(&accepted, &id, &home()).unwrap_err();
    assert!(matches!(refused, KeyError::Gone));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Unauthenticated, "unauthorized"));
    let refused = engine.delete_own_agent(&accepted, &home()).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Unauthenticated, "unauthorized"));
    assert!(engine.is_good(&engine.token(&key)));
    let now = engine.agent(bot.id);
    assert_eq!(engine.delete_own_agent(&now, &home()).unwrap().id, bot.id);
}
