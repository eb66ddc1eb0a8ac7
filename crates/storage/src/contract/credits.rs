//! Cases of [`CreditRepository`](crate::CreditRepository).

use portcullis_credits::{
    AccountId, Amount, Cost, Entry, Ledger, MOST_BALANCE, Note, OperationId, Posted, Posting,
    Reason,
};
use portcullis_identity::Agent;
use portcullis_kernel::{CreditEntryId, ResourceServerId, StoreResult};

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt, TxMode, UnitOfWork};

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
    a_merge_adds_balance_and_ledger,
    a_merge_of_nothing_changes_nothing,
    a_charge_beside_a_merge_is_in_one_ledger,
    an_operation_outlives_a_merge,
    credits_go_with_their_user,
    credits_go_with_their_agent,
    credits_of_an_unknown_user_or_agent_are_refused,
    what_was_rolled_back_was_not_posted,
}

impl Lab<'_> {
    pub(super) fn entry_id(&self) -> CreditEntryId {
        CreditEntryId::generate(&self.entropy).unwrap()
    }

    fn server_id(&self) -> ResourceServerId {
        ResourceServerId::generate(&self.entropy).unwrap()
    }

    pub(super) fn operation(&self) -> OperationId {
        OperationId::parse(&self.tag()).unwrap()
    }

    pub(super) fn grant_of(&self, account: AccountId, credits: i64) -> Posting {
        Posting::grant(self.entry_id(), account, Amount::new(credits).unwrap(), None, at(0))
    }

    fn charge_of(&self, account: AccountId, cost: i64) -> Posting {
        let by = (self.server_id(), self.operation());
        Posting::charge(self.entry_id(), account, Cost::new(cost).unwrap(), by, at(1))
    }

    fn post(&self, posting: &Posting) -> Posted {
        self.write(|uow| uow.credits().post(posting))
    }

    /// A stored user with so many credits.
    fn rich(&self, credits: i64) -> AccountId {
        let account = AccountId::User(self.user().id);
        assert_eq!(self.post(&self.grant_of(account, credits)), Posted::Done(credits));
        account
    }

    /// A stored agent of nobody.
    fn loner(&self) -> AccountId {
        AccountId::Agent(self.agent().id)
    }

    fn ledger(&self, account: AccountId) -> Ledger {
        self.read(|uow| uow.credits().ledger(account, 100))
    }

    fn balance(&self, account: AccountId) -> i64 {
        self.read(|uow| uow.credits().balance(account))
    }

    /// The balance, which is the sum of the ledger.
    fn sum(&self, account: AccountId) -> i64 {
        let ledger = self.ledger(account);
        let sum: i64 = ledger.entries.iter().map(|entry| entry.posting.delta).sum();
        assert_eq!((ledger.balance, self.balance(account)), (sum, sum));
        sum
    }

    fn recorded(&self, posting: &Posting) -> Option<Entry> {
        let (reason, server) = (posting.reason, posting.server);
        self.read(|uow| uow.credits().find(reason, server, posting.operation.as_ref().unwrap()))
    }
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
