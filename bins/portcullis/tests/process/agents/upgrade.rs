//! A database from before there were agents, and instances that start together.

use crate::harness::{
    Account, Agent, Home, Server, Tokens, database, each_database, free_port,
    people::published_kids,
};

/// The newest first, for SQLite and for PostgreSQL.
const DOWN: [[&str; 3]; 2] = [
    [
        include_str!("../../../../../migrations/sqlite/0005_credits/down.sql"),
        include_str!("../../../../../migrations/sqlite/0004_registrations/down.sql"),
        include_str!("../../../../../migrations/sqlite/0003_agents/down.sql"),
    ],
    [
        include_str!("../../../../../migrations/postgres/0005_credits/down.sql"),
        include_str!("../../../../../migrations/postgres/0004_registrations/down.sql"),
        include_str!("../../../../../migrations/postgres/0003_agents/down.sql"),
    ],
];

/// Brings the database to where it was before there were agents.
fn forget_agents(home: &Home) {
    let [sqlite, postgres] = DOWN;
    let down = if home.is_sqlite() { sqlite } else { postgres };
    let forget = "DELETE FROM __diesel_schema_migrations WHERE version >= '0003';";
    database::execute(home.database_url(), &format!("{forget}{}", down.concat()));
}

/// A person from before, and the token of an agent made after, at every instance.
fn assert_all_served(servers: &[Server], account: &Account, tokens: &Tokens) {
    let mut clients: Vec<_> = servers.iter().map(Server::client).collect();
    for client in &mut clients {
        client.ask(&tokens.me()).with_status(200);
        account.signed_in(client).rotate(client);
        let key = Agent::register(client).make_key(client);
        let token = key.token(client);
        for server in servers {
            assert!(token.is_good(&mut server.client()));
        }
    }
    tokens.rotate(&mut clients[0]);
}

fn started_together(home: &Home) -> [Server; 2] {
    let mut servers =
        [free_port(), free_port()].map(|port| home.spawn_at(port, &["serve", "--dev"]));
    for server in &mut servers {
        server.wait_ready();
    }
    servers
}

/// Three keys of agents and one of people, the same at both, and no more in the database.
fn assert_same_keys(home: &Home, servers: &[Server; 2]) {
    let kids = servers.each_ref().map(|server| published_kids(&mut server.client()));
    assert_eq!(kids[0], kids[1]);
    for (purpose, expected) in [("agents", 3), ("people", 1)] {
        let stored = format!("SELECT count(*) FROM signing_keys WHERE purpose = '{purpose}'");
        assert_eq!(database::count(home.database_url(), &stored), expected, "{purpose}");
    }
    assert_eq!(kids[0].len(), 4);
}

fn z5_f16_people_from_before_there_were_agents_go_on(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    server.kill();
    forget_agents(home);

    let server = home.start();
    assert_eq!(
        server.log().matches("migration applied").count(),
        DOWN[0].len(),
        "{}",
        server.log()
    );
    assert!(published_kids(&mut server.client()).contains(&tokens.kid()));
    assert_all_served(&[server], &account, &tokens);
}

#[test]
fn z5_f9_two_instances_that_upgrade_together_agree_on_the_new_keys() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    server.kill();
    forget_agents(&home);

    let servers = started_together(&home);
    let logs = servers.each_ref().map(Server::log).concat();
    assert_eq!(logs.matches("migration applied").count(), DOWN[0].len(), "{logs}");
    assert_same_keys(&home, &servers);
    assert_all_served(&servers, &account, &tokens);
}

#[test]
fn j10_f9_two_instances_on_an_empty_database_agree_on_the_keys_of_agents() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = started_together(&home);
    assert_same_keys(&home, &servers);
    let account = Account::new();
    let tokens = account.register(&mut servers[0].client());
    assert_all_served(&servers, &account, &tokens);
}

each_database!(z5_f16_people_from_before_there_were_agents_go_on);
