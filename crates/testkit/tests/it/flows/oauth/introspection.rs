//! What a resource server may see of keys and tokens.

use portcullis_audit::Actor;
use portcullis_flows::{
    agents::{CreateKey, WantedToken},
    oauth::PrincipalKind,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{ExposeSecret as _, Field, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, People as _, Stored as _,
        agents::{Agents as _, BOX, Bot, Key, StoredAgents as _, everywhere, text},
        home,
        mailbox::Mail as _,
    },
    API, add, field, scope_of, told_of,
};

const URL: &str = "http://127.0.0.1:8080";

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

/// A token of this key with these scopes, for this resource.
fn token(engine: &TestEngine, key: &Key, scope: Option<&str>, resource: Option<&str>) -> String {
    let wanted =
        WantedToken { scope: scope.map(str::to_owned), resource: resource.map(str::to_owned) };
    text(&engine.try_exchange(&key.agent.to_string(), &key.secret, &wanted, &home()).unwrap())
}

#[test]
fn a_key_and_its_token_tell_what_the_contract_wants() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("bot", BOX);
    let day =
        CreateKey { name: "ci".into(), expires_in_days: Field::Given(1), ..CreateKey::default() };
    let key = engine.try_key(&bot, day).unwrap();
    let (server, _) = add(&engine, None, &["messages:read"], false);
    let of_key = told_of(&engine, &server, &key.secret).unwrap();
    let id = bot.id.to_string();
    assert_eq!((of_key.subject.as_str(), of_key.kind), (id.as_str(), PrincipalKind::Agent));
    assert_eq!((of_key.client_id.as_ref(), of_key.key), (Some(&id), Some(key.id)));
    assert_eq!(
        (of_key.issued_at, of_key.expires_at),
        (engine.now(), Some(engine.now() + Duration::DAY))
    );
    assert_eq!((of_key.audience, of_key.issuer, of_key.token_id), (None, None, None));
    assert!(of_key.email_verified && of_key.owner.is_none());
    let token = engine.token(&key);
    let caller = engine.try_agent(&token).unwrap();
    let of_token = told_of(&engine, &server, &token).unwrap();
    assert_eq!((of_token.subject, of_token.client_id), (id.clone(), Some(id)));
    assert_eq!((of_token.token_id, of_token.key), (Some(caller.token.id), Some(key.id)));
    assert_eq!((of_token.audience.as_deref(), of_token.issuer.as_deref()), (Some(URL), Some(URL)));
    assert_eq!(of_token.issued_at, caller.token.issued_at);
    assert_eq!(of_token.expires_at, Some(caller.token.expires_at));
    assert_eq!(of_token.scope.as_deref(), Some("messages:read"));
}

#[test]
fn a_key_or_token_for_everybody_is_seen_by_who_shares_a_scope_and_only_what_is_shared() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let all = engine.token(&key);
    let one = token(&engine, &key, Some("presence:update"), None);
    let (reads, _) = add(&engine, None, &["x", "messages:write", "messages:read"], false);
    let (other, _) = add(&engine, None, &["billing"], true);
    for text in [&key.secret, &all] {
        let shared = Some("messages:read messages:write".to_owned());
        assert_eq!(scope_of(&engine, &reads, text), shared, "in the order of the key");
        assert_eq!(scope_of(&engine, &other, text), None);
    }
    assert_eq!(scope_of(&engine, &reads, &one), None);
}

#[test]
fn j7_a_token_for_one_resource_is_seen_by_that_one_alone_and_whole() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let (api, _) = add(&engine, Some(API), &["billing"], false);
    let (twin, _) = add(&engine, Some(API), &["messages:read"], false);
    let (none, _) = add(&engine, None, &["messages:read"], true);
    let (elsewhere, _) = add(&engine, Some("https://other.example.com"), &["messages:read"], true);
    let (ours, _) = add(&engine, Some(URL), &["messages:read"], true);
    let bound = token(&engine, &key, Some("messages:read presence:update"), Some(API));
    for server in [&api, &twin] {
        let whole = Some("messages:read presence:update".to_owned());
        assert_eq!(scope_of(&engine, server, &bound), whole);
    }
    for server in [&none, &elsewhere, &ours] {
        assert_eq!(scope_of(&engine, server, &bound), None, "{:?}", server.audience);
    }
    let plain = engine.token(&key);
    assert_eq!(scope_of(&engine, &api, &plain), None, "it shares no scope");
    assert_eq!(scope_of(&engine, &twin, &plain).as_deref(), Some("messages:read"));
    assert_eq!(told_of(&engine, &api, &bound).unwrap().audience.as_deref(), Some(API));
}

#[test]
fn another_usual_audience_is_one_resource_like_any_other() {
    let engine = TestEngine::builder();
    let engine = engine.options(|options| options.agents.token.audience = API.into()).build();
    let (_, key) = with_key(&engine);
    let (api, _) = add(&engine, Some(API), &["x"], false);
    let (other, _) = add(&engine, None, &["messages:read"], false);
    let usual = engine.token(&key);
    assert!(
        scope_of(&engine, &api, &usual).is_some() && scope_of(&engine, &other, &usual).is_none()
    );
    let everybodys = token(&engine, &key, None, Some(URL));
    assert_eq!(scope_of(&engine, &api, &everybodys), None);
    assert_eq!(scope_of(&engine, &other, &everybodys).as_deref(), Some("messages:read"));
}

