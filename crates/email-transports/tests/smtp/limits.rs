use std::{thread, time::Instant as Watch};

use crate::{
    certificates::certified,
    sink::{Script, Sink, Turn},
    *,
};

/// A server that does this once, after `STARTTLS` if encrypted, and how the client reaches it.
fn server(encrypted: bool, command: &'static str, turn: Turn) -> (Sink, SmtpOptions) {
    let server = certified("127.0.0.1");
    let (tls, ca_pem) = (Some(server.server), Some(server.authority));
    let (can, turns) = (vec!["STARTTLS", "AUTH PLAIN"], vec![(command, turn)]);
    let sink = Sink::start(Script { tls, can, turns, ..Script::default() });
    let way = if encrypted { SmtpTls::Starttls } else { SmtpTls::None };
    let options = SmtpOptions { ca_pem, credentials: Some(user()), ..options(&sink, way) };
    (sink, options)
}

/// How many bytes left the server before the client hung up.
fn poured(sink: &Sink) -> usize {
    let watch = Watch::now();
    while watch.elapsed() < Duration::from_secs(10) {
        if let Some(poured) = sink.seen().poured {
            return poured;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the connection is still open");
}

#[test]
fn m8_an_answer_without_end_costs_bounded_memory() {
    // What the two sockets hold by themselves; the transport takes far less.
    let most = 16 << 20;
    for (encrypted, command) in [
        (false, "HELLO"),
        (false, "EHLO"),
        (true, "HELLO"),
        (true, "EHLO"),
        (true, "STARTTLS"),
        (true, "AUTH"),
        (true, "MAIL"),
        (true, "."),
    ] {
        for words in ["x", "250-x\r\n"] {
            let (sink, options) = server(encrypted, command, Turn::Flood(words));
            let options = SmtpOptions { timeout: Duration::from_secs(20), ..options };
            let watch = Watch::now();
            let sent = send(&smtp(options));
            assert!(matches!(sent, Err(SendError::Temporary(_))), "{command} {words:?}: {sent:?}");
            let poured = poured(&sink);
            assert!(poured < most, "{command} {words:?}: {poured} bytes");
            assert!(watch.elapsed() < Duration::from_secs(10), "{command} {words:?}");
            assert_eq!(sink.seen().mails.len(), 0);
        }
    }
}

#[test]
fn m8_a_server_that_answers_letter_by_letter_costs_a_bounded_time() {
    let drips = |(encrypted, command)| {
        let (sink, options) = server(encrypted, command, Turn::Drip("250-x\r\n250 "));
        let watch = Watch::now();
        let told = temporary(send(&smtp(options)));
        assert!(told.contains("no answer in time"), "{command}: {told}");
        // The content may take what is left of six answers' time.
        assert!(watch.elapsed() < TIMEOUT * 7, "{command}: {:?}", watch.elapsed());
        poured(&sink);
    };
    thread::scope(|scope| {
        for step in [(false, "HELLO"), (false, "EHLO"), (true, "STARTTLS"), (true, "AUTH")] {
            scope.spawn(move || drips(step));
        }
        for step in [(true, "MAIL"), (true, "RCPT"), (true, "DATA"), (true, ".")] {
            scope.spawn(move || drips(step));
        }
    });
}

#[test]
fn m8_a_handshake_without_end_costs_a_bounded_time() {
    // The head of a TLS record of 8 KiB.
    let turns = vec![("HELLO", Turn::Drip("\u{16}\u{3}\u{3}\u{20}\0"))];
    let sink = Sink::start(Script { turns, ..Script::default() });
    let watch = Watch::now();
    let told = temporary(send(&smtp(options(&sink, SmtpTls::Implicit))));
    assert!(told.contains("no answer in time"), "{told}");
    assert!(watch.elapsed() < TIMEOUT * 2, "{:?}", watch.elapsed());
    poured(&sink);
}

#[test]
fn answers_to_many_mails_are_no_answer_without_end() {
    let long: &'static str = Box::leak("250-x\r\n".repeat(4000).into_boxed_str());
    let answer: &'static str = Box::leak(format!("{long}250 ok").into_boxed_str());
    let turns = (0..6).map(|_| ("RCPT", Turn::Say(answer))).collect();
    let sink = Sink::start(Script { turns, ..Script::default() });
    let smtp = plain(&sink);
    for number in 0..6 {
        smtp.send(id(number), at(), &message()).unwrap();
    }
    let seen = sink.seen();
    assert_eq!((seen.connections, seen.mails.len()), (1, 6));
}
