//! Cases of [`AgentNetworkRepository`](crate::AgentNetworkRepository).

use portcullis_identity::{Agent, AgentStatus};
use portcullis_kernel::{AgentId, Instant};

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, email, in_parallel},
};
use crate::{Storage, UnitOfWork};

case_list! {
    a_network_is_news_unless_noted_since,
    a_network_is_noted_for_one_agent_only,
    a_late_note_of_an_earlier_token_forgets_nothing,
    a_network_of_no_agent_is_neither_error_nor_news,
    of_many_notes_at_once_one_is_news_and_the_latest_stays,
    notes_beside_the_agents_deletion_do_not_fail,
    a_network_is_known_since_the_last_token_from_it,
    a_network_is_known_by_active_agents_of_the_proven_address_only,
}

const NETWORK: &str = "2001:db8:1::/48";

fn touch(lab: &Lab<'_>, agent: AgentId, network: &str, at: Instant, since: Instant) -> bool {
    lab.statement(|uow| uow.agent_networks().touch(agent, network, at, since))
}

fn known(lab: &Lab<'_>, address: &str, since: Instant) -> bool {
    lab.read(|uow| uow.agent_networks().is_known(address, NETWORK, since))
}

/// To the microsecond; whenever the token itself was issued.
pub fn a_network_is_news_unless_noted_since(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    for (now, since, news) in [
        (at(100), at(0), true),
        (at(101), at(0), false),
        (at(101), at(101), false),
        (at(102), at(101) + TICK, true),
        (at(102), at(102), false),
        (at(150), at(999), true),
        (at(151), at(150), false),
        // A clock that goes behind tells its own news.
        (at(90), at(150), false),
        (at(90), at(151) + TICK, true),
    ] {
        assert_eq!(touch(&lab, agent, NETWORK, now, since), news, "{now} {since}");
    }
}

/// Another agent and another network are news of their own.
pub fn a_network_is_noted_for_one_agent_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent().id, lab.agent().id);
    for news in [true, false] {
        assert_eq!(touch(&lab, agent, NETWORK, at(1), at(0)), news);
        assert_eq!(touch(&lab, other, NETWORK, at(1), at(0)), news);
        assert_eq!(touch(&lab, agent, "192.0.2.0/24", at(1), at(0)), news);
    }
}

/// As happens when clocks of two instances differ, be it news or not.
pub fn a_late_note_of_an_earlier_token_forgets_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let agent = lab.agent_at(&address).id;
    for (now, since) in [(at(10), at(0)), (at(5), at(0)), (at(5), at(11))] {
        touch(&lab, agent, NETWORK, now, since);
        assert!(known(&lab, &address, at(10)));
        assert!(!known(&lab, &address, at(10) + TICK));
    }
}

/// As a statement of its own, and in a transaction, which goes on.
pub fn a_network_of_no_agent_is_neither_error_nor_news(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (gone, other) = (lab.agent().id, lab.agent().id);
    assert!(touch(&lab, gone, NETWORK, at(1), at(0)));
    lab.write(|uow| uow.agents().delete(gone));
    for agent in [gone, lab.agent_id()] {
        assert!(!touch(&lab, agent, NETWORK, at(2), at(2)));
        let (theirs, others) = lab.write(|uow| {
            let theirs = uow.agent_networks().touch(agent, NETWORK, at(2), at(2))?;
            Ok((theirs, uow.agent_networks().touch(other, NETWORK, at(2), at(2))?))
        });
        assert_eq!((theirs, others), (false, agent == gone));
    }
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_notes_at_once_one_is_news_and_the_latest_stays(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let address = lab.address();
        let agent = lab.agent_at(&address).id;
        for start in [0, 1000] {
            let news = in_parallel(|index| {
                let now = at(start + i64::try_from(index).unwrap());
                let touch = |uow: &mut dyn UnitOfWork| {
                    uow.agent_networks().touch(agent, NETWORK, now, at(start))
                };
                if alone { lab.statement(touch) } else { lab.write(touch) }
            });
            assert_eq!(news.into_iter().filter(|news| *news).count(), 1);
            let latest = at(start + i64::try_from(THREADS).unwrap() - 1);
            assert!(known(&lab, &address, latest));
            assert!(!known(&lab, &address, latest + TICK));
        }
    }
}

/// They are made before it, or not at all.
pub fn notes_beside_the_agents_deletion_do_not_fail(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for _ in 0..4 {
        let address = lab.address();
        let agent = lab.agent_at(&address).id;
        in_parallel(|index| {
            if index == THREADS / 2 {
                assert!(lab.write(|uow| uow.agents().delete(agent)));
            } else {
                touch(&lab, agent, &format!("network {index}"), at(1), at(0));
            }
        });
        assert_eq!(lab.find_agent(agent), None);
        assert!(!touch(&lab, agent, NETWORK, at(2), at(2)));
    }
}

/// To the microsecond, and no other network is.
pub fn a_network_is_known_since_the_last_token_from_it(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let agent = lab.agent_at(&address).id;
    assert!(!known(&lab, &address, at(-1000)));
    for now in [at(0) + TICK, at(60) + TICK] {
        touch(&lab, agent, NETWORK, now, at(0));
        assert!(known(&lab, &address, now - TICK));
        assert!(known(&lab, &address, now));
        assert!(!known(&lab, &address, now + TICK));
    }
    let other = lab.read(|uow| uow.agent_networks().is_known(&address, "192.0.2.0/24", at(0)));
    assert!(!other);
}

/// Of any one of them; not of suspended ones, nor of those for which it is still to be proven.
pub fn a_network_is_known_by_active_agents_of_the_proven_address_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let first = lab.agent_at(&address);
    let pending_email = Some(email(&address));
    let pending = lab.add_agent(Agent { pending_email, ..lab.new_agent() });
    let elsewhere = lab.agent_at(&lab.address());
    for agent in [pending.id, elsewhere.id] {
        assert!(touch(&lab, agent, NETWORK, at(1), at(0)));
        assert!(!known(&lab, &address, at(0)));
    }
    assert!(touch(&lab, first.id, NETWORK, at(1), at(0)));
    assert!(known(&lab, &address, at(0)));
    let suspended = Agent { status: AgentStatus::Suspended, ..first.clone() };
    assert!(lab.write(|uow| uow.agents().update(&suspended)));
    assert!(!known(&lab, &address, at(0)));
    let second = lab.agent_at(&address).id;
    assert!(touch(&lab, second, NETWORK, at(1), at(0)));
    assert!(known(&lab, &address, at(0)));
    assert!(!known(&lab, &address.to_uppercase(), at(0)));
}
