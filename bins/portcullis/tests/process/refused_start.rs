//! When the server must not start: it says why in one line, tells no secret and changes nothing.

use std::fs;

use crate::harness::{Home, database, each_database, people::published_kids};

const SERVE: &[&str] = &["serve", "--dev"];

/// A home that a server has used.
fn used(home: &Home) -> Vec<String> {
    let server = home.start();
    let kids = published_kids(&mut server.client());
    server.kill();
    kids
}

fn assert_as_before(home: &Home, kids: &[String]) {
    assert_eq!(published_kids(&mut home.start().client()), kids);
}

fn c2_a_missing_key_file_with_data_is_not_made_anew(home: &mut Home) {
    let kids = used(home);
    let key = fs::read(home.key_file()).unwrap();
    let aside = home.path().join("aside");
    fs::rename(home.key_file(), &aside).unwrap();

    let complaint = home.run(SERVE).failed();
    assert!(complaint.contains("missing") && complaint.contains("master.key"), "{complaint}");
    assert!(!home.key_file().exists(), "no key is made");
    fs::rename(&aside, home.key_file()).unwrap();
    assert_eq!(fs::read(home.key_file()).unwrap(), key);
    assert_as_before(home, &kids);
}

fn c2_a_wrong_key_is_refused(home: &mut Home) {
    let kids = used(home);
    let other = home.path().join("other.key");
    home.run(&["keys", "new-master", "--file", &other.display().to_string()]).succeeded();
    let text = fs::read_to_string(&other).unwrap();
    let more = [("master_key_file", other.to_str().unwrap())];
    let complaint = home.run_with(SERVE, &more, "").failed();
    assert!(complaint.contains("not the one that sealed"), "{complaint}");
    assert!(!complaint.contains(text.trim()));
    let keys = database::count(home.database_url(), "SELECT count(*) FROM signing_keys");
    assert_eq!(usize::try_from(keys).unwrap(), kids.len(), "no key is made");
    assert_as_before(home, &kids);
}

fn f16_a_newer_schema_is_refused(home: &mut Home) {
    let kids = used(home);
    let history = "__diesel_schema_migrations";
    let newer = format!("INSERT INTO {history} (version) VALUES ('9999')");
    database::execute(home.database_url(), &newer);
    for command in [SERVE, &["serve", "--dev", "--no-migrate"], &["migrate"], &["users", "list"]] {
        let complaint = home.run(command).failed();
        assert!(complaint.contains("newer") && complaint.contains("9999"), "{complaint}");
    }
    let older = format!("DELETE FROM {history} WHERE version = '9999'");
    database::execute(home.database_url(), &older);
    assert_as_before(home, &kids);
}

fn pending_migrations_are_refused_when_they_may_not_be_applied(home: &mut Home) {
    if home.is_sqlite() {
        let complaint = home.run(&["serve", "--dev", "--no-migrate"]).failed();
        assert!(complaint.contains("there is no database"), "{complaint}");
        fs::write(home.sqlite_file(), "").unwrap();
    }
    for command in [&["serve", "--dev", "--no-migrate"][..], &["migrate", "--check"]] {
        let complaint = home.run(command).failed();
        let says = complaint.contains("pending") && complaint.contains("portcullis migrate");
        assert!(says, "{complaint}");
    }
    assert!(!home.key_file().exists(), "no key is made");
    home.run(&["migrate"]).succeeded();
    let mut server = home.spawn(&["serve", "--dev", "--no-migrate"]);
    server.wait_ready();
}

each_database!(
    c2_a_missing_key_file_with_data_is_not_made_anew,
    c2_a_wrong_key_is_refused,
    f16_a_newer_schema_is_refused,
    pending_migrations_are_refused_when_they_may_not_be_applied,
);

#[test]
fn g1_a_bad_setting_is_told_in_one_line_without_a_secret() {
    let home = Home::on_sqlite();
    let secret = "Hunter2Hunter2";
    let away = format!("postgres://user:{secret}@127.0.0.1:1/name");
    let torn = format!("postgres://user:{secret}%zz@127.0.0.1:1/name");
    for (key, value, expected) in [
        ("database.url", away.as_str(), "connect"),
        ("database.url", &torn, "percent-encoded"),
        ("database.url", &format!("mysql://user:{secret}@127.0.0.1/name"), "database.url"),
        ("database.url", "sqlite:///nowhere/at/all.db", "/nowhere/at/all.db"),
        ("http.bind", "somewhere", "http.bind"),
        ("http.bind", "0.0.0.0:0", "loopback"),
        ("public_url", "not a url", "public_url"),
        ("public_url", "https://auth.example.com", "public_url"),
        ("http.prot", "1", "http.prot"),
        ("refresh.idle", "soon", "refresh.idle"),
        ("refresh.race_window", "1h", "refresh.race_window"),
        ("agents.algorithm", "HS256", "ES256, EdDSA, RS256"),
        ("agents.audience", "everybody", "agents.audience"),
        ("agents.default_scopes", "everything", "among agents.scopes"),
        ("agents.key_prefix", "rk_", "agents.key_prefix"),
        ("agents.token_ttl", "25h", "from 1s to 1d"),
        ("rate_limits.enabled", "perhaps", "rate_limits.enabled"),
        ("rate_limits.agents.token.limit", "0", "rate_limits.agents.token.limit"),
        ("master_key", secret, "master_key"),
        ("master_key_file", "/nowhere/at/all.key", "/nowhere/at/all"),
        ("log.level", "loud", "log.level"),
    ] {
        // Only one of the two may be set.
        let mut home = Home::on_database(home.database_url());
        if key == "master_key" {
            home.unset("master_key_file");
        }
        let finished = home.run_with(SERVE, &[(key, value)], "");
        let all = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!all.contains(secret), "{key}={value}: {all}");
        let complaint = finished.failed();
        let says = complaint.to_lowercase().contains(&expected.to_lowercase());
        assert!(says, "{key}={value}: {complaint}");
    }
}

#[test]
fn without_development_mode_what_lacks_is_named() {
    let mut home = Home::on_sqlite();
    home.with_mail();
    let complaint = home.run(&["serve"]).failed();
    assert!(complaint.contains("https") && complaint.contains("--insecure-http"), "{complaint}");
    for key in ["database.url", "public_url", "master_key_file"] {
        home.unset(key);
    }
    let finished = home.run(&["serve"]);
    assert_eq!(finished.code, Some(1));
    for key in ["database.url", "public_url", "master_key"] {
        assert!(finished.stderr.contains(key), "{}", finished.stderr);
    }
}

#[test]
fn c4_without_development_mode_no_key_is_made() {
    let mut home = Home::on_sqlite();
    home.with_mail();
    let serve = ["serve", "--insecure-http"];
    let complaint = home.run(&serve).failed();
    assert!(complaint.contains("portcullis keys new-master"), "{complaint}");
    assert!(!home.key_file().exists());
    home.run(&["keys", "new-master"]).succeeded();
    let mut server = home.spawn(&serve);
    server.wait_ready();
}

#[test]
fn an_address_in_use_is_told() {
    let home = Home::on_sqlite();
    let _server = home.start();
    let complaint = home.run(SERVE).failed();
    assert!(complaint.contains("cannot listen on 127.0.0.1"), "{complaint}");
}
