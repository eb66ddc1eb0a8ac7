//! Cases of [`AgentRepository`](crate::AgentRepository): lists.

use portcullis_identity::{Agent, AgentFilter, AgentName, AgentStatus, ProvenEmail, Visibility};
use portcullis_kernel::{AgentId, Instant, Place, Slice};

use super::{
    case_list,
    lab::{Lab, TICK, at, check_slices, email, seven_places},
};
use crate::Storage;

case_list! {
    agents_are_listed_newest_first,
    a_slice_goes_on_after_an_agent_that_is_gone,
    the_name_filter_is_literal_text_in_any_case,
    the_address_filter_sees_proven_and_pending_ones,
    filters_of_agents_combine,
    active_agents_with_a_public_profile_are_listed_newest_first,
    the_newest_active_agents_of_a_proven_address_are_listed,
    the_newest_active_agents_of_a_pending_address_are_listed,
    agents_of_a_user_are_listed_by_their_ids,
}

fn place(agent: &Agent) -> Place<AgentId> {
    Place { at: agent.created_at, id: agent.id }
}

fn named(lab: &Lab<'_>, name: &str) -> Agent {
    Agent { name: AgentName::parse(name).unwrap(), ..lab.new_agent() }
}

fn of_name(tag: &str) -> AgentFilter {
    AgentFilter { name_contains: Some(tag.to_owned()), ..AgentFilter::default() }
}

fn list(lab: &Lab<'_>, filter: &AgentFilter) -> Vec<AgentId> {
    let page = lab.read(|uow| uow.agents().list(filter, &Slice::first(100)));
    page.items.into_iter().map(|agent| agent.id).collect()
}

/// Seven, stored in another order than they are listed in.
fn seven(lab: &Lab<'_>, change: impl Fn(Agent) -> Agent) -> Vec<Place<AgentId>> {
    let places = seven_places(|| lab.agent_id());
    for index in [3, 0, 6, 2, 5, 1, 4] {
        let Place { at, id } = places[index];
        lab.add_agent(change(Agent { id, created_at: at, ..lab.new_agent() }));
    }
    places
}

/// Those of one time by their ids, backwards.
pub fn agents_are_listed_newest_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let name = AgentName::parse(&lab.tag()).unwrap();
    let filter = of_name(name.as_str());
    let places = seven(&lab, |agent| Agent { name: name.clone(), ..agent });
    check_slices(&places, |slice| lab.read(|uow| uow.agents().list(&filter, slice)), place);
}

/// A place is none of a row.
pub fn a_slice_goes_on_after_an_agent_that_is_gone(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let name = AgentName::parse(&lab.tag()).unwrap();
    let filter = of_name(name.as_str());
    let places = seven(&lab, |agent| Agent { name: name.clone(), ..agent });
    assert!(lab.write(|uow| uow.agents().delete(places[2].id)));
    let slice = Slice { after: Some(places[2]), limit: 2 };
    let page = lab.read(|uow| uow.agents().list(&filter, &slice));
    assert_eq!(page.items.iter().map(place).collect::<Vec<_>>(), places[3..5]);
}

/// No wildcards; names have letters of ASCII only.
pub fn the_name_filter_is_literal_text_in_any_case(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let tag = lab.tag();
    let [upper, lower, other] = ["X-Bot-Y", "z-bot", "bat"].map(|name| {
        let name = format!("{name}-{tag}");
        lab.add_agent(named(&lab, &name)).id
    });
    let mut found = list(&lab, &of_name(&format!("BOT-{}", tag.to_uppercase())));
    assert_eq!(found, [lower]);
    found = list(&lab, &of_name(&format!("x-bOt-y-{tag}")));
    assert_eq!(found, [upper]);
    assert_eq!(list(&lab, &of_name(&format!("bat-{tag}"))), [other]);
    for nothing in ["b_t", "b%t", "%", "b?t", "b[oa]t", "\\bot", "'"] {
        assert_eq!(list(&lab, &of_name(&format!("{nothing}-{tag}"))), [], "{nothing}");
    }
}

/// In their canonical form, literally.
pub fn the_address_filter_sees_proven_and_pending_ones(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let tag = lab.tag();
    let address = |local: &str| email(&format!("{local}.{tag}@example.com"));
    let proven = |local| Some(ProvenEmail { address: address(local), at: at(0) });
    let new = || lab.new_agent();
    let agents = [
        Agent { email: proven("A_b"), ..new() },
        Agent { pending_email: Some(address("a_b")), ..new() },
        Agent { email: proven("axb"), pending_email: Some(address("a%b")), ..new() },
        new(),
    ];
    let ids = agents.map(|agent| lab.add_agent(agent).id);
    let matching = |text: String| {
        let found =
            list(&lab, &AgentFilter { email_contains: Some(text), ..AgentFilter::default() });
        ids.map(|id| found.contains(&id))
    };
    assert_eq!(matching(tag.clone()), [true, true, true, false]);
    assert_eq!(matching(format!("a_b.{tag}")), [true, true, false, false]);
    assert_eq!(matching(format!("axb.{tag}")), [false, false, true, false]);
    assert_eq!(matching(format!("a%b.{tag}")), [false, false, true, false]);
    for nothing in ["%", "A_b", "a\\_b", "'"] {
        assert_eq!(matching(format!("{nothing}.{tag}")), [false; 4], "{nothing}");
    }
}

