//! The example APIs behind the guard, before the real server: found, asked with keys and tokens, refused,
//! and still there when the server is not.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Account, Agent, Answer, ApiKey, Client, Home, Request, Server, free_port};

/// Built beside the server by `cargo test --workspace`.
fn program(name: &str) -> PathBuf {
    let server = Path::new(env!("CARGO_BIN_EXE_portcullis"));
    let program = server.with_file_name("examples").join(name);
    assert!(
        program.exists(),
        "build it: cargo build --workspace --examples; {}",
        program.display()
    );
    program
}

/// An example API as a process. It ends with this value.
pub(crate) struct Api {
    child: Child,
    pub(crate) resource: String,
    address: SocketAddr,
}

impl Api {
    /// Registers an API as a resource server, and starts it.
    pub(crate) fn start(name: &str, home: &Home) -> Self {
        let port = free_port();
        let resource = format!("http://127.0.0.1:{port}");
        let add = ["resources", "add", "notes", "--audience", &resource];
        let add = [&add[..], &["--scope", "api.read", "--scope", "api.write", "--json"]].concat();
        let added: Value = serde_json::from_str(&home.run(&add).succeeded()).unwrap();
        let text = |name: &str| added[name].as_str().expect(name).to_owned();
        let mut command = Command::new(program(name));
        command.arg(port.to_string()).env_clear();
        command.env("ISSUER", format!("http://{}", home.address())).env("RESOURCE", &resource);
        command.env("RESOURCE_SERVER_ID", text("id"));
        command.env("RESOURCE_SERVER_SECRET", text("secret"));
        command.env("KEY_CACHE_SECONDS", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = line.trim().strip_prefix("serving on http://");
        let address = told.and_then(|told| told.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        Self { child, resource, address }
    }

    fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// The answer to a look at the notes.
    fn read(&self, credential: &str) -> Answer {
        self.client().ask(&Request::get("/notes").bearer(credential))
    }

    /// The answer to another note.
    fn write(&self, credential: &str) -> Answer {
        let note = Request::post("/notes", &json!({ "text": "hello" }));
        self.client().ask(&note.bearer(credential))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_scopes(home: &mut Home) -> Server {
    home.set("agents.scopes", "api.read,api.write");
    home.without_limits();
    home.start()
}

fn key(client: &mut Client, agent: &Agent, scopes: &[&str]) -> ApiKey {
    let body = json!({ "name": "a key", "scopes": scopes });
    let make = Request::post(&format!("/api/agents/{}", agent.id), &body);
    let make = make.basic(&agent.id, &agent.recovery_key);
    ApiKey::of(&agent.id, &client.ask(&make).with_status(201))
}

/// An access token, for one resource or for everybody.
fn token(client: &mut Client, path: &str, key: &ApiKey, resource: Option<&str>) -> String {
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(resource.map(|resource| ("resource", resource)));
    let request = Request::form(path, &fields).basic(&key.agent, &key.secret);
    let granted = client.ask(&request).with_status(200).json();
    granted["access_token"].as_str().unwrap().to_owned()
}

/// The path of an address of this server.
fn path_of(url: &str, server: SocketAddr) -> &str {
    url.strip_prefix(&format!("http://{server}"))
        .unwrap_or_else(|| panic!("{url} is not of {server}"))
}

/// Follows what a stranger is told from the first 401 to the endpoint that gives tokens.
fn discover(api: &Api, server: &Server) -> String {
    let told = api.client().get("/notes").with_status(401);
    assert_eq!(told.header("content-type"), Some("application/problem+json"));
    assert_eq!(told.json()["code"], "unauthorized");
    let challenge = told.header("www-authenticate").unwrap();
    let metadata = challenge.strip_prefix("Bearer resource_metadata=\"").unwrap();
    let metadata = path_of(metadata.strip_suffix('"').unwrap(), api.address);
    let document = api.client().get(metadata).with_status(200);
    assert_eq!(document.header("access-control-allow-origin"), Some("*"));
    let document = document.json();
    assert_eq!(document["resource"], api.resource);
    assert_eq!(document["authorization_servers"], json!([format!("http://{}", server.address())]));
    let metadata = "/.well-known/oauth-authorization-server";
    let document = server.client().get(metadata).with_status(200).json();
    path_of(document["token_endpoint"].as_str().unwrap(), server.address()).to_owned()
}

fn an_api_serves_whom_the_server_knows(name: &str) -> (Home, Server, Api) {
    let mut home = Home::on_sqlite();
    let server = with_scopes(&mut home);
    let api = Api::start(name, &home);
    let endpoint = discover(&api, &server);

    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let reader = key(&mut client, &agent, &["api.read"]);
    let bearer = token(&mut client, &endpoint, &reader, Some(&api.resource));
    for credential in [&reader.secret, &bearer] {
        api.read(credential).with_status(200);
        let refused = api.write(credential).with_status(403);
        assert_eq!(refused.json()["code"], "insufficient_scope");
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.contains("scope=\"api.write\""), "{challenge}");
    }

    let for_everybody = token(&mut client, &endpoint, &reader, None);
    let person = Account::new().register(&mut client).access;
    let forged = format!("{bearer}A");
    for credential in [&for_everybody, &person, &agent.recovery_key, "x", &forged] {
        let refused = api.read(credential).with_status(401);
        let challenge = refused.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }

    client.ask(&agent.revocation(&reader)).with_status(200);
    api.read(&reader.secret).with_status(401);
    api.read(&bearer).with_status(200);
    (home, server, api)
}

fn an_api_outlives_the_server(name: &str) {
    let mut home = Home::on_sqlite();
    let server = with_scopes(&mut home);
    let api = Api::start(name, &home);
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let reader = key(&mut client, &agent, &["api.read"]);
    let bearer = token(&mut client, "/oauth2/token", &reader, Some(&api.resource));
    api.read(&bearer).with_status(200);
    server.kill();
    api.read(&bearer).with_status(200);
    let refused = api.read(&reader.secret);
    assert!(refused.is_unavailable(), "{}", refused.whole());
    assert_eq!(refused.json()["code"], "service_unavailable");
    let mut server = home.spawn(&["serve", "--dev"]);
    server.wait_ready();
    // For a second after a question without an answer none is asked.
    crate::harness::wait_until("the key works again", std::time::Duration::from_secs(30), || {
        api.read(&reader.secret).status == 200
    });
}

#[test]
fn k6_an_axum_api_serves_whom_the_server_knows() {
    an_api_serves_whom_the_server_knows("guarded_axum");
}

#[test]
fn k6_an_actix_api_serves_whom_the_server_knows() {
    let (_home, server, api) = an_api_serves_whom_the_server_knows("guarded_actix");
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let writer = key(&mut client, &agent, &["api.read", "api.write"]);
    let note = json!({ "by": agent.id, "text": "hello" });
    assert_eq!(api.write(&writer.secret).with_status(201).json(), note);
    assert_eq!(api.read(&writer.secret).with_status(200).json(), json!([note]));
}

/// What a note that costs a credit is answered with, under this idempotency key.
fn paid(api: &Api, key: &ApiKey, operation: &str) -> Answer {
    let note = Request::post("/notes", &json!({ "text": "hello" })).bearer(&key.secret);
    api.client().ask(&note.header("Idempotency-Key", operation))
}

#[test]
fn q1_q2_an_axum_api_charges_and_passes_402_on() {
    let (home, server, api) = an_api_serves_whom_the_server_knows("guarded_axum");
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let writer = key(&mut client, &agent, &["api.read", "api.write"]);
    let refused = paid(&api, &writer, "1").with_status(402);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Payment id="), "{challenge}");
    let told = refused.json();
    assert_eq!(told["type"], "https://paymentauth.org/problems/payment-required");
    assert_eq!((&told["required"], &told["balance"]), (&json!(1), &json!(0)));
    assert_eq!(api.read(&writer.secret).with_status(200).json(), json!([]), "nothing was done");

    home.run(&["credits", "grant", &agent.id, "2"]).succeeded();
    let note = json!({ "by": agent.id, "text": "hello" });
    assert_eq!(paid(&api, &writer, "1").with_status(201).json(), note);
    assert_eq!(paid(&api, &writer, "1").with_status(200).json(), note, "charged once");
    paid(&api, &writer, "2").with_status(201);
    paid(&api, &writer, "3").with_status(402);
    // Another agent's operation of the same name is another one.
    let other = Agent::register(&mut client);
    let other = key(&mut client, &other, &["api.write"]);
    paid(&api, &other, "1").with_status(402);
    // Refusals come in their order: 401, 403, 402.
    let reader = key(&mut client, &agent, &["api.read"]);
    paid(&api, &reader, "4").with_status(403);
    client.ask(&agent.revocation(&writer)).with_status(200);
    paid(&api, &writer, "1").with_status(401);
}

#[test]
fn an_axum_api_outlives_the_server() {
    an_api_outlives_the_server("guarded_axum");
}

#[test]
fn an_actix_api_outlives_the_server() {
    an_api_outlives_the_server("guarded_actix");
}
