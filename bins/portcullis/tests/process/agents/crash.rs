//! `kill -9`: what was acknowledged is there afterwards, what was spent stays spent, and nothing is
//! half done.

use super::crew::{Crew, check};
use crate::harness::{
    Agent, AgentToken, Arrivals, Home, Mailbox, Server,
    agents::{new_mailbox, recovery_request, verification},
    each_database, random,
};

const CLIENTS: usize = 12;
const KILLS: usize = 6;
/// Recovery codes that are used before each kill, or would have been.
const PREPARED: usize = 24;

fn j13_a_spent_token_stays_dead_after_kill_9(home: &mut Home) {
    home.without_limits();
    let mut server = home.start();
    for _ in 0..3 {
        let mut client = server.client();
        let key = Agent::register(&mut client).make_key(&mut client);
        let [refreshed, left] = [(); 2].map(|()| key.token(&mut client));
        client.ask(&left.sign_out()).with_status(200);
        let next = client.ask(&refreshed.refresh()).with_status(200);
        server.kill();

        server = home.start();
        let mut client = server.client();
        for token in [&refreshed, &left] {
            assert!(!token.is_good(&mut client));
            client.ask(&token.refresh()).with_status(401);
        }
        assert!(AgentToken::from(&next).is_good(&mut client));
    }
}

/// Agents whose recovery codes were mailed, and the codes.
fn prepare(server: &Server, mailbox: &Mailbox) -> Vec<(Agent, String, String)> {
    let mut client = server.client();
    let addresses: Vec<String> = (0..PREPARED).map(|_| new_mailbox()).collect();
    let agents: Vec<Agent> =
        addresses.iter().map(|address| Agent::register_at(&mut client, address)).collect();
    for (agent, address) in agents.iter().zip(&addresses) {
        let token = agent.mailed_token(mailbox, address);
        client.ask(&verification(&token)).with_status(200);
        client.ask(&recovery_request(address)).with_status(200);
    }
    let prepared = agents.into_iter().zip(addresses).map(|(agent, address)| {
        let code = mailbox.wait_for(&address, "a mail with a recovery code", |mail| {
            mail.agent_codes().remove(&agent.id)
        });
        (agent, address, code)
    });
    prepared.collect()
}

fn f3_j13_nothing_acknowledged_to_an_agent_is_lost_by_kill_9(home: &mut Home) {
    home.without_limits();
    let mailbox = home.with_mail();
    let mut server = home.start();
    let mut doubts = 0;
    for kill in 0..KILLS {
        let crew = Crew::on(server.address(), CLIENTS, prepare(&server, &mailbox));
        // In the midst of the recoveries, or of what comes after them.
        let earliest = if kill % 2 == 0 { 1 } else { 3 * PREPARED };
        crew.wait_for(earliest + usize::try_from(random() % 12).unwrap());
        server.kill();
        let diaries = crew.ended();
        server = home.start();
        doubts += check(&diaries, &mut server.client());
    }
    assert!(doubts <= CLIENTS * KILLS, "only requests in flight can be in doubt");
    eprintln!("{KILLS} kills: {doubts} answers lost");
}

each_database!(
    j13_a_spent_token_stays_dead_after_kill_9,
    f3_j13_nothing_acknowledged_to_an_agent_is_lost_by_kill_9,
);
