//! Cases of [`ApiKeyRepository`](crate::ApiKeyRepository).

use portcullis_credentials::{AllowedNetworks, ApiKey, KeyName};
use portcullis_kernel::{AgentId, ApiKeyId, Instant, Place, Scopes, StoreError, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at, check_slices, in_parallel, seven_places},
};
use crate::{Storage, StorageExt, UnitOfWork};

case_list! {
    a_key_comes_back_as_it_was_stored,
    a_key_of_no_agent_is_refused,
    a_taken_id_or_digest_of_a_key_is_a_conflict,
    live_keys_of_an_agent_are_counted,
    live_keys_of_agents_are_listed_newest_first,
    keys_of_an_agent_are_listed_newest_first,
    a_live_key_of_the_agent_is_revoked_once,
    of_many_callers_one_revokes_a_key,
    every_live_key_of_an_agent_is_revoked,
    a_replaced_key_ends_when_told_to_or_sooner,
    a_key_that_is_dead_replaced_or_anothers_is_not_replaced,
    of_many_callers_one_replaces_a_key,
    of_a_revocation_and_a_replacement_both_are_noted_or_the_first,
    the_latest_use_of_a_key_is_noted,
}

/// A key that was used, replaced and revoked.
fn full(lab: &Lab<'_>) -> ApiKey {
    let networks = ["192.0.2.0/24", "2001:db8::/48", "203.0.113.7"].map(str::to_owned);
    ApiKey {
        name: KeyName::parse("Zoë’s 🦀 % _ ' \\").unwrap(),
        hint: "vj_live_abcd".into(),
        scopes: "a:b c:d e".parse().unwrap(),
        networks: AllowedNetworks::parse(&networks).unwrap(),
        rate_limit: Some(u32::MAX),
        created_at: at(0) + TICK,
        expires_at: Some(at(60) - TICK),
        last_used_at: Some(at(1) + TICK),
        revoked_at: Some(at(2) + TICK * 999_999),
        replaced_by: Some(lab.key_id()),
        ..lab.new_api_key(lab.agent().id)
    }
}

/// Every field, times to the microsecond, scopes in their order.
pub fn a_key_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let longest = KeyName::parse(&"🦀".repeat(100)).unwrap();
    let named = ApiKey { name: longest, rate_limit: Some(0), ..full(&lab) };
    let without_scopes = ApiKey { scopes: Scopes::default(), ..full(&lab) };
    for key in [full(&lab), named, without_scopes, lab.new_api_key(lab.agent().id)] {
        assert_eq!(lab.find_api_key(key.id), None);
        let key = lab.add_api_key(key);
        assert_eq!(lab.find_api_key(key.id), Some(key));
    }
}

/// Nothing is left of an agent that another transaction has deleted.
pub fn a_key_of_no_agent_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = lab.new_api_key(lab.agent_id());
    assert!(storage.transact(|uow| uow.api_keys().insert(&key)).is_err());
    assert_eq!(lab.find_api_key(key.id), None);
}

/// `Conflict(Other)`.
pub fn a_taken_id_or_digest_of_a_key_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent().id, lab.agent().id);
    let key = lab.api_key(agent);
    let by_id = ApiKey { id: key.id, ..lab.new_api_key(other) };
    let by_digest = ApiKey { digest: key.digest, ..lab.new_api_key(other) };
    for rival in [by_id, by_digest] {
        let refused = storage.transact(|uow| uow.api_keys().insert(&rival));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    assert_eq!(lab.find_api_key(key.id), Some(key));
}

/// Four keys: one that lives for ever, one that lives at `at(1)`, one that has just died then, one
/// that was revoked.
fn four(lab: &Lab<'_>) -> [ApiKey; 4] {
    let agent = lab.agent().id;
    let ends = |end: Instant| ApiKey { expires_at: Some(end), ..lab.new_api_key(agent) };
    let revoked = ApiKey { revoked_at: Some(at(0)), ..lab.new_api_key(agent) };
    let keys = [lab.new_api_key(agent), ends(at(1) + TICK), ends(at(1)), revoked];
    keys.map(|key| lab.add_api_key(key))
}

/// Neither revoked ones, nor those that have just died, nor another's.
pub fn live_keys_of_an_agent_are_counted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let [agent, other] = [four(&lab), four(&lab)].map(|keys| keys[0].agent);
    lab.api_key(other);
    let count = |agent, now| lab.read(|uow| uow.api_keys().count_live(agent, now));
    assert_eq!([count(agent, at(1) - TICK), count(agent, at(1)), count(other, at(1))], [3, 2, 3]);
    assert_eq!(count(agent, at(9)), 1);
    assert_eq!(count(lab.agent_id(), at(0)), 0);
}

