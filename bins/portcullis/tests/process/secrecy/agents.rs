//! Everything that agents and resource servers do, good and bad, with every kind of secret they have.

use serde_json::json;

use super::secrets::Secrets;
use crate::harness::{
    Agent, AgentToken, ApiKey, Client, Home, Mailbox, Request, ResourceServer, Server,
    agents::{new_mailbox, recovery, recovery_codes, recovery_request, verification, wrong_code},
};

pub(super) fn everything(home: &Home, server: &Server, mailbox: &Mailbox, secrets: &mut Secrets) {
    let mut client = server.client();
    let email = new_mailbox();
    let agents = [(); 3].map(|()| prove(&mut client, mailbox, &email, secrets));
    let [agent, recovered, moved] = &agents;
    for agent in &agents {
        secrets.add_basic(&agent.id, &agent.recovery_key);
    }
    let key = use_keys(&mut client, agent, secrets);
    use_tokens(&mut client, &key, secrets);
    ask_about(home, &mut client, &key, secrets);
    recover(&mut client, mailbox, &email, recovered, secrets);
    change_address(&mut client, mailbox, moved, secrets);
    client.ask(&agent.deletion()).with_status(200);
    client.ask(&agent.deletion()).with_status(401);
}

/// An agent whose address was proven by a token that was sent in each way.
fn prove(client: &mut Client, mailbox: &Mailbox, email: &str, secrets: &mut Secrets) -> Agent {
    let agent = Agent::register_at(client, email);
    let token = agent.mailed_token(mailbox, email);
    secrets.add(&token);
    client.get(&format!("/verify-email?token={token}")).with_status(200);
    client.ask(&verification(&token)).with_status(200);
    client.ask(&verification(&token)).with_status(401);
    client.get(&format!("/api/auth/verify-email?token={token}")).with_status(401);
    client.get(&format!("/verify-email?token={token}"));
    agent
}

fn use_keys(client: &mut Client, agent: &Agent, secrets: &mut Secrets) -> ApiKey {
    let [key, rotated, revoked] = [(); 3].map(|()| agent.make_key(client));
    let next = client.ask(&agent.rotation(&rotated)).with_status(201);
    let next = ApiKey::of(&agent.id, &next);
    client.ask(&agent.revocation(&revoked)).with_status(200);
    for key in [&key, &rotated, &revoked, &next] {
        secrets.add_basic(&agent.id, &key.secret);
        client.ask(&key.exchange());
    }
    let encoded = [&agent.id, &key.secret].map(|text| text.replace('_', "%5F"));
    let standard = Request::form("/oauth2/token", &[("grant_type", "client_credentials")]);
    for exchange in [Request::bare_post("/api/auth/token"), standard] {
        let issued = client.ask(&exchange.basic(&encoded[0], &encoded[1])).with_status(200);
        secrets.add_jwt(issued.json()["access_token"].as_str().unwrap());
    }
    // Where they do not belong.
    client.ask(&Request::get("/api/agents/me").bearer(&key.secret)).with_status(401);
    client.ask(&Request::get("/v1/users/me").bearer(&agent.recovery_key)).with_status(401);
    let recovery_key = Request::bare_post("/api/auth/token");
    client.ask(&recovery_key.basic(&agent.id, &agent.recovery_key)).with_status(401);
    client.ask(&agent.key_creation().basic(&agent.id, &key.secret));
    client.get(&format!("/api/agents/me?api_key={}", key.secret)).with_status(401);
    let body = json!({ "api_key": key.secret, "grant_type": [agent.recovery_key] });
    client.ask(&Request::post("/api/auth/token", &body));
    let fields = [("grant_type", "client_credentials"), ("client_secret", key.secret.as_str())];
    client.ask(&Request::form("/oauth2/token", &fields)).with_status(401);
    let torn = Request::bare_post("/api/auth/token");
    client.ask(&torn.header("Authorization", &format!("Basic {}", key.secret))).with_status(401);
    key
}

fn use_tokens(client: &mut Client, key: &ApiKey, secrets: &mut Secrets) {
    let first = key.token(client);
    let answer = client.ask(&first.refresh()).with_status(200);
    let second = AgentToken::from(&answer);
    for token in [&first, &second] {
        secrets.add_jwt(&token.0);
        client.ask(&token.me());
    }
    client.ask(&first.refresh()).with_status(401);
    client.get(&format!("/api/agents/me?access_token={}", second.0)).with_status(401);
    let list = Request::get(&format!("/api/agents/{}/audit-logs", key.agent));
    client.ask(&list.bearer(&second.0)).with_status(200);
    client.ask(&second.sign_out()).with_status(200);
}

fn ask_about(home: &Home, client: &mut Client, key: &ApiKey, secrets: &mut Secrets) {
    let watcher = ResourceServer::add(home);
    secrets.add_basic(&watcher.id, &watcher.secret);
    let token = key.token(client);
    secrets.add_jwt(&token.0);
    assert!(watcher.is_active(client, &key.secret) && watcher.is_active(client, &token.0));
    assert!(!watcher.is_active(client, &watcher.secret));
    let other = ResourceServer { id: key.id.clone(), secret: watcher.secret.clone() };
    client.ask(&other.introspection(&token.0)).with_status(401);
    let other = ResourceServer { id: watcher.id.clone(), secret: key.secret.clone() };
    client.ask(&other.introspection(&token.0)).with_status(401);
    client.get(&format!("/oauth2/introspect?token={}", token.0)).with_status(405);
    let torn = json!({ "token": token.0, "secret": watcher.secret });
    client.ask(&Request::post("/oauth2/introspect", &torn));
    let revoke = Request::form("/oauth2/revoke", &[("token", &token.0)]);
    client.ask(&revoke.basic(&watcher.id, &watcher.secret)).with_status(200);
    client.ask(&token.me()).with_status(401);
}

fn recover(
    client: &mut Client,
    mailbox: &Mailbox,
    email: &str,
    agent: &Agent,
    secrets: &mut Secrets,
) {
    let codes = recovery_codes(client, mailbox, email);
    secrets.add_codes(codes.values().cloned());
    let wrong = wrong_code(codes.values());
    client.ask(&recovery(email, &wrong)).with_status(401);
    let right = recovery(email, &codes[&agent.id]);
    let after = Agent::from(&client.ask(&right).with_status(200));
    secrets.add_basic(&after.id, &after.recovery_key);
    client.ask(&right).with_status(409);
    assert!(after.is_managed(client) && !agent.is_managed(client));
    client.ask(&recovery_request(email)).with_status(200);
}

fn change_address(client: &mut Client, mailbox: &Mailbox, agent: &Agent, secrets: &mut Secrets) {
    let email = new_mailbox();
    let target = format!("/api/agents/{}/email", agent.id);
    let change = Request::post(&target, &json!({ "email": email }));
    client.ask(&change.basic(&agent.id, &agent.recovery_key)).with_status(202);
    let token = agent.mailed_token(mailbox, &email);
    secrets.add(&token);
    let page = Request::get(&format!("/api/auth/verify-email?token={token}"));
    client.ask(&page.header("Accept", "text/html")).with_status(200);
}
