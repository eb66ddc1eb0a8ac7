//! Who may revoke which key or token.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{agents::WantedToken, oauth::Revoker};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{ExposeSecret as _, Origin};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, People as _, Stored as _,
        agents::{Agents as _, Bot, Key, StoredAgents as _, basic, everywhere, text},
        at_once, home, told,
    },
    API, add,
};

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

fn revoke(engine: &TestEngine, revoker: &Revoker, text: &str) {
    engine.revoke(revoker, &text.into(), &home()).unwrap();
}

fn server(server: &ResourceServer) -> Revoker {
    Revoker::Server(Box::new(server.clone()))
}

/// Who did this to the agent, and the detail.
fn who(engine: &TestEngine, bot: &Bot, action: Action) -> (Actor, Option<String>) {
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == action).unwrap();
    (event.actor, event.detail.clone())
}

fn exchanges(engine: &TestEngine, key: &Key) -> bool {
    let all = WantedToken::default();
    engine.try_exchange(&key.agent.to_string(), &key.secret, &all, &home()).is_ok()
}

#[test]
fn whoever_holds_a_key_or_token_revokes_it_once_and_for_all() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let other = engine.peer().storage(stored.another_instance().storage()).build();
        let (bot, key) = with_key(&engine);
        let sibling = engine.make_key(&bot);
        let (token, of_sibling) = (engine.token(&key), engine.token(&sibling));
        for _ in 0..2 {
            revoke(&engine, &Revoker::Holder, &token);
        }
        assert!(!other.is_good(&token) && exchanges(&other, &key), "{stored:?}");
        assert_eq!(engine.bot_count(bot.id, Action::TokenRevoked, Outcome::Success), 1);
        for _ in 0..2 {
            revoke(&engine, &Revoker::Holder, &key.secret);
        }
        assert!(!exchanges(&other, &key) && other.is_good(&of_sibling));
        assert_eq!(engine.bot_count(bot.id, Action::ApiKeyRevoked, Outcome::Success), 1);
        // Whoever found it somewhere holds it, too.
        for action in [Action::TokenRevoked, Action::ApiKeyRevoked] {
            assert_eq!(who(&engine, &bot, action), (Actor::Anonymous, Some("holder".into())));
        }
    }
}

#[test]
fn k4_an_agent_revokes_its_own_and_nobody_elses() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (thief, thiefs) = with_key(&engine);
    let token = engine.token(&key);
    let by = |key: &Key| engine.revoker_by_key(basic(key.agent, &key.secret), &home()).unwrap();
    for text in [&token, &key.secret] {
        revoke(&engine, &by(&thiefs), text);
    }
    let tokens = engine.join(JANE).tokens;
    revoke(&engine, &by(&thiefs), tokens.access.token.expose_secret());
    revoke(&engine, &by(&thiefs), tokens.refresh.expose_secret());
    assert!(engine.is_good(&token) && exchanges(&engine, &key) && engine.is_alive(&tokens));
    assert_eq!(engine.bot_count(thief.id, Action::ApiKeyRevoked, Outcome::Success), 0);
    let sibling = engine.make_key(&bot);
    revoke(&engine, &by(&sibling), &token);
    revoke(&engine, &by(&sibling), &key.secret);
    assert!(!engine.is_good(&token) && !exchanges(&engine, &key) && exchanges(&engine, &sibling));
    assert_eq!(who(&engine, &bot, Action::ApiKeyRevoked), (Actor::Agent(bot.id), None));
    let refused = engine.revoker_by_key(basic(bot.id, &key.secret), &home()).unwrap_err();
    assert_eq!(told(&refused).1, "unauthorized", "a dead key proves nothing");
    let recovery = engine.revoker_by_key(basic(bot.id, &bot.recovery), &home()).unwrap_err();
    assert_eq!(told(&recovery).1, "unauthorized");
}

