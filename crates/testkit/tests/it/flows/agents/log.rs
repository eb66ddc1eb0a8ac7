//! What an agent is told of what it did and suffered.

use std::collections::BTreeSet;

use portcullis_audit::{Action, AuditEvent};
use portcullis_flows::agents::SliceInput;
use portcullis_kernel::{AgentId, AuditEventId, Field};
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{Agents as _, BOX, everywhere};

/// Every event of an agent, page by page of so many.
fn pages(engine: &TestEngine, id: AgentId, limit: &str) -> Vec<Vec<AuditEvent>> {
    let mut pages = Vec::new();
    let mut cursor = Field::Absent;
    loop {
        let slice = SliceInput { limit: limit.into(), cursor };
        let page = engine.list_agent_events(id, &slice.check().unwrap()).unwrap();
        pages.push(page.items);
        let Some(next) = page.next else { return pages };
        cursor = Field::Given(next.encode());
    }
}

#[test]
fn g3_events_are_listed_newest_first_each_once_and_those_of_others_never() {
    for stored in everywhere() {
        let engine = TestEngine::builder().storage(stored.storage()).build();
        let (bot, other) = (engine.sign_up_at("bot", BOX), engine.sign_up_bot("other"));
        engine.clock.advance(Duration::SECOND);
        // Six of one moment, which a page must not tear apart.
        let keys: Vec<_> = (0..6).map(|_| engine.make_key(&bot)).collect();
        engine.make_key(&other);
        engine.clock.advance(Duration::SECOND);
        let token = engine.token(&keys[0]);
        engine.sign_out_agent(&engine.try_agent(&token).unwrap(), &super::home()).unwrap();
        let whole = pages(&engine, bot.id, "50").concat();
        assert_eq!(whole.len(), 2 + 6 + 1, "{stored:?}");
        assert_eq!(whole[0].action, Action::TokenRevoked);
        assert!(whole.iter().all(|event| event.agent == Some(bot.id)));
        assert!(whole.is_sorted_by(|one, next| (one.at, one.id) > (next.at, next.id)));
        let ids: BTreeSet<AuditEventId> = whole.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), whole.len());
        for limit in ["1", "2", "4"] {
            let paged = pages(&engine, bot.id, limit);
            assert_eq!(paged.concat(), whole, "{stored:?}, {limit}");
            let most = limit.parse().unwrap();
            assert!(paged.iter().all(|page| (1..=most).contains(&page.len())));
        }
        assert_eq!(pages(&engine, other.id, "50").concat().len(), 2);
    }
}