#[test]
fn peoples_tokens_are_seen_by_who_was_added_for_them() {
    let engine = TestEngine::new();
    let joined = engine.join_verified(JANE);
    let access = joined.tokens.access.token.expose_secret().to_owned();
    let (people, _) = add(&engine, None, &["x"], true);
    let (agents, _) = add(&engine, None, &["x"], false);
    let (api, _) = add(&engine, Some(API), &["x"], false);
    let told = told_of(&engine, &people, &access).unwrap();
    assert_eq!((told.subject, told.kind), (joined.user.id.to_string(), PrincipalKind::User));
    assert_eq!((told.client_id, told.scope, told.key), (None, None, None));
    assert_eq!((told.audience, told.issuer.as_deref()), (None, Some("portcullis")));
    assert!(told.email_verified);
    assert!(
        told_of(&engine, &agents, &access).is_none() && told_of(&engine, &api, &access).is_none()
    );
    let bound = engine.peer().options(|options| options.access.audience = Some(API.into())).build();
    let entered = bound.enter(JANE).tokens.access.token;
    let access = entered.expose_secret();
    assert!(
        told_of(&bound, &api, access).is_some(),
        "for it, whether it was added for people or not"
    );
    assert!(told_of(&bound, &people, access).is_none());
}

#[test]
fn whatever_does_not_work_is_told_as_nothing_else() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (server, secret) = add(&engine, None, &["messages:read"], true);
    let token = engine.token(&key);
    let joined = engine.join(JANE);
    let refresh = joined.tokens.refresh.expose_secret().to_owned();
    let never = format!("sk_{}", "0".repeat(49));
    for text in ["", "x", &key.secret[1..], &never, &bot.recovery, &secret, &refresh, &token[1..]] {
        assert!(told_of(&engine, &server, text).is_none(), "{text}");
    }
    let dead = engine.make_key(&bot);
    let of_dead = engine.token(&dead);
    assert!(told_of(&engine, &server, &of_dead).is_some());
    engine.revoke_key(bot.id, &dead.id.to_string(), Actor::Operator, &home()).unwrap();
    assert!(told_of(&engine, &server, &dead.secret).is_none());
    assert!(told_of(&engine, &server, &of_dead).is_none());
    let spent = engine.token(&key);
    engine.sign_out_agent(&engine.try_agent(&spent).unwrap(), &home()).unwrap();
    assert!(told_of(&engine, &server, &spent).is_none());
    let access = joined.tokens.access.token.expose_secret();
    assert!(told_of(&engine, &server, access).is_some());
    engine.revoke_sessions(joined.user.id, Actor::Operator, &Origin::local()).unwrap();
    assert!(told_of(&engine, &server, access).is_none());
    engine.clock.advance(Duration::seconds(3605));
    assert!(told_of(&engine, &server, &token).is_none());
    assert!(told_of(&engine, &server, &key.secret).is_some());
}

#[test]
fn k6_j13_what_dies_is_inactive_at_once_on_every_server() {
    type End = fn(&TestEngine, &Bot, &Key, &str);
    let ends: [(End, bool); 4] = [
        (
            |engine, bot, key, _| {
                engine.revoke_key(bot.id, &key.id.to_string(), Actor::Operator, &home()).unwrap();
            },
            false,
        ),
        (
            |engine, _, _, token| {
                engine.sign_out_agent(&engine.try_agent(token).unwrap(), &home()).unwrap();
            },
            true,
        ),
        (
            |engine, bot, _, _| {
                engine.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
            },
            false,
        ),
        (
            |engine, bot, _, _| {
                let shut = AgentStatus::Suspended;
                engine.set_agent_status(bot.id, shut, Actor::Operator, &home()).unwrap();
            },
            false,
        ),
    ];
    for stored in everywhere() {
        let one = TestEngine::builder().storage(stored.storage()).build();
        let two = one.peer().storage(stored.another_instance().storage()).build();
        let (server, _) = add(&one, None, &["messages:read"], false);
        for (end, key_lives) in ends {
            let (bot, key) = with_key(&one);
            let token = two.token(&key);
            assert!(told_of(&two, &server, &token).is_some());
            end(&one, &bot, &key, &token);
            assert!(told_of(&two, &server, &token).is_none(), "{stored:?}");
            assert_eq!(told_of(&two, &server, &key.secret).is_some(), key_lives, "{stored:?}");
        }
    }
}

#[test]
fn a_key_that_is_asked_about_is_used_and_a_token_is_not_a_use() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (server, _) = add(&engine, None, &["messages:read"], false);
    let (blind, _) = add(&engine, None, &["billing"], false);
    let last_used = || {
        engine.flush_uses().unwrap();
        engine.look(|uow| uow.api_keys().find(key.id)).unwrap().last_used_at
    };
    told_of(&engine, &blind, &key.secret);
    assert_eq!(last_used(), None, "who sees nothing uses nothing");
    told_of(&engine, &server, &key.secret);
    assert_eq!(last_used(), Some(engine.now()));
    let events = engine.bot_events(bot.id).len();
    engine.clock.advance(Duration::HOUR);
    told_of(&engine, &server, &key.secret);
    assert_eq!(last_used(), Some(engine.now()));
    assert_eq!(engine.bot_events(bot.id).len(), events, "the client's network is not known");
}

#[test]
fn a_key_bound_to_networks_is_told_of_as_any_other() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let wanted = CreateKey {
        name: "ci".into(),
        allowed_cidrs: field(&["192.0.2.0/24"]),
        ..CreateKey::default()
    };
    let key = engine.try_key(&bot, wanted).unwrap();
    let (server, _) = add(&engine, None, &["messages:read"], false);
    assert!(told_of(&engine, &server, &key.secret).is_some(), "from where, its server knows");
}
