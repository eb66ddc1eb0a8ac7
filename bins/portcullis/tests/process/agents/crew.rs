//! Clients that register agents, rotate keys, refresh tokens and use recovery codes until the server is
//! gone, and write down what they were told.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::harness::{
    Agent, AgentToken, Answer, ApiKey, Client, Outcome, Request, agents::recovery, wait_until,
};

const PATIENCE: Duration = Duration::from_mins(1);
/// How often a key is rotated, and a token refreshed, before a client begins anew.
const LONGEST_CHAIN: usize = 3;

/// Running clients.
pub(super) struct Crew {
    clients: Vec<JoinHandle<Diary>>,
    acknowledged: Arc<AtomicUsize>,
}

/// What one client was told.
#[derive(Default)]
pub(super) struct Diary {
    agents: Vec<Agent>,
    keys: Vec<(Agent, Chain<ApiKey>)>,
    tokens: Vec<Chain<AgentToken>>,
    recoveries: Vec<Recovery>,
    /// Whether the last request was sent and not answered.
    in_doubt: bool,
}

/// Credentials each of which took the place of the one before.
struct Chain<T> {
    /// `None` when it was given up.
    live: Option<T>,
    dead: Vec<T>,
    /// The live one was sent to be replaced, and may have been.
    in_doubt: bool,
}

struct Recovery {
    before: Agent,
    email: String,
    code: String,
    /// `None` when the answer never came.
    after: Option<Agent>,
}

impl Crew {
    /// Begins with as many clients, who first use up these agents' recovery codes.
    pub(super) fn on(
        server: SocketAddr,
        clients: usize,
        stock: Vec<(Agent, String, String)>,
    ) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let stock = Arc::new(Mutex::new(stock));
        let start = |_| {
            let (acknowledged, stock) = (Arc::clone(&acknowledged), Arc::clone(&stock));
            let client = Client::new(server);
            let worker = Worker { client, acknowledged, stock, diary: Diary::default() };
            thread::spawn(move || worker.live())
        };
        Self { clients: (0..clients).map(start).collect(), acknowledged }
    }

    /// Waits until so many requests have succeeded.
    pub(super) fn wait_for(&self, wanted: usize) {
        wait_until("the clients get on", PATIENCE, || {
            self.acknowledged.load(Ordering::Relaxed) >= wanted
        });
    }

    /// The diaries, once every client has noticed that the server is gone.
    pub(super) fn ended(self) -> Vec<Diary> {
        self.clients.into_iter().map(|client| client.join().unwrap()).collect()
    }
}

struct Worker {
    client: Client,
    acknowledged: Arc<AtomicUsize>,
    stock: Arc<Mutex<Vec<(Agent, String, String)>>>,
    diary: Diary,
}

impl Worker {
    fn live(mut self) -> Diary {
        while self.recover().and_then(|()| self.register()).is_some() {}
        self.diary
    }

    /// Uses up a prepared code, while there is one.
    fn recover(&mut self) -> Option<()> {
        let prepared = self.stock.lock().unwrap().pop();
        let Some((before, email, code)) = prepared else { return Some(()) };
        let answer = self.send(&recovery(&email, &code), 200);
        if answer.is_some() || self.diary.in_doubt {
            let after = answer.as_ref().map(Agent::from);
            self.diary.recoveries.push(Recovery { before, email, code, after });
        }
        answer.map(drop)
    }

    fn register(&mut self) -> Option<()> {
        let agent = Agent::from(&self.send(&Agent::registration(None), 201)?);
        self.diary.agents.push(agent.clone());
        let key = ApiKey::of(&agent.id, &self.send(&agent.key_creation(), 201)?);
        let keys =
            self.chain(key, |key| agent.rotation(key), |answer| ApiKey::of(&agent.id, answer), 201);
        let key = keys.live.clone().filter(|_| !keys.in_doubt);
        self.diary.keys.push((agent, keys));
        let token = AgentToken::from(&self.send(&key?.exchange(), 200)?);
        let mut tokens = self.chain(token, AgentToken::refresh, |a| AgentToken::from(a), 200);
        // Every other one is given up.
        let live = tokens.live.clone().filter(|_| !tokens.in_doubt);
        if let Some(live) = live.filter(|_| self.diary.tokens.len().is_multiple_of(2)) {
            if self.send(&live.sign_out(), 200).is_some() {
                tokens.live = None;
                tokens.dead.push(live);
            } else {
                tokens.in_doubt = self.diary.in_doubt;
            }
        }
        self.diary.tokens.push(tokens);
        Some(())
    }

