use crate::{
    certificates::certified,
    sink::{Script, Sink, Turn},
    *,
};

/// The lines of a header field, unfolded.
fn header(mail: &str, name: &str) -> Vec<String> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ");
    let start = format!("{name}: ");
    head.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

#[test]
fn m6_a_mail_arrives_whole_over_starttls() {
    let sink = certified("127.0.0.1");
    let (authority, tls) = (sink.authority, Some(sink.server));
    let can = vec!["STARTTLS", "AUTH PLAIN LOGIN"];
    let sink = Sink::start(Script { tls, can, ..Script::default() });
    let (credentials, ca_pem) = (Some(user()), Some(authority));
    let smtp = smtp(SmtpOptions { credentials, ca_pem, ..options(&sink, SmtpTls::Starttls) });
    send(&smtp).unwrap();

    let seen = sink.seen();
    let commands: Vec<&str> =
        seen.lines.iter().map(|(_, line)| line.split(' ').next().unwrap()).collect();
    assert_eq!(commands, ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]);
    assert_eq!(seen.lines[0].1, "EHLO example.com");
    assert!(seen.lines[2..].iter().all(|(encrypted, _)| *encrypted));
    assert_eq!(seen.lines[4].1, "MAIL FROM:<no-reply@example.com>");
    assert_eq!(seen.lines[5].1, "RCPT TO:<jane@example.com>");

    let [mail] = &seen.mails[..] else { panic!("{} mails", seen.mails.len()) };
    for (name, value) in [
        ("From", "Portcullis <no-reply@example.com>"),
        ("To", "jane@example.com"),
        ("Subject", "Confirm your email address"),
        ("Date", "Sat, 21 Nov 2026 18:41:19 +0000"),
        ("Message-ID", "<eml_00000000000000000000000000000001@example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(header(mail, name), [value], "{name}");
    }
    assert!(header(mail, "Content-Type")[0].starts_with("multipart/alternative;"));
    assert!(mail.contains("\r\n\r\n.\r\n..dots\r\n508142\r\n"), "{mail}");
    assert!(mail.find("text/plain").unwrap() < mail.find("text/html").unwrap());
}

#[test]
fn a_mail_arrives_over_implicit_tls() {
    let sink = certified("localhost");
    let (authority, tls) = (sink.authority, Some(sink.server));
    let can = vec!["AUTH LOGIN PLAIN"];
    let sink = Sink::start(Script { tls, implicit: true, can, ..Script::default() });
    let (host, credentials, ca_pem) = ("localhost".to_owned(), Some(user()), Some(authority));
    let options = options(&sink, SmtpTls::Implicit);
    send(&smtp(SmtpOptions { host, credentials, ca_pem, ..options })).unwrap();
    let seen = sink.seen();
    assert_eq!((seen.mails.len(), seen.count("AUTH PLAIN")), (1, 1));
    assert!(seen.lines.iter().all(|(encrypted, _)| *encrypted));
}

#[test]
fn a_program_that_catches_mail_is_reached_in_clear() {
    let sink = Sink::start(Script::default());
    send(&plain(&sink)).unwrap();
    assert_eq!(sink.seen().mails.len(), 1);
}

#[test]
fn a_check_signs_in_and_sends_nothing() {
    let sink = Sink::start(Script { can: vec!["AUTH PLAIN"], ..Script::default() });
    let credentials = Some(user());
    let smtp = smtp(SmtpOptions { credentials, ..options(&sink, SmtpTls::None) });
    smtp.check().unwrap();
    let seen = sink.seen();
    assert_eq!((seen.count("AUTH"), seen.count("MAIL")), (1, 0));
    drop(seen);
    send(&smtp).unwrap();
    let seen = sink.seen();
    assert_eq!((seen.connections, seen.mails.len()), (1, 1));
}

#[test]
fn a_server_may_ask_for_name_and_password_one_by_one() {
    let turns = vec![
        ("AUTH", Turn::Say("334 VXNlcm5hbWU6")),
        ("BWFPBGVY", Turn::Say("334 UGFzc3dvcmQ6")),
        ("Y29YCMVJDCBOB3JZZSA3IGJHDHRLCNK=", Turn::Say("235 2.7.0 welcome")),
    ];
    let sink = Sink::start(Script { can: vec!["AUTH LOGIN"], turns, ..Script::default() });
    let credentials = Some(user());
    send(&smtp(SmtpOptions { credentials, ..options(&sink, SmtpTls::None) })).unwrap();
    assert_eq!(sink.seen().mails.len(), 1);

    let mut turns = vec![("AUTH", Turn::Say("334 VXNlcm5hbWU6"))];
    turns.extend([("BWFPBGVY", Turn::Say("334 VXNlcm5hbWU6")); 9]);
    let sink = Sink::start(Script { can: vec!["AUTH LOGIN"], turns, ..Script::default() });
    let credentials = Some(user());
    temporary(send(&smtp(SmtpOptions { credentials, ..options(&sink, SmtpTls::None) })));
}

#[test]
fn m3_a_mail_has_one_recipient_or_is_not_sent() {
    let sink = Sink::start(Script { can: vec!["SMTPUTF8", "8BITMIME"], ..Script::default() });
    let smtp = plain(&sink);
    for to in [
        "jane@example.com\r\nRCPT TO:<eve@evil.example>",
        "jane@example.com>\r\nRCPT TO:<eve@evil.example",
        "jane@example.com, eve@evil.example",
        "\"jane@evil.example\"@example.com",
        "jane@example.com\r\nBcc: eve@evil.example",
    ] {
        let to = to.to_owned();
        refused(smtp.send(id(1), at(), &Message { to, ..message() }));
    }
    let subject = "Hello\r\nBcc: eve@evil.example".to_owned();
    refused(smtp.send(id(1), at(), &Message { subject, ..message() }));
    assert_eq!(sink.seen().connections, 0);
    send(&smtp).unwrap();
    let seen = sink.seen();
    assert_eq!((seen.count("MAIL"), seen.count("RCPT"), seen.mails.len()), (1, 1, 1));
    assert_eq!(header(&seen.mails[0], "To"), ["jane@example.com"]);
    for other in ["Cc", "Bcc"] {
        assert_eq!(header(&seen.mails[0], other), [""; 0]);
    }
}

#[test]
fn an_address_beyond_ascii_goes_where_it_is_understood() {
    let international = Message { to: "jané@example.com".to_owned(), ..message() };
    let sink = Sink::start(Script { can: vec!["8BITMIME"], ..Script::default() });
    let told = refused(plain(&sink).send(id(1), at(), &international));
    assert!(told.contains("SMTPUTF8"), "{told}");
    assert_eq!(sink.seen().count("MAIL"), 0);

    let sink = Sink::start(Script { can: vec!["8BITMIME", "SMTPUTF8"], ..Script::default() });
    plain(&sink).send(id(1), at(), &international).unwrap();
    let seen = sink.seen();
    assert!(seen.lines[1].1.ends_with("SMTPUTF8 BODY=8BITMIME"), "{:?}", seen.lines[1]);
    assert_eq!(seen.lines[2].1, "RCPT TO:<jané@example.com>");
    assert_eq!(header(&seen.mails[0], "To"), ["jané@example.com"]);
}
