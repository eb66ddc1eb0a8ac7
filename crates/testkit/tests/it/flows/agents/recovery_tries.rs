//! How many wrong codes a request bears, and from whom.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::agents::RecoverError;
use portcullis_kernel::{AgentId, Origin};
use portcullis_testkit::{engine::TestEngine, entropy::SeededEntropy};
use time::Duration;

use super::{
    super::{Stored as _, at_once, from, home, mailbox::Mail as _},
    Agents as _, BOX, Bot, StoredAgents as _, everywhere, wrong,
};

/// A mailbox with so many agents, and the codes that were asked for from [`home`].
struct Scene {
    engine: TestEngine,
    bots: Vec<Bot>,
    codes: Vec<(AgentId, String)>,
    wrong: Vec<String>,
}

impl Scene {
    fn new(size: usize) -> Self {
        Self::on(TestEngine::builder().build_unlimited(), size)
    }

    fn on(engine: TestEngine, size: usize) -> Self {
        let join = |n| engine.sign_up_at(&format!("bot-{n}"), BOX);
        let bots = (0..size).map(join).collect();
        let codes = engine.codes(BOX);
        let wrong = wrong(&codes);
        Self { engine, bots, codes, wrong }
    }

    /// Tries so many wrong codes.
    fn miss(&self, times: usize, origin: &Origin) {
        for code in self.wrong.iter().take(times) {
            let refused = self.engine.try_recover(BOX, code, false, origin).unwrap_err();
            assert!(matches!(refused, RecoverError::InvalidCode));
        }
    }

