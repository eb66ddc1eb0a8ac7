//! An agent that is told one address, and finds in each answer where to go next: from a 401 of the example
//! API to a call that its owner pays for. `docs/guides/agents.md` shows the same walk.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{
    guard::Api,
    harness::{Answer, Arrivals, Client, Home, Request, agents::new_mailbox, each_database},
};

/// Host and path of an address that stood in an answer.
fn parts(url: &str) -> (SocketAddr, String) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("no address: {url}"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host.parse().unwrap(), format!("/{path}"))
}

fn get(url: &str) -> Answer {
    let (host, path) = parts(url);
    Client::new(host).get(&path)
}

fn post(url: &str, body: &Value) -> Answer {
    let (host, path) = parts(url);
    Client::new(host).ask(&Request::post(&path, body))
}

fn text<'d>(document: &'d Value, name: &str) -> &'d str {
    document[name].as_str().unwrap_or_else(|| panic!("no {name}: {document}"))
}

fn challenge(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    answer.header("www-authenticate").expect("a challenge").to_owned()
}

/// The value of a parameter of a challenge.
fn parameter<'c>(challenge: &'c str, name: &str) -> &'c str {
    let (_, value) = challenge
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("no {name}: {challenge}"));
    value.split_once('"').expect("an end").0
}

/// What an agent has found out that was told nothing but the address of an API.
struct Guide {
    api: String,
    /// Where the documents of the API are.
    metadata: String,
    issuer: String,
    agent_auth: Value,
}

impl Guide {
    fn found_from(api: &str) -> Self {
        let refused = get(api).with_status(401);
        assert_eq!(refused.json()["code"], "unauthorized");
        let challenge = challenge(&refused);
        assert!(challenge.starts_with("Bearer ") && !challenge.contains("error"), "{challenge}");
        let metadata = parameter(&challenge, "resource_metadata").to_owned();

        let resource = get(&metadata).with_status(200).json();
        assert_eq!(resource["resource"], api);
        assert_eq!(resource["bearer_methods_supported"], json!(["header"]));
        let issuer = resource["authorization_servers"][0].as_str().expect("a server").to_owned();

        let place = format!("{issuer}/.well-known/oauth-authorization-server");
        let server = get(&place).with_status(200).json();
        assert_eq!(server["issuer"], issuer);
        let agent_auth = server["agent_auth"].clone();
        Self { api: api.to_owned(), metadata, issuer, agent_auth }
    }

    fn endpoint(&self, name: &str) -> &str {
        text(&self.agent_auth, name)
    }

    /// The page for agents names the same endpoints as the document for programs.
    fn check_page(&self) {
        let page = get(self.endpoint("manifest_url")).with_status(200);
        assert_eq!(page.header("content-type"), Some("text/markdown; charset=utf-8"));
        let page = page.text();
        for name in ["registration_endpoint", "claim_endpoint", "claim_complete_endpoint"] {
            let call = format!("POST {}\n", self.endpoint(name));
            assert!(page.contains(&call), "{call}");
        }
    }

    /// An anonymous registration.
    fn register(&self) -> Value {
        let types = self.agent_auth["identity_types_supported"].as_array().unwrap();
        assert!(types.contains(&json!("anonymous")), "{types:?}");
        let registration = post(
            self.endpoint("registration_endpoint"),
            &json!({ "type": "anonymous", "requested_credential_type": "api_key" }),
        );
        registration.with_status(200).json()
    }

    /// The answer to a code that the owner read from their mail.
    fn claim(&self, token: &str, owner: &str, mails: &impl Arrivals) -> Value {
        let claim = json!({ "claim_token": token, "email": owner });
        let started = post(self.endpoint("claim_endpoint"), &claim).with_status(200).json();
        assert_eq!(started["status"], "initiated");
        let code = mails.wait_for_code(owner);
        let completion = json!({ "claim_token": token, "code": code });
        post(self.endpoint("claim_complete_endpoint"), &completion).with_status(200).json()
    }

    fn read_at(url: &str, key: &str) -> Answer {
        let (host, path) = parts(url);
        Client::new(host).ask(&Request::get(&path).bearer(key))
    }

    /// Where the notes are, as whoever may read is told.
    fn notes(&self, key: &str) -> Option<String> {
        let start = Self::read_at(&self.api, key);
        (start.status == 200).then(|| text(&start.json(), "notes").to_owned())
    }

