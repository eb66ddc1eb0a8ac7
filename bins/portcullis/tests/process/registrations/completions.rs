//! A code to claim an agent: good once, however many come together.

use std::net::SocketAddr;

use crate::harness::{
    Client, Home, Mailbox, Newcomer, Server, agents::new_mailbox, at_once, each_database,
    newcomers::credential,
};

/// Rounds of one test, each with an agent and a network of its own.
const ROUNDS: u8 = 4;
/// Requests at the same moment.
const PARALLEL: u8 = 200;

/// What those may be told that do not win.
const REFUSALS: [(u16, &str); 3] =
    [(401, "otp_expired"), (409, "already_claimed"), (429, "rate_limited")];

/// Lets a volley wait for its turn on a machine that has other things to do.
fn be_patient(home: &mut Home) {
    for key in ["acquire_timeout", "lock_timeout", "statement_timeout"] {
        home.set(&format!("database.{key}"), "20s");
    }
}

fn assert_one_claims(servers: &[SocketAddr], mailbox: &Mailbox, round: u8) {
    let mut client = Client::new(servers[0]).from([127, 2, round, 1]);
    let email = new_mailbox();
    let newcomer = Newcomer::sign_up(&mut client);
    assert!(newcomer.has(&mut client, &newcomer.key));
    let code = newcomer.code(&mut client, mailbox, &email);
    let completion = newcomer.completion(&code);
    let clients: Vec<Client> = (1..=PARALLEL)
        .map(|last| {
            let server = servers[usize::from(last) % servers.len()];
            Client::new(server).from([127, 1, round, last]).connected()
        })
        .collect();
    let answers = at_once(clients, |mut client| client.send(&completion).answer());
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
    assert_eq!(won.len(), 1, "round {round}");
    for answer in lost {
        let body = answer.json();
        let is_refusal = |(status, code): &(u16, &str)| {
            answer.status == *status && body["code"] == *code && body["error"] == *code
        };
        assert!(REFUSALS.iter().any(is_refusal), "{}", answer.whole());
    }
    let key = credential(&won[0]);
    for server in servers {
        let mut client = Client::new(*server).from([127, 2, round, 2]);
        assert!(newcomer.has(&mut client, &key), "round {round}: the new key");
        assert!(!newcomer.has(&mut client, &newcomer.key), "round {round}: the old key");
    }
}

fn o2_f1_of_200_parallel_completions_of_a_claim_one_wins(home: &mut Home) {
    be_patient(home);
    let mailbox = home.with_mail();
    let server = home.start();
    for round in 0..ROUNDS {
        assert_one_claims(&[server.address()], &mailbox, round);
    }
}

#[test]
fn o2_f1_of_200_parallel_completions_at_two_instances_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let mailbox = home.with_mail();
    let servers = [home.start(), home.start_another()];
    for round in 0..ROUNDS {
        assert_one_claims(&servers.each_ref().map(Server::address), &mailbox, round);
    }
}

each_database!(o2_f1_of_200_parallel_completions_of_a_claim_one_wins,);
