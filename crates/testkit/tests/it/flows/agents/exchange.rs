//! An access token for an API key.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    agents::{CreateKey, ExchangeError, WantedToken},
    oauth::AddServer,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{ErrorKind, Field, Origin, TokenId};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use portcullis_tokens::Algorithm;
use serde_json::Value;
use time::Duration;

use super::{
    super::{Stored as _, from, home, ip, told},
    Agents as _, Bot, Key, StoredAgents as _, basic, on_the_second, text,
};

const URL: &str = "http://127.0.0.1:8080";
const API: &str = "https://api.example.com";

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn wanted(scope: Option<&str>, resource: Option<&str>) -> WantedToken {
    WantedToken { scope: scope.map(str::to_owned), resource: resource.map(str::to_owned) }
}

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

fn refused(engine: &TestEngine, id: &str, secret: &str) -> (ErrorKind, &'static str, String) {
    let all = WantedToken::default();
    told(&engine.try_exchange(id, secret, &all, &home()).unwrap_err())
}

fn api(engine: &TestEngine) {
    let server = AddServer {
        name: "api".into(),
        audience: API.into(),
        scopes: Field::Given(vec!["messages:read".into()]),
        people: false,
    };
    engine.add_server(server, Actor::Operator, &Origin::local()).unwrap();
}

#[test]
fn j12_a_token_says_what_the_contract_wants_and_no_more() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let all = WantedToken::default();
    let issued = engine.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).unwrap();
    assert_eq!(issued.access.expires_in, 3600);
    let token = text(&issued);
    assert_eq!(part(&token, 0), engine.agent_jwt_header());
    let claims = part(&token, 1);
    let iat = engine.now().unix_timestamp();
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(iat), Some(iat + 3600)));
    for (name, value) in [
        ("iss", URL),
        ("aud", URL),
        ("sub", &bot.id.to_string()),
        ("client_id", &bot.id.to_string()),
        ("key_id", &key.id.to_string()),
        ("scope", "messages:read messages:write conversations:read presence:update"),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(claims["jti"].as_str().unwrap().parse::<TokenId>().is_ok());
    assert_eq!(claims.as_object().unwrap().len(), 9, "no owner where there is none: {claims}");
    let caller = engine.try_agent(&token).unwrap();
    assert_eq!((caller.agent.id, caller.key.id), (bot.id, key.id));
}

#[test]
fn j8_two_tokens_of_one_second_differ_and_one_dies_alone() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let (one, two) = (engine.token(&key), engine.token(&key));
    assert_ne!(part(&one, 1)["jti"], part(&two, 1)["jti"]);
    engine.sign_out_agent(&engine.try_agent(&one).unwrap(), &home()).unwrap();
    assert!(!engine.is_good(&one) && engine.is_good(&two));
}

#[test]
fn j7_the_audience_is_a_setting_and_tokens_of_another_setting_are_refused() {
    let engine = TestEngine::new();
    let other = engine.peer().options(|options| options.agents.token.audience = API.into()).build();
    let third = engine.peer().options(|options| options.agents.token.issuer = API.into()).build();
    let (_, key) = with_key(&engine);
    let (plain, bound) = (engine.token(&key), other.token(&key));
    assert_eq!(
        (part(&bound, 1)["aud"].as_str(), part(&bound, 1)["iss"].as_str()),
        (Some(API), Some(URL))
    );
    assert!(other.is_good(&bound) && !engine.is_good(&bound));
    assert!(other.is_good(&plain), "for everybody");
    assert!(!third.is_good(&plain) && !engine.is_good(&third.token(&key)), "another issuer");
}

#[test]
fn j6_a_token_is_refused_5_seconds_after_its_end() {
    let engine = on_the_second();
    let (_, key) = with_key(&engine);
    let token = engine.token(&key);
    engine.clock.advance(Duration::seconds(3605) - Duration::MICROSECOND);
    assert!(engine.is_good(&token));
    engine.clock.advance(Duration::MICROSECOND);
    assert!(!engine.is_good(&token) && engine.try_refresh(&token).is_err());
    assert!(engine.is_good(&engine.token(&key)));
}

