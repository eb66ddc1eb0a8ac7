use crate::{
    certificates::certified,
    sink::{Script, Sink, Turn},
    *,
};

/// Tries to send with a password, which fails, and nothing is told to the server.
fn nothing_leaves(sink: &Sink, tls: SmtpTls, ca_pem: Option<Vec<u8>>) -> String {
    let credentials = Some(user());
    let told = temporary(send(&smtp(SmtpOptions { credentials, ca_pem, ..options(sink, tls) })));
    let seen = sink.seen();
    for command in ["AUTH", "MAIL", "RCPT", "DATA"] {
        assert_eq!(seen.count(command), 0, "{command}");
    }
    assert_eq!(seen.mails.len(), 0);
    told
}

#[test]
fn m8_a_certificate_of_an_unknown_authority_means_no_mail() {
    for (tls, implicit) in [(SmtpTls::Starttls, false), (SmtpTls::Implicit, true)] {
        let (server, other) = (certified("127.0.0.1"), certified("127.0.0.1"));
        for ca_pem in [None, Some(other.authority.clone())] {
            let (can, server) = (vec!["STARTTLS", "AUTH PLAIN"], Some(server.server.clone()));
            let sink = Sink::start(Script { tls: server, implicit, can, ..Script::default() });
            let told = nothing_leaves(&sink, tls, ca_pem);
            assert!(told.contains("certificate"), "{told}");
        }
    }
}

#[test]
fn m8_a_certificate_of_another_name_means_no_mail() {
    for (tls, implicit) in [(SmtpTls::Starttls, false), (SmtpTls::Implicit, true)] {
        for name in ["mail.example.com", "127.0.0.2"] {
            let server = certified(name);
            let (can, ca_pem) = (vec!["STARTTLS", "AUTH PLAIN"], Some(server.authority));
            let server = Some(server.server);
            let sink = Sink::start(Script { tls: server, implicit, can, ..Script::default() });
            let told = nothing_leaves(&sink, tls, ca_pem);
            assert!(told.contains("certificate"), "{told}");
        }
    }
}

#[test]
fn m8_a_server_that_offers_no_encryption_gets_no_mail() {
    let sink = Sink::start(Script { can: vec!["AUTH PLAIN"], ..Script::default() });
    let told = nothing_leaves(&sink, SmtpTls::Starttls, None);
    assert!(told.contains("STARTTLS"), "{told}");
    assert_eq!(sink.seen().count("STARTTLS"), 0);

    let turns = vec![("STARTTLS", Turn::SayAndHangUp("454 4.7.0 not now"))];
    let sink = Sink::start(Script { can: vec!["STARTTLS"], turns, ..Script::default() });
    let told = nothing_leaves(&sink, SmtpTls::Starttls, None);
    assert!(told.contains("454"), "{told}");

    let turns = vec![("STARTTLS", Turn::SayAndHangUp("502 5.5.1 what"))];
    let sink = Sink::start(Script { can: vec!["STARTTLS"], turns, ..Script::default() });
    nothing_leaves(&sink, SmtpTls::Starttls, None);
}

#[test]
fn m8_a_server_that_speaks_in_clear_gets_no_mail_where_tls_is_due() {
    let sink = Sink::start(Script { can: vec!["AUTH PLAIN"], ..Script::default() });
    nothing_leaves(&sink, SmtpTls::Implicit, None);
    assert_eq!(sink.seen().lines.len(), 0);
}

#[test]
fn m8_answers_that_a_stranger_adds_in_clear_deliver_no_mail() {
    let to_hello = "250-sink\r\n250 AUTH PLAIN";
    let to_all = "250-sink\r\n250 AUTH PLAIN\r\n235 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e";
    let to_mail = "250 sink\r\n250 b\r\n250 c\r\n354 d\r\n250 e";
    for added in [to_hello, to_all, to_mail, "250 sink", "250 sink\r\n25", "25", "nonsense"] {
        for credentials in [Some(user()), None] {
            let server = certified("127.0.0.1");
            let (tls, ca_pem) = (Some(server.server), Some(server.authority));
            let (can, turns) =
                (vec!["STARTTLS", "AUTH PLAIN"], vec![("STARTTLS", Turn::Add(added))]);
            let sink = Sink::start(Script { tls, can, turns, ..Script::default() });
            let options = options(&sink, SmtpTls::Starttls);
            temporary(send(&smtp(SmtpOptions { credentials, ca_pem, ..options })));
            assert_eq!(sink.seen().mails.len(), 0, "{added}");
        }
    }
}
