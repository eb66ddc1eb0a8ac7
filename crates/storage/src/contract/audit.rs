//! Cases of [`AuditRepository`](crate::AuditRepository).

use std::net::IpAddr;

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_kernel::{
    AgentId, Instant, Origin, Place, SessionId, Slice, StoreError, UniqueKey, UserId,
};

use super::{
    case_list,
    lab::{Lab, TICK, at, check_slices, seven_places},
};
use crate::{Storage, StorageExt};

case_list! {
    an_event_comes_back_as_it_was_stored,
    a_taken_event_id_is_a_conflict,
    the_newest_events_that_a_user_did_or_suffered_are_listed_first,
    addresses_are_erased_from_a_users_events_only,
    events_by_or_to_an_agent_are_listed_newest_first,
    addresses_are_erased_from_an_agents_events_only,
}

fn event(lab: &Lab<'_>, actor: Actor, now: Instant) -> AuditEvent {
    let origin = Origin::new("01JN2X4K8M3F7QPZRVWT6YBHCE", IpAddr::from([192, 0, 2, 1]), None);
    AuditEvent::new(Action::SignedIn, actor, &origin, now, &lab.entropy).unwrap()
}

fn list(lab: &Lab<'_>, user: UserId, limit: u32) -> Vec<AuditEvent> {
    lab.read(|uow| uow.audit().list_for(user, limit))
}

/// Every field, for every kind of actor, times to the microsecond.
pub fn an_event_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, admin) = (lab.user_id(), lab.user_id());
    let session = SessionId::generate(&lab.entropy).unwrap();
    let agent = Actor::Agent(lab.agent_id());
    let actors = [Actor::Anonymous, Actor::User(admin), agent, Actor::Operator, Actor::System];
    let mut stored = Vec::new();
    for (second, actor) in (0..).zip(actors) {
        let now = at(second) + TICK * 999_999;
        stored.push(event(&lab, actor, now).failed().about(user).in_session(session));
    }
    stored[0].client = Some("2001:db8::1".parse().unwrap());
    stored[1].client = None;
    stored[1].request_id = None;
    stored[1].session = None;
    stored[0].agent = Some(lab.agent_id());
    stored[2].key = Some(lab.key_id());
    stored[2].detail = Some("verified_user → ‘admin’ 🦀".into());
    let local = AuditEvent::new(
        Action::UserRegistered,
        Actor::User(user),
        &Origin::local(),
        at(9),
        &lab.entropy,
    );
    stored.push(local.unwrap());
    for event in &stored {
        lab.write(|uow| uow.audit().append(event));
    }
    stored.reverse();
    assert_eq!(list(&lab, user, 10), stored);
}

/// `Conflict(Other)`.
pub fn a_taken_event_id_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user_id();
    let first = event(&lab, Actor::User(user), at(0));
    lab.write(|uow| uow.audit().append(&first));
    let second = AuditEvent { id: first.id, ..event(&lab, Actor::User(user), at(1)) };
    let refused = storage.transact(|uow| uow.audit().append(&second));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(list(&lab, user, 10), [first]);
}

/// Each once, and others' not at all.
pub fn the_newest_events_that_a_user_did_or_suffered_are_listed_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user_id(), lab.user_id());
    let did = event(&lab, Actor::User(user), at(2)).about(other);
    let both = event(&lab, Actor::User(user), at(4));
    let suffered = event(&lab, Actor::Operator, at(1)).about(user);
    let late = event(&lab, Actor::Anonymous, at(3) + TICK).about(user);
    let foreign = event(&lab, Actor::User(other), at(5));
    let nobodys = event(&lab, Actor::System, at(6));
    for event in [&did, &both, &suffered, &late, &foreign, &nobodys] {
        lab.write(|uow| uow.audit().append(event));
    }
    let all = [both, late, did, suffered];
    assert_eq!(list(&lab, user, 10), all);
    assert_eq!(list(&lab, user, 4), all);
    assert_eq!(list(&lab, user, 2), all[..2]);
    assert!(list(&lab, lab.user_id(), 10).is_empty());
}

/// Those that the user did or suffered, and nothing else of them; a second time there are none.
pub fn addresses_are_erased_from_a_users_events_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user_id(), lab.user_id());
    let mut own = [
        event(&lab, Actor::Anonymous, at(2)).failed().about(user),
        event(&lab, Actor::User(user), at(1)),
        event(&lab, Actor::User(user), at(0)).about(other),
    ];
    let foreign = event(&lab, Actor::User(other), at(3));
    for event in own.iter().chain([&foreign]) {
        lab.write(|uow| uow.audit().append(event));
    }
    assert_eq!(lab.statement(|uow| uow.audit().pseudonymise(user)), 3);
    for event in &mut own {
        event.client = None;
    }
    assert_eq!(list(&lab, user, 10), own);
    assert!(list(&lab, other, 10).contains(&foreign));
    assert_eq!(lab.statement(|uow| uow.audit().pseudonymise(user)), 0);
}

fn list_for_agent(lab: &Lab<'_>, agent: AgentId) -> Vec<AuditEvent> {
    lab.read(|uow| uow.audit().list_for_agent(agent, &Slice::first(10))).items
}

/// Each once, whoever did it, and others' not at all; those of one time by their ids, backwards.
pub fn events_by_or_to_an_agent_are_listed_newest_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent_id(), lab.agent_id());
    let places = seven_places(|| event(&lab, Actor::System, at(0)).id);
    for index in [3, 0, 6, 2, 5, 1, 4] {
        let Place { at, id } = places[index];
        let actor = if index % 2 == 0 { Actor::Agent(agent) } else { Actor::Operator };
        let event = event(&lab, actor, at).about_agent(agent).with_key(lab.key_id());
        lab.write(|uow| uow.audit().append(&AuditEvent { id, ..event.clone() }));
    }
    for foreign in [event(&lab, Actor::Agent(other), at(9)), event(&lab, Actor::System, at(9))] {
        lab.write(|uow| uow.audit().append(&foreign));
    }
    let list = |slice: &_| lab.read(|uow| uow.audit().list_for_agent(agent, slice));
    check_slices(&places, list, |event| Place { at: event.at, id: event.id });
    assert_eq!(list_for_agent(&lab, other).len(), 1);
    assert_eq!(list_for_agent(&lab, lab.agent_id()), []);
}

/// Those by or to it, and nothing else of them; a second time there are none.
pub fn addresses_are_erased_from_an_agents_events_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other, user) = (lab.agent_id(), lab.agent_id(), lab.user_id());
    let mut own = [
        event(&lab, Actor::Agent(agent), at(2)),
        event(&lab, Actor::User(user), at(1)).about_agent(agent),
    ];
    let foreign = event(&lab, Actor::Agent(other), at(3));
    let users = event(&lab, Actor::User(user), at(4));
    for event in own.iter().chain([&foreign, &users]) {
        lab.write(|uow| uow.audit().append(event));
    }
    assert_eq!(lab.statement(|uow| uow.audit().pseudonymise_agent(agent)), 2);
    for event in &mut own {
        event.client = None;
    }
    assert_eq!(list_for_agent(&lab, agent), own);
    assert_eq!(list_for_agent(&lab, other), [foreign]);
    assert!(list(&lab, user, 10).contains(&users));
    assert_eq!(lab.statement(|uow| uow.audit().pseudonymise_agent(agent)), 0);
}
