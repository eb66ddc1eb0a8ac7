//! Access tokens of agents: refreshed or revoked once, however many try at the same moment.

use std::net::SocketAddr;

use super::{PARALLEL, ROUNDS, be_patient, clients, fire, only_winner};
use crate::harness::{
    Agent, AgentToken, Answer, ApiKey, Client, Home, Request, Server, at_once, each_database,
};

const REFUSALS: [(u16, &str); 2] = [(401, "UNAUTHORIZED"), (429, "RATE_LIMIT_EXCEEDED")];

/// An agent's key, from a network that no volley comes from.
fn key(servers: &[SocketAddr], round: u8) -> (Client, ApiKey) {
    let mut client = Client::new(servers[0]).from([127, 2, round, 1]);
    let key = Agent::register(&mut client).make_key(&mut client);
    (client, key)
}

fn assert_one_refreshes(servers: &[SocketAddr]) {
    for round in 0..ROUNDS {
        let (mut client, key) = key(servers, round);
        let token = key.token(&mut client);
        let answers = fire(clients(servers, round, PARALLEL), &token.refresh());
        let next = AgentToken::from(&only_winner(answers, &REFUSALS));
        for server in servers {
            let mut client = Client::new(*server).from([127, 3, round, 1]);
            assert!(next.is_good(&mut client), "round {round}: the new token");
            assert!(!token.is_good(&mut client), "round {round}: the old token");
        }
    }
}

fn j12_f1_of_200_parallel_refreshes_of_a_token_one_wins(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let server = home.start();
    assert_one_refreshes(&[server.address()]);
}

fn j12_f1_of_200_parallel_refreshes_within_limits_one_wins(home: &mut Home) {
    be_patient(home);
    let server = home.start();
    assert_one_refreshes(&[server.address()]);
}

#[test]
fn j12_f1_of_200_parallel_refreshes_at_two_instances_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    assert_one_refreshes(&servers.each_ref().map(Server::address));
}

#[test]
fn j12_f1_of_200_parallel_refreshes_at_two_instances_within_limits_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let servers = [home.start(), home.start_another()];
    assert_one_refreshes(&servers.each_ref().map(Server::address));
}

/// Each round, what was asked at the same moment, on the servers in turn, and what was answered.
fn race(
    servers: &[SocketAddr],
    requests: impl Fn(&AgentToken) -> Vec<Request>,
    check: impl Fn(&AgentToken, Vec<Answer>, &mut Client),
) {
    for round in 0..20 {
        let (mut client, key) = key(servers, round);
        let token = key.token(&mut client);
        let work = requests(&token).into_iter().enumerate().map(|(turn, request)| {
            let server = servers[(turn + usize::from(round)) % servers.len()];
            (Client::new(server).connected(), request)
        });
        let work: Vec<_> = work.collect();
        let answers = at_once(work, |(mut client, request)| client.ask(&request));
        for server in servers {
            check(&token, answers.clone(), &mut Client::new(*server));
        }
    }
}

fn assert_a_logout_beside_a_refresh_is_one_of_both(servers: &[SocketAddr]) {
    let requests = |token: &AgentToken| vec![token.refresh(), token.sign_out()];
    race(servers, requests, |token, answers, client| {
        let refreshed = (answers[0].status == 200).then(|| AgentToken::from(&answers[0]));
        only_winner(answers, &REFUSALS);
        assert!(!token.is_good(client));
        if let Some(next) = refreshed {
            assert!(next.is_good(client), "the token that was not logged out");
        }
    });
}

fn j12_a_logout_beside_a_refresh_is_one_of_both(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    assert_a_logout_beside_a_refresh_is_one_of_both(&[server.address()]);
}

#[test]
fn j12_a_logout_beside_a_refresh_at_two_instances_is_one_of_both() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    assert_a_logout_beside_a_refresh_is_one_of_both(&servers.each_ref().map(Server::address));
}

/// Whoever signs out many times at once is signed out once, and never told otherwise.
fn j12_of_many_parallel_logouts_one_wins(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let requests = |token: &AgentToken| vec![token.sign_out(); 20];
    race(&[server.address()], requests, |token, answers, client| {
        let said = only_winner(answers, &REFUSALS).json();
        assert_eq!(said["message"], "Token revoked successfully.");
        assert!(!token.is_good(client));
    });
}

each_database!(
    j12_f1_of_200_parallel_refreshes_of_a_token_one_wins,
    j12_f1_of_200_parallel_refreshes_within_limits_one_wins,
    j12_a_logout_beside_a_refresh_is_one_of_both,
    j12_of_many_parallel_logouts_one_wins,
);
