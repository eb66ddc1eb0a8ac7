//! Agents: single-use secrets under parallel fire, endings that hold everywhere at once, and what a
//! crash leaves.

mod algorithms;
mod crash;
mod crew;
mod endings;
mod limits;
mod mail;
mod races;
mod recovery;
mod tokens;
mod tries;
mod upgrade;
mod uses;

use std::net::SocketAddr;

use crate::harness::{Answer, Client, Home, Outcome, Request, at_once};

/// Rounds of one test, each with an agent and a network of its own.
const ROUNDS: u8 = 5;
/// Requests at the same moment.
const PARALLEL: u8 = 200;

/// Lets a volley wait for its turn on a machine that has other things to do: what is asked is who wins,
/// not how many are served in two seconds.
fn be_patient(home: &mut Home) {
    for key in ["acquire_timeout", "lock_timeout", "statement_timeout"] {
        home.set(&format!("database.{key}"), "20s");
    }
}

/// As many connected clients, each from an address of its own in a network of the round's own, on the
/// servers in turn.
fn clients(servers: &[SocketAddr], round: u8, count: u8) -> Vec<Client> {
    let client = |last: u8| {
        let server = servers[usize::from(last) % servers.len()];
        Client::new(server).from([127, 1, round, last]).connected()
    };
    (1..=count).map(client).collect()
}

fn fire(clients: Vec<Client>, request: &Request) -> Vec<Answer> {
    at_once(clients, |mut client| client.send(request)).into_iter().map(Outcome::answer).collect()
}

/// The one answer of many that is 200. Every other must be a refusal of one of these kinds.
#[track_caller]
fn only_winner(answers: Vec<Answer>, refusals: &[(u16, &str)]) -> Answer {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    let (mut won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!(won.len(), 1, "{statuses:?}");
    for answer in lost {
        let body = answer.json();
        let is_refusal = |(status, code): &(u16, &str)| {
            answer.status == *status && body["error"]["code"] == *code
        };
        assert!(refusals.iter().any(is_refusal), "{}\n{statuses:?}", answer.whole());
    }
    won.remove(0)
}
