//! Cases of [`CreditRepository`](crate::CreditRepository) about accounts that are merged or go.

use portcullis_credits::{AccountId, Addressee, Amount, Entry, Ledger, Posted, Posting};
use portcullis_identity::Agent;

use super::{
    case_list,
    lab::{Lab, THREADS, at, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    a_merge_adds_balance_and_ledger,
    a_merge_of_nothing_changes_nothing,
    a_charge_beside_a_merge_is_in_one_ledger,
    an_operation_outlives_a_merge,
    a_top_up_says_whom_it_named_after_a_merge_and_after_its_agent,
    credits_go_with_their_user,
    credits_go_with_their_agent,
    credits_of_an_unknown_user_or_agent_are_refused,
}

/// The one is then as if it never had any.
pub fn a_merge_adds_balance_and_ledger(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, user, other) = (lab.loner(), lab.rich(100), lab.rich(7));
    lab.post(&lab.grant_of(agent, 50));
    lab.post(&lab.charge_of(agent, 8));
    let before = lab.ledger(agent).entries;
    lab.write(|uow| uow.credits().merge(agent, user));
    assert_eq!(lab.ledger(agent), Ledger::default());
    assert_eq!((lab.sum(user), lab.sum(other)), (142, 7));
    let entries = lab.ledger(user).entries;
    assert_eq!(entries.len(), 3);
    for mut entry in before {
        entry.posting.account = user;
        assert!(entries.contains(&entry), "{entry:?}");
    }
    // To a user who had none; and what was merged can have credits again.
    let poor = AccountId::User(lab.user().id);
    assert_eq!(lab.post(&lab.grant_of(agent, 5)), Posted::Done(5));
    lab.write(|uow| uow.credits().merge(agent, poor));
    assert_eq!((lab.sum(agent), lab.sum(poor)), (0, 5));
}

/// Nor does one with itself.
pub fn a_merge_of_nothing_changes_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, user) = (lab.loner(), lab.rich(10));
    let before = lab.ledger(user);
    lab.write(|uow| uow.credits().merge(agent, user));
    lab.write(|uow| uow.credits().merge(user, user));
    assert_eq!(lab.ledger(user), before);
    assert_eq!(lab.ledger(agent), Ledger::default());
}

/// Whoever comes first: none is lost, and none is done twice.
pub fn a_charge_beside_a_merge_is_in_one_ledger(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agents: Vec<_> = (0..THREADS).map(|_| lab.loner()).collect();
    for agent in &agents {
        lab.post(&lab.grant_of(*agent, 10));
    }
    let user = AccountId::User(lab.user().id);
    let posted = in_parallel(|index| {
        // Half of the threads merge what the other half charges.
        let agent = agents[index / 2];
        if index % 2 == 0 {
            lab.write(|uow| uow.credits().merge(agent, user));
            return None;
        }
        Some(lab.post(&lab.charge_of(agent, 4)))
    });
    let mut sum = 0;
    for posted in posted.into_iter().flatten() {
        match posted {
            Posted::Done(balance) => {
                assert_eq!(balance, 6);
                sum += 6;
            }
            Posted::Refused => sum += 10,
            Posted::Recorded(entry) => panic!("{entry:?}"),
        }
    }
    assert_eq!(lab.sum(user), sum);
    for agent in agents.iter().take(THREADS / 2) {
        assert_eq!(lab.sum(*agent), 0);
    }
}

/// It is recorded as it was, for whom it is now.
pub fn an_operation_outlives_a_merge(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, user) = (lab.loner(), lab.rich(100));
    lab.post(&lab.grant_of(agent, 50));
    let charge = lab.charge_of(agent, 8);
    assert_eq!(lab.post(&charge), Posted::Done(42));
    lab.write(|uow| uow.credits().merge(agent, user));
    let entry = Entry { posting: charge.clone().to(user), balance: 42 };
    for account in [agent, user] {
        let again = Posting { id: lab.entry_id(), ..charge.clone() }.to(account);
        assert_eq!(lab.post(&again), Posted::Recorded(Box::new(entry.clone())));
    }
    assert_eq!(lab.sum(user), 142);
}

/// So that it is known again, though the credits are another's and the agent is gone.
pub fn a_top_up_says_whom_it_named_after_a_merge_and_after_its_agent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, user) = (lab.agent().id, lab.rich(100));
    let named = AccountId::Agent(agent);
    let amount = Amount::new(5).unwrap();
    let top_up = Posting::top_up(lab.entry_id(), named, amount, lab.operation(), at(2));
    // Once while it had its own ledger, and once to its owner's.
    let operation = Some(lab.operation());
    let later = Posting { id: lab.entry_id(), operation, ..top_up.clone() }.to(user);
    assert_eq!(lab.post(&top_up), Posted::Done(5));
    lab.write(|uow| uow.credits().merge(named, user));
    assert_eq!(lab.post(&later), Posted::Done(110));
    for _ in 0..2 {
        for (posting, balance) in [(&top_up, 5), (&later, 110)] {
            let entry = Entry { posting: posting.clone().to(user), balance };
            assert_eq!(entry.posting.addressee, Some(Addressee::of(named)));
            assert_eq!(lab.recorded(posting), Some(entry));
        }
        lab.write(|uow| uow.agents().delete(agent));
    }
    assert_eq!(lab.sum(user), 110);
}

/// No row is left that names them, nor in the way of others; other accounts stay.
pub fn credits_go_with_their_user(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user();
    let (account, other) = (AccountId::User(user.id), lab.rich(9));
    lab.post(&lab.grant_of(account, 10));
    let charge = lab.charge_of(account, 3);
    lab.post(&charge);
    // What belongs to an agent of the user is the user's; the agent's own account is another.
    let agent = lab.add_agent(Agent { owner: Some(user.id), ..lab.new_agent() });
    assert!(lab.write(|uow| uow.users().delete(user.id)));
    assert_eq!(lab.ledger(account), Ledger::default());
    assert_eq!(lab.recorded(&charge), None);
    let elsewhere = Posting { id: lab.entry_id(), ..charge }.to(other);
    assert_eq!(lab.post(&elsewhere), Posted::Done(6));
    assert_eq!(lab.post(&lab.grant_of(AccountId::Agent(agent.id), 1)), Posted::Done(1));
}

/// The same of an agent that belongs to nobody, and not of its former owner.
pub fn credits_go_with_their_agent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let gone = lab.agent().id;
    let (account, other) = (AccountId::Agent(gone), lab.rich(9));
    lab.post(&lab.grant_of(account, 10));
    let charge = lab.charge_of(account, 3);
    lab.post(&charge);
    assert!(lab.write(|uow| uow.agents().delete(gone)));
    assert_eq!(lab.ledger(account), Ledger::default());
    assert_eq!(lab.recorded(&charge), None);
    assert_eq!(lab.sum(other), 9);
}

/// Nothing is left of what another transaction has deleted.
pub fn credits_of_an_unknown_user_or_agent_are_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for account in [AccountId::User(lab.user_id()), AccountId::Agent(lab.agent_id())] {
        let grant = lab.grant_of(account, 1);
        assert!(storage.transact(|uow| uow.credits().post(&grant)).is_err());
        assert_eq!(lab.ledger(account), Ledger::default());
    }
}