    fn read(&self, key: &str) -> Answer {
        Self::read_at(&self.notes(key).unwrap_or_else(|| self.api.clone()), key)
    }

    fn write(&self, key: &str, note: &str) -> Answer {
        let (host, path) = parts(&self.notes(key).expect("a key that reads"));
        Client::new(host).ask(&Request::post(&path, &json!({ "text": note })).bearer(key))
    }
}

/// A key without the scope is told which, and where to ask for it.
fn assert_lacks_scope(guide: &Guide, registration: &Value) {
    let refused = guide.write(text(registration, "credential"), "too early").with_status(403);
    assert_eq!(refused.json()["code"], "insufficient_scope");
    let challenge = challenge(&refused);
    assert_eq!(parameter(&challenge, "error"), "insufficient_scope");
    assert_eq!(parameter(&challenge, "scope"), "api.write");
    assert_eq!(parameter(&challenge, "resource_metadata"), guide.metadata);
    let after = registration["post_claim_scopes"].as_array().unwrap();
    assert!(after.contains(&json!("api.write")), "a claim helps: {after:?}");
}

fn assert_is_dead(guide: &Guide, key: &str) {
    let refused = guide.read(key).with_status(401);
    assert_eq!(refused.json()["code"], "unauthorized");
    assert_eq!(parameter(&challenge(&refused), "error"), "invalid_token");
}

fn assert_wants_credit(guide: &Guide, key: &str) {
    let refused = guide.write(key, "unpaid").with_status(402);
    let challenge = challenge(&refused);
    assert!(challenge.starts_with("Payment id=\""), "{challenge}");
    assert_eq!(parameter(&challenge, "realm"), guide.issuer);
    assert_eq!(parameter(&challenge, "intent"), "charge");
    let told = refused.json();
    assert_eq!(told["type"], "https://paymentauth.org/problems/payment-required");
    assert_eq!(told["code"], "payment_required");
    assert_eq!((&told["required"], &told["balance"]), (&json!(1), &json!(0)));
}

fn an_agent_that_is_told_one_address_gets_to_a_paid_call(home: &mut Home) {
    let mailbox = home.with_mail();
    let _server = home.start();
    let api = Api::start("guarded_axum", home);
    let owner = new_mailbox();
    home.run(&["users", "create", &owner, "--verified"]).succeeded();
    let grant = |amount, note| {
        home.run(&["credits", "grant", &owner, amount, "--note", note]).succeeded();
    };
    grant("1", "Welcome");

    let guide = Guide::found_from(&api.resource);
    guide.check_page();
    let registration = guide.register();
    assert_eq!(registration["scopes"], json!(["api.read"]));
    let anonymous = text(&registration, "credential");
    assert_eq!(guide.read(anonymous).with_status(200).json(), json!([]));
    assert_lacks_scope(&guide, &registration);

    let claimed = guide.claim(text(&registration, "claim_token"), &owner, &mailbox);
    assert_eq!(claimed["scopes"], json!(["api.read", "api.write"]));
    let key = text(&claimed, "credential");
    assert_is_dead(&guide, anonymous);

    let note = |text| json!({ "by": registration["agent_id"], "text": text });
    assert_eq!(guide.write(key, "hello").with_status(201).json(), note("hello"));
    assert_wants_credit(&guide, key);
    assert_eq!(guide.read(key).with_status(200).json(), json!([note("hello")]));
    grant("5", "Thank you");
    guide.write(key, "hello again").with_status(201);
    let notes = json!([note("hello"), note("hello again")]);
    assert_eq!(guide.read(key).with_status(200).json(), notes);

    let shown = home.run(&["credits", "show", &owner, "--json"]).succeeded();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["balance"], 4);
    let entries: Vec<_> = shown["ledger"].as_array().unwrap().iter().collect();
    let told: Vec<_> = entries.iter().map(|entry| (&entry["delta"], &entry["reason"])).collect();
    let entry = |delta: i64, reason: &str| (json!(delta), json!(reason));
    let ledger = [entry(-1, "charge"), entry(5, "grant"), entry(-1, "charge"), entry(1, "grant")];
    assert_eq!(told, ledger.each_ref().map(|(delta, reason)| (delta, reason)));
}

each_database!(an_agent_that_is_told_one_address_gets_to_a_paid_call,);
