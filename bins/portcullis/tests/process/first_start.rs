//! What the first start makes, and what later ones find.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{
    Account, Home, Server, database, each_database, free_port, people::published_kids,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn c2_the_first_start_makes_the_key_and_the_second_uses_it(home: &mut Home) {
    let server = home.start();
    assert_eq!(mode(&home.key_file()), 0o600);
    let key = fs::read(home.key_file()).unwrap();
    let kids = published_kids(&mut server.client());
    assert!(!kids.is_empty());
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    server.kill();

    let server = home.start();
    assert_eq!(published_kids(&mut server.client()), kids);
    assert_eq!(fs::read(home.key_file()).unwrap(), key);
    server.client().ask(&tokens.me()).with_status(200);
    account.signed_in(&mut server.client());
}

each_database!(c2_the_first_start_makes_the_key_and_the_second_uses_it);

#[test]
fn development_mode_needs_no_settings() {
    let mut home = Home::on_sqlite();
    for key in ["database.url", "master_key_file", "public_url"] {
        home.unset(key);
    }
    let server = home.start();
    Account::new().register(&mut server.client());
    let data = home.path().join("portcullis-data");
    assert_eq!(mode(&data), 0o700);
    for file in ["master.key", "portcullis.db"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[test]
fn f9_two_instances_that_start_together_make_one_key_and_migrate_once() {
    let Some(home) = Home::on_postgres() else { return };
    home.run(&["keys", "new-master"]).succeeded();
    start_together(&home);
}

#[test]
fn f9_two_development_instances_that_start_together_make_one_master_key() {
    let Some(home) = Home::on_postgres() else { return };
    start_together(&home);
}

fn start_together(home: &Home) {
    let mut servers =
        [free_port(), free_port()].map(|port| home.spawn_at(port, &["serve", "--dev"]));
    for server in &mut servers {
        server.wait_ready();
    }
    let kids = servers.each_ref().map(|server| published_kids(&mut server.client()));
    assert_eq!(kids[0], kids[1]);
    let url = home.database_url();
    let keys = database::count(url, "SELECT count(*) FROM signing_keys");
    assert_eq!(usize::try_from(keys).unwrap(), kids[0].len());
    let logs = servers.each_ref().map(Server::log).concat();
    let applied = logs.matches("migration applied").count();
    let stored = database::count(url, "SELECT count(*) FROM __diesel_schema_migrations");
    assert_eq!(i64::try_from(applied).unwrap(), stored, "{logs}");
    // Each accepts what the other issued.
    let tokens = Account::new().register(&mut servers[0].client());
    servers[1].client().ask(&tokens.me()).with_status(200);
}
