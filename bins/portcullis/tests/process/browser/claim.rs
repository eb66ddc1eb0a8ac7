//! Somebody claims an agent that signed itself up, denies one, and takes one back.

use portcullis_testkit_browser::Browser;
use serde_json::{Value, json};

use super::Person;
use crate::harness::{Arrivals as _, Client, Home, Request};

/// An agent that signed itself up without naming anybody.
pub(super) struct Signed {
    /// What it sends its person.
    pub(super) url: String,
    agent: String,
    claim_token: String,
    key: String,
}

impl Signed {
    #[track_caller]
    pub(super) fn up(client: &mut Client) -> Self {
        Self::of(client, &json!({ "type": "anonymous" }))
    }

    /// One that named the address of its person, and has no key yet.
    #[track_caller]
    pub(super) fn up_for(client: &mut Client, email: &str) -> Self {
        let assertion = json!({
            "type": "identity_assertion", "assertion_type": "verified_email", "assertion": email,
        });
        Self::of(client, &assertion)
    }

    #[track_caller]
    fn of(client: &mut Client, body: &Value) -> Self {
        let answer = client.ask(&Request::post("/v1/auth/agent", body)).with_status(200).json();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let (url, agent, key) = (text("claim_url"), text("agent_id"), text("credential"));
        Self { url, agent, claim_token: text("claim_token"), key }
    }

    /// Sends the code that its person read to it, as the agent; gives the new key.
    #[track_caller]
    pub(super) fn complete(&self, client: &mut Client, code: &str) -> String {
        let body = json!({ "claim_token": self.claim_token, "code": code });
        let request = Request::post("/v1/auth/agent/claim/complete", &body);
        let answer = client.ask(&request).with_status(200).json();
        answer["credential"].as_str().unwrap().to_owned()
    }

    fn works(&self, client: &mut Client, key: &str) -> bool {
        let exchange = Request::bare_post("/api/auth/token").basic(&self.agent, key);
        client.ask(&exchange).status == 200
    }
}

#[test]
fn w9_a_person_claims_an_agent_and_takes_it_back_by_mail() {
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    let mails = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let agent = Signed::up(&mut client);
    let jane = "jane@example.com";

    let person = Person::new(&browser, &server);
    person.page.goto(&agent.url);
    assert_eq!(person.heading(), "An agent asks to be yours");
    assert!(person.reads().contains(&agent.agent));
    assert!(!person.page.source().contains(&agent.claim_token));
    person.fill(&[("email", "jane@example")]);
    person.press("Mail me a code");
    assert!(person.wrong("email").contains("must be a valid email address"));
    person.fill(&[("email", jane)]);
    person.press("Mail me a code");
    assert_eq!(person.heading(), "Check your mailbox");

    let code = mails.wait_for_code(jane);
    assert!(agent.works(&mut client, &agent.key));
    let key = agent.complete(&mut client, &code);
    assert!(agent.works(&mut client, &key) && !agent.works(&mut client, &agent.key));
    person.page.goto(&agent.url);
    assert_eq!(person.heading(), "This agent has its person");

    let undo = format!("/claim/undo?token={}", mails.wait_for_token(jane, "crt_"));
    person.open(&undo);
    assert!(agent.works(&mut client, &key), "looking takes nothing back");
    assert!(person.reads().contains(&agent.agent));
    person.press("Undo the claim");
    assert_eq!(person.heading(), "The claim is undone");
    assert!(!agent.works(&mut client, &key));
    person.open(&undo);
    assert_eq!(person.heading(), "This link no longer works");
}

#[test]
fn w9_a_person_denies_an_agent_and_reports_it() {
    let Some(browser) = Browser::for_tests() else { return };
    let mut home = Home::on_sqlite();
    home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let person = Person::new(&browser, &server);
    for button in ["Deny", "Deny and report"] {
        let agent = Signed::up(&mut client);
        person.page.goto(&agent.url);
        person.press(button);
        assert_eq!(person.heading(), "The agent is denied");
        assert_eq!(person.reads().contains("We told the operator"), button != "Deny");
        person.page.goto(&agent.url);
        assert_eq!(person.heading(), "This agent was denied");
        assert!(agent.works(&mut client, &agent.key), "as narrow as before");
    }
}