/// Of all the agents together; those of one time by their ids, backwards.
pub fn live_keys_of_agents_are_listed_newest_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let [one, other] = [four(&lab), four(&lab)];
    lab.api_key(lab.agent().id);
    let newer = ApiKey { created_at: at(1), ..lab.new_api_key(one[0].agent) };
    let newer = lab.add_api_key(newer);
    let list = |agents: &[AgentId], now| {
        let keys = lab.read(|uow| uow.api_keys().list_live(agents, now));
        keys.into_iter().map(|key| key.id).collect::<Vec<_>>()
    };
    let (first, second) = (one[0].agent, other[0].agent);
    let newest_first = |mut ids: Vec<ApiKeyId>| {
        ids.sort_by(|a, b| b.cmp(a));
        ids
    };
    let live = newest_first(vec![one[0].id, one[1].id]);
    assert_eq!(list(&[first], at(1)), [vec![newer.id], live].concat());
    let all = newest_first(vec![one[0].id, one[1].id, other[0].id, other[1].id]);
    assert_eq!(list(&[first, second], at(1)), [vec![newer.id], all].concat());
    assert_eq!(list(&[second], at(9)), [other[0].id]);
    assert_eq!(list(&[], at(1)), []);
    assert_eq!(list(&[lab.agent_id()], at(1)), []);
    let listed = lab.read(|uow| uow.api_keys().list_live(&[second], at(9)));
    assert_eq!(listed, [other[0].clone()]);
}

/// Dead ones too; those of one time by their ids, backwards.
pub fn keys_of_an_agent_are_listed_newest_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent().id, lab.agent().id);
    let places = seven_places(|| lab.key_id());
    lab.api_key(other);
    for index in [3, 0, 6, 2, 5, 1, 4] {
        let Place { at: created_at, id } = places[index];
        let revoked_at = (index == 2).then_some(created_at);
        lab.add_api_key(ApiKey { id, created_at, revoked_at, ..lab.new_api_key(agent) });
    }
    let list = |slice: &_| lab.read(|uow| uow.api_keys().list(agent, slice));
    check_slices(&places, list, |key| Place { at: key.created_at, id: key.id });
}

/// Not a dead one, nor another agent's; and nothing else of it changes.
pub fn a_live_key_of_the_agent_is_revoked_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let other = lab.agent().id;
    let [mut key, lasting, dead, revoked] = four(&lab);
    let revoke =
        |key: &ApiKey, agent, now| lab.statement(|uow| uow.api_keys().revoke(key.id, agent, now));
    assert!(!revoke(&key, other, at(1)));
    assert_eq!(lab.find_api_key(key.id).as_ref(), Some(&key));
    assert!(revoke(&key, key.agent, at(1) + TICK));
    assert!(!revoke(&key, key.agent, at(2)));
    key.revoked_at = Some(at(1) + TICK);
    for key in [dead, revoked] {
        assert!(!revoke(&key, key.agent, at(1)));
        assert_eq!(lab.find_api_key(key.id), Some(key));
    }
    assert_eq!(lab.find_api_key(key.id), Some(key));
    assert!(revoke(&lasting, lasting.agent, at(1)), "until its end it lives");
    assert!(!revoke(&lab.new_api_key(other), other, at(1)), "there is no such key");
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_callers_one_revokes_a_key(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let key = lab.api_key(lab.agent().id);
        let done = in_parallel(|index| {
            let now = at(i64::try_from(index).unwrap());
            let revoke = |uow: &mut dyn UnitOfWork| uow.api_keys().revoke(key.id, key.agent, now);
            let first = if alone { lab.statement(revoke) } else { lab.write(revoke) };
            first.then_some(now)
        });
        let first: Vec<_> = done.into_iter().flatten().collect();
        let revoked_at = lab.find_api_key(key.id).unwrap().revoked_at;
        assert_eq!(first, revoked_at.into_iter().collect::<Vec<_>>());
    }
}

/// And nothing happens to dead ones and those of another.
pub fn every_live_key_of_an_agent_is_revoked(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let [mut first, mut second, dead, revoked] = four(&lab);
    let foreign = lab.api_key(lab.agent().id);
    let now = at(1);
    let revoke = || lab.statement(|uow| uow.api_keys().revoke_all(first.agent, now));
    assert_eq!([revoke(), revoke()], [2, 0]);
    (first.revoked_at, second.revoked_at) = (Some(now), Some(now));
    for key in [first, second, dead, revoked, foreign] {
        assert_eq!(lab.find_api_key(key.id), Some(key));
    }
}

