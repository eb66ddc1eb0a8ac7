//! `portcullis keys` while servers run.

use std::{fs, time::Duration};

use crate::harness::{Account, Home, Server, Tokens, each_database, people, wait_until};

/// Instances read the keys anew every 30 seconds.
const HEARD: Duration = Duration::from_secs(50);

fn published(server: &Server) -> Vec<String> {
    people::published_kids(&mut server.client())
}

/// A key as `keys list` shows it.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    kid: String,
    purpose: String,
    alg: String,
    state: String,
}

fn listed(home: &Home) -> Vec<Key> {
    let keys = home.run(&["keys", "list", "--json"]).succeeded();
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let keys = keys.as_array().unwrap().iter().map(|key| {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Key { kid: text("kid"), purpose: text("purpose"), alg: text("alg"), state: text("state") }
    });
    keys.collect()
}

fn listed_for(home: &Home, purpose: &str, alg: &str) -> Vec<Key> {
    let keys = listed(home).into_iter();
    keys.filter(|key| key.purpose == purpose && key.alg == alg).collect()
}

fn states(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| key.state.as_str()).collect()
}

fn sorted(mut kids: Vec<String>) -> Vec<String> {
    kids.sort();
    kids
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
    let keys = listed_for(&home, "people", "RS256");
    assert_eq!(states(&keys), ["retired", "retired", "active"], "{keys:?}");
    let new = &keys[2].kid;
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
    home.run(&["keys", "retire", &keys[0].kid, "--compromised"]).succeeded();
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
    for (purpose, alg) in [("people", "RS256"), ("agents", "ES256")] {
        let keys = listed_for(home, purpose, alg);
        assert_eq!(states(&keys), ["active", "published"], "{keys:?}");
    }
    let kids = listed(home).into_iter().map(|key| key.kid).collect();
    server.kill();

    let server = home.start();
    assert_eq!(sorted(published(&server)), sorted(kids));
    let second = account.signed_in(&mut server.client());
    assert_eq!(second.kid(), first.kid());
    server.client().ask(&first.me()).with_status(200);
}

fn a_rewrapped_key_is_the_same_key(home: &mut Home) {
    let server = home.start();
    let tokens: Tokens = Account::new().register(&mut server.client());
    let kids = published(&server);
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
    assert_eq!(published(&server), kids);
    server.client().ask(&tokens.me()).with_status(200);
    tokens.rotate(&mut server.client());
}

fn a_rotation_may_be_of_one_purpose_and_algorithm(home: &mut Home) {
    let server = home.start();
    let before = listed(home);
    assert_eq!(before.len(), 4, "{before:?}");
    assert!(states(&before).iter().all(|state| *state == "active"), "{before:?}");
    let said = home.run(&["keys", "rotate", "--purpose", "agents", "--now"]).succeeded();
    assert!(said.contains("for agents (ES256)") && said.lines().count() == 1, "{said}");
    assert_eq!(states(&listed_for(home, "agents", "ES256")), ["retired", "active"]);
    let said = home.run(&["keys", "rotate", "--purpose", "people"]).succeeded();
    assert!(said.contains("for people (RS256)") && said.lines().count() == 1, "{said}");

    // One that waits for the setting may be known to others, too.
    let idle = &listed_for(home, "agents", "EdDSA")[0].kid;
    let retire = ["keys", "retire", idle, "--compromised"];
    let complaint = home.run(&retire).failed();
    let way = "portcullis keys rotate --purpose agents --alg EdDSA --now";
    assert!(complaint.contains(way), "{complaint}");
    let way: Vec<_> = way.split(' ').skip(1).collect();
    home.run(&way).succeeded();
    home.run(&retire).succeeded();
    assert_eq!(states(&listed_for(home, "agents", "EdDSA")), ["removed", "active"]);
    assert_eq!(listed_for(home, "agents", "RS256").len(), 1, "the others are as they were");
    server.kill();
    assert!(!published(&home.start()).contains(idle));
}

/// Keys that an operator made before the first start are those of the server, which makes the rest.
fn keys_may_be_made_before_the_first_start(home: &mut Home) {
    home.run(&["keys", "new-master"]).succeeded();
    home.run(&["migrate"]).succeeded();
    for _ in 0..3 {
        home.run(&["keys", "rotate", "--now"]).succeeded();
    }
    let made = listed(home).into_iter().map(|key| key.kid).collect::<Vec<_>>();
    let server = home.start();
    let published = published(&server);
    assert!(made.iter().all(|kid| published.contains(kid)), "{made:?} {published:?}");
    for alg in ["ES256", "EdDSA", "RS256"] {
        let keys = listed_for(home, "agents", alg);
        assert_eq!(states(&keys).last(), Some(&"active"), "{alg}: {keys:?}");
    }
    let tokens = Account::new().register(&mut server.client());
    assert!(made.contains(&tokens.kid()));
}

each_database!(
    a_rotation_may_be_of_one_purpose_and_algorithm,
    keys_may_be_made_before_the_first_start,
    a_planned_rotation_publishes_the_key_before_it_signs,
    a_rewrapped_key_is_the_same_key,
);
