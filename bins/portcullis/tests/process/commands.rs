//! The command line, and what it does to a running server.

use serde_json::{Value, json};

use crate::harness::{Account, Home, Request, Tokens, each_database, people::is_refused_token};

fn create(home: &Home, account: &Account, more: &[&str]) -> String {
    let arguments = [&["users", "create", &account.email, "--password-stdin"], more].concat();
    home.run_with(&arguments, &[], &account.password).succeeded()
}

fn show(home: &Home, account: &Account) -> Value {
    let shown = home.run(&["users", "show", &account.email, "--json"]).succeeded();
    serde_json::from_str(&shown).unwrap()
}

fn an_operator_makes_and_changes_accounts(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    let said = create(home, &account, &["--name", "Jane Smith", "--verified"]);
    assert!(said.contains(&account.email) && said.contains("verified_user"), "{said}");
    assert!(!said.contains(&account.password));
    let signed_in = client.ask(&account.sign_in()).with_status(200).json();
    assert_eq!(signed_in["user"]["role"], "verified_user");
    assert_eq!(signed_in["user"]["display_name"], "Jane Smith");
    assert_eq!(signed_in["user"]["email_verified"], true);
    let again = ["users", "create", &account.email, "--password-stdin"];
    let complaint = home.run_with(&again, &[], &account.password).failed();
    assert!(complaint.contains("already exists"), "{complaint}");

    let tokens = account.signed_in(&mut client);
    home.run(&["users", "set-role", &account.email, "host"]).succeeded();
    assert_eq!(client.ask(&tokens.me()).with_status(200).json()["role"], "host");
    let next = tokens.rotate(&mut client);
    client.ask(&next.me()).with_status(200);
    let shown = show(home, &account);
    assert_eq!(shown["role"], "host");
    assert_eq!(shown["sessions"].as_array().unwrap().len(), 2);
    let by_id = home.run(&["users", "show", shown["id"].as_str().unwrap()]).succeeded();
    assert!(by_id.contains(&account.email), "{by_id}");
    let listed = home.run(&["users", "list"]).succeeded();
    assert!(listed.contains(&account.email) && listed.contains("host"), "{listed}");
}

fn r9_a_suspension_holds_at_once_until_it_is_lifted(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let (account, other) = (Account::new(), Account::new());
    let tokens = account.register(&mut client);
    let others = other.register(&mut client);
    client.ask(&tokens.me()).with_status(200);
    home.run(&["users", "suspend", &account.email]).succeeded();
    client.ask(&tokens.me()).with_status(401);
    assert!(is_refused_token(&client.send(&tokens.rotation())));
    let refused = client.ask(&account.sign_in()).with_status(403);
    assert_eq!(refused.json()["error"]["code"], "forbidden");
    let wrong = Account { email: account.email.clone(), ..Account::new() };
    client.ask(&wrong.sign_in()).with_status(401);
    client.ask(&others.me()).with_status(200);
    let suspended = home.run(&["users", "list", "--status", "suspended"]).succeeded();
    assert!(suspended.contains(&account.email) && !suspended.contains(&other.email));

    home.run(&["users", "resume", &account.email]).succeeded();
    client.ask(&tokens.me()).with_status(401);
    let tokens = account.signed_in(&mut client);
    client.ask(&tokens.me()).with_status(200);
}

fn r9_an_erased_account_is_gone_at_once(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    let tokens = account.register(&mut client);
    let unsure = home.run(&["users", "delete", &account.email]);
    assert_eq!(unsure.code, Some(2), "{unsure:?}");
    client.ask(&tokens.me()).with_status(200);
    home.run(&["users", "delete", &account.email, "--yes"]).succeeded();
    client.ask(&tokens.me()).with_status(401);
    assert!(is_refused_token(&client.send(&tokens.rotation())));
    client.ask(&account.sign_in()).with_status(401);
    let complaint = home.run(&["users", "show", &account.email]).failed();
    assert!(complaint.contains("No such user"), "{complaint}");
    account.register(&mut client);
}

fn a_migration_by_command_is_what_the_server_finds(home: &mut Home) {
    let applied = home.run(&["migrate"]).succeeded();
    assert!(applied.contains("applied") && applied.contains("people"), "{applied}");
    for command in [&["migrate"][..], &["migrate", "--check"]] {
        assert!(home.run(command).succeeded().contains("up to date"));
    }
    let server = home.start();
    assert!(!server.log().contains("migration applied"));
    Account::new().register(&mut server.client());
}

/// Commands that would need a schema say so instead of making one.
fn commands_on_an_empty_database_say_what_to_do(home: &mut Home) {
    for command in [
        &["users", "list"][..],
        &["users", "suspend", "jane@example.com"],
        &["agents", "list"],
        &["agents", "create", "weather-bot", "--email", "bot@example.com"],
        &["resources", "list"],
        &["keys", "list"],
        &["keys", "rotate"],
    ] {
        let complaint = home.run(command).failed();
        let says = ["portcullis migrate", "portcullis keys new-master"];
        assert!(says.iter().any(|command| complaint.contains(command)), "{complaint}");
    }
    assert!(!home.key_file().exists());
}

