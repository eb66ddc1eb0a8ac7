//! What people do with agents that belong to them.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::{
    Limited as _,
    agents::{CreateKey, OwnedAgentError, SliceInput, WantedToken},
    people::Caller,
};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{AgentId, ErrorKind, Field, Origin, Scopes, Slice};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{JANE, JOHN, People as _, Stored as _, broken, home, mailbox::Mail as _, told},
    Agents as _, BOX, Bot, Key, StoredAgents as _, everywhere,
    owners::{created, is_disowned},
};

pub(super) const NEVER: &str = "agt_00000000000000000000000000000000";
/// So many keys of one agent its owner makes in an hour.
const MOST: usize = 20;

/// A key of this name with the usual rights.
pub(super) fn named(name: &str) -> CreateKey {
    CreateKey { name: name.into(), ..CreateKey::default() }
}

/// What the owner of an agent does, in one call each.
pub(super) trait Owners {
    fn caller(&self, email: &str) -> Caller;
    fn try_owned_key(
        &self,
        caller: &Caller,
        bot: AgentId,
        wanted: CreateKey,
    ) -> Result<Key, OwnedAgentError>;
    fn try_revoke(&self, caller: &Caller, bot: AgentId, key: &Key) -> Result<(), OwnedAgentError>;
    fn names(&self, caller: &Caller) -> Vec<String>;
}

impl Owners for TestEngine {
    fn caller(&self, email: &str) -> Caller {
        self.bearer(&self.join(email).tokens)
    }

    fn try_owned_key(
        &self,
        caller: &Caller,
        bot: AgentId,
        wanted: CreateKey,
    ) -> Result<Key, OwnedAgentError> {
        self.create_owned_key(caller, &bot.to_string(), wanted, &home()).map(Key::from)
    }

    fn try_revoke(&self, caller: &Caller, bot: AgentId, key: &Key) -> Result<(), OwnedAgentError> {
        self.revoke_owned_key(caller, &bot.to_string(), &key.id.to_string(), &home())
    }

    fn names(&self, caller: &Caller) -> Vec<String> {
        let page = self.list_owned_agents(caller, &Slice::first(99)).unwrap();
        page.items.iter().map(|owned| owned.agent.id.to_string()).collect()
    }
}

/// An agent of this user.
pub(super) fn bot_of(engine: &TestEngine, owner: &Caller) -> Bot {
    created(engine, Some(owner.user.id), None).unwrap()
}

/// Takes the recovery key away, as an agent has none that signed itself up.
pub(super) fn without_recovery_key(engine: &TestEngine, bot: AgentId) {
    let changed = engine.storage.transact(|uow| {
        let mut agent = uow.agents().lock(bot)?.unwrap();
        agent.recovery = None;
        uow.agents().update(&agent)
    });
    assert!(changed.unwrap());
}

fn set_status(engine: &TestEngine, bot: AgentId, status: AgentStatus) {
    engine.set_agent_status(bot, status, Actor::Operator, &Origin::local()).unwrap();
}

#[test]
fn own_agents_are_listed_newest_first_with_what_their_live_keys_tell() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (jane, john) = (engine.caller(JANE), engine.caller(JOHN));
        let bots: Vec<_> = (0..3)
            .map(|_| {
                engine.clock.advance(Duration::SECOND);
                bot_of(&engine, &jane)
            })
            .collect();
        let foreign = bot_of(&engine, &john);
        engine.sign_up_bot("nobodys");
        let scopes = |text: &str| Field::Given(text.split(' ').map(str::to_owned).collect());
        let read = CreateKey { scopes: scopes("messages:read"), ..named("read") };
        let more = CreateKey { scopes: scopes("presence:update messages:read"), ..named("more") };
        let first = engine.try_key(&bots[1], read).unwrap();
        engine.clock.advance(Duration::SECOND);
        let second = engine.try_key(&bots[1], more).unwrap();
        let dead = engine.make_key(&bots[1]);
        engine.token(&first);
        engine.flush_uses().unwrap();
        let used = engine.now();
        engine.try_revoke(&jane, bots[1].id, &dead).unwrap();

        let listed = engine.list_owned_agents(&jane, &Slice::first(9)).unwrap().items;
        let ids: Vec<_> = listed.iter().map(|owned| owned.agent.id).collect();
        assert_eq!(ids, [bots[2].id, bots[1].id, bots[0].id], "{stored:?}");
        let keys: Vec<_> = listed[1].keys.iter().map(|key| key.id).collect();
        assert_eq!(keys, [second.id, first.id]);
        assert_eq!(listed[1].scopes().to_string(), "presence:update messages:read");
        assert_eq!(listed[1].last_used_at(), Some(used));
        assert!(listed[0].keys.is_empty() && listed[0].scopes().is_empty());
        assert_eq!(listed[0].last_used_at(), None);
        assert_eq!(engine.names(&john), [foreign.id.to_string()]);

        let details = engine.find_owned_agent(&jane, &bots[1].id.to_string()).unwrap();
        assert_eq!(details.owned.keys, listed[1].keys);
        assert_eq!(details.dead_keys.iter().map(|key| key.id).collect::<Vec<_>>(), [dead.id]);
    }
}