    /// Whether the first code that lives is taken.
    fn hit(&self, origin: &Origin) -> bool {
        match self.engine.try_recover(BOX, &self.codes[0].1, false, origin) {
            Ok(done) => done.id == self.codes[0].0,
            Err(RecoverError::InvalidCode) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

trait Unlimited {
    fn build_unlimited(self) -> TestEngine;
}

impl Unlimited for portcullis_testkit::engine::TestEngineBuilder {
    fn build_unlimited(self) -> TestEngine {
        self.options(|options| options.limits.enabled = false).build()
    }
}

fn elsewhere() -> Origin {
    from("198.51.100.9")
}

#[test]
fn o3_the_network_that_asked_has_five_wrong_tries() {
    for (misses, good) in [(4, true), (5, false)] {
        let scene = Scene::new(1);
        scene.miss(misses, &home());
        assert_eq!(scene.hit(&from("203.0.113.200")), good, "{misses}: the same /24");
    }
}

#[test]
fn o3_all_others_together_have_three() {
    for (misses, good) in [(2, true), (3, false)] {
        let scene = Scene::new(1);
        for (n, code) in scene.wrong.iter().take(misses).enumerate() {
            let origin = from(&format!("198.51.{n}.9"));
            assert!(scene.engine.try_recover(BOX, code, false, &origin).is_err());
        }
        assert_eq!(scene.hit(&from("192.0.2.1")), good, "{misses}");
    }
}

#[test]
fn o3_with_several_codes_alive_there_are_two_and_one() {
    for (misses, good) in [(1, true), (2, false)] {
        let scene = Scene::new(2);
        scene.miss(misses, &home());
        assert_eq!(scene.hit(&home()), good, "{misses}");
    }
    for (misses, good) in [(0, true), (1, false)] {
        let scene = Scene::new(2);
        scene.miss(misses, &elsewhere());
        assert_eq!(scene.hit(&elsewhere()), good, "{misses}");
    }
}

#[test]
fn o3_a_budget_that_is_spent_closes_the_codes_to_its_own_side_only() {
    let scene = Scene::new(1);
    scene.miss(10, &elsewhere());
    assert!(!scene.hit(&elsewhere()) && scene.hit(&home()));
    let scene = Scene::new(1);
    scene.miss(10, &home());
    assert!(!scene.hit(&home()) && scene.hit(&elsewhere()));
    let scene = Scene::new(3);
    scene.miss(10, &elsewhere());
    assert!(!scene.hit(&elsewhere()) && scene.hit(&home()));
}

#[test]
fn o3_tries_are_those_of_a_request_and_a_newer_one_has_its_own() {
    let mut scene = Scene::new(1);
    scene.miss(10, &home());
    assert!(!scene.hit(&home()));
    scene.codes = scene.engine.codes(BOX);
    scene.wrong = wrong(&scene.codes);
    scene.miss(4, &home());
    assert!(scene.hit(&home()));
}

#[test]
fn tries_before_the_codes_were_made_count() {
    let mut scene = Scene::new(1);
    scene.engine.try_ask(BOX, None, &home()).unwrap();
    scene.miss(5, &home());
    scene.codes = scene.engine.deliver().iter().flat_map(super::codes_in).collect();
    assert!(!scene.hit(&home()));
}

#[test]
fn o1_a_used_code_takes_no_try() {
    let scene = Scene::new(2);
    assert!(scene.hit(&home()));
    for _ in 0..20 {
        let used = scene.engine.try_recover(BOX, &scene.codes[0].1, false, &home()).unwrap_err();
        assert!(matches!(used, RecoverError::AlreadyUsed));
    }
    scene.miss(4, &home());
    let done = scene.engine.try_recover(BOX, &scene.codes[1].1, false, &home()).unwrap();
    assert_eq!(done.id, scene.codes[1].0, "one code is alive, so there are five tries");
}

#[test]
fn what_several_codes_closed_stays_closed_to_the_tries_that_were_made() {
    let scene = Scene::new(2);
    scene.miss(5, &home());
    assert!(scene.hit(&elsewhere()));
    let refused = scene.engine.try_recover(BOX, &scene.codes[1].1, false, &home()).unwrap_err();
    assert!(matches!(refused, RecoverError::InvalidCode), "five tries were made");
}

#[test]
fn a_right_code_is_no_wrong_try_of_any_request_it_was_compared_with() {
    // Ids are random, and so is which request comes first.
    for seed in 0..8 {
        let engine = TestEngine::builder().entropy(Arc::new(SeededEntropy::new(seed)));
        let scene = Scene::on(engine.build_unlimited(), 3);
        let engine = &scene.engine;
        let key = engine.make_key(&scene.bots[0]);
        engine.token_from(&key, "198.51.100.9");
        let known = engine.codes_from(BOX, &elsewhere());
        // From elsewhere it is compared with the strangers' codes, too, who have one try there.
        let first = engine.try_recover(BOX, &known[0].1, false, &elsewhere()).unwrap();
        assert_eq!(first.id, known[0].0);
        let left = scene.codes.iter().find(|(id, _)| *id != first.id).unwrap();
        let done = engine.try_recover(BOX, &left.1, false, &from("192.0.2.1"));
        assert_eq!(done.unwrap().id, left.0, "{seed}");
    }
}

#[test]
fn o3_that_the_tries_are_used_up_is_written_down_once_for_each_side() {
    let scene = Scene::new(1);
    let bot = scene.bots[0].id;
    let count = || scene.engine.bot_count(bot, Action::AgentRecovered, Outcome::Failure);
    scene.miss(4, &home());
    assert_eq!(count(), 0);
    scene.miss(10, &home());
    assert_eq!(count(), 1);
    scene.miss(10, &elsewhere());
    assert_eq!(count(), 2);
    let events = scene.engine.bot_events(bot);
    let event = events.iter().find(|event| event.outcome == Outcome::Failure).unwrap();
    assert_eq!((event.actor, event.detail.as_deref()), (Actor::Anonymous, Some("tries_used_up")));
    assert_eq!(event.client, elsewhere().client);
}

#[test]
fn tries_at_a_mailbox_without_agents_are_counted_and_written_down_alike() {
    let engine = TestEngine::builder().build_unlimited();
    engine.try_ask("nobody@example.com", None, &home()).unwrap();
    engine.deliver();
    let before = engine.event_count();
    for code in wrong(&[]) {
        let refused = engine.try_recover("nobody@example.com", &code, false, &home());
        assert!(matches!(refused, Err(RecoverError::InvalidCode)));
    }
    assert_eq!(engine.event_count(), before + 1);
}

#[test]
fn o4_wrong_codes_at_once_do_not_outrun_the_count() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build_unlimited();
        let scene = Scene::on(engine, 1);
        let peer = scene.engine.peer().storage(stored.another_instance().storage()).build();
        at_once(20, |index| {
            let engine = [&scene.engine, &peer][index % 2];
            let origin = if index < 10 { home() } else { elsewhere() };
            let refused = engine.try_recover(BOX, &scene.wrong[index], false, &origin).unwrap_err();
            assert!(matches!(refused, RecoverError::InvalidCode), "{stored:?}: {refused:?}");
        });
        assert!(!scene.hit(&home()) && !scene.hit(&elsewhere()), "{stored:?}");
        let bot = scene.bots[0].id;
        assert_eq!(scene.engine.bot_count(bot, Action::AgentRecovered, Outcome::Failure), 2);
    }
}

#[test]
fn expired_requests_and_their_codes_are_removed() {
    let scene = Scene::new(2);
    scene.engine.try_ask("nobody@example.com", None, &home()).unwrap();
    scene.engine.deliver();
    assert_eq!(scene.engine.clean().unwrap().mailed, 0);
    scene.engine.clock.advance(Duration::minutes(15));
    assert_eq!(scene.engine.clean().unwrap().mailed, 2);
    assert_eq!(scene.engine.clean().unwrap().mailed, 0);
    assert!(!scene.hit(&home()));
}
