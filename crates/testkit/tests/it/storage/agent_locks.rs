//! What one instance on PostgreSQL holds of agents, and what others do about it meanwhile.

use std::thread;

use portcullis_credentials::Tried;
use portcullis_identity::{Agent, AgentStatus};
use portcullis_kernel::{RecoveryId, StoreResult};
use portcullis_storage::{Storage, StorageExt, TxMode, UnitOfWork};

use super::{
    agent_rows::{
        address_of, new_agent, new_agent_token, new_api_key, new_code, new_recovery, new_spent,
    },
    lab::{PostgresLab, at},
    locks::{impatient, patient, put_one_beside_the_other, until_one_waits, wait_for},
};

type Lock<'l> = &'l dyn Fn(&mut dyn UnitOfWork, RecoveryId) -> StoreResult<bool>;

#[test]
fn a_locked_agent_is_changed_and_given_keys_by_nobody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (lab.storage(), new_agent());
    storage.transact(|uow| uow.agents().insert(&agent)).unwrap();
    let (key, token) = (new_api_key(agent.id), new_agent_token(agent.id));
    let request = new_recovery(address_of(&agent));
    storage.transact(|uow| uow.recoveries().open(&request)).unwrap();
    let code = new_code(request.id, agent.id);
    let suspended = Agent { status: AgentStatus::Suspended, ..agent.clone() };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert_eq!(unit.agents().lock(agent.id).unwrap().as_ref(), Some(&agent));
    wait_for(
        unit,
        &impatient(&lab),
        &[
            &|uow| Ok(uow.agents().lock(agent.id)?.is_some()),
            &|uow| uow.api_keys().insert(&key).map(|()| true),
            &|uow| uow.agent_tokens().put(&token).map(|()| true),
            &|uow| uow.recoveries().add_code(&code).map(|()| true),
            &|uow| uow.agent_networks().touch(agent.id, "n", at(0), at(0)),
            &|uow| uow.agents().update(&suspended),
            &|uow| uow.agents().delete(agent.id),
        ],
    );
}

/// What every request with a token asks waits for nobody.
#[test]
fn a_locked_agent_is_read_at_once() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (lab.storage(), new_agent());
    let (key, spent) = (new_api_key(agent.id), new_spent(agent.id));
    storage
        .transact(|uow| {
            uow.agents().insert(&agent)?;
            uow.api_keys().insert(&key)
        })
        .unwrap();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    unit.agents().lock(agent.id).unwrap();
    assert!(unit.api_keys().revoke(key.id, agent.id, at(1)).unwrap());
    assert!(unit.spent_tokens().spend(&spent).unwrap());
    let other = impatient(&lab);
    let found = other.read(|uow| uow.agent_access().find_token(key.id, spent.id)).unwrap();
    let (holder, is_spent) = found.unwrap();
    assert_eq!((holder.agent, holder.key, is_spent), (agent.clone(), key.clone(), false));
    unit.commit().unwrap();
    let found = other.read(|uow| uow.agent_access().find_token(key.id, spent.id)).unwrap();
    let (holder, is_spent) = found.unwrap();
    assert_eq!((holder.key.revoked_at, is_spent), (Some(at(1)), true));
}

#[test]
fn a_locked_request_is_tried_and_closed_by_nobody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    let by_id: Lock<'_> = &|uow, id| Ok(uow.recoveries().lock_open(id, at(1))?.is_some());
    let by_address: Lock<'_> =
        &|uow, _| Ok(!uow.recoveries().lock_all("jane@example.com", at(1))?.is_empty());
    for lock in [by_id, by_address] {
        let request = new_recovery("jane@example.com");
        storage.transact(|uow| uow.recoveries().open(&request)).unwrap();
        let newer = new_recovery("jane@example.com");
        let mut unit = storage.begin(TxMode::Write).unwrap();
        assert!(lock(unit.as_mut(), request.id).unwrap());
        wait_for(
            unit,
            &impatient(&lab),
            &[
                &|uow| by_id(uow, request.id),
                &|uow| by_address(uow, request.id),
                &|uow| uow.recoveries().take_try(request.id, Tried::ByOther, 3),
                &|uow| uow.recoveries().open(&newer).map(|()| true),
            ],
        );
    }
}

#[test]
fn of_two_tokens_or_requests_beside_each_other_the_second_is_tried_again_and_stays() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (patient(&lab), new_agent());
    storage.transact(|uow| uow.agents().insert(&agent)).unwrap();
    let tokens = [0, 1].map(|_| new_agent_token(agent.id));
    put_one_beside_the_other(&lab, &storage, |uow, index| uow.agent_tokens().put(&tokens[index]));
    let requests = [0, 1].map(|_| new_recovery(address_of(&agent)));
    put_one_beside_the_other(&lab, &storage, |uow, index| uow.recoveries().open(&requests[index]));
    for index in 0..2 {
        let (token, request) = (&tokens[index], &requests[index]);
        let found = storage.read(|uow| uow.agent_tokens().find(&token.digest, at(0)));
        assert_eq!(found.unwrap().is_some(), index == 1);
        let found = storage.read(|uow| uow.recoveries().find_open(request.id, at(0)));
        assert_eq!(found.unwrap().is_some(), index == 1);
    }
}

/// Its foreign key would refuse it otherwise.
#[test]
fn a_note_that_waits_for_the_agents_deletion_is_no_error() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (patient(&lab), new_agent());
    storage.transact(|uow| uow.agents().insert(&agent)).unwrap();
    let touch = || {
        storage.statement(|uow| uow.agent_networks().touch(agent.id, "n", at(0), at(0))).unwrap()
    };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert!(unit.agents().delete(agent.id).unwrap());
    let news = thread::scope(|scope| {
        let late = scope.spawn(touch);
        until_one_waits(&lab);
        unit.commit().unwrap();
        late.join().unwrap()
    });
    assert!(!news);
}

/// Of two that note a network at once the second sees what the first one noted.
#[test]
fn a_note_that_waits_for_another_one_is_no_news_and_keeps_the_later_time() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (patient(&lab), new_agent());
    storage.transact(|uow| uow.agents().insert(&agent)).unwrap();
    let touch = |uow: &mut dyn UnitOfWork, second| {
        uow.agent_networks().touch(agent.id, "n", at(second), at(0))
    };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert!(touch(unit.as_mut(), 1).unwrap());
    let news = thread::scope(|scope| {
        let late = scope.spawn(|| storage.statement(|uow| touch(uow, 2)).unwrap());
        until_one_waits(&lab);
        unit.commit().unwrap();
        late.join().unwrap()
    });
    assert!(!news);
    let known = |second| {
        storage.read(|uow| uow.agent_networks().is_known(address_of(&agent), "n", at(second)))
    };
    assert!(known(2).unwrap() && !known(3).unwrap());
}
