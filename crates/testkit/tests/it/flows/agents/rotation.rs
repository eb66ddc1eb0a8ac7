//! A key that takes the place of another.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::ApiKey;
use portcullis_flows::agents::{CreateKey, KeyError, RotateKey};
use portcullis_kernel::{Classify as _, ErrorKind, Field};
use portcullis_storage::MemoryStorage;
use portcullis_testkit::{engine::TestEngine, faults::FaultyStorage};
use time::Duration;

use super::{
    super::{Stored as _, at_once, home, told},
    Agents as _, Bot, Key, StoredAgents as _, everywhere,
};

fn rotate(engine: &TestEngine, bot: &Bot, key: &Key, overlap: i64) -> Result<Key, KeyError> {
    let agent = engine.manage(bot).unwrap();
    let rotation = RotateKey { overlap_seconds: Field::Given(overlap) }.check().unwrap();
    let (id, actor) = (key.id.to_string(), Actor::Agent(bot.id));
    engine.rotate_api_key(&agent, &id, rotation, actor, &home()).map(Key::from)
}

fn stored(engine: &TestEngine, key: &Key) -> ApiKey {
    engine.look(|uow| uow.api_keys().find(key.id)).unwrap()
}

fn bound(name: &str) -> CreateKey {
    CreateKey {
        name: name.into(),
        scopes: Field::Given(vec!["messages:read".into()]),
        expires_in_days: Field::Given(10),
        allowed_cidrs: Field::Given(vec!["203.0.113.0/24".into()]),
        rate_limit_per_minute: Field::Given(7),
    }
}

#[test]
fn without_an_overlap_the_old_key_is_dead_at_once() {
    let engine = TestEngine::new();
    let other = engine.peer().build();
    let bot = engine.sign_up_bot("bot");
    let old = engine.make_key(&bot);
    let token = engine.token(&old);
    let new = rotate(&engine, &bot, &old, 0).unwrap();
    assert_ne!((&new.secret, new.id), (&old.secret, old.id));
    for server in [&engine, &other] {
        assert!(!server.is_good(&token));
        assert!(server.is_good(&server.token(&new)));
    }
    assert_eq!(stored(&engine, &old).replaced_by, Some(new.id));
    let again = rotate(&engine, &bot, &old, 0).unwrap_err();
    assert!(matches!(again, KeyError::NotFound), "it is dead: {again:?}");
}

#[test]
fn both_keys_work_while_the_overlap_lasts() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let old = engine.make_key(&bot);
    let new = rotate(&engine, &bot, &old, 600).unwrap();
    engine.clock.advance(Duration::seconds(599));
    let (of_old, of_new) = (engine.token(&old), engine.token(&new));
    assert!(engine.is_good(&of_old) && engine.is_good(&of_new));
    let again = rotate(&engine, &bot, &old, 600).unwrap_err();
    assert!(matches!(again, KeyError::Rotated));
    assert_eq!((told(&again).0, told(&again).1), (ErrorKind::Conflict, "conflict"));
    engine.clock.advance(Duration::SECOND);
    assert!(!engine.is_good(&of_old) && engine.is_good(&of_new));
    let third = rotate(&engine, &bot, &new, 0).unwrap();
    assert!(engine.is_good(&engine.token(&third)));
}

#[test]
fn k8_the_new_key_has_the_rights_and_bounds_of_the_old_one_and_a_life_anew() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot");
    let old = engine.try_key(&bot, bound("ci")).unwrap();
    engine.clock.advance(Duration::days(9));
    let new = rotate(&engine, &bot, &old, 7 * 24 * 3600).unwrap();
    let (was, is) = (stored(&engine, &old), stored(&engine, &new));
    assert_eq!((&is.name, &is.scopes, &is.networks), (&was.name, &was.scopes, &was.networks));
    assert_eq!(is.rate_limit, Some(7));
    assert_eq!(is.expires_at, Some(engine.now() + Duration::days(10)));
    assert_eq!(was.expires_at, Some(engine.now() + Duration::DAY), "an overlap lengthens no life");
    assert_eq!((is.created_at, is.revoked_at, is.replaced_by), (engine.now(), None, None));
    let events = engine.bot_events(bot.id);
    let event = events.iter().find(|event| event.action == Action::ApiKeyRotated).unwrap();
    assert_eq!((event.key, event.detail.as_ref()), (Some(new.id), Some(&old.id.to_string())));
}