#[test]
fn e4_whatever_is_wrong_with_a_credential_is_told_alike() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (other, others) = with_key(&engine);
    let dead = engine.make_key(&bot);
    engine.revoke_key(bot.id, &dead.id.to_string(), Actor::Operator, &home()).unwrap();
    let day =
        CreateKey { name: "day".into(), expires_in_days: Field::Given(1), ..CreateKey::default() };
    let ended = engine.try_key(&bot, day).unwrap();
    engine.clock.advance(Duration::DAY);
    let (id, never) = (bot.id.to_string(), format!("agt_{}", "0".repeat(32)));
    let flipped =
        format!("{}{}", &key.secret[..51], if key.secret.ends_with('0') { '1' } else { '0' });
    let wanted = (
        ErrorKind::Unauthenticated,
        "unauthorized",
        "The credential is wrong, expired or revoked.".to_owned(),
    );
    for (id, secret) in [
        (id.as_str(), "wrong"),
        (&id, ""),
        (&id, &flipped),
        (&id, &format!("{} ", key.secret)),
        (&id, &bot.recovery),
        (&id, &dead.secret),
        (&id, &ended.secret),
        (&id, &others.secret),
        (&never, &key.secret),
        (&never, "wrong"),
        (&id.to_uppercase(), &key.secret),
        ("", &key.secret),
        (&other.id.to_string(), &key.secret),
    ] {
        assert_eq!(refused(&engine, id, secret), wanted, "{id} {secret}");
    }
    let missing = engine.exchange_key(None, &WantedToken::default(), ip("203.0.113.7"), &home());
    assert_eq!(told(&missing.unwrap_err()).1, "unauthorized");
    assert!(engine.is_good(&engine.token(&key)));
}

#[test]
fn e4_an_unknown_agent_costs_the_same_steps_as_a_wrong_key() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone());
    let engine = engine.options(|options| options.limits.enabled = false).build();
    let (bot, key) = with_key(&engine);
    let stranger = engine.sign_up_bot("stranger");
    let never = engine.make_key(&stranger);
    engine.delete_agent(stranger.id, Actor::Operator, &Origin::local()).unwrap();
    let steps = |id: &str, secret: &str| {
        faulty.heal();
        refused(&engine, id, secret);
        faulty.steps()
    };
    let one_look = [Step::Begin(TxMode::Read), Step::Call];
    assert_eq!(steps(&bot.id.to_string(), &never.secret), one_look);
    assert_eq!(steps(&format!("agt_{}", "0".repeat(32)), &never.secret), one_look);
    assert_eq!(steps(&bot.id.to_string(), "sk_wrong"), [], "k2: no look-up for a bad checksum");
    assert_eq!(steps("nobody", &key.secret[1..]), []);
}

#[test]
fn a_real_key_that_is_refused_is_written_down_and_a_strangers_guess_is_not() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let other = engine.sign_up_bot("other");
    let dead = engine.make_key(&bot);
    engine.revoke_key(bot.id, &dead.id.to_string(), Actor::Operator, &home()).unwrap();
    let before = engine.event_count();
    refused(&engine, &bot.id.to_string(), "wrong");
    refused(&engine, &bot.id.to_string(), &bot.recovery);
    assert_eq!(engine.event_count(), before);
    for _ in 0..3 {
        refused(&engine, &bot.id.to_string(), &dead.secret);
        refused(&engine, &other.id.to_string(), &key.secret);
    }
    assert_eq!(engine.event_count(), before, "a refusal writes nothing itself");
    for _ in 0..2 {
        engine.flush_uses().unwrap();
        refused(&engine, &bot.id.to_string(), &dead.secret);
    }
    let events = engine.bot_events(bot.id);
    let mut told: Vec<_> = events
        .iter()
        .filter(|event| event.action == Action::AgentCredentialRefused)
        .map(|event| (event.key, event.detail.as_deref(), event.outcome))
        .collect();
    told.sort_by_key(|event| event.1);
    let failure = Outcome::Failure;
    let dead_one = (Some(dead.id), Some("dead_key"), failure);
    assert_eq!(told, [dead_one, (Some(key.id), Some("foreign_key"), failure)]);
    assert_eq!(engine.bot_events(other.id).len(), 1, "and not about whom it names");
}

#[test]
fn a_suspended_agent_with_a_right_key_is_told_so_and_nobody_else() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    let set = |status| {
        engine.set_agent_status(bot.id, status, Actor::Operator, &Origin::local()).unwrap();
    };
    set(AgentStatus::Suspended);
    let (kind, code, _) = refused(&engine, &bot.id.to_string(), &key.secret);
    assert_eq!((kind, code), (ErrorKind::Forbidden, "forbidden"));
    assert_eq!(refused(&engine, &bot.id.to_string(), "wrong").1, "unauthorized");
    assert_eq!(told(&engine.manage(&bot).unwrap_err()).1, "forbidden");
    assert!(!engine.is_good(&token));
    set(AgentStatus::Active);
    assert!(engine.is_good(&token) && engine.is_good(&engine.token(&key)));
}

