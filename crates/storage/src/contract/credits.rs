//! Cases of [`CreditRepository`](crate::CreditRepository).

use portcullis_credits::{
    AccountId, Amount, Entry, Ledger, MOST_BALANCE, Note, OperationId, Posted, Posting, Reason,
};
use portcullis_kernel::StoreResult;

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, in_parallel},
};
use crate::{Storage, TxMode, UnitOfWork};

case_list! {
    an_entry_comes_back_as_it_was_posted,
    an_account_without_credits_has_none,
    a_charge_beyond_the_balance_is_refused_and_not_remembered,
    a_balance_has_an_upper_bound,
    one_operation_is_posted_once,
    operations_of_other_servers_and_reasons_are_other_ones,
    of_many_charges_as_many_are_done_as_the_balance_covers,
    of_many_that_post_one_operation_one_does,
    the_newest_entries_come_first_and_no_more_than_asked_for,
    what_was_rolled_back_was_not_posted,
}

/// Every field, of each reason, of a user and of an agent.
pub fn an_entry_comes_back_as_it_was_posted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for account in [AccountId::User(lab.user().id), lab.loner()] {
        let note = Note::parse("Zoë’s 🦀 % _ ' \\").unwrap();
        let odd = OperationId::parse(&format!(" %_'\"\\~{}", lab.tag())).unwrap();
        let grant = Posting { note: Some(note), at: at(0) + TICK, ..lab.grant_of(account, 1000) };
        let charge = Posting { operation: Some(odd), ..lab.charge_of(account, 7) };
        let amount = Amount::new(500).unwrap();
        let top_up = Posting::top_up(lab.entry_id(), account, amount, lab.operation(), at(2));
        assert_eq!(lab.post(&grant), Posted::Done(1000));
        assert_eq!(lab.post(&charge), Posted::Done(993));
        assert_eq!(lab.post(&top_up), Posted::Done(1493));
        let charged = lab.recorded(&charge).unwrap();
        let refund = Posting::refund(lab.entry_id(), &charged, None, at(3));
        assert_eq!(lab.post(&refund), Posted::Done(1500));
        let entry = |posting: &Posting, balance| Entry { posting: posting.clone(), balance };
        let entries = vec![
            entry(&refund, 1500),
            entry(&top_up, 1493),
            entry(&charge, 993),
            entry(&grant, 1000),
        ];
        assert_eq!(lab.ledger(account), Ledger { balance: 1500, entries });
        assert_eq!(lab.balance(account), 1500);
        for (posting, balance) in [(&charge, 993), (&top_up, 1493), (&refund, 1500)] {
            assert_eq!(lab.recorded(posting), Some(entry(posting, balance)));
        }
    }
}

/// Zero, and nothing in the ledger; nor can anything be charged to it.
pub fn an_account_without_credits_has_none(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for account in [AccountId::User(lab.user().id), lab.loner(), AccountId::Agent(lab.agent_id())] {
        assert_eq!(lab.ledger(account), Ledger::default());
        assert_eq!(lab.balance(account), 0);
        let charge = lab.charge_of(account, 1);
        assert_eq!(lab.post(&charge), Posted::Refused);
        assert_eq!(lab.recorded(&charge), None);
        assert_eq!(lab.ledger(account), Ledger::default());
    }
}

/// Down to zero it is covered; and once there is enough the same operation is done.
pub fn a_charge_beyond_the_balance_is_refused_and_not_remembered(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (account, other) = (lab.rich(10), lab.rich(1000));
    let charge = lab.charge_of(account, 11);
    assert_eq!(lab.post(&charge), Posted::Refused);
    assert_eq!((lab.recorded(&charge), lab.sum(account)), (None, 10));
    assert_eq!(lab.post(&lab.grant_of(account, 1)), Posted::Done(11));
    assert_eq!(lab.post(&charge), Posted::Done(0));
    assert_eq!(lab.post(&lab.charge_of(account, 1)), Posted::Refused);
    assert_eq!((lab.sum(account), lab.sum(other)), (0, 1000));
}

/// For what is given; what is above it by a merge can be spent.
pub fn a_balance_has_an_upper_bound(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let most = |account| Posting { delta: MOST_BALANCE, ..lab.grant_of(account, 1) };
    let user = AccountId::User(lab.user().id);
    assert_eq!(lab.post(&Posting { delta: MOST_BALANCE + 1, ..most(user) }), Posted::Refused);
    assert_eq!(lab.balance(user), 0);
    assert_eq!(lab.post(&most(user)), Posted::Done(MOST_BALANCE));
    assert_eq!(lab.post(&lab.grant_of(user, 1)), Posted::Refused);
    let agent = lab.loner();
    assert_eq!(lab.post(&most(agent)), Posted::Done(MOST_BALANCE));
    lab.write(|uow| uow.credits().merge(agent, user));
    assert_eq!(lab.sum(user), 2 * MOST_BALANCE);
    assert_eq!(lab.post(&lab.charge_of(user, 5)), Posted::Done(2 * MOST_BALANCE - 5));
}