#[test]
fn own_agents_are_listed_page_by_page() {
    let engine = TestEngine::new();
    let jane = engine.caller(JANE);
    let mut bots: Vec<_> = (0..5)
        .map(|_| {
            engine.clock.advance(Duration::SECOND);
            bot_of(&engine, &jane).id
        })
        .collect();
    bots.reverse();
    let (mut listed, mut cursor) = (Vec::new(), Field::Absent);
    loop {
        let slice = SliceInput { limit: "2".into(), cursor }.check_owned().unwrap();
        let page = engine.list_owned_agents(&jane, &slice).unwrap();
        listed.extend(page.items.into_iter().map(|owned| owned.agent.id));
        let Some(next) = page.next else { break };
        cursor = Field::Given(next.encode());
    }
    assert_eq!(listed, bots);
    for (limit, cursor, why) in [("0", "", "limit"), ("201", "", "limit"), ("1", "%", "cursor")] {
        let cursor = if cursor.is_empty() { Field::Absent } else { cursor.into() };
        let refused = SliceInput { limit: limit.into(), cursor }.check_owned().unwrap_err();
        assert_eq!(broken(&refused).iter().map(|(field, _)| *field).collect::<Vec<_>>(), [why]);
    }
}

#[test]
fn no_dead_keys_hide_a_live_one() {
    let engine = TestEngine::builder().options(|options| options.limits.enabled = false).build();
    let jane = engine.caller(JANE);
    let bot = bot_of(&engine, &jane);
    let oldest = engine.make_key(&bot);
    for _ in 0..101 {
        engine.clock.advance(Duration::SECOND);
        let key = engine.make_key(&bot);
        engine.try_revoke(&jane, bot.id, &key).unwrap();
    }
    let details = engine.find_owned_agent(&jane, &bot.id.to_string()).unwrap();
    assert_eq!(details.owned.keys.iter().map(|key| key.id).collect::<Vec<_>>(), [oldest.id]);
    assert_eq!(details.dead_keys.len(), 100);
}

#[test]
fn k12_an_agent_of_somebody_else_is_told_from_an_unknown_one_by_nothing() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (jane, john) = (engine.caller(JANE), engine.caller(JOHN));
        let (foreign, nobodys) = (bot_of(&engine, &john), engine.sign_up_bot("nobodys"));
        let key = engine.make_key(&foreign);
        let (token, before) = (engine.token(&key), engine.event_count());
        for id in [NEVER.to_owned(), foreign.id.to_string(), nobodys.id.to_string(), "x".into()] {
            let found = engine.find_owned_agent(&jane, &id).unwrap_err();
            let made = engine.create_owned_key(&jane, &id, named("mine"), &home()).unwrap_err();
            let key = key.id.to_string();
            let revoked = engine.revoke_owned_key(&jane, &id, &key, &home()).unwrap_err();
            let given_up = engine.give_up_agent(&jane, &id, &home()).unwrap_err();
            for refused in [found, made, revoked, given_up] {
                let (kind, code, text) = told(&refused);
                assert_eq!((kind, code), (ErrorKind::NotFound, "not_found"), "{stored:?} {id}");
                assert_eq!(text, "You have no such agent.");
            }
            let scopes = Field::Given(vec!["api.write".to_owned()]);
            let wrong = CreateKey { scopes, ..named("") };
            let Err(OwnedAgentError::Invalid(invalid)) =
                engine.create_owned_key(&jane, &id, wrong, &home())
            else {
                panic!("{id}");
            };
            assert_eq!(broken(&invalid).len(), 2, "by the usual rules, whatever the agent is");
        }
        assert_eq!(engine.event_count(), before);
        assert!(engine.is_good(&token) && engine.names(&jane).is_empty());
        assert_eq!(engine.list_api_keys(foreign.id, &Slice::first(9)).unwrap().items.len(), 1);
    }
}

#[test]
fn a_key_of_an_owner_works_and_is_written_down_once() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let jane = engine.caller(JANE);
        let bot = bot_of(&engine, &jane);
        let before = engine.event_count();
        let key = engine.try_owned_key(&jane, bot.id, named("ci")).unwrap();
        assert_eq!(engine.event_count(), before + 1, "{stored:?}");
        assert!(engine.is_good(&engine.token(&key)));
        let events = engine.bot_events(bot.id);
        let event = events.iter().find(|event| event.action == Action::ApiKeyCreated).unwrap();
        let (user, session) = (jane.user.id, jane.session);
        assert_eq!((event.actor, event.key), (Actor::User(user), Some(key.id)));
        assert_eq!((event.subject, event.session), (Some(user), Some(session)));
        assert_eq!((event.client, event.outcome), (home().client, Outcome::Success));
    }
}

