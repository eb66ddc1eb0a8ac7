//! What ends a token holds at every instance from the next request on.

use crate::harness::{
    Agent, AgentToken, ApiKey, Client, Home, Request, ResourceServer, Server,
    agents::{new_mailbox, recovery_codes},
    each_database,
};
use serde_json::json;

/// An agent with one key and one token, about to lose them.
struct Holder<'a> {
    home: &'a Home,
    agent: Agent,
    key: ApiKey,
    token: AgentToken,
    watcher: &'a ResourceServer,
}

/// What an ending does at one instance; whether the key dies with the token.
type Ending = fn(&Holder<'_>, &mut Client) -> bool;

const ENDINGS: [(&str, Ending); 11] = [
    ("the key is revoked", |holder, client| {
        client.ask(&holder.agent.revocation(&holder.key)).with_status(200);
        true
    }),
    ("the token revokes its own key", |holder, client| {
        let target = format!("/api/agents/{}/keys/{}", holder.agent.id, holder.key.id);
        client.ask(&Request::delete(&target).bearer(&holder.token.0)).with_status(200);
        true
    }),
    ("the key is rotated without overlap", |holder, client| {
        client.ask(&holder.agent.rotation(&holder.key)).with_status(201);
        true
    }),
    ("the key revokes itself", |holder, client| {
        let revoke = Request::form("/oauth2/revoke", &[("token", &holder.key.secret)]);
        client.ask(&revoke.bearer(&holder.key.secret)).with_status(200);
        true
    }),
    ("the agent is deleted", |holder, client| {
        client.ask(&holder.agent.deletion()).with_status(200);
        true
    }),
    ("the agent is suspended", |holder, _| {
        holder.home.run(&["agents", "suspend", &holder.agent.id]).succeeded();
        true
    }),
    ("the token is logged out", |holder, client| {
        client.ask(&holder.token.sign_out()).with_status(200);
        false
    }),
    ("the token is refreshed", |holder, client| {
        client.ask(&holder.token.refresh()).with_status(200);
        false
    }),
    ("the token revokes itself", |holder, client| {
        let revoke = Request::form("/oauth2/revoke", &[("token", &holder.token.0)]);
        client.ask(&revoke).with_status(200);
        false
    }),
    ("the key revokes the token", |holder, client| {
        let revoke = Request::form("/oauth2/revoke", &[("token", &holder.token.0)]);
        client.ask(&revoke.basic(&holder.agent.id, &holder.key.secret)).with_status(200);
        false
    }),
    ("a resource server revokes the token", |holder, client| {
        let revoke = Request::form("/oauth2/revoke", &[("token", &holder.token.0)]);
        client.ask(&revoke.basic(&holder.watcher.id, &holder.watcher.secret)).with_status(200);
        false
    }),
];

fn assert_endings_hold_at_once(home: &Home, servers: &[Server]) {
    let watcher = &ResourceServer::add(home);
    let mut clients: Vec<Client> = servers.iter().map(Server::client).collect();
    for (turn, (what, end)) in ENDINGS.into_iter().enumerate() {
        let agent = Agent::register(&mut clients[0]);
        let key = agent.make_key(&mut clients[0]);
        let token = key.token(&mut clients[0]);
        for client in &mut clients {
            assert!(token.is_good(client), "{what}");
            assert!(watcher.is_active(client, &token.0), "{what}");
            assert!(watcher.is_active(client, &key.secret), "{what}");
        }
        let at = turn % clients.len();
        let holder = Holder { home, agent, key, token, watcher };
        let key_dies = end(&holder, &mut clients[at]);
        let Holder { key, token, .. } = holder;
        // First where it did not happen.
        for client in clients.iter_mut().rev() {
            assert!(!token.is_good(client), "{what}: the token at /api");
            assert!(!watcher.is_active(client, &token.0), "{what}: the token, introspected");
            assert_eq!(watcher.is_active(client, &key.secret), !key_dies, "{what}: the key");
            let exchanged = client.ask(&key.exchange()).status;
            assert_eq!(matches!(exchanged, 401 | 403), key_dies, "{what}: {exchanged}");
            client.ask(&token.refresh()).with_status(401);
            client.ask(&token.sign_out()).with_status(401);
        }
        clients.reverse();
    }
}

fn k6_j12_what_ends_a_token_holds_at_once(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    assert_endings_hold_at_once(home, &[server]);
}

#[test]
fn k6_j13_f9_what_ends_a_token_holds_at_every_instance_at_once() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    assert_endings_hold_at_once(&home, &servers);
}

/// A recovery at one instance, and what the other thinks of it.
#[test]
fn v3_v4_f9_a_recovery_holds_at_the_other_instance_at_once() {
    let Some(mut home) = Home::on_postgres() else { return };
    let mailbox = home.with_mail();
    let servers = [home.start(), home.start_another()];
    let [mut first, mut second] = servers.each_ref().map(Server::client);
    let email = new_mailbox();
    let agent = Agent::proven_at(&mut first, &mailbox, &email);
    let key = agent.make_key(&mut first);
    let token = key.token(&mut first);
    assert!(token.is_good(&mut second));
    let code = &recovery_codes(&mut second, &mailbox, &email)[&agent.id];
    let body = json!({ "email": email, "code": code, "revoke_keys": true });
    let recover = Request::post("/api/auth/recovery/verify", &body);
    let recovered = Agent::from(&first.ask(&recover).with_status(200));
    assert!(!token.is_good(&mut second));
    second.ask(&key.exchange()).with_status(401);
    assert!(!agent.is_managed(&mut second));
    assert!(recovered.is_managed(&mut second));
}

/// An agent that is let in again goes on where it was.
fn a_resumed_agent_is_let_in_again(home: &mut Home) {
    let server = home.start();
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let key = agent.make_key(&mut client);
    let token = key.token(&mut client);
    home.run(&["agents", "suspend", &agent.id]).succeeded();
    assert!(!token.is_good(&mut client));
    client.ask(&key.exchange()).with_status(403);
    home.run(&["agents", "resume", &agent.id]).succeeded();
    assert!(token.is_good(&mut client));
    key.token(&mut client);
}

each_database!(k6_j12_what_ends_a_token_holds_at_once, a_resumed_agent_is_let_in_again);
