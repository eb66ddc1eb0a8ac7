//! When a key was used last: noted within seconds, at the end at once, and never while the agent waits.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Agent, ApiKey, Client, Home, ResourceServer, database, each_database, wait_until,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn last_used(reader: &ApiKey, key: &ApiKey, client: &mut Client) -> Value {
    let keys = reader.list(client);
    let row = keys.iter().find(|row| row["key_id"] == *key.id).expect("the key is listed");
    row["last_used_at"].clone()
}

fn is_noted(home: &Home, key: &ApiKey) -> bool {
    let noted = format!(
        "SELECT count(*) FROM api_keys WHERE id = '{}' AND last_used_at IS NOT NULL",
        key.id
    );
    database::count(home.database_url(), &noted) == 1
}

fn a_use_shows_up_within_seconds(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let [key, unused, reader] = [(); 3].map(|()| agent.make_key(&mut client));
    assert!(last_used(&reader, &key, &mut client).is_null());
    key.token(&mut client);
    wait_until("the use is noted", PATIENCE, || last_used(&reader, &key, &mut client).is_string());
    assert!(last_used(&reader, &unused, &mut client).is_null());
}

/// The flush of every few seconds may come between two lines of this test; then it is done anew.
fn f12_a_use_is_noted_when_the_server_stops(home: &mut Home) {
    for _ in 0..10 {
        let mut server = home.start();
        let mut client = server.client();
        let key = Agent::register(&mut client).make_key(&mut client);
        key.token(&mut client);
        let was_noted = is_noted(home, &key);
        server.terminate();
        assert_eq!(server.wait_end(PATIENCE).code(), Some(0));
        assert!(is_noted(home, &key), "{}", server.log());
        if !was_noted {
            return;
        }
    }
    panic!("a use is noted before the answer");
}

/// Nobody but the holder can write, and exchanges, checks and introspections need not.
fn a_use_is_no_write_while_the_agent_waits(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let watcher = ResourceServer::add(home);
    let agent = Agent::register(&mut client);
    let [key, reader] = [(); 2].map(|()| agent.make_key(&mut client));
    let mut holder = database::connect(home.database_url());
    let hold = if home.is_sqlite() {
        "BEGIN IMMEDIATE"
    } else {
        "BEGIN; LOCK TABLE agents, api_keys, agent_networks, audit_events, outbox, rate_limits, \
         spent_tokens IN SHARE MODE"
    };
    holder.batch_execute(hold).unwrap();
    for _ in 0..10 {
        let token = key.token(&mut client);
        assert!(token.is_good(&mut client));
        assert!(watcher.is_active(&mut client, &token.0));
        assert!(watcher.is_active(&mut client, &key.secret));
    }
    wait_until("the log tells", PATIENCE, || {
        server.log().contains("noting when API keys were used")
    });
    assert!(!is_noted(home, &key));
    holder.batch_execute("ROLLBACK").unwrap();
    wait_until("the use is noted", PATIENCE, || last_used(&reader, &key, &mut client).is_string());
}

each_database!(
    a_use_shows_up_within_seconds,
    f12_a_use_is_noted_when_the_server_stops,
    a_use_is_no_write_while_the_agent_waits,
);