#[test]
fn an_overlap_is_0_to_604800_seconds() {
    for overlap in [-1, 604_801, i64::MAX] {
        let refused = RotateKey { overlap_seconds: Field::Given(overlap) }.check().unwrap_err();
        assert_eq!(refused.code(), "validation_error");
        assert_eq!(refused.to_string(), "overlap_seconds must be 0 to 604800.");
    }
    assert!(RotateKey { overlap_seconds: Field::Given(604_800) }.check().is_ok());
    assert!(RotateKey::default().check().is_ok());
    let text = RotateKey { overlap_seconds: Field::Invalid("must be a number".into()) };
    assert!(text.check().is_err());
}

#[test]
fn k4_a_key_that_is_not_the_agents_or_is_dead_is_not_there() {
    let engine = TestEngine::new();
    let (bot, thief) = (engine.sign_up_bot("bot"), engine.sign_up_bot("thief"));
    let key = engine.make_key(&bot);
    assert!(matches!(rotate(&engine, &thief, &key, 600), Err(KeyError::NotFound)));
    engine.revoke_key(bot.id, &key.id.to_string(), Actor::Agent(bot.id), &home()).unwrap();
    assert!(matches!(rotate(&engine, &bot, &key, 600), Err(KeyError::NotFound)));
    let ended = engine.try_key(&bot, bound("ends")).unwrap();
    engine.clock.advance(Duration::days(10));
    assert!(matches!(rotate(&engine, &bot, &ended, 0), Err(KeyError::NotFound)));
    assert_eq!(engine.bot_count(bot.id, Action::ApiKeyRotated, Outcome::Success), 0);
}

#[test]
fn a_full_agent_rotates_without_an_overlap_and_not_with_one() {
    let engine = TestEngine::builder().options(|options| options.agents.most_keys = 2).build();
    let bot = engine.sign_up_bot("bot");
    let (first, second) = (engine.make_key(&bot), engine.make_key(&bot));
    assert!(matches!(rotate(&engine, &bot, &first, 600), Err(KeyError::TooMany(2))));
    assert!(stored(&engine, &first).replaced_by.is_none(), "nothing is half done");
    assert!(engine.is_good(&engine.token(&first)));
    let third = rotate(&engine, &bot, &first, 0).unwrap();
    assert!(engine.is_good(&engine.token(&third)) && engine.is_good(&engine.token(&second)));
}

#[test]
fn of_many_rotations_of_one_key_at_once_one_succeeds() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        for overlap in [0, 600] {
            let bot = engine.sign_up_bot("bot");
            let key = engine.make_key(&bot);
            let done = at_once(12, |_| rotate(&engine, &bot, &key, overlap));
            let (good, bad): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
            assert_eq!(good.len(), 1, "{stored:?}");
            for bad in bad.into_iter().filter_map(Result::err) {
                let told = matches!(bad, KeyError::Rotated | KeyError::NotFound);
                assert!(told, "{bad:?}");
            }
            let keys = engine.list_api_keys(bot.id, &portcullis_kernel::Slice::first(99)).unwrap();
            assert_eq!(keys.items.len(), 2);
            assert_eq!(engine.bot_count(bot.id, Action::ApiKeyRotated, Outcome::Success), 1);
        }
    }
}

#[test]
fn a_key_revoked_beside_its_rotation_leaves_no_successor() {
    let memory = MemoryStorage::default();
    let engine = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let bot = engine.sign_up_bot("bot");
    let key = engine.make_key(&bot);
    let accepted = engine.manage(&bot).unwrap();
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = engine.peer().storage(faulty.clone()).build();
    let (faster, id, owner) = (Arc::clone(&engine), key.id.to_string(), bot.id);
    // It looks at the key, and then begins to write.
    faulty.run_at(2, move || {
        faster.revoke_key(owner, &id, Actor::Operator, &home()).unwrap();
    });
    let rotation = RotateKey::default().check().unwrap();
    let (id, actor) = (key.id.to_string(), Actor::Agent(bot.id));
    let refused = slow.rotate_api_key(&accepted, &id, rotation, actor, &home()).unwrap_err();
    assert!(matches!(refused, KeyError::NotFound), "{refused:?}");
    let keys = engine.list_api_keys(bot.id, &portcullis_kernel::Slice::first(9)).unwrap().items;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].revoked_at.is_some());
}
