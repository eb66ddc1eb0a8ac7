//! What the public directory shows of agents.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::{DirectoryInput, MissingAgent, ProfileInput, SliceInput};
use portcullis_identity::{Agent, AgentStatus, Visibility};
use portcullis_kernel::{AgentId, Classify as _, Field, Origin, Page};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{home, told},
    Agents as _, BOX, StoredAgents as _, everywhere,
};

fn public(engine: &TestEngine, id: AgentId, change: ProfileInput) -> Agent {
    let input = ProfileInput { visibility: Some("public".into()), ..change };
    engine.change_agent_profile(id, &input.check().unwrap(), &home()).unwrap()
}

fn search(engine: &TestEngine, q: &str, limit: &str, cursor: Field<String>) -> Page<Agent> {
    let q = if q.is_empty() { Field::Absent } else { q.into() };
    let slice = SliceInput { limit: limit.into(), cursor };
    let (text, slice) = DirectoryInput { q, slice }.check().unwrap();
    engine.list_directory(text.as_deref(), &slice).unwrap()
}

fn names(page: &Page<Agent>) -> Vec<&str> {
    page.items.iter().map(|agent| agent.name.as_str()).collect()
}

#[test]
fn a_profile_is_private_until_its_agent_says_otherwise() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let bot = engine.sign_up_at("bot", BOX);
        let id = bot.id.to_string();
        assert_eq!(engine.agent(bot.id).profile.visibility, Visibility::Private);
        for unseen in [id.as_str(), "x", "agt_00000000000000000000000000000000"] {
            let missing = engine.find_public_agent(unseen).unwrap_err();
            assert_eq!(
                (told(&missing).1, told(&missing).2.as_str()),
                ("not_found", "No such agent.")
            );
        }
        assert!(search(&engine, "", "50", Field::Absent).items.is_empty());
        public(&engine, bot.id, ProfileInput::default());
        assert_eq!(engine.find_public_agent(&id).unwrap().id, bot.id);
        assert_eq!(names(&search(&engine, "", "50", Field::Absent)), ["bot"], "{stored:?}");
        let shut = AgentStatus::Suspended;
        engine.set_agent_status(bot.id, shut, Actor::Operator, &Origin::local()).unwrap();
        assert!(matches!(engine.find_public_agent(&id), Err(MissingAgent::NotFound)));
        assert!(search(&engine, "", "50", Field::Absent).items.is_empty());
    }
}

#[test]
fn what_is_absent_stays_and_null_clears() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_bot("bot").id;
    let change = |input: ProfileInput| {
        engine.change_agent_profile(bot, &input.check().unwrap(), &home()).unwrap().profile
    };
    let whole = ProfileInput {
        display_name: Some(" Weather ".into()),
        description: Some("Tells the weather.".into()),
        tags: Some(Field::Given(vec!["weather".into(), "weather ".into(), "rain".into()])),
        visibility: Some("public".into()),
    };
    let told = change(whole);
    assert_eq!(told.display_name.as_ref().unwrap().as_str(), "Weather");
    assert_eq!(told.tags.as_slice(), ["weather", "rain"]);
    assert_eq!(change(ProfileInput::default()), told);
    assert_eq!(engine.bot_count(bot, Action::AgentProfileChanged, Outcome::Success), 1, "once");
    let cleared = change(ProfileInput {
        display_name: Some(Field::Absent),
        description: Some(Field::Absent),
        tags: Some(Field::Absent),
        visibility: Some(Field::Absent),
    });
    assert_eq!(cleared, portcullis_identity::Profile::default());
    assert_eq!(engine.agent(bot).profile, cleared);
    assert_eq!(engine.bot_count(bot, Action::AgentProfileChanged, Outcome::Success), 2);
}

#[test]
fn every_broken_field_of_a_profile_is_refused() {
    let text = |text: &str| Some(Field::from(text));
    for input in [
        ProfileInput { display_name: text(&"x".repeat(81)), ..ProfileInput::default() },
        ProfileInput { display_name: text("a\u{202e}b"), ..ProfileInput::default() },
        ProfileInput { description: text(&"x".repeat(501)), ..ProfileInput::default() },
        ProfileInput { visibility: text("hidden"), ..ProfileInput::default() },
        ProfileInput {
            tags: Some(Field::Given((0..11).map(|n| n.to_string()).collect())),
            ..ProfileInput::default()
        },
        ProfileInput {
            tags: Some(Field::Invalid("must be a list of strings".into())),
            ..ProfileInput::default()
        },
    ] {
        assert_eq!(input.check().unwrap_err().code(), "validation_error");
    }
}

#[test]
fn a_search_finds_what_a_profile_shows_in_any_case_and_nothing_else() {
    let engine = TestEngine::new();
    let bot = engine.sign_up_at("Umbrella-Bot", BOX);
    let hidden = engine.sign_up_bot("umbrella-hidden");
    public(
        &engine,
        bot.id,
        ProfileInput {
            display_name: Some("W\u{d6}lkchen".into()),
            description: Some("Tells the WEATHER.".into()),
            tags: Some(Field::Given(vec!["Rain".into()])),
            visibility: None,
        },
    );
    for q in ["umbrella", " BOT ", "w\u{f6}lk", "weather.", "rain"] {
        assert_eq!(names(&search(&engine, q, "50", Field::Absent)), ["Umbrella-Bot"], "{q}");
    }
    for q in [BOX, "example", "%", "_", "snow", &bot.id.to_string(), "hidden"] {
        assert!(search(&engine, q, "50", Field::Absent).items.is_empty(), "{q}");
    }
    assert!(engine.find_public_agent(&hidden.id.to_string()).is_err());
    let long = DirectoryInput { q: Field::Given("x".repeat(101)), slice: SliceInput::default() };
    assert_eq!(long.check().unwrap_err().code(), "validation_error");
}

#[test]
fn a_search_over_many_goes_on_where_it_stopped_and_tells_each_once() {
    let engine = TestEngine::new();
    let mut wanted = Vec::new();
    for n in 0..1_200 {
        engine.clock.advance(Duration::MILLISECOND);
        let name = if n % 300 == 7 { format!("needle-{n}") } else { format!("hay-{n}") };
        let bot = engine.sign_up_bot(&name).id;
        public(&engine, bot, ProfileInput::default());
        if name.starts_with("needle") {
            wanted.push(name);
        }
    }
    wanted.reverse();
    for limit in ["1", "2", "50"] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), Field::Absent, 0);
        loop {
            let page = search(&engine, "needle", limit, cursor);
            found.extend(names(&page).into_iter().map(str::to_owned));
            pages += 1;
            let Some(next) = page.next else { break };
            cursor = Field::Given(next.encode());
        }
        assert_eq!(found, wanted, "{limit}");
        assert!(pages <= 6, "{pages}");
    }
}
