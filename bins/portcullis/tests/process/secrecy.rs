//! No secret in any log line or at rest, and no hostile text as it came.

mod agents;
mod newcomers;
mod secrets;

use std::fs;

use secrets::{MANY, Secrets};
use serde_json::json;

use crate::harness::{
    Account, Arrivals, Client, Home, Mailbox, Request, Server, Tokens, agents::wrong_code,
    database, each_database, people::rotation, random,
};

/// Each kind of call, good and bad, each way in which a secret may be sent.
fn session(server: &Server) -> Secrets {
    let mut secrets = Secrets::default();
    let mut client = server.client();
    let account = Account::new();
    secrets.add_account(&account);
    let first = account.register(&mut client);
    client.ask(&account.registration()).with_status(409);
    let wrong = Account { email: account.email.clone(), ..Account::new() };
    secrets.add_account(&wrong);
    client.ask(&wrong.sign_in()).with_status(401);
    let second = account.signed_in(&mut client);
    let third = second.rotate(&mut client);
    client.ask(&second.rotation()).with_status(401);
    for tokens in [&first, &second, &third] {
        secrets.add_tokens(tokens);
    }
    client.ask(&first.me()).with_status(200);
    let named = Request::put("/v1/users/me", &json!({ "display_name": "A name" }));
    client.ask(&named.bearer(&first.access)).with_status(200);
    client.ask(&Request::get("/v1/auth/sessions").bearer(&first.access)).with_status(200);

    let query = format!("secret-in-query-{:016x}", random());
    secrets.add(&query);
    client.get(&format!("/v1/users/me?access_token={query}")).with_status(401);
    client.get(&format!("/v1/users/me?access_token={}", first.access)).with_status(401);
    client.get(&format!("/nothing/here?token={query}")).with_status(404);
    let forged = format!("forged-{:016x}", random());
    secrets.add(&forged);
    client.ask(&Request::get("/v1/users/me").bearer(&forged)).with_status(401);
    client.ask(&rotation(&forged)).with_status(401);
    let basic = Request::get("/v1/users/me").header("Authorization", &format!("Basic {forged}"));
    client.ask(&basic).with_status(401);
    let cookie = Request::get("/").header("Cookie", &format!("session={forged}"));
    client.ask(&cookie).with_status(200);
    // Broken input is not quoted either.
    let body = json!({ "email": [&forged], "password": { "value": &forged }, "x": &forged });
    client.ask(&Request::post("/v1/auth/register", &body)).with_status(400);
    let torn = json!({ "refresh_token": [&forged] });
    client.ask(&Request::post("/v1/auth/refresh", &torn)).with_status(400);
    client.ask(&third.sign_out()).with_status(401);
    client.ask(&first.sign_out()).with_status(204);
    client.ask(&first.me()).with_status(401);
    secrets
}

/// Each kind of secret that is mailed: one that is used, one that is not.
fn mailed(home: &Home, server: &Server, mailbox: &Mailbox, secrets: &mut Secrets) {
    let mut client = server.client();
    let account = Account::new();
    secrets.add_account(&account);
    let tokens = account.register(&mut client);
    secrets.add_tokens(&tokens);
    let address = json!({ "email": account.email });
    client.ask(&Request::post("/v1/auth/password/reset", &address)).with_status(202);
    let reset = mailbox.wait_for_token(&account.email, "rst_");
    let verification = mailbox.wait_for_token(&account.email, "uvt_");
    let body = json!({ "token": verification });
    client.ask(&Request::post("/v1/auth/verify-email", &body)).with_status(200);
    client.ask(&Request::post("/v1/auth/verify-email", &body)).with_status(401);

    let next = change_address(&mut client, mailbox, &account, &tokens, secrets);
    let body = json!({ "token": reset, "password": next.password });
    secrets.add_account(&next);
    client.ask(&Request::post("/v1/auth/password/reset/confirm", &body)).with_status(401);
    let unused = Account::new();
    let invited = home.run(&["users", "invite", "--email", &unused.email]).succeeded();
    let invitation = mailbox.wait_for_token(&unused.email, "inv_");
    assert!(invited.contains(&invitation));
    unused.register(&mut client);
    let unused = mailbox.wait_for_token(&unused.email, "uvt_");
    for token in [&reset, &verification, &invitation, &unused] {
        secrets.add(token);
    }
    for target in ["/verify-email", "/reset-password"] {
        client.get(&format!("{target}?token={unused}"));
        client.get(&format!("{target}?token={reset}"));
    }
}

/// Asks for other addresses until there are codes enough, and uses the last one; gives the last address.
fn change_address(
    client: &mut Client,
    mailbox: &Mailbox,
    account: &Account,
    tokens: &Tokens,
    secrets: &mut Secrets,
) -> Account {
    let nexts = [(); MANY].map(|()| Account::new());
    let mut codes = Vec::new();
    for next in &nexts {
        let body = json!({ "email": next.email, "password": account.password });
        let change = Request::post("/v1/users/me/email", &body).bearer(&tokens.access);
        client.ask(&change).with_status(202);
        codes.push(mailbox.wait_for_code(&next.email));
    }
    let right = &codes[MANY - 1];
    for code in [&wrong_code(&codes), right] {
        let body = json!({ "code": code });
        client.ask(&Request::post("/v1/users/me/email/confirm", &body).bearer(&tokens.access));
    }
    secrets.add_codes(codes);
    nexts.into_iter().next_back().unwrap()
}

