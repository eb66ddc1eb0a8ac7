//! What manages an agent, many times at the same moment.

use std::net::SocketAddr;

use serde_json::json;

use super::{ROUNDS, be_patient, clients, fire};
use crate::harness::{
    Agent, AgentToken, Answer, ApiKey, Client, Home, Request, Server,
    agents::{new_mailbox, recovery_codes, recovery_request, verification},
    at_once, database, each_database,
};

/// Live keys that an agent may have.
const MOST_KEYS: usize = 50;

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

/// Of parallel rotations of one key one makes a new key, and the old one is dead.
fn assert_one_rotates(servers: &[SocketAddr]) {
    let mut client = Client::new(servers[0]);
    for round in 0..ROUNDS {
        let agent = Agent::register(&mut client);
        let key = agent.make_key(&mut client);
        let answers = fire(clients(servers, round, 50), &agent.rotation(&key));
        let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 201);
        assert_eq!(made.len(), 1, "{:?}", statuses(&answers));
        for answer in refused {
            let code = &answer.json()["error"]["code"];
            let is_refusal = match answer.status {
                404 => *code == "NOT_FOUND",
                409 => *code == "CONFLICT",
                _ => false,
            };
            assert!(is_refusal, "{}", answer.whole());
        }
        for server in servers {
            let mut client = Client::new(*server);
            ApiKey::of(&agent.id, made[0]).token(&mut client);
            client.ask(&key.exchange()).with_status(401);
        }
    }
}

fn k6_of_parallel_rotations_of_a_key_one_wins(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let server = home.start();
    assert_one_rotates(&[server.address()]);
}

#[test]
fn k6_of_parallel_rotations_at_two_instances_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    assert_one_rotates(&servers.each_ref().map(Server::address));
}

fn an_agent_never_has_more_keys_than_it_may(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let server = home.start();
    let agent = Agent::register(&mut server.client());
    let answers = fire(clients(&[server.address()], 0, 80), &agent.key_creation());
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((made, refused), (MOST_KEYS, 80 - MOST_KEYS), "{:?}", statuses(&answers));
    // One that goes makes room for one.
    let made = answers.iter().find(|answer| answer.status == 201).unwrap();
    let key = ApiKey::of(&agent.id, made);
    server.client().ask(&agent.revocation(&key)).with_status(200);
    agent.make_key(&mut server.client());
    server.client().ask(&agent.key_creation()).with_status(409);
}

fn v11_of_parallel_proofs_by_one_token_one_wins(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let mailbox = home.with_mail();
    let server = home.start();
    for round in 0..ROUNDS {
        let email = new_mailbox();
        let agent = Agent::register_at(&mut server.client(), &email);
        let token = agent.mailed_token(&mailbox, &email);
        let answers = fire(clients(&[server.address()], round, 100), &verification(&token));
        let mut expected = vec![401; 100];
        expected[0] = 200;
        assert_eq!(statuses(&answers), expected);
    }
}

/// A key that is made by the old recovery key beside a recovery that ends all keys is dead with them.
fn v4_no_key_is_made_behind_a_recovery(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    for round in 0..ROUNDS * 2 {
        let email = new_mailbox();
        let agent = Agent::proven_at(&mut client, &mailbox, &email);
        let old = agent.make_key(&mut client);
        let code = &recovery_codes(&mut client, &mailbox, &email)[&agent.id];
        let body = json!({ "email": email, "code": code, "revoke_keys": true });
        let recover = Request::post("/api/auth/recovery/verify", &body);
        let mut requests = vec![agent.key_creation(); 6];
        requests.extend([agent.rotation(&old), recover]);
        let work: Vec<_> = requests.into_iter().map(|r| (server.client().connected(), r)).collect();
        let mut answers = at_once(work, |(mut client, request)| client.ask(&request));
        let recovered = Agent::from(&answers.pop().unwrap().with_status(200));
        assert!(recovered.is_managed(&mut client) && !agent.is_managed(&mut client));
        client.ask(&old.exchange()).with_status(401);
        for answer in answers {
            if answer.status == 201 {
                let key = ApiKey::of(&agent.id, &answer);
                assert_eq!(client.ask(&key.exchange()).status, 401, "round {round}: a key lives");
            } else {
                assert!(matches!(answer.status, 401 | 404 | 409), "{}", answer.whole());
            }
        }
    }
}

/// Whatever is made beside a deletion is gone with the agent.
fn k6_nothing_is_left_behind_by_a_deletion(home: &mut Home) {
    be_patient(home);
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    for _ in 0..ROUNDS * 2 {
        let agent = Agent::register(&mut client);
        let key = agent.make_key(&mut client);
        let token = key.token(&mut client);
        let mut requests = vec![agent.key_creation(); 4];
        requests.extend([agent.rotation(&key), key.exchange(), token.refresh(), agent.deletion()]);
        let work: Vec<_> = requests.into_iter().map(|r| (server.client().connected(), r)).collect();
        let mut answers = at_once(work, |(mut client, request)| client.ask(&request));
        answers.pop().unwrap().with_status(200);
        assert!(!agent.is_managed(&mut client) && !token.is_good(&mut client));
        for answer in &answers {
            let left = match answer.status {
                201 => client.ask(&ApiKey::of(&agent.id, answer).exchange()).status,
                200 => client.ask(&AgentToken::from(answer).me()).status,
                status => status,
            };
            assert!(matches!(left, 401 | 404 | 409), "{}", answer.whole());
        }
        let rows = format!("SELECT count(*) FROM api_keys WHERE agent_id = '{}'", agent.id);
        assert_eq!(database::count(home.database_url(), &rows), 0);
    }
}

/// As many as may ask for one mailbox do so at once: each is answered, and one of them has live codes.
fn assert_one_open_request(home: &Home, servers: &[SocketAddr]) {
    for round in 0..ROUNDS {
        let email = new_mailbox();
        let asks = fire(clients(servers, round, 3), &recovery_request(&email));
        assert_eq!(statuses(&asks), [200; 3]);
        let open = format!(
            "SELECT count(*) FROM recovery_requests WHERE email = '{email}' AND closed_at IS NULL"
        );
        assert_eq!(database::count(home.database_url(), &open), 1);
    }
}

fn o11_of_parallel_recovery_requests_one_stays_open(home: &mut Home) {
    let server = home.start();
    assert_one_open_request(home, &[server.address()]);
}

#[test]
fn o11_of_parallel_recovery_requests_at_two_instances_one_stays_open() {
    let Some(home) = Home::on_postgres() else { return };
    let servers = [home.start(), home.start_another()];
    assert_one_open_request(&home, &servers.each_ref().map(Server::address));
}

each_database!(
    k6_of_parallel_rotations_of_a_key_one_wins,
    an_agent_never_has_more_keys_than_it_may,
    v11_of_parallel_proofs_by_one_token_one_wins,
    v4_no_key_is_made_behind_a_recovery,
    k6_nothing_is_left_behind_by_a_deletion,
    o11_of_parallel_recovery_requests_one_stays_open,
);