/// Each can be left out.
pub fn filters_of_agents_combine(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let tag = lab.tag();
    let (user, other) = (lab.user().id, lab.user().id);
    let (active, suspended) = (AgentStatus::Active, AgentStatus::Suspended);
    for (index, status, owner) in [
        (1, active, Some(user)),
        (2, suspended, Some(user)),
        (3, active, Some(other)),
        (4, active, None),
    ] {
        let email = Some(email(&format!("{index}@{tag}.example")));
        let agent = named(&lab, &format!("{tag}-{index}"));
        lab.add_agent(Agent { status, owner, pending_email: email, ..agent });
    }
    for (status, owner, email, count) in [
        (None, None, "", 4),
        (Some(active), None, "", 3),
        (None, Some(user), "", 2),
        (Some(suspended), Some(user), "", 1),
        (Some(suspended), Some(other), "", 0),
        (Some(active), Some(user), "1@", 1),
        (Some(active), Some(user), "2@", 0),
        (None, Some(lab.user_id()), "", 0),
    ] {
        let email_contains = Some(email.to_owned()).filter(|email| !email.is_empty());
        let filter = AgentFilter { status, owner, email_contains, ..of_name(&tag) };
        assert_eq!(list(&lab, &filter).len(), count, "{filter:?}");
    }
}

/// And no others: neither private nor suspended ones.
pub fn active_agents_with_a_public_profile_are_listed_newest_first(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let public = |slice: &Slice<AgentId>| lab.read(|uow| uow.agents().list_public(slice));
    for old in public(&Slice::first(u32::MAX)).items {
        assert!(lab.write(|uow| uow.agents().delete(old.id)));
    }
    let visible = |mut agent: Agent| {
        agent.profile.visibility = Visibility::Public;
        agent
    };
    lab.agent();
    lab.add_agent(Agent { status: AgentStatus::Suspended, ..visible(lab.new_agent()) });
    assert_eq!(public(&Slice::first(9)).items, []);
    let places = seven(&lab, visible);
    check_slices(&places, public, place);
    let mut hidden = lab.find_agent(places[0].id).unwrap();
    hidden.profile.visibility = Visibility::Private;
    assert!(lab.write(|uow| uow.agents().update(&hidden)));
    let shown: Vec<_> = public(&Slice::first(9)).items.iter().map(place).collect();
    assert_eq!(shown, places[1..]);
}

/// Not more than asked for, and neither suspended ones nor those of which it is still to be proven.
pub fn the_newest_active_agents_of_a_proven_address_are_listed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let proven = Some(ProvenEmail { address: email(&address), at: at(0) });
    let of = |created_at: Instant| Agent { email: proven.clone(), created_at, ..lab.new_agent() };
    let [old, new, middle] = [at(1), at(2) + TICK, at(2)].map(|at| lab.add_agent(of(at)));
    lab.add_agent(Agent { status: AgentStatus::Suspended, ..of(at(9)) });
    lab.add_agent(Agent { pending_email: Some(email(&address)), ..lab.new_agent() });
    lab.agent_at(&lab.address());
    let list = |limit| lab.read(|uow| uow.agents().list_proven(&address, limit));
    assert_eq!(list(9), [new.clone(), middle.clone(), old]);
    assert_eq!(list(2), [new, middle]);
    assert_eq!(lab.read(|uow| uow.agents().list_proven(&lab.address(), 9)), []);
    assert_eq!(lab.read(|uow| uow.agents().list_proven(&address.to_uppercase(), 9)), []);
}

/// The same; those that proved another one are among them.
pub fn the_newest_active_agents_of_a_pending_address_are_listed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let pending_email = Some(email(&address));
    let proven = Some(ProvenEmail { address: email(&lab.address()), at: at(0) });
    let of = |created_at: Instant| {
        let pending_email = pending_email.clone();
        Agent { pending_email, created_at, ..lab.new_agent() }
    };
    let [old, new] = [at(1), at(2)].map(|at| lab.add_agent(of(at)));
    let changing = lab.add_agent(Agent { email: proven, ..of(at(1) + TICK) });
    lab.add_agent(Agent { status: AgentStatus::Suspended, ..of(at(9)) });
    lab.agent_at(&address);
    let list = |limit| lab.read(|uow| uow.agents().list_pending(&address, limit));
    assert_eq!(list(9), [new.clone(), changing.clone(), old]);
    assert_eq!(list(2), [new, changing]);
}

/// Whatever their state.
pub fn agents_of_a_user_are_listed_by_their_ids(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let of = |owner| Agent { owner: Some(owner), ..lab.new_agent() };
    let suspended = Agent { status: AgentStatus::Suspended, ..of(user) };
    let mut own = [of(user), suspended, of(user)].map(|agent| lab.add_agent(agent));
    lab.add_agent(of(other));
    lab.agent();
    own.sort_by_key(|agent| agent.id);
    assert_eq!(lab.read(|uow| uow.agents().list_owned(user)), own);
    assert_eq!(lab.read(|uow| uow.agents().list_owned(lab.user_id())), []);
}
