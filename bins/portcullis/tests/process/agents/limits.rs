//! The limits of agents: shared by instances, exact under parallel fire, and kept over a crash.

use std::net::SocketAddr;

use super::be_patient;
use crate::harness::{
    Agent, Answer, Client, Home, Server,
    agents::{new_mailbox, recovery_request},
    at_once, each_database,
};

const OF_A_MAILBOX: usize = 3;
const REGISTRATIONS: usize = 10;
const EXCHANGES: usize = 60;

/// One who has asked nothing yet; no two of them share a network.
fn client(servers: &[SocketAddr], turn: usize) -> Client {
    let number = u8::try_from(turn).unwrap();
    Client::new(servers[turn % servers.len()]).from([127, 5, number, 1])
}

fn assert_refused(answer: Answer) {
    let answer = answer.with_status(429);
    assert_eq!(answer.json()["error"]["code"], "RATE_LIMIT_EXCEEDED");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&seconds));
}

fn figure(answer: &Answer, name: &str) -> u64 {
    let name = format!("X-RateLimit-{name}");
    let value = answer.header(&name).unwrap_or_else(|| panic!("no {name}: {}", answer.whole()));
    value.parse().unwrap()
}

/// Three requests for a mailbox, whoever asks, wherever, and whether anybody has the address.
fn assert_three_recovery_requests(servers: &[SocketAddr]) {
    let email = new_mailbox();
    for turn in 0..OF_A_MAILBOX {
        let answer = client(servers, turn).ask(&recovery_request(&email)).with_status(200);
        let left = u64::try_from(OF_A_MAILBOX - turn - 1).unwrap();
        assert_eq!((figure(&answer, "Email-Limit"), figure(&answer, "Email-Remaining")), (3, left));
        assert_eq!((figure(&answer, "IP-Limit"), figure(&answer, "IP-Remaining")), (5, 4));
    }
    for turn in OF_A_MAILBOX..OF_A_MAILBOX + 2 {
        let answer = client(servers, turn).ask(&recovery_request(&email));
        assert_eq!(figure(&answer, "Email-Remaining"), 0);
        assert_refused(answer);
    }
    // Another mailbox is none the worse for it.
    client(servers, 0).ask(&recovery_request(&new_mailbox())).with_status(200);
}

/// The same, all at once.
fn assert_exact_under_fire(servers: &[SocketAddr]) {
    let email = new_mailbox();
    let clients = (100..150).map(|turn| client(servers, turn).connected());
    let answers = at_once(clients, |mut client| client.ask(&recovery_request(&email)));
    let (asked, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!(asked.len(), OF_A_MAILBOX);
    refused.into_iter().for_each(assert_refused);

    let connected = |turn: usize| Client::new(servers[turn % servers.len()]).connected();
    let clients: Vec<Client> = (0..40).map(connected).collect();
    let answers = at_once(clients, |mut client| client.ask(&Agent::registration(None)));
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 201);
    assert_eq!(made.len(), REGISTRATIONS);
    refused.into_iter().for_each(assert_refused);
    Agent::register(&mut client(servers, 0));
}

/// Looser ones may be shared out, and are never exceeded.
fn assert_never_exceeded(servers: &[SocketAddr]) {
    let mut maker = client(servers, 0);
    let key = Agent::register(&mut maker).make_key(&mut maker);
    let connected = |turn: usize| Client::new(servers[turn % servers.len()]).connected();
    let clients: Vec<Client> = (0..150).map(connected).collect();
    let answers = at_once(clients, |mut client| client.ask(&key.exchange()));
    let (issued, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert!((1..=EXCHANGES).contains(&issued.len()), "{}", issued.len());
    refused.into_iter().for_each(assert_refused);
    // From elsewhere the key goes on.
    key.token(&mut client(servers, 1));
}

#[test]
fn l6_l9_e6_recovery_requests_are_counted_by_two_instances_together() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.with_mail();
    let servers = [home.start(), home.start_another()];
    assert_three_recovery_requests(&servers.each_ref().map(Server::address));
}

#[test]
fn l2_l6_parallel_requests_at_two_instances_are_counted_exactly() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let servers = [home.start(), home.start_another()];
    assert_exact_under_fire(&servers.each_ref().map(Server::address));
}

#[test]
fn l6_l11_exchanges_at_two_instances_stay_within_the_limit() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let servers = [home.start(), home.start_another()];
    assert_never_exceeded(&servers.each_ref().map(Server::address));
}

fn l2_parallel_requests_of_agents_are_counted_exactly(home: &mut Home) {
    be_patient(home);
    let server = home.start();
    assert_exact_under_fire(&[server.address()]);
}

fn l11_parallel_exchanges_stay_within_the_limit(home: &mut Home) {
    be_patient(home);
    let server = home.start();
    assert_never_exceeded(&[server.address()]);
}

fn l9_limits_of_agents_survive_kill_9(home: &mut Home) {
    let server = home.start();
    let address = [server.address()];
    let email = new_mailbox();
    for turn in 0..OF_A_MAILBOX {
        client(&address, turn).ask(&recovery_request(&email)).with_status(200);
    }
    let mut registrar = client(&address, 20);
    for _ in 0..REGISTRATIONS {
        Agent::register(&mut registrar);
    }
    server.kill();

    let server = home.start();
    let address = [server.address()];
    assert_refused(client(&address, 21).ask(&recovery_request(&email)));
    assert_refused(client(&address, 20).ask(&Agent::registration(None)));
    Agent::register(&mut client(&address, 21));
}

each_database!(
    l2_parallel_requests_of_agents_are_counted_exactly,
    l11_parallel_exchanges_stay_within_the_limit,
    l9_limits_of_agents_survive_kill_9,
);
