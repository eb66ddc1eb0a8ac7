//! Somebody looks after a program that belongs to them.

use portcullis_testkit_browser::Browser;

use super::Person;
use crate::harness::{Account, Agent, ApiKey, Home};

#[test]
fn w9_an_owner_makes_a_key_revokes_it_and_gives_the_agent_up() {
    let Some(browser) = Browser::for_tests() else { return };
    let home = Home::on_sqlite();
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    let agent = Agent::owned_by(&home, &account.email, "weather-bot");
    let other = Agent::owned_by(&home, &account.email, "other-bot");
    let own = agent.make_key(&mut client);

    let person = Person::new(&browser, &server);
    person.sign_in(&account);
    person.follow("Agents");
    assert_eq!(person.heading(), "My agents");
    assert_eq!(person.page.find_all("main .list > li").len(), 2);
    assert!(person.reads().contains("nobody has checked them"));
    person.page.find(&format!("a[href$='{}']", agent.id)).follow();
    assert!(person.reads().contains("weather-bot (not checked by anybody)"));

    person.fill(&[("name", " ")]);
    person.press("Make the key");
    assert_eq!(person.page.title(), "Error: Agent · Portcullis");
    assert!(person.wrong("name").contains("must be 1 to 100 characters"));
    person.fill(&[("name", "laptop")]);
    person.press("Make the key");
    assert_eq!(person.heading(), "The new key");
    let secret = person.page.text(".boxed code");
    let key = ApiKey { agent: agent.id.clone(), id: String::new(), secret: secret.clone() };
    let token = key.token(&mut client);
    client.ask(&token.me()).with_status(200);

    person.follow("I have copied it");
    assert!(!person.page.source().contains(&secret), "it is shown once");
    assert_eq!(person.page.find_all("main .list > li").len(), 2);
    let newest = person.page.find("main .list > li").text();
    assert!(newest.contains("laptop") && newest.contains("Works"), "{newest}");
    person.page.find("main .list > li form button").follow();
    assert_eq!(person.notice(), "That key is revoked.");
    client.ask(&token.me()).with_status(401);
    own.token(&mut client);

    person.follow("Give it up");
    assert!(person.reads().contains("This cannot be undone."));
    person.follow("Keep it");
    own.token(&mut client);
    person.follow("Give it up");
    person.press("Give it up");
    assert!(person.notice().starts_with("The agent is no longer yours"));
    assert_eq!(person.page.find_all("main .list > li").len(), 1);
    client.ask(&own.exchange()).with_status(401);
    assert!(!agent.is_managed(&mut client) && other.is_managed(&mut client));
}
