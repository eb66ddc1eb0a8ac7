//! The algorithm of agents' tokens is a setting that can be changed at any start.

use crate::harness::{Agent, AgentToken, Home, Server, each_database};

const ALGORITHMS: [(&str, &str); 3] = [("ES256", "EC"), ("EdDSA", "OKP"), ("RS256", "RSA")];

/// The published key with this id: its type and algorithm.
fn published(server: &Server, kid: &serde_json::Value) -> (String, String) {
    let set = server.client().get("/.well-known/jwks.json").with_status(200).json();
    let keys = set["keys"].as_array().expect("a key set").clone();
    let key = keys.iter().find(|key| key["kid"] == *kid).expect("the key is published");
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    (text("kty"), text("alg"))
}

fn assert_signed_by(server: &Server, token: &AgentToken, algorithm: &str, kind: &str) {
    let header = token.header();
    assert_eq!((&header["alg"], &header["typ"]), (&algorithm.into(), &"at+jwt".into()));
    assert_eq!(published(server, &header["kid"]), (kind.to_owned(), algorithm.to_owned()));
}

fn c6_j10_tokens_outlive_a_change_of_their_algorithm(home: &mut Home) {
    home.without_limits();
    let mut tokens: Vec<(AgentToken, &str, &str)> = Vec::new();
    let mut key = None;
    // Twice, so that each follows on each other one or on itself.
    for (algorithm, kind) in ALGORITHMS.into_iter().chain(ALGORITHMS) {
        home.set("agents.algorithm", algorithm);
        let server = home.start();
        let mut client = server.client();
        let key = key.get_or_insert_with(|| Agent::register(&mut client).make_key(&mut client));
        tokens.push((key.token(&mut client), algorithm, kind));
        for (token, algorithm, kind) in &tokens {
            assert!(token.is_good(&mut client), "{algorithm}");
            assert_signed_by(&server, token, algorithm, kind);
        }
        // One of another algorithm is refreshed to one of this.
        let (old, _, _) = tokens.remove(0);
        let next = AgentToken::from(&client.ask(&old.refresh()).with_status(200));
        assert_signed_by(&server, &next, algorithm, kind);
        assert!(!old.is_good(&mut client) && next.is_good(&mut client));
        tokens.push((next, algorithm, kind));
        server.kill();
    }
}

/// While operators change the setting of one instance after the other.
#[test]
fn c6_f9_instances_with_different_algorithms_accept_each_other() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = ALGORITHMS.map(|(algorithm, _)| {
        home.set("agents.algorithm", algorithm);
        home.start_another()
    });
    let mut clients = servers.each_ref().map(Server::client);
    let key = Agent::register(&mut clients[0]).make_key(&mut clients[0]);
    for (turn, (algorithm, kind)) in ALGORITHMS.into_iter().enumerate() {
        let token = key.token(&mut clients[turn]);
        assert_signed_by(&servers[turn], &token, algorithm, kind);
        for client in &mut clients {
            assert!(token.is_good(client), "{algorithm}");
        }
    }
}

each_database!(c6_j10_tokens_outlive_a_change_of_their_algorithm);