#[test]
fn k8_a_key_of_an_owner_has_the_rules_of_its_agents_kind() {
    let scopes = |text: &str| text.parse::<Scopes>().unwrap();
    let engine = TestEngine::builder().options(|options| {
        options.agents.scopes = scopes("a b");
        options.agents.default_scopes = scopes("b");
        options.agent_registration.pre_claim_scopes = scopes("r.before");
        options.agent_registration.post_claim_scopes = scopes("r.read r.write");
    });
    let engine = engine.build();
    let jane = engine.caller(JANE);
    let [registered, itself] = [bot_of(&engine, &jane).id, bot_of(&engine, &jane).id];
    without_recovery_key(&engine, itself);
    for (bot, prefix, usual, one, beyond) in [
        (registered, "sk_", "b", "a", "r.read"),
        (itself, "live_", "r.read r.write", "r.write", "r.before"),
    ] {
        let key = engine.try_owned_key(&jane, bot, named("usual")).unwrap();
        assert!(key.secret.starts_with(prefix), "{prefix}");
        let stored = engine.look(|uow| uow.api_keys().find(key.id)).unwrap();
        assert_eq!(stored.scopes, scopes(usual));
        let with = |name: &str| {
            let scopes = Field::Given(vec![name.to_owned()]);
            engine.try_owned_key(&jane, bot, CreateKey { scopes, ..named("one") })
        };
        let key = with(one).unwrap();
        let stored = engine.look(|uow| uow.api_keys().find(key.id)).unwrap();
        assert_eq!(stored.scopes, scopes(one));
        let Err(OwnedAgentError::Invalid(invalid)) = with(beyond) else { panic!("{beyond}") };
        assert!(broken(&invalid)[0].1.starts_with("must be among: "), "{invalid:?}");
        assert_eq!(engine.look(|uow| uow.api_keys().count_live(bot, engine.now())), 2);
    }
}

#[test]
fn every_broken_field_of_an_owners_key_is_named() {
    let engine = TestEngine::new();
    let jane = engine.caller(JANE);
    let bot = bot_of(&engine, &jane).id;
    let wrong = CreateKey {
        name: Field::Absent,
        scopes: Field::Given(vec!["admin".to_owned()]),
        expires_in_days: Field::Given(0),
        allowed_cidrs: Field::Given(vec![]),
        rate_limit_per_minute: Field::Given(-1),
    };
    let refused = engine.try_owned_key(&jane, bot, wrong).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::InvalidInput, "validation_error"));
    let OwnedAgentError::Invalid(invalid) = refused else { unreachable!() };
    let fields: Vec<_> = broken(&invalid).into_iter().map(|(field, _)| field).collect();
    let all = ["allowed_cidrs", "expires_in_days", "name", "rate_limit_per_minute", "scopes"];
    assert_eq!(fields, all);
}

#[test]
fn a_suspended_agent_gets_no_key_and_loses_those_it_has() {
    let engine = TestEngine::new();
    let jane = engine.caller(JANE);
    let bot = bot_of(&engine, &jane);
    let key = engine.make_key(&bot);
    set_status(&engine, bot.id, AgentStatus::Suspended);
    let refused = engine.try_owned_key(&jane, bot.id, named("late")).unwrap_err();
    assert!(matches!(refused, OwnedAgentError::Suspended));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    engine.try_revoke(&jane, bot.id, &key).unwrap();
    set_status(&engine, bot.id, AgentStatus::Active);
    let all = WantedToken::default();
    assert!(engine.try_exchange(&bot.id.to_string(), &key.secret, &all, &home()).is_err());
    set_status(&engine, bot.id, AgentStatus::Suspended);
    engine.give_up_agent(&jane, &bot.id.to_string(), &home()).unwrap();
    let left = engine.agent(bot.id);
    assert!(!left.is_active() && left.owner.is_none(), "it stays shut");
}

#[test]
fn an_agent_has_at_most_as_many_keys_whoever_makes_them() {
    let engine = TestEngine::builder().options(|options| options.agents.most_keys = 2).build();
    let jane = engine.caller(JANE);
    let bot = bot_of(&engine, &jane);
    let own = engine.make_key(&bot);
    engine.try_owned_key(&jane, bot.id, named("second")).unwrap();
    let refused = engine.try_owned_key(&jane, bot.id, named("third")).unwrap_err();
    assert!(matches!(refused, OwnedAgentError::TooMany(2)));
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    engine.try_revoke(&jane, bot.id, &own).unwrap();
    engine.try_owned_key(&jane, bot.id, named("third")).unwrap();
}

