//! Mails of agents: they arrive by themselves, say what they must, and die with what they tell of.

use std::{collections::BTreeSet, time::Duration};

use crate::harness::{
    Agent, Arrivals, Client, Home, Manner, Sink,
    agents::{new_mailbox, recovery, recovery_codes, recovery_request, verification},
    database, each_database, wait_until,
};

const PATIENCE: Duration = Duration::from_mins(1);

fn count(home: &Home, what: &str) -> i64 {
    database::count(home.database_url(), &format!("SELECT count(*) FROM {what}"))
}

/// Mails leave in the order in which they fall due, so this one shows that what came before has left.
fn send_another(home: &Home, mails: &impl Arrivals, client: &mut Client) {
    let email = new_mailbox();
    Agent::register_at(client, &email).mailed_token(mails, &email);
    wait_until("nothing waits", PATIENCE, || count(home, "outbox") == 0);
}

fn m1_m7_an_agent_proves_its_address_by_a_mail(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let email = new_mailbox();
    let agent = Agent::register_at(&mut client, &email);
    let token = agent.mailed_token(&mailbox, &email);
    let verified = client.ask(&verification(&token)).with_status(200).json();
    assert_eq!(
        (&verified["agent_id"], &verified["email_verified"]),
        (&agent.id.into(), &true.into())
    );
    client.ask(&verification(&token)).with_status(401);
    wait_until("nothing waits", PATIENCE, || count(home, "outbox") == 0);
    let mails = mailbox.mails_to(&email);
    assert_eq!(mails.len(), 1);
    let link = format!("http://{}/verify-email?token={token}", home.address());
    assert!(mails[0].text.contains(&link), "{}", mails[0].text);
}

fn o6_v5_a_recovery_mail_lists_the_agents_of_its_mailbox(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let email = new_mailbox();
    let agents = [(); 3].map(|()| Agent::proven_at(&mut client, &mailbox, &email));
    let codes = recovery_codes(&mut client, &mailbox, &email);
    let listed: BTreeSet<&String> = codes.keys().collect();
    assert_eq!(listed, agents.iter().map(|agent| &agent.id).collect());
    assert_eq!(codes.values().collect::<BTreeSet<_>>().len(), agents.len(), "{codes:?}");
    // The code says which agent is meant.
    let meant = &agents[1];
    let recovered = client.ask(&recovery(&email, &codes[&meant.id])).with_status(200);
    let recovered = Agent::from(&recovered);
    assert_eq!(recovered.id, meant.id);
    for agent in &agents {
        assert_eq!(agent.is_managed(&mut client), agent.id != meant.id);
    }
    let notice = mailbox.wait_for(&email, "the notice of the recovery", |mail| {
        let is_notice = mail.token("evt_").is_none() && mail.agent_codes().is_empty();
        (is_notice && mail.text.contains(&meant.id)).then(|| mail.text.clone())
    });
    assert!(!notice.contains("rk_") && !notice.contains(&codes[&meant.id]), "{notice}");
}

fn v2_an_address_that_is_not_proven_gets_no_recovery_mail(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let email = new_mailbox();
    let agent = Agent::register_at(&mut client, &email);
    let token = agent.mailed_token(&mailbox, &email);
    client.ask(&recovery_request(&email)).with_status(200);
    client.ask(&recovery_request(&new_mailbox())).with_status(200);
    send_another(home, &mailbox, &mut client);
    assert_eq!(mailbox.mails().len(), 2, "one to prove each address: {:?}", mailbox.mails());
    // From when it is proven on, it does.
    client.ask(&verification(&token)).with_status(200);
    let codes = recovery_codes(&mut client, &mailbox, &email);
    assert_eq!(codes.keys().collect::<Vec<_>>(), [&agent.id]);
}

fn m7_f8_o11_recovery_codes_that_were_asked_for_anew_are_not_mailed(home: &mut Home) {
    home.without_limits();
    let mut sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let email = new_mailbox();
    let agent = Agent::proven_at(&mut client, &sink, &email);
    sink.down();
    for _ in 0..3 {
        client.ask(&recovery_request(&email)).with_status(200);
    }
    // The worker pauses, as nobody takes its mails, and takes up one request at a time.
    wait_until("the requests are fulfilled", PATIENCE, || {
        count(home, "outbox WHERE kind = 'recovery_request'") == 0
    });
    assert_eq!(count(home, "outbox WHERE kind = 'agent_recovery_codes'"), 1);
    // What waits is superseded as well.
    client.ask(&recovery_request(&email)).with_status(200);
    wait_until("the request is fulfilled", PATIENCE, || {
        count(home, "outbox WHERE kind = 'recovery_request'") == 0
    });
    assert_eq!(count(home, "outbox WHERE kind = 'agent_recovery_codes'"), 1);
    sink.up();
    let codes = sink.wait_for(&email, "a mail with codes", |mail| {
        Some(mail.agent_codes()).filter(|codes| !codes.is_empty())
    });
    send_another(home, &sink, &mut client);
    let told = sink.mails_to(&email).iter().filter(|m| !m.agent_codes().is_empty()).count();
    assert_eq!(told, 1, "{:?}", sink.mails_to(&email));
    client.ask(&recovery(&email, &codes[&agent.id])).with_status(200);
}

fn m7_f8_mails_of_an_agent_that_is_gone_do_not_leave(home: &mut Home) {
    home.without_limits();
    let mut sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let emails = [(); 2].map(|()| new_mailbox());
    let proven = Agent::proven_at(&mut client, &sink, &emails[0]);
    sink.down();
    let unproven = Agent::register_at(&mut client, &emails[1]);
    client.ask(&recovery_request(&emails[0])).with_status(200);
    wait_until("the request is fulfilled", PATIENCE, || {
        count(home, "outbox WHERE kind = 'recovery_request'") == 0
    });
    for agent in [&proven, &unproven] {
        client.ask(&agent.deletion()).with_status(200);
    }
    // The owner is told, and of nothing else.
    assert_eq!(count(home, "outbox WHERE kind <> 'agent_deleted'"), 0);
    sink.up();
    send_another(home, &sink, &mut client);
    assert_eq!(sink.mails_to(&emails[0]).len(), 2, "{:?}", sink.mails_to(&emails[0]));
    assert!(sink.mails_to(&emails[0])[1].agent_codes().is_empty());
    assert_eq!(sink.mails_to(&emails[1]).len(), 0);
}

each_database!(
    m1_m7_an_agent_proves_its_address_by_a_mail,
    o6_v5_a_recovery_mail_lists_the_agents_of_its_mailbox,
    v2_an_address_that_is_not_proven_gets_no_recovery_mail,
    m7_f8_o11_recovery_codes_that_were_asked_for_anew_are_not_mailed,
    m7_f8_mails_of_an_agent_that_is_gone_do_not_leave,
);