/// Whatever else is said of it the second time, and whether the balance would cover it or not.
pub fn one_operation_is_posted_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (account, other) = (lab.rich(10), lab.rich(10));
    let charge = lab.charge_of(account, 6);
    assert_eq!(lab.post(&charge), Posted::Done(4));
    let first = Posted::Recorded(Box::new(Entry { posting: charge.clone(), balance: 4 }));
    for again in [
        charge.clone(),
        Posting { id: lab.entry_id(), at: at(9), ..charge.clone() },
        Posting { id: lab.entry_id(), delta: -1, ..charge.clone() },
        Posting { id: lab.entry_id(), delta: -100, ..charge.clone() },
        Posting { id: lab.entry_id(), ..charge.clone() }.to(other),
        Posting { id: lab.entry_id(), ..charge.clone() }.to(lab.loner()),
    ] {
        assert_eq!(lab.post(&again), first);
    }
    assert_eq!((lab.sum(account), lab.sum(other)), (4, 10));
    let amount = Amount::new(5).unwrap();
    let top_up = Posting::top_up(lab.entry_id(), account, amount, lab.operation(), at(2));
    assert_eq!(lab.post(&top_up), Posted::Done(9));
    let again = Posting { id: lab.entry_id(), ..top_up.clone() };
    let first = Posted::Recorded(Box::new(Entry { posting: top_up, balance: 9 }));
    assert_eq!(lab.post(&again), first);
    assert_eq!(lab.sum(account), 9);
}

/// And grants without a name are in nobody's way.
pub fn operations_of_other_servers_and_reasons_are_other_ones(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let account = lab.rich(100);
    let charge = lab.charge_of(account, 1);
    let operation = charge.operation.clone().unwrap();
    let elsewhere = Posting { id: lab.entry_id(), server: Some(lab.server_id()), ..charge.clone() };
    let amount = Amount::new(1).unwrap();
    let top_up = Posting::top_up(lab.entry_id(), account, amount, operation, at(1));
    for posting in [&charge, &elsewhere, &top_up, &lab.grant_of(account, 1)] {
        assert!(matches!(lab.post(posting), Posted::Done(_)), "{posting:?}");
    }
    let entry = lab.recorded(&charge).unwrap();
    let refund = Posting::refund(lab.entry_id(), &entry, None, at(2));
    assert_eq!(lab.post(&refund), Posted::Done(101));
    let again = Posting { id: lab.entry_id(), ..refund };
    assert!(matches!(lab.post(&again), Posted::Recorded(_)));
    assert_eq!(lab.sum(account), 101);
}

/// Never one more.
pub fn of_many_charges_as_many_are_done_as_the_balance_covers(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let covered = THREADS / 2;
    let account = lab.rich(i64::try_from(covered).unwrap() * 3 + 2);
    let done = in_parallel(|_| lab.post(&lab.charge_of(account, 3)));
    assert_eq!(done.iter().filter(|done| **done == Posted::Refused).count(), THREADS - covered);
    let mut balances: Vec<_> = done
        .iter()
        .filter_map(|done| if let Posted::Done(balance) = done { Some(*balance) } else { None })
        .collect();
    balances.sort_unstable();
    let expected: Vec<_> = (0..covered).map(|n| i64::try_from(n).unwrap() * 3 + 2).collect();
    assert_eq!(balances, expected, "each saw a balance of its own");
    assert_eq!(lab.sum(account), 2);
}

/// And all others are told of it.
pub fn of_many_that_post_one_operation_one_does(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    // With enough for one, and with enough for all.
    for credits in [2, 1000] {
        let account = lab.rich(credits);
        let charge = lab.charge_of(account, 2);
        let posted = in_parallel(|_| lab.post(&Posting { id: lab.entry_id(), ..charge.clone() }));
        let done = posted.iter().filter(|posted| **posted == Posted::Done(credits - 2)).count();
        assert_eq!(done, 1, "{posted:?}");
        let entry = lab.recorded(&charge).unwrap();
        let told = Posted::Recorded(Box::new(entry));
        assert_eq!(posted.iter().filter(|posted| **posted == told).count(), THREADS - 1);
        assert_eq!(lab.sum(account), credits - 2);
    }
}

/// Those of one time by their ids.
pub fn the_newest_entries_come_first_and_no_more_than_asked_for(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let account = lab.rich(1);
    let mut postings: Vec<_> = [at(5), at(3), at(5), at(5) + TICK, at(5)]
        .map(|at| Posting { at, ..lab.grant_of(account, 1) })
        .into();
    for posting in &postings {
        lab.post(posting);
    }
    postings.sort_by_key(|posting| std::cmp::Reverse((posting.at, posting.id)));
    for newest in [1, 3, 5] {
        let ledger = lab.read(|uow| uow.credits().ledger(account, newest));
        let ids: Vec<_> = ledger.entries.iter().map(|entry| entry.posting.id).collect();
        let count = usize::try_from(newest).unwrap();
        assert_eq!(ids, postings.iter().take(count).map(|p| p.id).collect::<Vec<_>>());
        assert_eq!(ledger.balance, 6);
    }
}

/// Neither balance nor name.
pub fn what_was_rolled_back_was_not_posted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let account = lab.rich(10);
    let charge = lab.charge_of(account, 4);
    let post = |uow: &mut dyn UnitOfWork| -> StoreResult<Posted> { uow.credits().post(&charge) };
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert_eq!(post(unit.as_mut()).unwrap(), Posted::Done(6));
    assert!(matches!(post(unit.as_mut()).unwrap(), Posted::Recorded(_)));
    assert_eq!(unit.credits().balance(account).unwrap(), 6);
    drop(unit);
    assert_eq!((lab.recorded(&charge), lab.sum(account)), (None, 10));
    assert_eq!(lab.post(&charge), Posted::Done(6));
    assert_eq!(charge.reason, Reason::Charge);
}
