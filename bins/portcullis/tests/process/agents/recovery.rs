//! Recovery codes: each is good once, however many come together.

use std::net::SocketAddr;

use serde_json::json;

use super::{PARALLEL, ROUNDS, be_patient, clients, fire, only_winner};
use crate::harness::{
    Agent, Answer, Client, Home, Mailbox, Request, Server,
    agents::{new_mailbox, recovery, recovery_codes},
    at_once, each_database,
};

const REFUSALS: [(u16, &str); 3] =
    [(401, "INVALID_CODE"), (409, "CODE_ALREADY_USED"), (429, "RATE_LIMIT_EXCEEDED")];

/// One who asks, from a network that no volley comes from.
fn asker(servers: &[SocketAddr], round: u8) -> Client {
    Client::new(servers[0]).from([127, 2, round, 1])
}

fn assert_one_recovers(servers: &[SocketAddr], mailbox: &Mailbox, round: u8) {
    let mut client = asker(servers, round);
    let email = new_mailbox();
    let agent = Agent::proven_at(&mut client, mailbox, &email);
    let key = agent.make_key(&mut client);
    let code = recovery_codes(&mut client, mailbox, &email)[&agent.id].clone();
    let recovery = recovery(&email, &code);
    let winner = only_winner(fire(clients(servers, round, PARALLEL), &recovery), &REFUSALS);
    assert_recovered(&winner, &agent, servers, round);
    // The code is spent for good, and the keys of the agent live on.
    let spent = client.ask(&recovery).with_status(409).json();
    assert_eq!(spent["error"]["code"], "CODE_ALREADY_USED");
    key.token(&mut client);
}

/// The new recovery key works at every instance, and the old one at none.
fn assert_recovered(winner: &Answer, before: &Agent, servers: &[SocketAddr], round: u8) {
    let after = Agent::from(winner);
    assert_eq!(after.id, before.id);
    for server in servers {
        let mut client = Client::new(*server).from([127, 2, round, 2]);
        assert!(after.is_managed(&mut client), "round {round}: the new recovery key");
        assert!(!before.is_managed(&mut client), "round {round}: the old recovery key");
    }
}

fn o2_f1_of_200_parallel_uses_of_a_recovery_code_one_wins(home: &mut Home) {
    be_patient(home);
    let mailbox = home.with_mail();
    let server = home.start();
    for round in 0..ROUNDS {
        assert_one_recovers(&[server.address()], &mailbox, round);
    }
}

#[test]
fn o2_f1_of_200_parallel_uses_at_two_instances_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let mailbox = home.with_mail();
    let servers = [home.start(), home.start_another()];
    for round in 0..ROUNDS {
        assert_one_recovers(&servers.each_ref().map(Server::address), &mailbox, round);
    }
}

/// The codes of one mail are used at the same moment: each recovers its own agent, once.
fn o2_each_code_of_one_mail_wins_once(home: &mut Home) {
    be_patient(home);
    let mailbox = home.with_mail();
    let server = home.start();
    let servers = [server.address()];
    for round in 0..ROUNDS {
        let mut client = asker(&servers, round);
        let email = new_mailbox();
        let agents = [(); 2].map(|()| Agent::proven_at(&mut client, &mailbox, &email));
        let codes = recovery_codes(&mut client, &mailbox, &email);
        assert_eq!(codes.len(), agents.len(), "{codes:?}");
        let uses = agents.each_ref().map(|agent| recovery(&email, &codes[&agent.id]));
        let clients = clients(&servers, round, PARALLEL).into_iter().zip(uses.iter().cycle());
        let answers = at_once(clients, |(mut client, request)| client.ask(request));
        for (turn, agent) in agents.iter().enumerate() {
            let own = answers.iter().skip(turn).step_by(agents.len()).cloned().collect();
            assert_recovered(&only_winner(own, &REFUSALS), agent, &servers, round);
        }
    }
}

/// Two recoveries at once, each by a code of its own request, leave one good recovery key.
fn v3_recoveries_by_both_sides_of_a_mailbox_leave_one_key(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let servers = [server.address()];
    for round in 0..ROUNDS {
        let mut known = asker(&servers, round);
        let email = new_mailbox();
        let agent = Agent::proven_at(&mut known, &mailbox, &email);
        // From now on the agent's own network asks for codes of its own.
        agent.make_key(&mut known).token(&mut known);
        let mut stranger = Client::new(servers[0]).from([127, 3, round, 1]);
        let theirs = recovery_codes(&mut stranger, &mailbox, &email)[&agent.id].clone();
        let ours = recovery_codes(&mut known, &mailbox, &email)[&agent.id].clone();
        let uses = [(known, ours), (stranger, theirs)];
        let answers = at_once(uses, |(mut client, code)| client.ask(&recovery(&email, &code)));
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let won: Vec<_> = won.into_iter().map(Agent::from).collect();
        // The first to come kills the codes of the other.
        assert_eq!(won.len(), 1, "{answers:?}");
        let mut client = asker(&servers, round);
        assert!(won[0].is_managed(&mut client) && !agent.is_managed(&mut client));
    }
}

fn v4_a_recovery_may_end_everything_that_the_agent_had(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let email = new_mailbox();
    let agent = Agent::proven_at(&mut client, &mailbox, &email);
    let keys = [(); 2].map(|()| agent.make_key(&mut client));
    let tokens = keys.each_ref().map(|key| key.token(&mut client));
    let code = &recovery_codes(&mut client, &mailbox, &email)[&agent.id];
    let body = json!({ "email": email, "code": code, "revoke_keys": true });
    let recover = Request::post("/api/auth/recovery/verify", &body);
    let recovered = Agent::from(&client.ask(&recover).with_status(200));
    for (key, token) in keys.iter().zip(&tokens) {
        assert!(!token.is_good(&mut client));
        client.ask(&key.exchange()).with_status(401);
    }
    let key = recovered.make_key(&mut client);
    assert!(key.token(&mut client).is_good(&mut client));
}

each_database!(
    o2_f1_of_200_parallel_uses_of_a_recovery_code_one_wins,
    o2_each_code_of_one_mail_wins_once,
    v3_recoveries_by_both_sides_of_a_mailbox_leave_one_key,
    v4_a_recovery_may_end_everything_that_the_agent_had,
);
