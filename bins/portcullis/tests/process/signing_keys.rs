//! `portcullis keys` while servers run.

use std::{fs, time::Duration};

use crate::harness::{Account, Home, Server, Tokens, each_database, people, wait_until};

/// Instances read the keys anew every 30 seconds.
const HEARD: Duration = Duration::from_secs(50);

fn published(server: &Server) -> Vec<String> {
    people::published_kids(&mut server.client())
}

/// The kids of `keys list`, with their states.
fn listed(home: &Home) -> Vec<(String, String)> {
    let keys = home.run(&["keys", "list", "--json"]).succeeded();
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let text = |key: &serde_json::Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = keys.as_array().unwrap();
    keys.iter().map(|key| (text(key, "kid"), text(key, "state"))).collect()
}

#[test]
fn j10_f6_a_rotation_by_command_reaches_every_instance_and_refuses_no_token() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    let mut clients = servers.each_ref().map(Server::client);
    let account = Account::new();
    let old = account.register(&mut clients[0]);

    home.run(&["keys", "rotate"]).succeeded();
    home.run(&["keys", "rotate", "--now"]).succeeded();
    let keys = listed(&home);
    let states: Vec<_> = keys.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["retired", "retired", "active"], "{keys:?}");
    let new = &keys[2].0;
    wait_until("both publish the new key", HEARD, || {
        servers.iter().all(|server| {
            server.client().ask(&old.me()).with_status(200);
            published(server).contains(new)
        })
    });
    let fresh = account.signed_in(&mut clients[0]);
    assert_eq!(&fresh.kid(), new);
    for client in &mut clients {
        client.ask(&fresh.me()).with_status(200);
        client.ask(&old.me()).with_status(200);
    }

    let complaint = home.run(&["keys", "retire", new]).failed();
    assert!(complaint.contains("only key that signs"), "{complaint}");
    home.run(&["keys", "retire", &keys[0].0, "--compromised"]).succeeded();
    wait_until("both refuse what the compromised key signed", HEARD, || {
        clients.iter_mut().all(|client| client.send(&old.me()).status() == 401)
    });
    for client in &mut clients {
        client.ask(&fresh.me()).with_status(200);
    }
    assert!(servers.iter().all(|server| !published(server).contains(&old.kid())));
}

/// An instance that has not read the keys anew meets a token of a key that it does not know.
#[test]
fn f6_a_token_of_a_new_key_is_accepted_before_the_next_reading() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let late = home.start();
    let account = Account::new();
    account.register(&mut late.client());
    let before = published(&late);
    home.run(&["keys", "rotate", "--now"]).succeeded();
    let early = home.start_another();
    let tokens = account.signed_in(&mut early.client());
    assert!(!before.contains(&tokens.kid()));
    // It reads at most once a second, and has just been asked.
    wait_until("the token is accepted", Duration::from_secs(5), || {
        late.client().send(&tokens.me()).status() == 200
    });
    assert!(published(&late).contains(&tokens.kid()));
}

fn a_planned_rotation_publishes_the_key_before_it_signs(home: &mut Home) {
    let server = home.start();
    let account = Account::new();
    let first = account.register(&mut server.client());
    home.run(&["keys", "rotate"]).succeeded();
    let keys = listed(home);
    assert_eq!((keys[0].1.as_str(), keys[1].1.as_str()), ("active", "published"), "{keys:?}");
    server.kill();

    let server = home.start();
    assert_eq!(published(&server).len(), 2);
    let second = account.signed_in(&mut server.client());
    assert_eq!(second.kid(), first.kid());
    server.client().ask(&first.me()).with_status(200);
}

fn a_rewrapped_key_is_the_same_key(home: &mut Home) {
    let server = home.start();
    let tokens: Tokens = Account::new().register(&mut server.client());
    server.kill();
    let new = home.path().join("new.key").display().to_string();
    home.run(&["keys", "new-master", "--file", &new]).succeeded();
    let text = fs::read_to_string(&new).unwrap();
    let complaint = home.run(&["keys", "new-master", "--file", &new]).failed();
    assert!(complaint.contains("exists already"), "{complaint}");
    assert_eq!(fs::read_to_string(&new).unwrap(), text, "never overwritten");

    let said = home.run(&["keys", "rewrap", "--new-master-key-file", &new]).succeeded();
    assert!(!said.contains(text.trim()), "{said}");
    let complaint = home.run(&["serve", "--dev"]).failed();
    assert!(complaint.contains("not the one that sealed"), "{complaint}");
    home.set("master_key_file", &new);
    let server = home.start();
    assert_eq!(published(&server), [tokens.kid()]);
    server.client().ask(&tokens.me()).with_status(200);
    tokens.rotate(&mut server.client());
}

each_database!(
    a_planned_rotation_publishes_the_key_before_it_signs,
    a_rewrapped_key_is_the_same_key,
);
