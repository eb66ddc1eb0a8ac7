//! Wrong recovery codes, many at the same moment: the count of tries is not outrun.

use std::net::SocketAddr;

use super::{be_patient, clients, fire};
use crate::harness::{
    Agent, Answer, Client, Home, Mailbox, Server,
    agents::{new_mailbox, recovery, recovery_codes, wrong_code},
    at_once, each_database,
};

/// Wrong codes that a request bears from all networks but the one that asked.
const OF_OTHERS: u8 = 3;

/// One agent in one mailbox, and the code that was mailed.
struct Asked {
    agent: Agent,
    email: String,
    code: String,
    asker: Client,
}

impl Asked {
    fn at(server: SocketAddr, mailbox: &Mailbox, round: u8) -> Self {
        let mut asker = Client::new(server).from([127, 2, round, 1]);
        let email = new_mailbox();
        let agent = Agent::proven_at(&mut asker, mailbox, &email);
        let code = recovery_codes(&mut asker, mailbox, &email)[&agent.id].clone();
        Self { agent, email, code, asker }
    }

    fn fire_wrong(&self, servers: &[SocketAddr], round: u8, count: u8) {
        let wrong = wrong_code([&self.code]);
        for answer in fire(clients(servers, round, count), &recovery(&self.email, &wrong)) {
            assert_invalid(answer);
        }
    }
}

fn assert_invalid(answer: Answer) {
    let refused = answer.with_status(401).json();
    assert_eq!(refused["error"]["code"], "INVALID_CODE");
}

fn assert_strangers_shut_themselves_out(servers: &[SocketAddr], mailbox: &Mailbox) {
    let stranger = |round, last| Client::new(servers[0]).from([127, 4, round, last]);
    for (round, wrong) in [(0, 100), (1, OF_OTHERS)] {
        let mut asked = Asked::at(servers[0], mailbox, round);
        asked.fire_wrong(servers, round, wrong);
        let right = recovery(&asked.email, &asked.code);
        assert_invalid(stranger(round, 1).ask(&right));
        // Not the one who asked.
        let recovered = Agent::from(&asked.asker.ask(&right).with_status(200));
        assert_eq!(recovered.id, asked.agent.id);
    }
    let asked = Asked::at(servers[0], mailbox, 2);
    asked.fire_wrong(servers, 2, OF_OTHERS - 1);
    stranger(2, 1).ask(&recovery(&asked.email, &asked.code)).with_status(200);
}

fn o4_o3_parallel_wrong_codes_do_not_outrun_the_count(home: &mut Home) {
    be_patient(home);
    let mailbox = home.with_mail();
    let server = home.start();
    assert_strangers_shut_themselves_out(&[server.address()], &mailbox);
}

#[test]
fn o4_o3_nor_do_they_at_two_instances() {
    let Some(mut home) = Home::on_postgres() else { return };
    be_patient(&mut home);
    let mailbox = home.with_mail();
    let servers = [home.start(), home.start_another()];
    assert_strangers_shut_themselves_out(&servers.each_ref().map(Server::address), &mailbox);
}

/// From the network that asked, five wrong ones of many at once are looked at. Its other codes and
/// agents are none the worse for it.
fn o4_the_network_that_asked_has_five_tries(home: &mut Home) {
    be_patient(home);
    let mailbox = home.with_mail();
    let server = home.start();
    let mut asked = Asked::at(server.address(), &mailbox, 0);
    let wrong = recovery(&asked.email, &wrong_code([&asked.code]));
    let neighbours = (2..=100).map(|last| server.client().from([127, 2, 0, last]).connected());
    for answer in at_once(neighbours, |mut client| client.ask(&wrong)) {
        assert_invalid(answer);
    }
    let right = recovery(&asked.email, &asked.code);
    assert_invalid(asked.asker.ask(&right));
    // Everybody else has tries of their own.
    server.client().from([127, 4, 0, 1]).ask(&right).with_status(200);
}

/// A code counts for the newest request of its side only.
fn o11_the_newest_codes_are_the_only_ones(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut asked = Asked::at(server.address(), &mailbox, 0);
    let newest = recovery_codes(&mut asked.asker, &mailbox, &asked.email)[&asked.agent.id].clone();
    // One in a million is the same code again, which is then good.
    if newest != asked.code {
        assert_invalid(asked.asker.ask(&recovery(&asked.email, &asked.code)));
    }
    asked.asker.ask(&recovery(&asked.email, &newest)).with_status(200);
}

each_database!(
    o4_o3_parallel_wrong_codes_do_not_outrun_the_count,
    o4_the_network_that_asked_has_five_tries,
    o11_the_newest_codes_are_the_only_ones,
);
