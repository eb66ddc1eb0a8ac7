//! Access tokens that are replaced or revoked.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{AgentAuthError, AgentSessionError, WantedToken};
use portcullis_kernel::{ErrorKind, Origin, TokenId};
use portcullis_storage::{MemoryStorage, StorageExt as _, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use portcullis_tokens::SpentToken;
use time::Duration;

use super::{
    super::{Stored as _, at_once, home, told},
    Agents as _, Bot, Key, StoredAgents as _, everywhere, on_the_second, text,
};

fn with_key(engine: &TestEngine) -> (Bot, Key) {
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    (bot, key)
}

fn jti(engine: &TestEngine, token: &str) -> TokenId {
    engine.try_agent(token).unwrap().token.id
}

fn is_spent(engine: &TestEngine, id: TokenId) -> bool {
    engine.look(|uow| uow.spent_tokens().is_spent(id))
}

fn sign_out(engine: &TestEngine, token: &str) -> Result<(), AgentSessionError> {
    let caller = engine.try_agent(token).map_err(|_| AgentSessionError::Refused)?;
    engine.sign_out_agent(&caller, &home()).map(drop)
}

#[test]
fn j12_a_refreshed_token_is_dead_and_its_successor_lives_an_hour_anew() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let (_, key) = with_key(&engine);
    let first = engine.token(&key);
    engine.clock.advance(Duration::minutes(59));
    let (old, next) = (jti(&engine, &first), engine.try_refresh(&first).unwrap());
    for server in [&engine, &other] {
        assert!(!server.is_good(&first) && server.is_good(&next));
        assert!(server.try_refresh(&first).is_err());
    }
    assert!(is_spent(&engine, old) && !is_spent(&engine, jti(&engine, &next)));
    engine.clock.advance(Duration::minutes(59));
    assert!(engine.is_good(&next));
}

#[test]
fn j12_a_token_signed_out_is_dead_on_every_server_and_no_other_is() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let (bot, key) = with_key(&engine);
    let (token, sibling) = (engine.token(&key), engine.token(&key));
    let caller = engine.try_agent(&token).unwrap();
    assert_eq!(engine.sign_out_agent(&caller, &home()).unwrap(), engine.now());
    assert!(!other.is_good(&token) && other.is_good(&sibling));
    let again = other.sign_out_agent(&caller, &home()).unwrap_err();
    assert_eq!((told(&again).0, told(&again).1), (ErrorKind::Unauthenticated, "unauthorized"));
    let refreshed = other.refresh_agent(&caller, &home()).unwrap_err();
    assert!(matches!(refreshed, AgentSessionError::Refused));
    assert_eq!(engine.bot_count(bot.id, Action::TokenRevoked, Outcome::Success), 1);
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::TokenRevoked).unwrap();
    assert_eq!((event.actor, event.key), (Actor::Agent(bot.id), Some(key.id)));
}

#[test]
fn a_dead_token_that_comes_again_is_written_down() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    sign_out(&engine, &token).unwrap();
    assert!(matches!(engine.try_agent(&token), Err(AgentAuthError::Refused)));
    engine.flush_uses().unwrap();
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::AgentCredentialRefused).unwrap();
    assert_eq!((event.key, event.detail.as_deref()), (Some(key.id), Some("spent_token")));
}

#[test]
fn k8_scopes_never_widen_by_a_refresh() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let one = WantedToken { scope: Some("messages:read".into()), resource: None };
    let issued = engine.try_exchange(&bot.id.to_string(), &key.secret, &one, &home()).unwrap();
    let mut token = text(&issued);
    for _ in 0..3 {
        token = engine.try_refresh(&token).unwrap();
        let grant = engine.try_agent(&token).unwrap().token.grant;
        assert_eq!(grant.scopes.to_string(), "messages:read");
    }
}

#[test]
fn the_life_of_a_successor_ends_with_its_key() {
    let engine = TestEngine::new();
    let (bot, key) = with_key(&engine);
    let token = engine.token(&key);
    let caller = engine.try_agent(&token).unwrap();
    engine.revoke_key(bot.id, &key.id.to_string(), Actor::Operator, &home()).unwrap();
    // The key went between the look and the refresh.
    let late = engine.refresh_agent(&caller, &home()).unwrap();
    assert!(!engine.is_good(&text(&late)));
}

