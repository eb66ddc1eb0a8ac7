//! Many requests at the same moment: single-use things are used once, and limits are exact.

use std::net::SocketAddr;

use crate::harness::{
    Account, Client, Home, Outcome, Request, Server, Tokens, at_once, each_database,
    people::is_refused_token,
};

/// As many clients as that, already connected to the servers in turn.
fn clients(servers: &[SocketAddr], count: usize) -> Vec<Client> {
    (0..count).map(|index| Client::new(servers[index % servers.len()]).connected()).collect()
}

fn fire(clients: Vec<Client>, request: &Request) -> Vec<Outcome> {
    at_once(clients, |mut client| client.send(request))
}

fn statuses(outcomes: &[Outcome]) -> Vec<u16> {
    let mut statuses: Vec<_> = outcomes.iter().map(Outcome::status).collect();
    statuses.sort_unstable();
    statuses
}

fn assert_one_winner(servers: &[SocketAddr]) {
    let mut client = Client::new(servers[0]);
    let tokens = Account::new().register(&mut client);
    let mut outcomes = fire(clients(servers, 100), &tokens.rotation());
    let winner = outcomes.iter().position(|outcome| outcome.status() == 200);
    let winner = winner.unwrap_or_else(|| panic!("nobody won: {:?}", statuses(&outcomes)));
    let winner = outcomes.swap_remove(winner).answer();
    for outcome in &outcomes {
        assert!(is_refused_token(outcome), "{:?}: {outcome:?}", statuses(&outcomes));
    }
    let next = Tokens::from(&winner).rotate(&mut client);
    next.rotate(&mut client);
    client.ask(&next.me()).with_status(200);
}

fn r2_of_100_parallel_uses_of_a_refresh_token_one_wins(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    assert_one_winner(&[server.address()]);
}

#[test]
fn r2_of_100_parallel_uses_at_two_instances_one_wins() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let servers = [home.start(), home.start_another()];
    assert_one_winner(&servers.each_ref().map(Server::address));
}

/// The password is right, so what is judged is 200.
fn assert_at_most_five_judged(servers: &[SocketAddr]) {
    let account = Account::new();
    account.register(&mut Client::new(servers[0]));
    let outcomes = fire(clients(servers, 50), &account.sign_in());
    let refused = outcomes.iter().filter(|outcome| outcome.status() == 429).count();
    let judged = outcomes.len() - refused;
    assert!(judged <= 5, "{:?}", statuses(&outcomes));
    assert!(outcomes.iter().any(|outcome| outcome.status() == 200), "{:?}", statuses(&outcomes));
    for outcome in outcomes {
        let answer = outcome.answer();
        if answer.status == 429 {
            let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=900).contains(&seconds));
            assert_eq!(answer.header("x-ratelimit-limit"), Some("5"));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        } else {
            assert!(answer.status == 200 || answer.is_unavailable(), "{}", answer.whole());
        }
    }
}

fn l2_of_50_parallel_sign_ins_from_one_address_five_are_judged(home: &mut Home) {
    let server = home.start();
    assert_at_most_five_judged(&[server.address()]);
}

#[test]
fn l6_two_instances_judge_five_sign_ins_together() {
    let Some(home) = Home::on_postgres() else { return };
    let servers = [home.start(), home.start_another()];
    assert_at_most_five_judged(&servers.each_ref().map(Server::address));
}

fn parallel_registrations_of_one_address_make_one_account(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let outcomes = fire(clients(&[server.address()], 20), &account.registration());
    let made = outcomes.iter().filter(|outcome| outcome.status() == 201).count();
    let taken = outcomes.iter().filter(|outcome| outcome.status() == 409).count();
    assert_eq!((made, taken), (1, 19), "{:?}", statuses(&outcomes));
    account.signed_in(&mut server.client());
}

/// Keycloak #31726: a limit on guesses must not lock out right passwords that come together.
fn parallel_sign_ins_from_many_addresses_all_succeed(home: &mut Home) {
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    let clients = (1..=20).map(|last| server.client().from([127, 0, 1, last]).connected());
    let outcomes = at_once(clients, |mut client| client.send(&account.sign_in()));
    assert_eq!(statuses(&outcomes), [200; 20]);
}

/// A refresh beside a sign-out leaves nothing alive.
fn r8_a_sign_out_beside_a_refresh_ends_the_session(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let mut client = server.client();
    account.register(&mut client);
    for round in 0..10 {
        let tokens = account.signed_in(&mut client);
        let requests = [tokens.rotation(), tokens.sign_out()];
        let work = requests.map(|request| (server.client().connected(), request));
        let outcomes = at_once(work, |(mut client, request)| client.send(&request));
        let [refreshed, signed_out] = <[Outcome; 2]>::try_from(outcomes).unwrap();
        signed_out.answer().with_status(204);
        let refreshed = refreshed.answer();
        if refreshed.status == 200 {
            let next = Tokens::from(&refreshed);
            assert!(is_refused_token(&client.send(&next.rotation())), "round {round}");
            client.ask(&next.me()).with_status(401);
        } else {
            refreshed.with_status(401);
        }
        client.ask(&tokens.me()).with_status(401);
    }
}

each_database!(
    r2_of_100_parallel_uses_of_a_refresh_token_one_wins,
    l2_of_50_parallel_sign_ins_from_one_address_five_are_judged,
    parallel_registrations_of_one_address_make_one_account,
    parallel_sign_ins_from_many_addresses_all_succeed,
    r8_a_sign_out_beside_a_refresh_ends_the_session,
);