each_database!(
    an_operator_makes_and_changes_accounts,
    r9_a_suspension_holds_at_once_until_it_is_lifted,
    r9_an_erased_account_is_gone_at_once,
    a_migration_by_command_is_what_the_server_finds,
    commands_on_an_empty_database_say_what_to_do,
);

#[test]
fn p1_a_password_from_an_operator_obeys_the_rules() {
    let home = Home::on_sqlite();
    home.run(&["migrate"]).succeeded();
    let create = ["users", "create", "jane@example.com", "--password-stdin"];
    for (password, expected) in
        [("short", "password"), ("password123", "password"), ("", "no password")]
    {
        let complaint = home.run_with(&create, &[], password).failed();
        assert!(complaint.contains(expected), "{complaint}");
    }
    let complaint = home.run(&["users", "create", "not an address"]).failed();
    assert!(complaint.contains("email"), "{complaint}");
    assert!(home.run(&["users", "list"]).succeeded().contains("no users"));
}

#[test]
fn an_account_without_a_password_cannot_be_signed_in_to() {
    let home = Home::on_sqlite();
    let server = home.start();
    home.run(&["users", "create", "jane@example.com", "--role", "admin"]).succeeded();
    for password in ["", "null", "long enough, this"] {
        let body = json!({ "email": "jane@example.com", "password": password });
        server.client().ask(&Request::post("/v1/auth/login", &body)).with_status(401);
    }
}

#[test]
fn g1_the_settings_are_shown_without_secrets() {
    let mut home = Home::on_database("postgres://jane:Hunter2Hunter2@127.0.0.1:1/name");
    home.unset("master_key_file");
    home.set("master_key", "SecretSecretSecret");
    home.set("mail.smtp.password", "MailSecretMailSecret");
    home.set("refresh.idle", "12h");
    let shown = home.run(&["config", "show"]).succeeded();
    for secret in ["Hunter2Hunter2", "SecretSecretSecret", "MailSecretMailSecret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for expected in ["127.0.0.1:1/name", "12h", "PORTCULLIS__REFRESH__IDLE", "[rate_limits"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[test]
fn what_keeps_the_server_from_starting_is_told_by_config_check() {
    let mut home = Home::on_sqlite();
    home.with_mail();
    home.run(&["keys", "new-master"]).succeeded();
    let complaint = home.run(&["config", "check"]).failed();
    assert!(complaint.contains("https"), "{complaint}");
    home.run(&["config", "check", "--insecure-http"]).succeeded();
    home.set("refresh.idle", "soon");
    let complaint = home.run(&["config", "check", "--insecure-http"]).failed();
    assert!(complaint.contains("refresh.idle"), "{complaint}");
}

#[test]
fn the_description_is_that_of_the_server() {
    let home = Home::on_sqlite();
    let printed: Value = serde_json::from_str(&home.run(&["openapi"]).succeeded()).unwrap();
    assert!(printed["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(printed["paths"]["/v1/auth/login"]["post"].is_object());
    let served = home.start().client().get("/openapi.json").with_status(200).json();
    assert_eq!(served, printed);
}

#[test]
fn every_command_explains_itself() {
    let home = Home::on_sqlite();
    let commands: &[&[&str]] = &[
        &[],
        &["serve"],
        &["migrate"],
        &["keys"],
        &["keys", "new-master"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["keys", "retire"],
        &["keys", "rewrap"],
        &["users"],
        &["users", "create"],
        &["users", "list"],
        &["users", "show"],
        &["users", "set-role"],
        &["users", "suspend"],
        &["users", "resume"],
        &["users", "delete"],
        &["agents"],
        &["agents", "create"],
        &["agents", "list"],
        &["agents", "show"],
        &["agents", "suspend"],
        &["agents", "resume"],
        &["agents", "delete"],
        &["agents", "keys"],
        &["agents", "create-key"],
        &["agents", "revoke-key"],
        &["agents", "reset-recovery-key"],
        &["resources"],
        &["resources", "add"],
        &["resources", "list"],
        &["resources", "remove"],
        &["config"],
        &["config", "check"],
        &["config", "show"],
        &["openapi"],
    ];
    for command in commands {
        let help = home.run(&[command, &["--help"][..]].concat()).succeeded();
        let usage = format!("Usage: portcullis {}", command.join(" "));
        assert!(help.contains(usage.trim_end()), "{help}");
        assert!(!help.starts_with("Usage"), "it says first what it does: {help}");
    }
    assert_eq!(home.run(&["no-such-command"]).code, Some(2));
    assert_eq!(home.run(&[]).code, Some(2));
}

#[test]
fn tokens_show_a_role_from_the_next_refresh() {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let tokens: Tokens = account.register(&mut server.client());
    home.run(&["users", "set-role", &account.email, "admin"]).succeeded();
    assert_eq!(tokens.claims()["role"], "user");
    assert_eq!(tokens.rotate(&mut server.client()).claims()["role"], "admin");
}