    /// Replaces a credential again and again.
    fn chain<T>(
        &mut self,
        first: T,
        replace: impl Fn(&T) -> Request,
        read: impl Fn(&Answer) -> T,
        status: u16,
    ) -> Chain<T> {
        let (mut live, mut dead) = (first, Vec::new());
        while dead.len() < LONGEST_CHAIN {
            let Some(answer) = self.send(&replace(&live), status) else { break };
            dead.push(std::mem::replace(&mut live, read(&answer)));
        }
        Chain { live: Some(live), dead, in_doubt: self.diary.in_doubt }
    }

    /// The answer, which must have this status; `None` when the server is gone.
    fn send(&mut self, request: &Request, status: u16) -> Option<Answer> {
        match self.client.send(request) {
            Outcome::Answered(answer) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                Some(answer.with_status(status))
            }
            Outcome::Refused => None,
            Outcome::Lost | Outcome::Cut => {
                self.diary.in_doubt = true;
                None
            }
            Outcome::Late => panic!("no answer at all"),
        }
    }
}

/// Compares what the clients were told with what the server has; says how many requests it is in doubt
/// about.
pub(super) fn check(diaries: &[Diary], client: &mut Client) -> usize {
    assert!(diaries.iter().any(|diary| !diary.recoveries.is_empty()));
    for diary in diaries {
        for agent in &diary.agents {
            assert!(agent.is_managed(client), "an agent was lost: {}", agent.id);
        }
        for recovery in &diary.recoveries {
            recovery.check(client);
        }
        for (agent, keys) in &diary.keys {
            check_keys(agent, keys, client);
        }
        for tokens in &diary.tokens {
            for dead in &tokens.dead {
                assert!(!dead.is_good(client), "a spent token lives");
            }
            if let Some(live) = &tokens.live {
                assert!(tokens.in_doubt || live.is_good(client), "a token was lost");
            }
        }
    }
    diaries.iter().filter(|diary| diary.in_doubt).count()
}

impl Recovery {
    fn check(&self, client: &mut Client) {
        let before_lives = self.before.is_managed(client);
        match &self.after {
            Some(after) => {
                assert!(after.is_managed(client), "a new recovery key was lost");
                assert!(!before_lives, "the old recovery key lives");
                client.ask(&recovery(&self.email, &self.code)).with_status(409);
            }
            None if before_lives => {
                let again = client.ask(&recovery(&self.email, &self.code)).with_status(200);
                assert!(Agent::from(&again).is_managed(client));
                assert!(!self.before.is_managed(client));
            }
            None => drop(client.ask(&recovery(&self.email, &self.code)).with_status(409)),
        }
    }
}

fn check_keys(agent: &Agent, keys: &Chain<ApiKey>, client: &mut Client) {
    for dead in &keys.dead {
        client.ask(&dead.exchange()).with_status(401);
    }
    let last = keys.live.as_ref().unwrap();
    if !keys.in_doubt {
        last.token(client);
        return;
    }
    let reader = agent.make_key(client);
    let is_alive = |key: &serde_json::Value| {
        key["key_id"] != *reader.id && key["revoked_at"].is_null() && key["expires_at"].is_null()
    };
    let alive: Vec<_> = reader.list(client).into_iter().filter(is_alive).collect();
    assert_eq!(alive.len(), 1, "the key, or the one in its place: {alive:?}");
    let is_last = alive[0]["key_id"] == *last.id;
    assert_eq!(client.ask(&last.exchange()).status, if is_last { 200 } else { 401 });
}
