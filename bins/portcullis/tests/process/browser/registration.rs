//! Somebody opens an account and confirms their address.

use std::io::{Read, Write};

use portcullis_testkit_browser::Browser;
use serde_json::Value;

use super::Person;
use crate::harness::{Account, Home, Server, each_database, people::is_refused_token};

const SUBJECT: &str = "Confirm your email address";

#[track_caller]
fn register(person: &Person, account: &Account) {
    person.open("/account");
    person.follow("Create an account");
    assert_eq!(person.path(), "/account/register");
    person.fill(&[
        ("email", &account.email),
        ("display_name", "Jane Doe"),
        ("password", &account.password),
    ]);
    person.press("Create the account");
    assert!(person.notice().starts_with("Your account is ready."), "{}", person.reads());
    assert!(person.reads().contains("Not confirmed"));
}

/// What a scanner of mails does to each link. It comes from an address of its own.
fn scan(server: &Server, link: &str) {
    let target = &link[link.find("/verify-email").unwrap()..];
    let mut scanner = server.client().from([127, 0, 4, 1]);
    for _ in 0..2 {
        let head =
            format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut stream = scanner.raw();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
        scanner.get(target).with_status(200);
    }
}

fn v8_v9_w9_a_person_registers_and_confirms_after_a_scanner_came_by(home: &mut Home) {
    let Some(browser) = Browser::for_tests() else { return };
    let server = home.start();
    let (person, account) = (Person::new(&browser, &server), Account::new());
    register(&person, &account);

    person.open_mail(&account.email, SUBJECT);
    let link = person.mailed_link();
    scan(&server, &link);
    let tokens = account.signed_in(&mut server.client());
    let me = || server.client().ask(&tokens.me()).with_status(200).json();
    assert_eq!(me()["email_verified"], false, "a scanner confirms nothing");

    person.page.find(".mail a").follow();
    assert_eq!(person.heading(), SUBJECT);
    let facts = person.page.text("dl");
    let opened = person.page.find("dl time").attribute("datetime").unwrap();
    assert_eq!(me()["created_at"], opened);
    assert!(
        facts.contains(&account.email) && facts.contains("the network 127.0.0.0/24"),
        "{facts}"
    );
    assert!(!person.page.source().contains("Jane Doe"), "a stranger may have written the name");
    person.press("Confirm");
    assert_eq!(person.heading(), "Your address is confirmed");
    person.follow("Go to your account");
    assert_eq!(person.heading(), "Hello, Jane Doe");
    let shown = person.reads();
    assert!(shown.contains("Confirmed") && !shown.contains("Not confirmed"), "{shown}");
    assert_eq!(me()["email_verified"], true);

    person.page.goto(&link);
    assert_eq!(person.heading(), "This link no longer works");
    assert!(person.reads().contains("If you confirmed your address with it, all is done"));
    assert!(!person.page.source().contains("uvt_"), "nothing is left to be sent");
    person.follow("go to your account");
    assert!(person.is_signed_in());
}

each_database!(v8_v9_w9_a_person_registers_and_confirms_after_a_scanner_came_by);

#[test]
fn w9_this_was_not_me_deletes_the_account_of_a_stranger() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let (stranger, person) = (Person::new(&browser, &server), Person::new(&browser, &server));
    let account = Account::new();
    register(&stranger, &account);
    let tokens = account.signed_in(&mut server.client());

    person.follow_mail(&account.email, SUBJECT);
    let link = person.page.url();
    person.press("This was not me");
    assert_eq!(person.heading(), "The account is deleted");
    stranger.page.reload();
    assert!(!stranger.is_signed_in());
    server.client().ask(&tokens.me()).with_status(401);
    assert!(is_refused_token(&server.client().send(&tokens.rotation())));
    server.client().ask(&account.sign_in()).with_status(401);
    person.page.goto(&link);
    assert_eq!(person.heading(), "This link no longer works");
    // The address is free for its owner.
    register(&person, &account);
}

#[test]
fn a_closed_registration_says_so() {
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    home.set("people.registration", "closed");
    let server = home.start();
    let person = Person::new(&browser, &server);
    person.open("/account");
    assert!(!person.reads().contains("Create an account"));
    person.open("/account/register");
    assert_eq!(person.heading(), "That is not possible");
    assert!(person.reads().contains("Registration is closed"), "{}", person.reads());
    assert!(!person.page.has("main form"));
}

#[test]
fn an_invitation_lets_one_person_register() {
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    home.set("people.registration", "invite");
    home.set("mail.transport", "inbox");
    home.set("rate_limits.register.limit", "10");
    let server = home.start();
    let (person, account) = (Person::new(&browser, &server), Account::new());
    person.open("/account/register");
    assert!(person.reads().contains("You need one to register"), "{}", person.reads());
    let guess = format!("inv_{}", "x".repeat(49));
    person.fill(&[("invite_token", &guess), ("email", &account.email)]);
    person.fill(&[("password", &account.password)]);
    person.press("Create the account");
    assert!(person.problem().contains("The invitation is invalid"), "{}", person.reads());
    assert_eq!(person.page.find("[name=invite_token]").value(), "");
    assert_eq!(person.page.find("[name=email]").value(), account.email);

    home.run(&["users", "invite", "--email", &account.email]).succeeded();
    person.follow_mail(&account.email, "You are invited");
    let link = person.page.url();
    assert!(person.reads().contains("You were invited to Portcullis."));
    assert!(!person.page.find("[name=invite_token]").is_shown());
    person.fill(&[("email", &account.email), ("password", &account.password)]);
    person.press("Create the account");
    assert!(person.is_signed_in(), "{}", person.reads());

    let (other, second) = (Person::new(&browser, &server), Account::new());
    other.page.goto(&link);
    other.fill(&[("email", &second.email), ("password", &second.password)]);
    other.press("Create the account");
    assert!(other.problem().contains("The invitation is invalid"), "{}", other.reads());
    server.client().ask(&second.sign_in()).with_status(401);
    // The one that is dead does not stay in the form, out of sight.
    let made = home.run(&["users", "invite", "--json"]).succeeded();
    let made: Value = serde_json::from_str(&made).unwrap();
    other.fill(&[("invite_token", made["invite_token"].as_str().unwrap())]);
    other.fill(&[("password", &second.password)]);
    other.press("Create the account");
    assert!(other.is_signed_in(), "{}", other.reads());
}