#[test]
fn a_resource_server_revokes_what_it_may_see() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (sees, _) = add(&engine, None, &["messages:read"], false);
    let (blind, _) = add(&engine, Some(API), &["billing"], false);
    let (people, _) = add(&engine, None, &["billing"], true);
    let token = engine.token(&key);
    let bound = {
        let wanted = WantedToken { scope: None, resource: Some(API.into()) };
        let id = bot.id.to_string();
        text(&engine.try_exchange(&id, &key.secret, &wanted, &home()).unwrap())
    };
    let tokens = engine.join(JANE).tokens;
    let access = tokens.access.token.expose_secret();
    for (server_, text) in [
        (&blind, token.as_str()),
        (&blind, &key.secret),
        (&sees, &bound),
        (&people, &token),
        (&sees, access),
        (&people, tokens.refresh.expose_secret()),
    ] {
        revoke(&engine, &server(server_), text);
    }
    assert!(engine.is_good(&token) && exchanges(&engine, &key) && engine.is_alive(&tokens));
    assert!(super::told_of(&engine, &blind, &bound).is_some());
    revoke(&engine, &server(&blind), &bound);
    assert!(super::told_of(&engine, &blind, &bound).is_none(), "its own audience");
    revoke(&engine, &server(&sees), &token);
    assert!(!engine.is_good(&token) && exchanges(&engine, &key));
    revoke(&engine, &server(&sees), &key.secret);
    assert!(!exchanges(&engine, &key));
    let entered = engine.enter(JANE).tokens;
    revoke(&engine, &server(&people), entered.access.token.expose_secret());
    assert!(!engine.is_alive(&entered), "the session of a person's token ends with it");
    let by = (Actor::Anonymous, Some(sees.id.to_string()));
    assert_eq!(who(&engine, &bot, Action::ApiKeyRevoked), by);
}

#[test]
fn r6_a_persons_tokens_end_their_session_and_no_other() {
    let engine = TestEngine::new();
    let jane = engine.join(JANE);
    let (second, third) = (engine.enter(JANE).tokens, engine.enter(JANE).tokens);
    revoke(&engine, &Revoker::Holder, second.refresh.expose_secret());
    assert!(!engine.is_alive(&second));
    revoke(&engine, &Revoker::Holder, third.access.token.expose_secret());
    assert!(!engine.is_alive(&third) && engine.is_alive(&jane.tokens));
    assert_eq!(engine.count(jane.user.id, Action::SignedOut, Outcome::Success), 2);
    revoke(&engine, &Revoker::Holder, second.refresh.expose_secret());
    assert_eq!(engine.count(jane.user.id, Action::SignedOut, Outcome::Success), 2);
}

#[test]
fn what_is_unknown_dead_or_no_token_at_all_changes_nothing_and_is_no_error() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let (sees, secret) = add(&engine, None, &["messages:read"], true);
    let token = engine.token(&key);
    let expired = engine.token(&key);
    engine.clock.advance(Duration::seconds(3605));
    let alive = engine.token(&key);
    let before = engine.event_count();
    let never = format!("sk_{}", "0".repeat(49));
    let refresh = format!("rt_{}", "0".repeat(26));
    for revoker in [Revoker::Holder, Revoker::Agent(bot.id), server(&sees)] {
        for text in ["", "x", "a.b.c", &never, &refresh, &bot.recovery, &secret, &expired, &token] {
            revoke(&engine, &revoker, text);
        }
    }
    assert_eq!(engine.event_count(), before);
    assert!(engine.is_good(&alive) && engine.manage(&bot).is_ok());
}

#[test]
fn of_many_that_revoke_one_key_and_token_at_once_each_is_done_once() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (bot, key) = with_key(&engine);
        let token = engine.token(&key);
        at_once(12, |index| {
            let text = if index % 2 == 0 { &token } else { &key.secret };
            revoke(&engine, &Revoker::Holder, text);
        });
        assert!(!engine.is_good(&token) && !exchanges(&engine, &key), "{stored:?}");
        assert_eq!(engine.bot_count(bot.id, Action::ApiKeyRevoked, Outcome::Success), 1);
        assert!(engine.bot_count(bot.id, Action::TokenRevoked, Outcome::Success) <= 1);
    }
}

#[test]
fn what_a_suspended_agent_has_can_be_revoked_and_is_dead_when_it_is_resumed() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    let set = |status| {
        engine.set_agent_status(bot.id, status, Actor::Operator, &Origin::local()).unwrap();
    };
    set(portcullis_identity::AgentStatus::Suspended);
    let refused = engine.revoker_by_key(basic(bot.id, &key.secret), &home()).unwrap_err();
    assert_eq!(told(&refused).1, "forbidden");
    revoke(&engine, &Revoker::Holder, &token);
    set(portcullis_identity::AgentStatus::Active);
    assert!(!engine.is_good(&token) && exchanges(&engine, &key));
}
