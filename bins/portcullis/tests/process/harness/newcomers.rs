//! What agents do that sign themselves up, and their people, as requests.

use serde_json::{Value, json};

use super::{
    Arrivals,
    client::Client,
    mailbox::word,
    wire::{Answer, Request},
};

/// An agent that signed itself up.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) agent: String,
    pub(crate) claim: String,
    pub(crate) view: String,
    /// Its first key; empty when it named its person.
    pub(crate) key: String,
}

impl From<&Answer> for Newcomer {
    fn from(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let view = word(&text("claim_url"), "cvt_").expect("a view token");
        Self { agent: text("agent_id"), claim: text("claim_token"), view, key: text("credential") }
    }
}

impl Newcomer {
    /// Names nobody.
    #[track_caller]
    pub(crate) fn sign_up(client: &mut Client) -> Self {
        Self::from(&client.ask(&registration(&json!({ "type": "anonymous" }))).with_status(200))
    }

    /// Names its person.
    #[track_caller]
    pub(crate) fn sign_up_for(client: &mut Client, email: &str) -> Self {
        let assertion = json!({
            "type": "identity_assertion", "assertion_type": "verified_email", "assertion": email,
        });
        Self::from(&client.ask(&registration(&assertion)).with_status(200))
    }

    pub(crate) fn start(&self, email: &str) -> Request {
        let body = json!({ "claim_token": self.claim, "email": email });
        Request::post("/v1/auth/agent/claim", &body)
    }

    pub(crate) fn completion(&self, code: &str) -> Request {
        let body = json!({ "claim_token": self.claim, "code": code });
        Request::post("/v1/auth/agent/claim/complete", &body)
    }

    /// Has a code mailed, and reads it.
    #[track_caller]
    pub(crate) fn code(&self, client: &mut Client, mails: &impl Arrivals, email: &str) -> String {
        client.ask(&self.start(email)).with_status(200);
        mails.wait_for_code(email)
    }

    /// The exchange of one of its keys for an access token.
    pub(crate) fn exchange(&self, key: &str) -> Request {
        Request::bare_post("/api/auth/token").basic(&self.agent, key)
    }

    /// Whether a key of it works; it must be refused by 401 where it does not.
    #[track_caller]
    pub(crate) fn has(&self, client: &mut Client, key: &str) -> bool {
        let answer = client.ask(&self.exchange(key));
        match answer.status {
            200 => true,
            401 => false,
            _ => panic!("{}", answer.whole()),
        }
    }
}

/// The key that a claim gave.
#[track_caller]
pub(crate) fn credential(answer: &Answer) -> String {
    answer.json()["credential"].as_str().expect("a key").to_owned()
}

/// A presented key, given back.
pub(crate) fn giving_back(key: &str) -> Request {
    Request::bare_post("/v1/auth/agent/revoke").bearer(key)
}

fn registration(body: &Value) -> Request {
    Request::post("/v1/auth/agent", body)
}