/// Nothing else of it changes.
pub fn a_replaced_key_ends_when_told_to_or_sooner(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    for (end, told, ends) in [
        (None, at(9) + TICK, at(9) + TICK),
        (None, at(1), at(1)),
        (Some(at(20)), at(9), at(9)),
        (Some(at(5)), at(9), at(5)),
        (Some(at(9)), at(9), at(9)),
    ] {
        let mut key = lab.add_api_key(ApiKey { expires_at: end, ..lab.new_api_key(agent) });
        let successor = lab.key_id();
        assert!(
            lab.statement(|uow| { uow.api_keys().replace(key.id, agent, successor, told, at(1)) })
        );
        (key.replaced_by, key.expires_at) = (Some(successor), Some(ends));
        assert_eq!(lab.find_api_key(key.id), Some(key));
    }
}

/// And stays as it is.
pub fn a_key_that_is_dead_replaced_or_anothers_is_not_replaced(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let other = lab.agent().id;
    let [key, lasting, dead, revoked] = four(&lab);
    let replace = |key: &ApiKey, agent, successor| {
        lab.statement(|uow| uow.api_keys().replace(key.id, agent, successor, at(9), at(1)))
    };
    assert!(!replace(&key, other, lab.key_id()));
    assert_eq!(lab.find_api_key(key.id), Some(key));
    for key in [dead, revoked] {
        assert!(!replace(&key, key.agent, lab.key_id()));
        assert_eq!(lab.find_api_key(key.id), Some(key));
    }
    assert!(replace(&lasting, lasting.agent, lab.key_id()));
    let once = lab.find_api_key(lasting.id);
    assert!(!replace(&lasting, lasting.agent, lab.key_id()));
    assert_eq!(lab.find_api_key(lasting.id), once);
    assert!(!replace(&lab.new_api_key(other), other, lab.key_id()), "there is no such key");
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_callers_one_replaces_a_key(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let key = lab.api_key(lab.agent().id);
        let done = in_parallel(|_| {
            let successor = lab.key_id();
            let replace = |uow: &mut dyn UnitOfWork| {
                uow.api_keys().replace(key.id, key.agent, successor, at(9), at(1))
            };
            let first = if alone { lab.statement(replace) } else { lab.write(replace) };
            first.then_some(successor)
        });
        let first: Vec<_> = done.into_iter().flatten().collect();
        let replaced_by = lab.find_api_key(key.id).unwrap().replaced_by;
        assert_eq!(first, replaced_by.into_iter().collect::<Vec<_>>());
    }
}

/// A revoked key is never replaced; a replaced one that still lives can be revoked.
pub fn of_a_revocation_and_a_replacement_both_are_noted_or_the_first(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let key = lab.api_key(lab.agent().id);
    let successor = lab.key_id();
    let done = in_parallel(|index| {
        lab.statement(|uow| match index % 2 {
            0 => uow.api_keys().revoke(key.id, key.agent, at(1)),
            _ => uow.api_keys().replace(key.id, key.agent, successor, at(9), at(1)),
        })
    });
    let replaced = done.iter().skip(1).step_by(2).filter(|done| **done).count();
    assert_eq!(done.iter().step_by(2).filter(|done| **done).count(), 1);
    assert!(replaced <= 1);
    let found = lab.find_api_key(key.id).unwrap();
    assert_eq!(found.revoked_at, Some(at(1)));
    assert_eq!(found.replaced_by.is_some(), replaced == 1);
}

/// To the microsecond, whoever comes last; for a key that is there.
pub fn the_latest_use_of_a_key_is_noted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent().id;
    let (mut key, other) = (lab.api_key(agent), lab.api_key(agent));
    let touch = |id, now| lab.statement(|uow| uow.api_keys().touch(id, now));
    for (now, latest) in [(at(5), at(5)), (at(5) - TICK, at(5)), (at(5) + TICK, at(5) + TICK)] {
        touch(key.id, now);
        key.last_used_at = Some(latest);
        assert_eq!(lab.find_api_key(key.id).as_ref(), Some(&key));
    }
    in_parallel(|index| touch(key.id, at(10 + i64::try_from(index).unwrap())));
    assert_eq!(lab.find_api_key(key.id).unwrap().last_used_at, Some(at(25)));
    touch(lab.key_id(), at(1));
    assert_eq!(lab.find_api_key(other.id), Some(other));
}
