//! What outlives a process and what instances share.

use crate::harness::{Account, Client, Home, Server, each_database, people::is_refused_token};

fn sign_in_five_times(account: &Account, clients: &mut [&mut Client]) {
    for turn in 0..5 {
        let last = clients.len();
        account.signed_in(clients[turn % last]);
    }
}

fn limits_survive_kill_9(home: &mut Home) {
    let server = home.start();
    let account = Account::new();
    let mut client = server.client();
    account.register(&mut client);
    sign_in_five_times(&account, &mut [&mut client]);
    server.kill();

    let server = home.start();
    let refused = server.client().ask(&account.sign_in()).with_status(429);
    assert_eq!(refused.json()["error"]["code"], "rate_limited");
    let mut elsewhere = server.client().from([127, 0, 2, 1]);
    account.signed_in(&mut elsewhere);
}

each_database!(limits_survive_kill_9);

#[test]
fn l6_limits_are_shared_by_instances() {
    let Some(home) = Home::on_postgres() else { return };
    let servers = [home.start(), home.start_another()];
    let [mut first, mut second] = servers.each_ref().map(Server::client);
    let account = Account::new();
    account.register(&mut first);
    sign_in_five_times(&account, &mut [&mut first, &mut second]);
    first.ask(&account.sign_in()).with_status(429);
    second.ask(&account.sign_in()).with_status(429);
}

#[test]
fn f9_a_sign_out_at_one_instance_holds_at_the_other_at_once() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    let [mut first, mut second] = servers.each_ref().map(Server::client);
    let account = Account::new();
    account.register(&mut first);
    for _ in 0..10 {
        let tokens = account.signed_in(&mut first);
        second.ask(&tokens.me()).with_status(200);
        let next = tokens.rotate(&mut second);
        first.ask(&next.me()).with_status(200);
        first.ask(&next.sign_out()).with_status(204);
        second.ask(&next.me()).with_status(401);
        assert!(is_refused_token(&second.send(&next.rotation())));
    }
}

#[test]
fn f9_one_instance_goes_on_when_the_other_is_killed() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let (first, second) = (home.start(), home.start_another());
    let account = Account::new();
    let tokens = account.register(&mut first.client());
    first.kill();
    let mut client = second.client();
    tokens.rotate(&mut client).rotate(&mut client);
    account.signed_in(&mut client);
}
