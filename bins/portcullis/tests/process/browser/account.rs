//! Somebody changes their account, and deletes it.

use portcullis_testkit_browser::Browser;
use serde_json::Value;

use super::Person;
use crate::harness::{Account, Home, Server, people::is_refused_token};

const NAME: &str = r#"<script>alert(1)</script> "O'Neil" & <b>co</b>"#;

struct Scene {
    server: Server,
    person: Person,
    account: Account,
    _home: Home,
}

/// Somebody who has just signed in.
fn signed_in(browser: &Browser) -> Scene {
    let mut home = Home::on_sqlite();
    home.set("rate_limits.sign_in.limit", "20");
    let (server, account) = (home.start(), Account::new());
    account.register(&mut server.client().from([127, 0, 4, 1]));
    let person = Person::new(browser, &server);
    person.sign_in(&account);
    Scene { server, person, account, _home: home }
}

fn me(scene: &Scene) -> Value {
    let mut client = scene.server.client().from([127, 0, 4, 2]);
    let tokens = scene.account.signed_in(&mut client);
    client.ask(&tokens.me()).with_status(200).json()
}

#[test]
fn w3_w9_a_name_is_shown_as_it_was_typed() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = signed_in(&browser);
    let person = &scene.person;
    person.fill(&[("display_name", NAME)]);
    person.press("Save");
    assert_eq!(person.notice(), "Your name is saved.");
    assert_eq!(person.heading(), format!("Hello, {NAME}"));
    assert_eq!(person.page.find("[name=display_name]").value(), NAME);
    assert!(!person.page.has("main script") && !person.page.has("main b"));
    assert_eq!(me(&scene)["display_name"], NAME);
    let long = "x".repeat(81);
    person.fill(&[("display_name", &long)]);
    person.press("Save");
    assert!(person.wrong("display_name").contains("at most 80 characters"));
    assert_eq!(person.page.find("[name=display_name]").value(), long);
    assert_eq!(person.heading(), format!("Hello, {NAME}"));
    person.fill(&[("display_name", "")]);
    person.press("Save");
    assert_eq!(person.heading(), "Your account");
    assert_eq!(me(&scene)["display_name"], Value::Null);

    let hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E%3Cb%3E";
    for path in ["/account?done=", "/verify-email?token=", "/reset-password?token="] {
        person.open(&format!("{path}{hostile}"));
        assert!(!person.page.has("script") && !person.page.has("b"), "{path}");
    }
    person.open("/account");
    person.press("Sign out");
    person.open(&format!("/account/register?invitation={hostile}"));
    assert!(!person.page.has("script") && !person.page.has("b"));
    let typed = person.page.find("[name=invite_token]").value();
    assert_eq!(typed, "<script>alert(1)</script>\"><b>");
}

#[test]
fn w9_a_password_is_changed() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = signed_in(&browser);
    let Scene { server, person, account, .. } = &scene;
    let mut client = server.client().from([127, 0, 4, 1]);
    let elsewhere = account.signed_in(&mut client);
    let new = Account { password: Account::new().password, ..account.clone() };
    person.follow("Password");
    let change = |current: &str, new: &str| {
        person.fill(&[("current_password", current), ("new_password", new)]);
        person.press("Change the password");
    };
    change("not the password", &new.password);
    assert!(person.problem().contains("The password is incorrect."), "{}", person.reads());
    change(&account.password, &account.email);
    assert!(person.wrong("new_password").contains("must not be your email address"));
    client.ask(&elsewhere.me()).with_status(200);
    change(&account.password, &new.password);
    assert!(person.notice().starts_with("Your password is changed"));
    assert!(person.is_signed_in());
    client.ask(&elsewhere.me()).with_status(401);
    assert!(is_refused_token(&client.send(&elsewhere.rotation())));
    client.ask(&account.sign_in()).with_status(401);
    client.ask(&new.sign_in()).with_status(200);
}

#[test]
fn w9_an_address_is_changed_with_the_code_from_the_mail() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = signed_in(&browser);
    let Scene { server, person, account, .. } = &scene;
    let moved = Account { email: Account::new().email, ..account.clone() };
    person.follow("Email");
    person.fill(&[("email", &moved.email), ("password", "not the password")]);
    person.press("Send the code");
    assert!(person.problem().contains("The password is incorrect."), "{}", person.reads());
    assert_eq!(person.page.find("[name=email]").value(), moved.email);
    person.fill(&[("password", &account.password)]);
    person.press("Send the code");
    assert_eq!(person.heading(), "Enter the code");
    let form = person.path();
    person.open_mail(&moved.email, "Confirm your new email address");
    let code = person.mailed_code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    person.open(&form);
    person.fill(&[("code", wrong)]);
    person.press("Change the address");
    assert!(person.problem().contains("code"), "{}", person.reads());
    person.fill(&[("code", &code)]);
    person.press("Change the address");
    assert_eq!(person.notice(), "Your address is changed.");
    let shown = person.reads();
    assert!(shown.contains(&moved.email) && !shown.contains("Not confirmed"), "{shown}");
    server.client().ask(&account.sign_in()).with_status(401);
    server.client().ask(&moved.sign_in()).with_status(200);
}

#[test]
fn w9_after_signing_out_nothing_of_the_account_is_shown() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = signed_in(&browser);
    let Scene { person, account, .. } = &scene;
    for tab in ["Profile", "Email", "Password", "Devices"] {
        person.follow(tab);
        assert_eq!(person.page.find("[aria-current=page]").text(), tab);
    }
    assert!(person.page.cookie("portcullis").is_some_and(|cookie| cookie.is_http_only));
    person.press("Sign out");
    assert_eq!(person.notice(), "You are signed out.");
    assert_eq!(person.page.cookie("portcullis"), None);
    for _ in 0..4 {
        person.page.back();
        assert_eq!(person.heading(), "Sign in");
        assert!(!person.page.source().contains(&account.email));
    }
    for path in ["", "/email", "/email/confirm", "/password", "/sessions", "/delete"] {
        person.open(&format!("/account{path}"));
        assert_eq!((person.heading().as_str(), person.path().as_str()), ("Sign in", "/account"));
    }
}

#[test]
fn w9_an_account_is_deleted_after_a_warning() {
    let Some(browser) = Browser::for_tests() else { return };
    let scene = signed_in(&browser);
    let Scene { server, person, account, .. } = &scene;
    let mut client = server.client().from([127, 0, 4, 1]);
    let elsewhere = account.signed_in(&mut client);
    person.follow("Delete the account");
    let warning = person.reads();
    assert!(warning.contains("This cannot be undone.") && warning.contains(&account.email));
    person.follow("Keep it");
    person.follow("Delete the account");
    person.fill(&[("password", "not the password")]);
    person.press("Delete my account");
    assert!(person.problem().contains("The password is incorrect."), "{}", person.reads());
    client.ask(&elsewhere.me()).with_status(200);
    person.fill(&[("password", &account.password)]);
    person.press("Delete my account");
    assert_eq!(person.notice(), "Your account is deleted.");
    assert_eq!((person.heading(), person.page.cookie("portcullis")), ("Sign in".into(), None));
    client.ask(&elsewhere.me()).with_status(401);
    client.ask(&account.sign_in()).with_status(401);
}
