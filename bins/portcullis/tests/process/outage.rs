//! PostgreSQL that goes away under load and comes back.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use portcullis_testkit::database::{Cluster, ClusterOptions, postgres_admin_url};

use crate::harness::{
    Account, Answer, Client, Home, Load, Request, check_diaries, database, wait_until,
};

const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_mins(1);
/// A request waits for a permit, then for a connection or a lock, each for two seconds at most.
const REFUSAL: Duration = Duration::from_secs(5);
/// One that checks a password first waits for its turn, behind others that wait for the database.
const HASHING_REFUSAL: Duration = Duration::from_secs(12);
const RECOVERY: Duration = Duration::from_secs(15);

/// A server of its own, which keeps what it acknowledged.
fn cluster() -> Option<Cluster> {
    postgres_admin_url()?;
    let options = ClusterOptions { durable: true, ..ClusterOptions::default() };
    Some(Cluster::start_with(&options).unwrap())
}

/// An answer and how long it took.
fn timed(address: SocketAddr, request: &Request) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = Client::new(address).ask(request);
    (answer, begun.elapsed())
}

fn assert_refused_for_now(address: SocketAddr, request: &Request, patience: Duration) {
    let (answer, took) = timed(address, request);
    assert!(answer.is_unavailable(), "{}", answer.whole());
    assert!(took < patience, "503 after {took:?}: {request:?}");
}

fn outage(stop: impl Fn(&Cluster)) {
    let Some(cluster) = cluster() else { return };
    let mut home = Home::on_database(&cluster.url("postgres"));
    home.without_limits();
    let server = home.start();
    let address = server.address();
    let witness = Account::new();
    let tokens = witness.register(&mut server.client());
    let load = Load::on(&[address], CLIENTS);
    for _ in 0..2 {
        load.wait_for(100, PATIENCE);
        stop(&cluster);
        // Nothing that begins now can be stored.
        let stranger = Account::new();
        let requests = [
            (tokens.me(), REFUSAL),
            (tokens.rotation(), REFUSAL),
            (Request::get("/ready"), REFUSAL),
            (witness.sign_in(), REFUSAL),
            (stranger.registration(), REFUSAL),
        ];
        thread::scope(|scope| {
            for (request, patience) in &requests {
                scope.spawn(move || assert_refused_for_now(address, request, *patience));
            }
        });
        server.client().get("/health").with_status(200);
        server.client().get("/.well-known/jwks.json").with_status(200);
        cluster.start_server().unwrap();
        wait_until("the server is ready again", RECOVERY, || server.is_ready());
        server.client().ask(&tokens.me()).with_status(200);
        server.client().ask(&stranger.sign_in()).with_status(401);
    }
    load.wait_for(50, PATIENCE);
    assert!(load.unavailable() > 0, "the clients noticed");
    let verdict = check_diaries(&load.stop(), &mut server.client());
    assert!(verdict.slowest_refusal < REFUSAL, "{:?}", verdict.slowest_refusal);
    tokens.rotate(&mut server.client());
    eprintln!(
        "2 outages: {} accounts, {} requests in doubt, {} clients locked out, slowest 503 {:?}",
        verdict.accounts, verdict.doubts, verdict.locked_out, verdict.slowest_refusal
    );
}

#[test]
fn f4_a_crash_of_postgres_under_load_loses_nothing() {
    outage(|cluster| cluster.crash_server().unwrap());
}

#[test]
fn f4_a_stop_of_postgres_under_load_loses_nothing() {
    outage(|cluster| cluster.stop_server().unwrap());
}

#[test]
fn f4_cut_connections_heal_by_themselves() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let server = home.start();
    let load = Load::on(&[server.address()], CLIENTS);
    for _ in 0..3 {
        load.wait_for(40, PATIENCE);
        database::execute(
            home.database_url(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
    load.wait_for(40, PATIENCE);
    check_diaries(&load.stop(), &mut server.client());
}

#[test]
fn f14_a_locked_table_holds_requests_up_for_seconds_only() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let server = home.start();
    let address = server.address();
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    let mut holder = database::postgres(home.database_url());
    holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
    // More than there are connections and permits.
    let kinds = [(tokens.me(), REFUSAL), (account.sign_in(), HASHING_REFUSAL)];
    thread::scope(|scope| {
        let waiting: Vec<_> = kinds
            .iter()
            .cycle()
            .take(30)
            .map(|(request, patience)| {
                scope.spawn(move || assert_refused_for_now(address, request, *patience))
            })
            .collect();
        while waiting.iter().any(|thread| !thread.is_finished()) {
            let (answer, took) = timed(address, &Request::get("/health"));
            answer.with_status(200);
            assert!(took < Duration::from_secs(2), "/health took {took:?}");
            thread::sleep(Duration::from_millis(50));
        }
    });
    holder.batch_execute("ROLLBACK").unwrap();
    wait_until("the server is ready again", RECOVERY, || server.is_ready());
    for _ in 0..20 {
        server.client().ask(&tokens.me()).with_status(200);
    }
    tokens.rotate(&mut server.client());
    account.signed_in(&mut server.client());
    drop(holder);
}

#[test]
fn f4_a_start_without_postgres_is_refused_within_seconds() {
    let Some(cluster) = cluster() else { return };
    let home = Home::on_database(&cluster.url("postgres"));
    cluster.stop_server().unwrap();
    let begun = Instant::now();
    let complaint = home.run(&["serve", "--dev"]).failed();
    assert!(complaint.contains("connect"), "{complaint}");
    assert!(begun.elapsed() < Duration::from_secs(15));
    cluster.start_server().unwrap();
    Account::new().register(&mut home.start().client());
}
