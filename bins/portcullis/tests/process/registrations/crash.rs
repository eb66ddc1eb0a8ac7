//! `kill -9` in the midst of claims: of the old key and the new one exactly one works afterwards.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::harness::{
    Arrivals, Client, Home, Mailbox, Newcomer, Outcome, Server, agents::new_mailbox, database,
    each_database, newcomers::credential, random, wait_until,
};

const CLIENTS: usize = 8;
const KILLS: usize = 5;
/// Claims that are completed before each kill, or would have been.
const PREPARED: usize = 24;
const PATIENCE: Duration = Duration::from_mins(1);

/// A claim, and what its agent was told.
struct Claim {
    newcomer: Newcomer,
    code: String,
    /// `None` until the answer comes.
    key: Option<String>,
    /// It was sent.
    sent: bool,
}

fn prepare(server: &Server, mailbox: &Mailbox) -> Vec<Claim> {
    let mut client = server.client();
    let asked: Vec<_> = (0..PREPARED)
        .map(|_| {
            let (newcomer, email) = (Newcomer::sign_up(&mut client), new_mailbox());
            client.ask(&newcomer.start(&email)).with_status(200);
            (newcomer, email)
        })
        .collect();
    let read = |(newcomer, email): (Newcomer, String)| {
        let code = mailbox.wait_for_code(&email);
        Claim { newcomer, code, key: None, sent: false }
    };
    asked.into_iter().map(read).collect()
}

/// Completes what is prepared until nothing is left or the server is gone.
fn complete(server: SocketAddr, stock: &Mutex<Vec<Claim>>, done: &AtomicUsize) -> Vec<Claim> {
    let mut client = Client::new(server);
    let mut claims = Vec::new();
    loop {
        let Some(mut claim) = stock.lock().unwrap().pop() else { return claims };
        let outcome = client.send(&claim.newcomer.completion(&claim.code));
        claim.sent = true;
        let gone = match outcome {
            Outcome::Answered(answer) => {
                claim.key = Some(credential(&answer.with_status(200)));
                done.fetch_add(1, Ordering::Relaxed);
                false
            }
            Outcome::Refused | Outcome::Lost | Outcome::Cut => true,
            Outcome::Late => panic!("no answer at all"),
        };
        claims.push(claim);
        if gone {
            return claims;
        }
    }
}

/// The claims, after a kill once so many were acknowledged.
fn kill_amidst(server: Server, claims: Vec<Claim>, earliest: usize) -> Vec<Claim> {
    let (stock, done) = (Mutex::new(claims), AtomicUsize::new(0));
    let address = server.address();
    let mut all = thread::scope(|scope| {
        let work = || complete(address, &stock, &done);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        wait_until("claims are made", PATIENCE, || done.load(Ordering::Relaxed) >= earliest);
        server.kill();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    all.extend(stock.into_inner().unwrap());
    all
}

/// Says whether the agent does not know how its claim went.
fn check(home: &Home, client: &mut Client, claim: &Claim) -> bool {
    let Claim { newcomer, code, key, sent } = claim;
    let live = format!(
        "SELECT count(*) FROM api_keys WHERE agent_id = '{}' AND revoked_at IS NULL",
        newcomer.agent
    );
    assert_eq!(database::count(home.database_url(), &live), 1, "never both, never none");
    let old_lives = newcomer.has(client, &newcomer.key);
    if let Some(key) = key {
        assert!(newcomer.has(client, key), "an acknowledged key was lost");
        assert!(!old_lives, "the old key lives beside it");
    }
    let again = client.ask(&newcomer.completion(code));
    if old_lives {
        assert!(newcomer.has(client, &credential(&again.with_status(200))));
        assert!(!newcomer.has(client, &newcomer.key));
    } else {
        assert_eq!(again.with_status(409).json()["code"], "already_claimed");
        assert!(*sent, "nobody asked for it");
    }
    *sent && key.is_none()
}

fn f3_k9_a_claim_is_made_wholly_or_not_at_all_whenever_the_server_is_killed(home: &mut Home) {
    home.without_limits();
    let mailbox = home.with_mail();
    let mut server = home.start();
    let mut doubts = 0;
    for _ in 0..KILLS {
        let claims = prepare(&server, &mailbox);
        let claims = kill_amidst(server, claims, 1 + usize::try_from(random() % 12).unwrap());
        assert_eq!(claims.len(), PREPARED);
        server = home.start();
        let mut client = server.client();
        doubts += claims.iter().filter(|claim| check(home, &mut client, claim)).count();
    }
    assert!(doubts <= CLIENTS * KILLS, "only requests in flight can be in doubt");
    eprintln!("{KILLS} kills: {doubts} answers lost");
}

each_database!(f3_k9_a_claim_is_made_wholly_or_not_at_all_whenever_the_server_is_killed,);
