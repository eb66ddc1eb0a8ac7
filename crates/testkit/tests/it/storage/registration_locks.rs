//! What one instance on PostgreSQL holds of registrations, and what others do about it meanwhile.

use portcullis_kernel::{StoreResult, TokenDigest};
use portcullis_registration::{Decision, Registration};
use portcullis_storage::{Storage, StorageExt, TxMode, UnitOfWork};

use super::{
    agent_rows::{new_agent, new_attempt, new_registration},
    lab::{PostgresLab, at},
    locks::{impatient, wait_for},
};

type Lock<'l> = &'l dyn Fn(&mut dyn UnitOfWork, &Registration) -> StoreResult<bool>;

/// Whichever way it was locked.
#[test]
fn a_locked_registration_is_locked_decided_and_given_attempts_by_nobody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let storage = lab.storage();
    let by_claim: Lock<'_> = &|uow, it| Ok(uow.registrations().lock_by_claim(&it.claim)?.is_some());
    let by_view: Lock<'_> = &|uow, it| Ok(uow.registrations().lock_by_view(&it.view)?.is_some());
    for lock in [by_claim, by_view] {
        let agent = new_agent();
        let made = new_registration(agent.id);
        let (attempt, newer) = (new_attempt(made.id), new_attempt(made.id));
        storage
            .transact(|uow| {
                uow.agents().insert(&agent)?;
                uow.registrations().insert(&made)?;
                uow.registrations().put_attempt(&attempt)
            })
            .unwrap();
        let mut unit = storage.begin(TxMode::Write).unwrap();
        assert!(lock(unit.as_mut(), &made).unwrap());
        wait_for(
            unit,
            &impatient(&lab),
            &[
                &|uow| by_claim(uow, &made),
                &|uow| by_view(uow, &made),
                &|uow| Ok(uow.registrations().lock_by_attempt(attempt.id)?.is_some()),
                &|uow| uow.registrations().put_attempt(&newer).map(|()| true),
                &|uow| uow.registrations().decide(made.id, &Decision::Deny, at(1)),
                &|uow| uow.registrations().remove(made.id),
            ],
        );
    }
}

/// So does what is tried: a second one waits until it is known whether the first was right.
#[test]
fn a_try_is_held_until_its_transaction_ends() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (lab.storage(), new_agent());
    let made = new_registration(agent.id);
    let attempt = new_attempt(made.id);
    storage
        .transact(|uow| {
            uow.agents().insert(&agent)?;
            uow.registrations().insert(&made)?;
            uow.registrations().put_attempt(&attempt)
        })
        .unwrap();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert!(unit.registrations().take_try(attempt.id, 1).unwrap());
    // The one that is left when the first is given back.
    wait_for(unit, &impatient(&lab), &[&|uow| uow.registrations().take_try(attempt.id, 1)]);
}

/// A claim and its undoing hold the registration alike.
#[test]
fn a_claim_that_is_being_undone_is_undone_by_nobody_else() {
    let Some(lab) = PostgresLab::migrated() else { return };
    let (storage, agent) = (lab.storage(), new_agent());
    let (made, undo) = (new_registration(agent.id), TokenDigest::of("undo"));
    let decision = Decision::Claim { undo, undo_until: at(99) };
    storage
        .transact(|uow| {
            uow.agents().insert(&agent)?;
            uow.registrations().insert(&made)?;
            uow.registrations().decide(made.id, &decision, at(1))
        })
        .unwrap();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert!(unit.registrations().lock_by_undo(&undo, at(2)).unwrap().is_some());
    wait_for(
        unit,
        &impatient(&lab),
        &[&|uow| Ok(uow.registrations().lock_by_undo(&undo, at(2))?.is_some()), &|uow| {
            uow.registrations().forget_undo(made.id)
        }],
    );
}
