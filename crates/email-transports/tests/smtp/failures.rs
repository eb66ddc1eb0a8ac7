use std::{thread, time::Instant as Watch};

use crate::{
    sink::{Script, Sink, Turn},
    *,
};

/// Sends one mail to a server that does this once.
fn send_to(command: &'static str, turn: Turn) -> (Sink, Result<(), SendError>) {
    let can = vec!["AUTH PLAIN"];
    let sink = Sink::start(Script { can, turns: vec![(command, turn)], ..Script::default() });
    let credentials = Some(user());
    let smtp = smtp(SmtpOptions { credentials, ..options(&sink, SmtpTls::None) });
    let sent = send(&smtp);
    (sink, sent)
}

#[test]
fn a_no_for_now_is_worth_another_try_at_every_step() {
    for command in ["HELLO", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
        let (sink, sent) = send_to(command, Turn::Say("451 4.3.0 later"));
        let told = temporary(sent);
        assert!(told.contains("451"), "{command}: {told}");
        assert_eq!(sink.seen().mails.len(), 0, "{command}");
    }
}

#[test]
fn a_no_for_good_is_final_where_it_is_about_the_mail() {
    for (command, answer) in [
        ("RCPT", "550 5.1.1 <jane@example.com>: no such user"),
        ("RCPT", "553 5.1.3 bad address"),
        ("DATA", "554 5.6.0 not this"),
        (".", "554 5.6.0 looks like spam"),
    ] {
        let told = refused(send_to(command, Turn::Say(answer)).1);
        assert!(told.contains(&answer[..3]) && told.contains(&answer[4..]), "{told}");
    }
}

#[test]
fn a_no_for_good_that_is_about_us_loses_no_mail() {
    for (command, answer) in [
        ("HELLO", "554 5.3.2 no service here"),
        ("EHLO", "504 5.5.2 need a better name"),
        ("AUTH", "535 5.7.8 wrong"),
        ("MAIL", "550 5.7.1 you are not this sender"),
        ("MAIL", "530 5.7.0 sign in first"),
        ("RCPT", "554 5.7.1 relay access denied"),
        ("RCPT", "550 relay not permitted"),
        ("RCPT", "503 5.5.1 out of turn"),
        (".", "550 5.7.26 the sender's domain has no SPF record"),
    ] {
        let told = temporary(send_to(command, Turn::Say(answer)).1);
        assert!(told.contains(&answer[..3]), "{told}");
    }
}

#[test]
fn a_connection_that_ends_is_worth_another_try_at_every_step() {
    for command in ["HELLO", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
        temporary(send_to(command, Turn::HangUp).1);
    }
    let closed = options(&Sink::start(Script::default()), SmtpTls::None);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    temporary(send(&smtp(SmtpOptions { port: Some(nobody), ..closed })));
}

#[test]
fn m8_a_server_that_stalls_costs_a_bounded_time() {
    let stalls = |command| {
        let watch = Watch::now();
        let told = temporary(send_to(command, Turn::Stall).1);
        assert!(told.contains("no answer in time"), "{command}: {told}");
        // The content may take what is left of six answers' time.
        assert!(watch.elapsed() < TIMEOUT * 7, "{command}: {:?}", watch.elapsed());
    };
    thread::scope(|scope| {
        for command in ["HELLO", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
            scope.spawn(move || stalls(command));
        }
    });
}

#[test]
fn only_the_right_answer_means_delivered() {
    for (command, answer) in [(".", "354 go on"), ("DATA", "250 ok"), ("RCPT", "354 go on")] {
        let (sink, sent) = send_to(command, Turn::Say(answer));
        temporary(sent);
        assert_eq!(sink.seen().mails.len(), 0, "{command}");
    }
}

#[test]
fn g1_an_answer_that_quotes_a_secret_is_told_without_it() {
    let quoting =
        "554 5.6.0 https://auth.example.com/verify-email?token=uvt_0123456789ABCDEFGHJKMNPQRS";
    let told = refused(send_to(".", Turn::Say(quoting)).1);
    assert!(!told.contains(&TOKEN[4..]) && told.contains("token=[cut]"), "{told}");

    let told = refused(send_to(".", Turn::Say("554-5.6.0 found 508142\r\n554 5.6.0 \u{1b}[2J")).1);
    assert!(!told.contains("508142") && !told.contains('\u{1b}'), "{told}");

    let told = temporary(send_to("AUTH", Turn::Say("535 5.7.8 correct horse 7 battery")).1);
    assert_eq!(told, "signing in: refused with 535");
    let told = temporary(send_to("AUTH", Turn::Say("correct horse 7 battery")).1);
    assert_eq!(told, "signing in: an answer that is none");

    let long: &'static str = Box::leak(format!("550 5.1.1 {}", "x ".repeat(400)).into_boxed_str());
    assert!(refused(send_to("RCPT", Turn::Say(long)).1).len() <= 200);
}

#[test]
fn a_server_that_wants_no_password_is_not_given_one() {
    let sink = Sink::start(Script::default());
    let credentials = Some(user());
    let smtp = smtp(SmtpOptions { credentials, ..options(&sink, SmtpTls::None) });
    temporary(send(&smtp));
    let seen = sink.seen();
    assert_eq!((seen.count("AUTH"), seen.count("MAIL")), (0, 0));
}
