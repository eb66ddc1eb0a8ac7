//! SIGTERM: no answer is cut, and the process ends with 0 within ten seconds.

use std::{
    io::{ErrorKind, Read, Write},
    thread,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;

use crate::harness::{
    Account, Client, Home, Outcome, Request, Server, database, each_database, wait_until,
};

const TEN_SECONDS: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);
/// What an instance holds while it migrates.
const MIGRATION_LOCK: i64 = 0x706f_7274_6375_6c6c;

fn assert_ends_well(server: &mut Server, begun: Instant) {
    let status = server.wait_end(PATIENCE);
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(begun.elapsed() <= TEN_SECONDS, "it took {:?}", begun.elapsed());
}

/// When a request had been sent, whether on a connection with an answer before it, and its end.
struct Sent {
    at: Option<Instant>,
    is_accepted: bool,
    outcome: Outcome,
}

/// Asks until the server is gone.
fn ask_on(mut client: Client, requests: &[Request]) -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    for request in requests.iter().cycle() {
        let is_accepted = client.is_connected();
        client.sent_at = None;
        let outcome = client.send(request);
        let is_over = !matches!(outcome, Outcome::Answered(_));
        sent.push(Sent { at: client.sent_at, is_accepted, outcome });
        if is_over {
            break;
        }
    }
    sent
}

fn f12_a_stop_under_load_cuts_no_answer(home: &mut Home) {
    home.without_limits();
    let mut server = home.start();
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    let requests = [account.sign_in(), tokens.me(), Request::get("/.well-known/jwks.json")];
    let (sent, told) = thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let (client, requests) = (server.client(), &requests);
                scope.spawn(move || ask_on(client, requests))
            })
            .collect();
        wait_until("sign-ins are answered", PATIENCE, || {
            server.log().matches("/v1/auth/login").count() > 20
        });
        let told = Instant::now();
        server.terminate();
        assert_ends_well(&mut server, told);
        let sent: Vec<_> = clients.into_iter().flat_map(|c| c.join().unwrap()).collect();
        (sent, told)
    });
    let whole = sent.iter().filter(|sent| matches!(&sent.outcome, Outcome::Answered(_))).count();
    assert!(whole > 60, "only {whole} answers");
    for Sent { at, is_accepted, outcome } in &sent {
        assert!(!matches!(outcome, Outcome::Cut | Outcome::Late), "{outcome:?}");
        if *is_accepted && at.is_some_and(|at| at < told) {
            let Outcome::Answered(answer) = outcome else { panic!("accepted, and {outcome:?}") };
            assert!(answer.status == 200 || answer.is_unavailable(), "{}", answer.whole());
        }
    }
}

fn f12_idle_connections_do_not_hold_a_stop_up(home: &mut Home) {
    let mut server = home.start();
    let mut clients: Vec<_> = (0..20).map(|_| server.client()).collect();
    for client in &mut clients {
        client.get("/health").with_status(200);
    }
    let begun = Instant::now();
    server.terminate();
    assert_ends_well(&mut server, begun);
    eprintln!("stopped after {:?}, 20 connections idle", begun.elapsed());
    assert!(clients.iter().all(|client| !client.is_connected()));
}

each_database!(
    f12_a_stop_under_load_cuts_no_answer,
    f12_idle_connections_do_not_hold_a_stop_up,
    f12_a_stop_at_any_moment_of_the_first_start_leaves_no_half,
);

#[test]
fn f12_a_client_that_never_finishes_does_not_hold_a_stop_up() {
    let home = Home::on_sqlite();
    let mut server = home.start();
    let mut half = server.client().raw();
    half.write_all(HALF_A_BODY).unwrap();
    wait_until_received(&server);
    let begun = Instant::now();
    server.terminate();
    assert_ends_well(&mut server, begun);
}

#[test]
fn f12_a_second_signal_does_not_wait() {
    let home = Home::on_sqlite();
    let mut server = home.start();
    let mut half = server.client().raw();
    half.write_all(HALF_A_BODY).unwrap();
    wait_until_received(&server);
    let begun = Instant::now();
    server.terminate();
    wait_until("it is stopping", PATIENCE, || server.log().contains("stopping"));
    server.terminate();
    assert_ends_well(&mut server, begun);
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    // Its connection is closed, not left to itself.
    match half.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0, "nobody is answered half a request"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

const HALF_A_BODY: &[u8] = b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"email\":";

/// Requests on other connections show that the event loops have been round since.
fn wait_until_received(server: &Server) {
    for _ in 0..20 {
        server.client().get("/health").with_status(200);
    }
}

/// A signal ends a process that has not yet begun to listen for it, or is obeyed.
fn stop_during_start(home: &Home, reached: impl Fn(&Server) -> bool) {
    let mut server = home.spawn(&["serve", "--dev"]);
    wait_until("the start has come so far", PATIENCE, || reached(&server) || server.has_ended());
    let begun = Instant::now();
    server.terminate();
    let status = server.wait_end(PATIENCE);
    assert!(begun.elapsed() <= TEN_SECONDS, "it took {:?}", begun.elapsed());
    assert!(matches!(status.code(), None | Some(0)), "{status}: {}", server.log());
}

fn f12_a_stop_at_any_moment_of_the_first_start_leaves_no_half(home: &mut Home) {
    stop_during_start(home, |_| true);
    stop_during_start(home, |server| server.log().contains("migration applied"));
    stop_during_start(home, |_| home.key_file().exists());
    stop_during_start(home, |server| server.log().contains("\"listening\""));
    stop_during_start(home, |server| server.log().contains("\"listening\""));
    let server = home.start();
    Account::new().register(&mut server.client());
    let keys = database::count(home.database_url(), "SELECT count(*) FROM signing_keys");
    assert_eq!(keys, 4, "one for people, and one of each algorithm for agents");
}

#[test]
fn f12_a_stop_while_another_instance_migrates_is_obeyed() {
    let Some(home) = Home::on_postgres() else { return };
    let mut holder = database::postgres(home.database_url());
    let lock = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
    holder.batch_execute(&lock).unwrap();
    stop_during_start(&home, |_| {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' AND wait_event = 'advisory'";
        database::count(home.database_url(), waiting) > 0
    });
    drop(holder);
    Account::new().register(&mut home.start().client());
}
