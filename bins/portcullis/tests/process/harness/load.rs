//! Clients that register and rotate refresh tokens without pause, and write down what they were told.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    Account, Answer, Client, Outcome, POLL, Request, Tokens,
    people::{is_refused_token, rotation},
    wait_until,
};

/// Rotations after which a client begins anew with another account.
const LONGEST_CHAIN: usize = 25;

/// Running clients.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Diary>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    unavailable: AtomicUsize,
}

/// What one client was told.
#[derive(Default)]
pub(crate) struct Diary {
    /// Those that exist for sure.
    accounts: Vec<Account>,
    chains: Vec<Chain>,
    /// Requests whose effect the client cannot know.
    doubts: usize,
    /// Chains that ended because the answer with the next token never came.
    locked_out: usize,
    /// The longest wait for a 503.
    slowest_refusal: Duration,
    faults: Vec<String>,
}

/// The tokens of one session.
struct Chain {
    /// Never presented, unless an answer to that was lost.
    current: String,
    /// Acknowledged to be spent, the oldest first.
    spent: Vec<String>,
    /// `current` was presented and may be spent.
    in_doubt: bool,
}

impl Load {
    /// Begins with as many clients, on servers in turn.
    pub(crate) fn on(servers: &[SocketAddr], clients: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |index: usize| {
            let shared = Arc::clone(&shared);
            let client = Client::new(servers[index % servers.len()]);
            thread::spawn(move || Worker { client, shared, diary: Diary::default() }.live())
        };
        Self { clients: (0..clients).map(start).collect(), shared }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// How many requests were refused with 503.
    pub(crate) fn unavailable(&self) -> usize {
        self.shared.unavailable.load(Ordering::Relaxed)
    }

    /// Waits until that many more requests have succeeded.
    pub(crate) fn wait_for(&self, more: usize, patience: Duration) {
        let wanted = self.acknowledged() + more;
        wait_until("the clients get on", patience, || self.acknowledged() >= wanted);
    }

    /// Ends the clients once each has the answer to its last request.
    pub(crate) fn stop(self) -> Vec<Diary> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().unwrap()).collect()
    }
}

struct Worker {
    client: Client,
    shared: Arc<Shared>,
    diary: Diary,
}

impl Worker {
    fn live(mut self) -> Diary {
        while let Some(tokens) = self.register() {
            self.rotate(tokens.refresh);
        }
        self.diary
    }

    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Registers a new account; `None` when the test ends.
    fn register(&mut self) -> Option<Tokens> {
        let mut account = Account::new();
        let mut in_doubt = false;
        while !self.stopped() {
            match self.send(&account.registration()) {
                Told::Yes(answer) => {
                    self.diary.accounts.push(account);
                    return Some(Tokens::from(&answer));
                }
                Told::No(answer) => {
                    // The lost answer was a yes: the account must be usable.
                    if in_doubt && answer.status == 409 {
                        self.diary.accounts.push(account);
                    } else {
                        self.diary.faults.push(format!("registration: {}", answer.whole()));
                    }
                    (account, in_doubt) = (Account::new(), false);
                    thread::sleep(POLL);
                }
                Told::Unknown => in_doubt = true,
                Told::Nothing => thread::sleep(POLL),
            }
        }
        None
    }

    /// Rotates until the chain is long enough, or broken.
    fn rotate(&mut self, first: String) {
        let mut chain = Chain { current: first, spent: Vec::new(), in_doubt: false };
        while chain.spent.len() < LONGEST_CHAIN && !self.stopped() {
            match self.send(&rotation(&chain.current)) {
                Told::Yes(answer) => {
                    let next = Tokens::from(&answer).refresh;
                    chain.spent.push(std::mem::replace(&mut chain.current, next));
                    chain.in_doubt = false;
                }
                Told::No(answer) if chain.in_doubt && answer.status == 401 => {
                    self.diary.locked_out += 1;
                    break;
                }
                Told::No(answer) => {
                    let length = chain.spent.len();
                    self.diary.faults.push(format!("rotation {length}: {}", answer.whole()));
                    chain.in_doubt = true;
                    break;
                }
                Told::Unknown => chain.in_doubt = true,
                Told::Nothing => thread::sleep(POLL),
            }
        }
        self.diary.chains.push(chain);
    }

    fn send(&mut self, request: &Request) -> Told {
        let begun = Instant::now();
        match self.client.send(request) {
            Outcome::Answered(answer) if matches!(answer.status, 200 | 201) => {
                self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                Told::Yes(answer)
            }
            // The database may have gone away after it had stored the work.
            Outcome::Answered(answer) if answer.is_unavailable() => {
                self.shared.unavailable.fetch_add(1, Ordering::Relaxed);
                self.diary.slowest_refusal = self.diary.slowest_refusal.max(begun.elapsed());
                self.diary.doubts += 1;
                thread::sleep(POLL);
                Told::Unknown
            }
            Outcome::Answered(answer) => Told::No(answer),
            Outcome::Refused => Told::Nothing,
            Outcome::Lost | Outcome::Cut => {
                self.diary.doubts += 1;
                Told::Unknown
            }
            Outcome::Late => {
                self.diary.faults.push("no answer at all".to_owned());
                Told::Unknown
            }
        }
    }
}

enum Told {
    Yes(Answer),
    No(Answer),
    /// It was sent, and may have had its effect.
    Unknown,
    /// It was not sent.
    Nothing,
}

/// Holds the server to everything that it acknowledged.
pub(crate) struct Verdict {
    pub(crate) accounts: usize,
    pub(crate) doubts: usize,
    pub(crate) locked_out: usize,
    pub(crate) slowest_refusal: Duration,
}

/// Compares what clients were told with what the server has: every account can be used, every
/// acknowledged token that was never presented works, and no spent one does.
pub(crate) fn check_diaries(diaries: &[Diary], client: &mut Client) -> Verdict {
    let faults: Vec<&String> = diaries.iter().flat_map(|diary| &diary.faults).collect();
    assert!(faults.is_empty(), "{} faults, such as {:#?}", faults.len(), &faults[..1]);
    let chains: Vec<&Chain> = diaries.iter().flat_map(|diary| &diary.chains).collect();
    for chain in &chains {
        let answer = client.ask(&rotation(&chain.current));
        let may_be_spent = chain.in_doubt && answer.status == 401;
        assert!(answer.status == 200 || may_be_spent, "a token was lost: {}", answer.whole());
        // The last first: it is the one that a lost write would leave alive.
        for spent in chain.spent.iter().rev().take(10) {
            let outcome = client.send(&rotation(spent));
            assert!(is_refused_token(&outcome), "a spent token: {outcome:?}");
        }
    }
    let accounts = diaries.iter().flat_map(|diary| &diary.accounts);
    let accounts = accounts.map(|account| account.signed_in(client)).count();
    assert!(accounts > 0 && !chains.is_empty());
    Verdict {
        accounts,
        doubts: diaries.iter().map(|diary| diary.doubts).sum(),
        locked_out: diaries.iter().map(|diary| diary.locked_out).sum(),
        slowest_refusal: diaries.iter().map(|d| d.slowest_refusal).max().unwrap_or_default(),
    }
}