#[test]
fn r2_of_many_refreshes_and_logouts_at_once_one_succeeds() {
    for stored in everywhere() {
        let one = TestEngine::builder().storage(stored.storage()).build();
        let two = one.peer().storage(stored.another_instance().storage()).build();
        let (_, key) = with_key(&one);
        for _ in 0..5 {
            let token = one.token(&key);
            let caller = one.try_agent(&token).unwrap();
            let done = at_once(12, |index| {
                let server = [&one, &two][index % 2];
                let done = match index % 3 {
                    0 => server.sign_out_agent(&caller, &home()).map(|_| None),
                    _ => server.refresh_agent(&caller, &home()).map(|next| Some(text(&next))),
                };
                done.map_err(|error| {
                    assert!(matches!(error, AgentSessionError::Refused), "{error:?}");
                })
            });
            let won: Vec<_> = done.into_iter().filter_map(Result::ok).collect();
            assert_eq!(won.len(), 1, "{stored:?}");
            assert!(!one.is_good(&token) && !two.is_good(&token));
            if let Some(Some(next)) = won.first() {
                assert!(one.is_good(next) && two.is_good(next));
            }
        }
    }
}

#[test]
fn the_lineage_of_a_refresh_is_one_row_written_by_one_statement() {
    let faulty = FaultyStorage::over(Arc::new(MemoryStorage::default()));
    let engine = TestEngine::builder().storage(faulty.clone()).build();
    let (_, key) = with_key(&engine);
    let token = engine.token(&key);
    let caller = engine.try_agent(&token).unwrap();
    faulty.heal();
    let next = engine.refresh_agent(&caller, &home()).unwrap();
    assert_eq!(faulty.steps(), [Step::Begin(TxMode::Statement), Step::Call]);
    let next = engine.try_agent(&text(&next)).unwrap().token.id;
    assert_ne!(next, caller.token.id);
    assert!(is_spent(&engine, caller.token.id));
}

#[test]
fn a_refresh_that_cannot_be_signed_spends_nothing() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let token = engine.token(&key);
    let caller = engine.try_agent(&token).unwrap();
    let closed = engine.peer().build_closed();
    assert_eq!(
        told(&closed.refresh_agent(&caller, &home()).unwrap_err()).0,
        ErrorKind::Unavailable
    );
    assert!(engine.is_good(&token));
    assert!(engine.try_refresh(&token).is_ok());
}

#[test]
fn j13_a_spent_token_is_remembered_until_it_could_be_accepted_nowhere_and_then_dropped() {
    let engine = on_the_second();
    let (_, key) = with_key(&engine);
    let token = engine.token(&key);
    let id = jti(&engine, &token);
    sign_out(&engine, &token).unwrap();
    // Its life, the leeway, and a minute by which the clock of another server may be behind.
    let until = engine.now() + Duration::seconds(3600 + 5 + 60);
    engine.clock.set(until - Duration::MICROSECOND);
    assert_eq!(engine.clean().unwrap().spent_tokens, 0);
    assert!(is_spent(&engine, id) && !engine.is_good(&token));
    engine.clock.set(until);
    assert_eq!(engine.clean().unwrap().spent_tokens, 1);
    assert!(!is_spent(&engine, id) && !engine.is_good(&token), "its own end keeps it out");
}

#[test]
fn j13_l12_the_list_of_spent_tokens_is_bounded_by_what_an_hour_brings() {
    let engine = TestEngine::new();
    let (bot, _) = with_key(&engine);
    let now = engine.now();
    let spent = |n: u32| SpentToken {
        id: TokenId::generate(now, &portcullis_testkit::entropy::SeededEntropy::new(u64::from(n)))
            .unwrap(),
        agent: bot.id,
        successor: None,
        spent_at: now,
        forget_at: now + Duration::seconds(3605),
    };
    for n in 0..2_000 {
        let row = spent(n);
        assert!(engine.storage.statement(|uow| uow.spent_tokens().spend(&row)).unwrap());
    }
    assert_eq!(engine.clean().unwrap().spent_tokens, 0);
    engine.clock.advance(Duration::seconds(3605));
    assert_eq!(engine.clean().unwrap().spent_tokens, 2_000);
    assert_eq!(engine.clean().unwrap().spent_tokens, 0);
}

#[test]
fn f7_a_clock_set_back_brings_no_spent_token_back() {
    let engine = TestEngine::new();
    let (_, key) = with_key(&engine);
    let token = engine.token(&key);
    sign_out(&engine, &token).unwrap();
    engine.clock.advance(Duration::minutes(50));
    engine.clean().unwrap();
    engine.clock.advance(-Duration::HOUR);
    engine.clean().unwrap();
    assert!(!engine.is_good(&token));
}

#[test]
fn j13_tokens_of_an_agent_that_is_gone_are_dead_spent_or_not() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let (bot, key) = with_key(&engine);
    let (alive, spent) = (engine.token(&key), engine.token(&key));
    let caller = engine.try_agent(&alive).unwrap();
    sign_out(&engine, &spent).unwrap();
    engine.delete_agent(bot.id, Actor::Operator, &Origin::local()).unwrap();
    for token in [&alive, &spent] {
        assert!(!engine.is_good(token) && !other.is_good(token));
    }
    // Accepted before the agent went: nothing comes of it that works.
    let late = engine.refresh_agent(&caller, &home()).unwrap();
    assert!(!engine.is_good(&text(&late)));
}
