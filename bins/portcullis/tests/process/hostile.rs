//! Slow, silent and broken clients: each gets a refusal or a closed connection, and nobody else
//! notices.

use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Account, Home, Outcome, Server, wait_until};

/// A request has ten seconds to arrive.
const PATIENCE: Duration = Duration::from_secs(25);

/// What comes back until the server closes the connection.
fn conversation(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.client().raw();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server may close while it is still being talked to.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut received = Vec::new();
    let ended = stream.read_to_end(&mut received);
    if let Err(error) = ended {
        let closed = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(closed, "{error} after {:?}", String::from_utf8_lossy(bytes));
    }
    String::from_utf8_lossy(&received).into_owned()
}

fn statuses(received: &str) -> Vec<u16> {
    let heads = received.match_indices("HTTP/1.1 ");
    heads.map(|(at, start)| received[at + start.len()..][..3].parse().unwrap()).collect()
}

#[test]
fn i9_malformed_requests_get_one_refusal_at_most() {
    let home = Home::on_sqlite();
    let server = home.start();
    let post =
        "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let smuggled = "GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let requests = [
        "\r\n\r\n\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "\u{0}\u{1}\u{2}\u{3}".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nbroken header\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: \u{1b}[31m\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(200_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(200_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(2000)),
        format!("{post}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{{}}{smuggled}"),
        format!("{post}Content-Length: 2, 40\r\n\r\n{{}}{smuggled}"),
        format!("{post}Content-Length: +2\r\n\r\n{{}}{smuggled}"),
        format!("{post}Content-Length: -1\r\n\r\n{{}}"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\n{{}}"),
        format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n"),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}"),
    ];
    for request in &requests {
        let shown: String = request.chars().take(200).collect();
        let received = conversation(&server, request.as_bytes());
        let statuses = statuses(&received);
        assert!(statuses.len() <= 1, "{shown:?}: {received}");
        assert!(statuses.iter().all(|s| (400..500).contains(s)), "{shown:?}: {received}");
        assert!(!server.log().contains("/v1/smuggled"), "{shown:?} was taken for two requests");
    }
    Account::new().register(&mut server.client());
}

#[test]
fn i4_a_body_that_is_too_large_is_refused_unread() {
    let home = Home::on_sqlite();
    let server = home.start();
    let before = server.memory_kib("VmRSS");
    for size in [64 * 1024 + 1, 8 * 1024 * 1024] {
        let head = format!(
            "POST /v1/auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {size}\r\n\r\n"
        );
        let mut stream = server.client().raw();
        stream.write_all(head.as_bytes()).unwrap();
        let answer = crate::harness::read_answer(&mut stream).answer().with_status(413);
        assert_eq!(answer.json()["error"]["code"], "payload_too_large");
        let whole = [head.into_bytes(), vec![b' '; size]].concat();
        let received = conversation(&server, &whole);
        assert!(statuses(&received).iter().all(|status| *status == 413), "{received}");
    }
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, " ".repeat(60_000));
    let chunked = format!(
        "POST /v1/auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    assert_eq!(statuses(&conversation(&server, chunked.as_bytes())), [413]);
    let grown = server.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 8 * 1024, "it grew by {grown} KiB");
    server.client().get("/health").with_status(200);
}

/// How a connection without an end ends.
fn left_alone(server: &Server, bytes: &[u8]) -> Outcome {
    let mut stream = server.client().raw();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    crate::harness::read_answer(&mut stream)
}

#[test]
fn f11_clients_that_fall_silent_are_let_go_and_hold_nobody_up() {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let post =
        "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let silences = [
        String::new(),
        "GET / HT".to_owned(),
        "GET / HTTP/1.1\r\nHost: local".to_owned(),
        format!("{post}Content-Length: 50\r\n\r\n"),
        format!("{post}Content-Length: 50\r\n\r\n{{\"email\":"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"em"),
    ];
    let account = Account::new();
    let before = open_sockets(&server);
    thread::scope(|scope| {
        // Ten of each, which is many more than there are threads.
        let silent: Vec<_> = silences
            .iter()
            .cycle()
            .take(10 * silences.len())
            .map(|bytes| scope.spawn(|| left_alone(&server, bytes.as_bytes())))
            .collect();
        let mut client = server.client();
        account.register(&mut client);
        let mut turns = 0;
        while silent.iter().any(|thread| !thread.is_finished()) {
            let begun = Instant::now();
            server.client().get("/health").with_status(200);
            account.signed_in(&mut client);
            assert!(begun.elapsed() < Duration::from_secs(5), "held up: {:?}", begun.elapsed());
            turns += 1;
            thread::sleep(Duration::from_millis(200));
        }
        assert!(turns > 5, "the silent ones were let go at once");
        for thread in silent {
            match thread.join().unwrap() {
                Outcome::Lost => {}
                Outcome::Answered(answer) => {
                    assert!((400..500).contains(&answer.status), "{}", answer.whole());
                }
                other => panic!("{other:?}"),
            }
        }
    });
    wait_until("no connection is left", PATIENCE, || open_sockets(&server) <= before);
}

fn open_sockets(server: &Server) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let target = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned)
    };
    files.filter_map(target).filter(|target| target.starts_with("socket:")).count()
}

#[test]
fn clients_that_hang_up_in_the_middle_change_nothing_for_others() {
    let mut home = Home::on_sqlite();
    home.without_limits();
    let server = home.start();
    let account = Account::new();
    let tokens = account.register(&mut server.client());
    for turn in 0..60 {
        let mut stream = server.client().raw();
        let request = if turn % 2 == 0 { account.sign_in() } else { tokens.me() };
        let bytes = request.bytes();
        stream.write_all(&bytes[..bytes.len() - turn % 3]).unwrap();
        drop(stream);
    }
    server.client().ask(&tokens.me()).with_status(200);
    account.signed_in(&mut server.client());
}

/// actix makes an answer to each of them and keeps what is not taken.
#[test]
fn requests_without_end_over_one_connection_are_cut_off() {
    let home = Home::on_sqlite();
    let server = home.start();
    for (path, most) in [("/openapi.json", 100), ("/health", 1100), ("/v1/auth/nothing", 1100)] {
        let requests = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(3000);
        let answers = statuses(&conversation(&server, requests.as_bytes())).len();
        assert!(answers <= most, "{path}: {answers}");
    }
    server.client().get("/health").with_status(200);
}
