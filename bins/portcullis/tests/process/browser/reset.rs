//! Somebody forgot their password.

use portcullis_testkit_browser::Browser;

use super::Person;
use crate::harness::{Account, Home, people::is_refused_token};

/// Asks for the mail; gives what is said about that.
fn ask(person: &Person, email: &str) -> String {
    person.open("/account");
    person.follow("Forgot your password?");
    assert_eq!(person.path(), "/reset-password");
    person.fill(&[("email", email)]);
    person.press("Send the link");
    person.reads()
}

#[test]
fn w9_a_forgotten_password_is_set_anew_by_mail() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let mut client = server.client().from([127, 0, 4, 1]);
    let account = Account::new();
    let tokens = account.register(&mut client);
    let person = Person::new(&browser, &server);
    let said = ask(&person, &account.email);
    assert!(said.contains("If an account has this address, a mail is on its way."), "{said}");
    assert_eq!(ask(&person, "nobody@example.com"), said, "whether there is an account is not told");

    person.follow_mail(&account.email, "Set a new password");
    let link = person.page.url();
    assert!(person.reads().contains(&account.email));
    person.fill(&[("password", "password1")]);
    person.press("Set the password");
    let why = person.wrong("password");
    assert!(why.contains("New password is one of the most common passwords"), "{why}");
    assert!(person.problem().contains("one of the most common passwords"));
    let renewed = Account { password: Account::new().password, ..account.clone() };
    person.fill(&[("password", &renewed.password)]);
    person.press("Set the password");
    assert_eq!(person.heading(), "Your new password is set");
    client.ask(&tokens.me()).with_status(401);
    assert!(is_refused_token(&client.send(&tokens.rotation())));

    person.follow("Sign in");
    person.fill(&[("email", &account.email), ("password", &account.password)]);
    person.press("Sign in");
    assert!(person.problem().contains("The email or password is incorrect."));
    assert_eq!(person.page.find("[name=email]").value(), account.email);
    assert_eq!(person.page.find("[name=password]").value(), "");
    person.fill(&[("password", &renewed.password)]);
    person.press("Sign in");
    assert!(person.is_signed_in());

    person.page.goto(&link);
    assert_eq!(person.heading(), "This link no longer works");
    assert!(person.reads().contains("Ask for another one here."));
    assert!(!person.page.has("[name=password]") && person.page.has("[name=email]"));
}
