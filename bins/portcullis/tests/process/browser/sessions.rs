//! Somebody signs in, sees where else they are signed in, and ends that.

use portcullis_testkit_browser::{Browser, keys};

use super::Person;
use crate::harness::{Account, Client, Home, Tokens, people::is_refused_token};

const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/140.0.0.0 Mobile Safari/537.36";

fn assert_over(client: &mut Client, tokens: &Tokens) {
    client.ask(&tokens.me()).with_status(401);
    assert!(is_refused_token(&client.send(&tokens.rotation())));
}

#[test]
fn w9_a_person_signs_in_and_ends_other_sessions() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let mut client = server.client().from([127, 0, 4, 1]);
    let account = Account::new();
    let first = account.register(&mut client);
    let phone = client.ask(&account.sign_in().header("User-Agent", PHONE)).with_status(200);
    let phone = Tokens::from(&phone);

    let person = Person::new(&browser, &server);
    person.open("/account");
    person.fill(&[("email", &account.email), ("password", "not the password")]);
    person.press("Sign in");
    assert_eq!(person.page.title(), "Error: Sign in · Portcullis");
    assert!(person.problem().contains("The email or password is incorrect."));
    person.sign_in(&account);

    person.follow("Devices");
    let listed = person.page.find_all("main li li, main .list > li");
    let listed: Vec<String> = listed.iter().map(|item| item.text()).collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    let of = |name: &str| listed.iter().filter(|text| text.contains(name)).count();
    assert_eq!((of("This device"), of("Chrome on Linux"), of("Chrome on Android")), (1, 1, 1));
    assert_eq!(of("from 127.0.4.1"), 2, "{listed:?}");

    let session = phone.claims()["sid"].as_str().unwrap().to_owned();
    person.page.find(&format!("form:has([value='{session}']) button")).follow();
    assert_eq!(person.notice(), "That device is signed out.");
    assert!(!person.reads().contains("Android"));
    assert_over(&mut client, &phone);
    client.ask(&first.me()).with_status(200);

    person.press("Sign out all others");
    assert_eq!(person.notice(), "All other devices are signed out.");
    assert_eq!(person.page.find_all(".list > li").len(), 1);
    assert!(!person.page.has("main form"), "nothing is left to end");
    assert_over(&mut client, &first);
    assert!(person.is_signed_in());
}

/// One press of the tabulator after the other, and what it leads to.
fn tab(person: &Person) -> (String, String) {
    person.page.active().type_text(keys::TAB);
    let now = person.page.active();
    (now.role(), now.label())
}

#[test]
fn w9_the_keyboard_alone_is_enough_to_sign_in() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    let person = Person::new(&browser, &server);
    person.open("/account");
    person.page.find("body").type_text(keys::TAB);
    let skip = person.page.active();
    assert_eq!(skip.label(), "Skip to the content");
    skip.type_text(keys::ENTER);
    assert_eq!(tab(&person), ("textbox".into(), "Email address".into()));
    person.page.active().type_text(&account.email);
    assert_eq!(tab(&person).1, "Password");
    person.page.leave(|| person.page.active().type_text(&format!("wrong{}", keys::ENTER)));
    // What went wrong is read out first.
    assert_eq!(person.page.active().role(), "alert");
    assert_eq!(tab(&person).1, "Email address");
    assert_eq!(person.page.active().value(), account.email);
    assert_eq!(tab(&person).1, "Password");
    person.page.active().type_text(&account.password);
    assert_eq!(tab(&person), ("button".into(), "Sign in".into()));
    let outline = "getComputedStyle(document.activeElement).outlineWidth";
    assert_eq!(person.page.evaluate(outline), "3px", "where the focus is can be seen");
    person.page.leave(|| person.page.active().type_text(keys::ENTER));
    assert!(person.is_signed_in());
}
