//! What agents and resource servers do, as requests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Arrivals, Home,
    client::Client,
    mailbox::word,
    people::token_part,
    random,
    wire::{Answer, Request},
};

/// An address that nobody else has.
pub(crate) fn new_mailbox() -> String {
    format!("agents-{:016x}@example.com", random())
}

/// An account, by what manages it.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) recovery_key: String,
}

impl From<&Answer> for Agent {
    fn from(answer: &Answer) -> Self {
        let body = answer.json();
        Self { id: text(&body, "agent_id"), recovery_key: text(&body, "recovery_key") }
    }
}

impl Agent {
    pub(crate) fn registration(email: Option<&str>) -> Request {
        let mut body = json!({ "agent_name": "Tester-1" });
        if let Some(email) = email {
            body["email"] = email.into();
        }
        Request::post("/api/auth/register", &body)
    }

    /// Registers without an address, which must succeed.
    #[track_caller]
    pub(crate) fn register(client: &mut Client) -> Self {
        Self::from(&client.ask(&Self::registration(None)).with_status(201))
    }

    /// Made by an operator, and a user's.
    #[track_caller]
    pub(crate) fn owned_by(home: &Home, owner: &str, name: &str) -> Self {
        let command = ["agents", "create", name, "--owner", owner, "--json"];
        let made = serde_json::from_str(&home.run(&command).succeeded()).expect("JSON");
        Self { id: text(&made, "id"), recovery_key: text(&made, "recovery_key") }
    }

    /// Registers with an address that is not proven.
    #[track_caller]
    pub(crate) fn register_at(client: &mut Client, email: &str) -> Self {
        Self::from(&client.ask(&Self::registration(Some(email))).with_status(201))
    }

    /// Registers with an address and proves it.
    #[track_caller]
    pub(crate) fn proven_at(client: &mut Client, mails: &impl Arrivals, email: &str) -> Self {
        let agent = Self::register_at(client, email);
        let token = agent.mailed_token(mails, email);
        client.ask(&verification(&token)).with_status(200);
        agent
    }

    /// The token that was mailed to prove the agent's address.
    #[track_caller]
    pub(crate) fn mailed_token(&self, mails: &impl Arrivals, email: &str) -> String {
        mails.wait_for(email, "a mail about the agent's address", |mail| {
            mail.token("evt_").filter(|_| mail.text.contains(&self.id))
        })
    }

    pub(crate) fn key_creation(&self) -> Request {
        let target = format!("/api/agents/{}", self.id);
        self.managing(Request::post(&target, &json!({ "name": "a key" })))
    }

    #[track_caller]
    pub(crate) fn make_key(&self, client: &mut Client) -> ApiKey {
        ApiKey::of(&self.id, &client.ask(&self.key_creation()).with_status(201))
    }

    pub(crate) fn rotation(&self, key: &ApiKey) -> Request {
        let target = format!("/api/agents/{}/keys/{}/rotate", self.id, key.id);
        self.managing(Request::bare_post(&target))
    }

    pub(crate) fn revocation(&self, key: &ApiKey) -> Request {
        self.managing(Request::delete(&format!("/api/agents/{}/keys/{}", self.id, key.id)))
    }

    pub(crate) fn deletion(&self) -> Request {
        self.managing(Request::delete(&format!("/api/agents/{}", self.id)))
    }

    /// Whether the recovery key is good. Changes nothing: there is no such API key.
    #[track_caller]
    pub(crate) fn is_managed(&self, client: &mut Client) -> bool {
        let target = format!("/api/agents/{}/keys/aky_{}", self.id, "0".repeat(32));
        let answer = client.ask(&self.managing(Request::delete(&target)));
        match answer.status {
            404 => true,
            401 => false,
            _ => panic!("{}", answer.whole()),
        }
    }

    fn managing(&self, request: Request) -> Request {
        request.basic(&self.id, &self.recovery_key)
    }
}