#[test]
fn k8_a_token_may_have_some_of_the_scopes_and_never_more() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let id = bot.id.to_string();
    let exchange =
        |scope: &str| engine.try_exchange(&id, &key.secret, &wanted(Some(scope), None), &home());
    let some = exchange("presence:update messages:read").unwrap();
    assert_eq!(some.grant.scopes.to_string(), "presence:update messages:read");
    assert_eq!(part(&text(&some), 1)["scope"], "presence:update messages:read");
    for scope in [
        "admin",
        "messages:read admin",
        "",
        " ",
        "messages:read  messages:write",
        " messages:read",
        "messages:read\nmessages:write",
        "Messages:read",
        "\u{e9}",
    ] {
        let refused = exchange(scope).unwrap_err();
        assert!(matches!(refused, ExchangeError::Scope), "{scope:?}: {refused:?}");
        assert_eq!(
            (told(&refused).0, told(&refused).1),
            (ErrorKind::InvalidInput, "invalid_scope")
        );
    }
}

#[test]
fn j7_a_token_for_a_resource_is_for_it_alone() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let id = bot.id.to_string();
    let exchange = |resource: &str| {
        engine.try_exchange(&id, &key.secret, &wanted(None, Some(resource)), &home())
    };
    let unknown = exchange(API).unwrap_err();
    assert!(matches!(unknown, ExchangeError::Target));
    assert_eq!((told(&unknown).0, told(&unknown).1), (ErrorKind::InvalidInput, "invalid_target"));
    api(&engine);
    let token = text(&exchange(API).unwrap());
    assert_eq!(part(&token, 1)["aud"], API);
    assert!(!engine.is_good(&token), "this server is another audience");
    assert!(engine.try_refresh(&token).is_err());
    assert_eq!(part(&text(&exchange(URL).unwrap()), 1)["aud"], URL);
    for resource in
        ["", "https://api.example.com/", "HTTPS://api.example.com", "https://evil.example"]
    {
        assert!(matches!(exchange(resource), Err(ExchangeError::Target)), "{resource}");
    }
}

#[test]
fn a_bad_credential_is_told_before_a_bad_parameter() {
    let engine = TestEngine::new();
    let (bot, _) = with_key(&engine);
    let both = wanted(Some("admin"), Some("https://evil.example"));
    let refused = engine.try_exchange(&bot.id.to_string(), "wrong", &both, &home()).unwrap_err();
    assert!(matches!(refused, ExchangeError::Auth(_)));
}

#[test]
fn each_algorithm_signs_and_a_change_of_it_leaves_older_tokens_good() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let mut tokens = Vec::new();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let server = engine.peer().options(|options| options.agents.token.algorithm = algorithm);
        let server = server.build();
        let token = server.token(&key);
        assert_eq!(part(&token, 0)["alg"], algorithm.as_str());
        assert_eq!(part(&token, 0)["kid"], server.agent_jwt_header()["kid"]);
        tokens.push(token);
        assert!(tokens.iter().all(|token| server.is_good(token) && engine.is_good(token)));
    }
    assert!(engine.try_refresh(&tokens[2]).is_ok_and(|next| part(&next, 0)["alg"] == "ES256"));
}

#[test]
fn without_a_key_that_signs_or_entropy_no_token_is_issued() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let all = WantedToken::default();
    let dry = engine.peer().entropy(Arc::new(portcullis_testkit::entropy::FailingEntropy)).build();
    let failed = dry.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).unwrap_err();
    assert_eq!(told(&failed).0, ErrorKind::Internal);
    let closed = engine.peer().build_closed();
    let failed = closed.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).unwrap_err();
    assert_eq!(told(&failed).0, ErrorKind::Unavailable);
}

#[test]
fn k4_a_key_with_the_id_of_another_agent_is_refused_at_revocation_too() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let other = engine.sign_up_bot("other");
    let refused = engine.revoker_by_key(basic(other.id, &key.secret), &from("192.0.2.1"));
    assert_eq!(told(&refused.unwrap_err()).1, "unauthorized");
    let secret = key.secret.as_str();
    assert!(engine.revoker_by_key(basic(key.agent, secret), &home()).is_ok());
}