#[test]
fn l11_keys_of_an_owner_have_a_limit_that_the_agent_cannot_use_up() {
    use portcullis_flows::agents::AgentLimit::MakeKey;
    let engine = TestEngine::builder().options(|options| options.agents.most_keys = 99).build();
    let jane = engine.caller(JANE);
    let (bot, other) = (bot_of(&engine, &jane), bot_of(&engine, &jane));
    let client = home().client.unwrap();
    let by_itself = || {
        let presented = Some(super::basic(bot.id, &bot.recovery));
        engine.admit_recovery(presented, MakeKey, client, &home())
    };
    assert_eq!((0..99).take_while(|_| by_itself().is_ok()).count(), MOST);
    let make = || engine.try_owned_key(&jane, bot.id, named("key"));
    assert_eq!((0..99).take_while(|_| make().is_ok()).count(), MOST);
    let refused = make().unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::RateLimited, "rate_limited"));
    assert_eq!(refused.standing().unwrap().remaining, 0);
    let refused = engine.try_owned_key(&jane, bot.id, named("")).unwrap_err();
    assert!(refused.standing().is_some(), "before the body is judged");
    engine.try_owned_key(&jane, other.id, named("key")).unwrap();
    engine.clock.advance(Duration::HOUR);
    make().unwrap();
}

#[test]
fn k6_a_key_revoked_by_the_owner_is_dead_with_its_tokens() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let other = engine.peer().storage(stored.another_instance().storage()).build();
        let jane = engine.caller(JANE);
        let (bot, second) = (bot_of(&engine, &jane), bot_of(&engine, &jane));
        let [key, sibling] = [engine.make_key(&bot), engine.make_key(&bot)];
        let (token, alive) = (engine.token(&key), other.token(&sibling));
        let wrong = engine.try_revoke(&jane, second.id, &key).unwrap_err();
        assert!(matches!(wrong, OwnedAgentError::NoKey), "{stored:?}: of another agent");
        for named in ["", "x", &bot.id.to_string(), "aky_00000000000000000000000000000000"] {
            let id = bot.id.to_string();
            let wrong = engine.revoke_owned_key(&jane, &id, named, &home()).unwrap_err();
            assert_eq!((told(&wrong).0, told(&wrong).1), (ErrorKind::NotFound, "not_found"));
        }
        assert!(other.is_good(&token));
        let before = engine.event_count();
        engine.try_revoke(&jane, bot.id, &key).unwrap();
        let again = engine.try_revoke(&jane, bot.id, &key).unwrap_err();
        assert!(matches!(again, OwnedAgentError::NoKey));
        for server in [&engine, &other] {
            assert!(!server.is_good(&token) && server.is_good(&alive));
        }
        assert_eq!(engine.event_count(), before + 1);
        let events = engine.bot_events(bot.id);
        let event = events.iter().find(|event| event.action == Action::ApiKeyRevoked).unwrap();
        assert_eq!((event.key, event.actor), (Some(key.id), Actor::User(jane.user.id)));
        assert_eq!(event.session, Some(jane.session));
    }
}

#[test]
fn v10_an_agent_that_is_given_up_loses_its_owner_and_every_credential() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let jane = engine.caller(JANE);
        let bot = created(&engine, Some(jane.user.id), Some(BOX)).unwrap();
        let kept = bot_of(&engine, &jane);
        engine.prove(&engine.receive("agent_verify_email")).unwrap();
        let token = engine.token(&engine.make_key(&bot));
        let alive = engine.token(&engine.make_key(&kept));
        let codes = engine.codes(BOX);
        let before = engine.event_count();
        engine.give_up_agent(&jane, &bot.id.to_string(), &home()).unwrap();
        assert_eq!(engine.event_count(), before + 1, "{stored:?}");
        is_disowned(&engine, &bot, &token);
        assert!(engine.try_recover(BOX, &codes[0].1, false, &home()).is_err());
        let again = engine.give_up_agent(&jane, &bot.id.to_string(), &home()).unwrap_err();
        assert!(matches!(again, OwnedAgentError::NotFound));
        assert_eq!(engine.names(&jane), [kept.id.to_string()]);
        assert!(engine.is_good(&alive), "only that one");
        let events = engine.bot_events(bot.id);
        let event = events.iter().find(|event| event.action == Action::AgentDisowned).unwrap();
        assert_eq!((event.actor, event.client), (Actor::User(jane.user.id), home().client));
        engine.delete_user(jane.user.id, Actor::Operator, &Origin::local()).unwrap();
        let events = engine.bot_events(bot.id);
        let by_jane = events.iter().filter(|event| event.actor == Actor::User(jane.user.id));
        assert!(by_jane.into_iter().all(|event| event.client.is_none()), "her traces go with her");
    }
}