fn g1_c1_v11_k3_o9_no_secret_is_logged_or_stored(home: &mut Home) {
    let mailbox = home.with_mail();
    home.without_limits();
    home.set("refresh.race_window", "0s");
    home.set("log.level", "trace");
    let server = home.start();
    let mut secrets = session(&server);
    mailed(home, &server, &mailbox, &mut secrets);
    agents::everything(home, &server, &mailbox, &mut secrets);
    newcomers::everything(&server, &mailbox, &mut secrets);
    secrets.add(fs::read_to_string(home.key_file()).unwrap().trim());
    let log = server.log();
    for target in ["/v1/users/me", "/api/auth/token", "/oauth2/introspect"] {
        assert!(log.contains(target), "requests are logged: {target}");
    }
    secrets.assert_absent("the log", log.as_bytes());
    assert!(!log.contains("access_token="), "no query string is logged");
    if home.is_sqlite() {
        assert_none_in_files(home, &secrets);
        server.terminate();
        let mut server = server;
        server.wait_end(std::time::Duration::from_secs(30));
        assert_none_in_files(home, &secrets);
    } else {
        secrets.assert_absent("the database", database::dump(home.database_url()).as_bytes());
        let url = home.database_url();
        let password = url.split('@').next().unwrap().rsplit(':').next().unwrap();
        assert!(!log.contains(password), "the database's password is in the log");
    }
}

fn assert_none_in_files(home: &Home, secrets: &Secrets) {
    let files = home.files("data");
    assert!(!files.is_empty());
    for (path, bytes) in files {
        secrets.assert_absent(&path.display().to_string(), &bytes);
    }
}

/// An operator who looks for a fault turns everything on, other people's crates included.
fn g1_no_secret_is_logged_whatever_the_filter(home: &mut Home) {
    let mailbox = home.with_mail();
    home.without_limits();
    home.set("refresh.race_window", "0s");
    home.set("log.filter", "trace");
    let server = home.start();
    let mut secrets = session(&server);
    mailed(home, &server, &mailbox, &mut secrets);
    agents::everything(home, &server, &mailbox, &mut secrets);
    newcomers::everything(&server, &mailbox, &mut secrets);
    secrets.assert_absent("the log", server.log().as_bytes());
}

fn hostile_text_is_logged_in_one_line(home: &mut Home, format: &str) {
    home.without_limits();
    home.set("log.format", format);
    home.set("log.level", "trace");
    let server = home.start();
    let mut client = server.client();
    let agent = "evil\u{9b}31m \u{85} \u{2028} \u{202e}{}%s${jndi:ldap://127.0.0.1/x}";
    let account = Account::new();
    client.ask(&account.registration().header("User-Agent", agent)).with_status(201);
    client.ask(&account.sign_in().header("User-Agent", agent)).with_status(200);
    for path in ["/%1b%5b31m", "/%0d%0aINFO%20forged", "/\u{9b}31m", "/a%00b"] {
        assert!(server.client().get(path).status < 500);
    }
    let escape = "x\u{1b}[31m\r\n{\"level\":\"INFO\",\"message\":\"forged\"}";
    for field in ["email", "display_name", "password", escape] {
        let mut body = json!({ "email": "a@example.com", "password": "long enough, this" });
        body[field] = escape.into();
        assert!(client.ask(&Request::post("/v1/auth/register", &body)).status < 500);
        assert!(client.ask(&Request::post("/v1/auth/login", &body)).status < 500);
    }
    client.ask(&rotation(escape)).with_status(401);
    client.ask(&Request::get("/").header("X-Request-Id", "forged\u{9b}id")).with_status(200);
    client.ask(&Request::get("/").header("X-Forwarded-For", "\u{9b}31m")).with_status(200);

    let log = server.log();
    assert!(log.contains("/v1/auth/register"));
    let steers = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(log.chars().find(steers), None, "{log}");
    for line in log.lines() {
        assert!(!line.contains("\"forged\""), "{line}");
        match format {
            "json" => assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}"),
            // A line break from outside would begin a line without a time.
            _ => assert!(line.starts_with("20") && line.contains("Z "), "{line}"),
        }
    }
}

fn g2_hostile_text_stays_on_one_line_of_json(home: &mut Home) {
    hostile_text_is_logged_in_one_line(home, "json");
}

fn g2_hostile_text_stays_on_one_line_of_text(home: &mut Home) {
    hostile_text_is_logged_in_one_line(home, "text");
}

each_database!(
    g1_c1_v11_k3_o9_no_secret_is_logged_or_stored,
    g1_no_secret_is_logged_whatever_the_filter,
    g2_hostile_text_stays_on_one_line_of_json,
    g2_hostile_text_stays_on_one_line_of_text,
);
