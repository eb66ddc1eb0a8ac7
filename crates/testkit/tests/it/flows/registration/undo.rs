//! A claim that its owner takes back by the link in the mail.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_identity::Visibility;
use portcullis_kernel::{Classify as _, Slice};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{
        JANE, JOHN,
        agents::{Agents as _, StoredAgents as _, everywhere},
        at_once, home,
        mailbox::Mail as _,
    },
    Claims as _, StoredClaims as _, undoing, unlimited,
};

#[test]
fn v5_the_link_takes_the_agent_from_its_owner_and_every_key_from_the_agent_once() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let newcomer = engine.anonymous();
        let key = engine.claim(&newcomer, JANE);
        let token = engine.token(&key);
        let undo = engine.receive("agent_claimed");
        for _ in 0..3 {
            let shown = engine.preview_undo(&undoing(&undo)).unwrap();
            assert_eq!(Some(shown), engine.find_bot(&newcomer), "to look changes nothing");
        }
        assert!(engine.lives(&key));
        engine.try_undo(&undo).unwrap();
        let agent = engine.find_bot(&newcomer).unwrap();
        assert!(agent.owner.is_none() && agent.email.is_none() && agent.recovery.is_none());
        assert_eq!(agent.profile.visibility, Visibility::Private);
        assert!(!engine.lives(&key) && !engine.is_good(&token));
        assert!(!engine.lives(newcomer.key.as_ref().unwrap()), "nor does the first one come back");
        let keys = engine.list_api_keys(newcomer.agent, &Slice::first(9)).unwrap().items;
        assert!(keys.iter().all(|key| key.revoked_at.is_some()));
        let events = engine.bot_events(newcomer.agent);
        let undone: Vec<_> = events.iter().filter(|e| e.action == Action::ClaimUndone).collect();
        assert_eq!(undone.len(), 1);
        assert_eq!((undone[0].actor, undone[0].client), (Actor::Anonymous, home().client));
        assert_eq!(engine.try_undo(&undo).unwrap_err().code(), "invalid_token");
        assert!(engine.preview_undo(&undoing(&undo)).is_err());
        let again = engine.try_start(&newcomer, JOHN, &home()).unwrap_err();
        assert_eq!(again.code(), "invalid_claim_token", "whoever has the token gets nothing by it");
        assert_eq!(engine.registration(&newcomer), None, "nor is Jane's address kept");
    }
}

#[test]
fn o7_the_link_works_for_thirty_days_and_not_at_their_end() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = TestEngine::new();
        let newcomer = engine.anonymous();
        let key = engine.claim(&newcomer, JANE);
        let undo = engine.receive("agent_claimed");
        engine.clock.advance(Duration::days(30) + late);
        assert_eq!(engine.preview_undo(&undoing(&undo)).is_ok(), good);
        assert_eq!(engine.try_undo(&undo).is_ok(), good);
        assert_eq!(engine.lives(&key), !good);
    }
}

#[test]
fn o6_a_link_undoes_its_own_claim_alone() {
    let engine = unlimited();
    let [first, second] = [(); 2].map(|()| {
        let newcomer = engine.anonymous();
        let key = engine.claim(&newcomer, JANE);
        (newcomer, key, engine.receive("agent_claimed"))
    });
    engine.try_undo(&first.2).unwrap();
    assert!(!engine.lives(&first.1) && engine.lives(&second.1));
    for unknown in ["crt_", "x", &first.0.claim, &first.0.view] {
        assert_eq!(engine.try_undo(unknown).unwrap_err().code(), "invalid_token");
    }
    assert!(engine.lives(&second.1));
}

#[test]
fn f1_of_many_that_undo_a_claim_at_once_one_does() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let peer = engine.peer().storage(stored.another_instance().storage()).build();
        let newcomer = engine.anonymous();
        engine.claim(&newcomer, JANE);
        let undo = engine.receive("agent_claimed");
        let done = at_once(20, |index| [&engine, &peer][index % 2].try_undo(&undo));
        let lost: Vec<_> = done.into_iter().filter_map(Result::err).collect();
        assert_eq!(lost.len(), 19, "{stored:?}");
        assert!(lost.iter().all(|error| error.code() == "invalid_token"), "{lost:?}");
        assert_eq!(engine.bot_count(newcomer.agent, Action::ClaimUndone, Outcome::Success), 1);
    }
}