/// An API key with its secret.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    pub(crate) agent: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl ApiKey {
    /// The key that was just made for an agent.
    pub(crate) fn of(agent: &str, answer: &Answer) -> Self {
        let body = answer.json();
        let (id, secret) = (text(&body, "key_id"), text(&body, "api_key"));
        Self { agent: agent.to_owned(), id, secret }
    }

    pub(crate) fn exchange(&self) -> Request {
        Request::bare_post("/api/auth/token").basic(&self.agent, &self.secret)
    }

    /// Gets a token, which must succeed.
    #[track_caller]
    pub(crate) fn token(&self, client: &mut Client) -> AgentToken {
        AgentToken::from(&client.ask(&self.exchange()).with_status(200))
    }

    /// The agent's keys as it is told of them, this one's token asking.
    #[track_caller]
    pub(crate) fn list(&self, client: &mut Client) -> Vec<Value> {
        let token = self.token(client);
        let list = Request::get(&format!("/api/agents/{}?limit=100", self.agent));
        let page = client.ask(&list.bearer(&token.0)).with_status(200).json();
        page["keys"].as_array().expect("keys").clone()
    }
}

/// An access token of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentToken(pub(crate) String);

impl From<&Answer> for AgentToken {
    fn from(answer: &Answer) -> Self {
        Self(text(&answer.json(), "access_token"))
    }
}

impl AgentToken {
    pub(crate) fn me(&self) -> Request {
        Request::get("/api/agents/me").bearer(&self.0)
    }

    pub(crate) fn refresh(&self) -> Request {
        Request::bare_post("/api/auth/refresh").bearer(&self.0)
    }

    pub(crate) fn sign_out(&self) -> Request {
        Request::bare_post("/api/auth/logout").bearer(&self.0)
    }

    /// Whether it is accepted; it must be refused by 401 where it is not.
    #[track_caller]
    pub(crate) fn is_good(&self, client: &mut Client) -> bool {
        let answer = client.ask(&self.me());
        match answer.status {
            200 => true,
            401 if answer.json()["error"]["code"] == "UNAUTHORIZED" => false,
            _ => panic!("{}", answer.whole()),
        }
    }

    pub(crate) fn header(&self) -> Value {
        token_part(&self.0, 0)
    }
}

/// A resource server that sees the usual scopes of agents.
#[derive(Clone, Debug)]
pub(crate) struct ResourceServer {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl ResourceServer {
    #[track_caller]
    pub(crate) fn add(home: &Home) -> Self {
        let add = ["resources", "add", "messages", "--scope", "messages:read", "--people"];
        let said = home.run(&add).succeeded();
        let find = |prefix| word(&said, prefix).unwrap_or_else(|| panic!("no {prefix}: {said}"));
        Self { id: find("rs_"), secret: find("rss_") }
    }

    pub(crate) fn introspection(&self, token: &str) -> Request {
        Request::form("/oauth2/introspect", &[("token", token)]).basic(&self.id, &self.secret)
    }

    /// Whether a key or token is active; of one that is not, nothing else is told.
    #[track_caller]
    pub(crate) fn is_active(&self, client: &mut Client, token: &str) -> bool {
        let told = client.ask(&self.introspection(token)).with_status(200).json();
        if told["active"] == true {
            return true;
        }
        assert_eq!(told, json!({ "active": false }));
        false
    }
}

/// The proof of an agent's address.
pub(crate) fn verification(token: &str) -> Request {
    Request::post("/api/auth/verify-email", &json!({ "token": token }))
}

/// A request for recovery codes.
pub(crate) fn recovery_request(email: &str) -> Request {
    Request::post("/api/auth/recovery/request", &json!({ "email": email }))
}

/// The use of a recovery code.
pub(crate) fn recovery(email: &str, code: &str) -> Request {
    Request::post("/api/auth/recovery/verify", &json!({ "email": email, "code": code }))
}

/// Asks for recovery codes and reads them from the mailbox, by the id of the agent.
#[track_caller]
pub(crate) fn recovery_codes(
    client: &mut Client,
    mails: &impl Arrivals,
    email: &str,
) -> BTreeMap<String, String> {
    let known = mails.mails_to(email);
    client.ask(&recovery_request(email)).with_status(200);
    mails.wait_for(email, "a mail with recovery codes", |mail| {
        let is_new = known.iter().all(|other| other.id != mail.id);
        Some(mail.agent_codes()).filter(|codes| is_new && !codes.is_empty())
    })
}

/// Six digits that differ from all of these.
pub(crate) fn wrong_code<'a>(codes: impl IntoIterator<Item = &'a String> + Clone) -> String {
    let first = random() % 1_000_000;
    let mut all = (first..).map(|number| format!("{:06}", number % 1_000_000));
    all.find(|wrong| codes.clone().into_iter().all(|code| code != wrong)).unwrap()
}

#[track_caller]
fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name}: {body}")).to_owned()
}
