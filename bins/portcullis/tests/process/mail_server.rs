//! A mail server that is slow, refuses, hangs up, goes away and comes back.

use std::{sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::json;

use crate::harness::{
    Account, Arrivals, Home, Manner, Request, Sink, at_once, database, each_database, wait_until,
};

const PATIENCE: Duration = Duration::from_mins(1);

fn queued(home: &Home) -> i64 {
    database::count(home.database_url(), "SELECT count(*) FROM outbox")
}

fn m8_f8_no_answer_waits_for_the_mail_server(home: &mut Home) {
    home.without_limits();
    let sink = Sink::start(Manner::Silent);
    home.with_sink(&sink);
    let server = home.start();
    let accounts: Vec<Account> = (0..10).map(|_| Account::new()).collect();
    at_once(&accounts, |account| {
        let mut client = server.client();
        account.register(&mut client);
        let address = json!({ "email": account.email });
        for target in ["/v1/auth/verify-email/resend", "/v1/auth/password/reset"] {
            client.ask(&Request::post(target, &address)).with_status(202);
        }
        account.signed_in(&mut client);
    });
    assert_eq!(sink.mails().len(), 0, "all of it was answered before the first mail left");
    sink.be(Manner::Take);
    let addresses: Vec<String> = accounts.into_iter().map(|account| account.email).collect();
    sink.wait_for_all(&addresses);
}

fn f8_a_mail_refused_for_now_arrives_once(home: &mut Home) {
    let sink = Sink::start(Manner::NotNow);
    home.with_sink(&sink);
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    wait_until("it is tried again", PATIENCE, || sink.tries() >= 2);
    assert!(server.log().contains("mail deferred by the mail server"), "{}", server.log());
    sink.be(Manner::Take);
    sink.wait_for_token(&account.email, "uvt_");
    wait_until("nothing waits", PATIENCE, || queued(home) == 0);
    wait_until("the log says so", PATIENCE, || server.log().contains("mail delivered"));
    assert_eq!(sink.mails().len(), 1);
    assert!(!server.log().contains(&account.email), "{}", server.log());
}

/// Forty such mails once held every other up for minutes.
fn f8_mails_that_are_put_off_by_themselves_hold_up_no_other(home: &mut Home) {
    home.without_limits();
    let sink = Sink::start(Manner::NowhereLater);
    home.with_sink(&sink);
    let server = home.start();
    let nowhere = || {
        let account = Account::new();
        let email = account.email.replace("@example.com", "@nowhere.example");
        Account { email, ..account }
    };
    let put_off: Vec<Account> = (0..40).map(|_| nowhere()).collect();
    at_once(&put_off, |account| drop(account.register(&mut server.client())));
    wait_until("each was tried", PATIENCE, || sink.tries() >= put_off.len());
    let account = Account::new();
    account.register(&mut server.client());
    sink.wait_for_token(&account.email, "uvt_");
    assert_eq!(sink.mails().len(), 1);
    assert!(!server.log().contains("sending mail failed"), "{}", server.log());
}

fn f8_g1_a_mail_refused_for_good_is_given_up_and_told(home: &mut Home) {
    let sink = Sink::start(Manner::Never);
    home.with_sink(&sink);
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    let events = "SELECT count(*) FROM audit_events WHERE action = 'mail.refused'";
    wait_until("it is written down", PATIENCE, || {
        database::count(home.database_url(), events) == 1
    });
    assert_eq!((queued(home), sink.tries()), (0, 1));
    wait_until("the log tells", PATIENCE, || server.log().contains("refused for good"));
    let log = server.log();
    let line = log.lines().find(|line| line.contains("refused for good")).unwrap();
    assert!(line.contains("550 5.1.1") && line.contains("\"verify_email\""), "{line}");
    assert!(!log.contains(&account.email), "{log}");

    sink.be(Manner::Take);
    let next = Account::new();
    next.register(&mut server.client());
    sink.wait_for_token(&next.email, "uvt_");
    assert_eq!(sink.mails_to(&account.email).len(), 0);
}

fn f8_a_server_that_hangs_up_after_the_content_gets_one_more_copy(home: &mut Home) {
    let sink = Sink::start(Manner::HangUp);
    home.with_sink(&sink);
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    sink.wait_for_token(&account.email, "uvt_");
    sink.be(Manner::Take);
    wait_until("nothing waits", PATIENCE, || queued(home) == 0);
    let copies = sink.mails_to(&account.email);
    assert_eq!((copies.len(), sink.duplicates()), (2, 1));
    assert_eq!(copies[0].text, copies[1].text);
}

fn f8_mail_arrives_once_the_server_is_back(home: &mut Home) {
    home.without_limits();
    let mut sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    sink.down();
    let server = home.start();
    let accounts: Vec<Account> = (0..5).map(|_| Account::new()).collect();
    for account in &accounts {
        account.register(&mut server.client());
    }
    wait_until("the log tells", PATIENCE, || server.log().contains("sending mail failed"));
    sink.up();
    let addresses: Vec<String> = accounts.into_iter().map(|account| account.email).collect();
    sink.wait_for_all(&addresses);
    wait_until("nothing waits", PATIENCE, || queued(home) == 0);
    assert_eq!(sink.duplicates(), 0);
    wait_until("the log tells", PATIENCE, || server.log().contains("sending mail works again"));
}

each_database!(
    m8_f8_no_answer_waits_for_the_mail_server,
    f8_a_mail_refused_for_now_arrives_once,
    f8_mails_that_are_put_off_by_themselves_hold_up_no_other,
    f8_g1_a_mail_refused_for_good_is_given_up_and_told,
    f8_a_server_that_hangs_up_after_the_content_gets_one_more_copy,
    f8_mail_arrives_once_the_server_is_back,
);

#[test]
fn m8_mail_goes_to_a_server_with_a_good_certificate_only() {
    let mut home = Home::on_sqlite();
    let (authority, tls) = certified("127.0.0.1");
    let sink = Sink::encrypted(tls);
    home.with_sink(&sink);
    home.set("mail.smtp.tls", "starttls");
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    wait_until("the log tells", PATIENCE, || server.log().contains("certificate"));
    assert_eq!((sink.tries(), sink.mails().len()), (0, 0));
    let complaint = home.run(&["mail", "test", "jane@example.com"]).failed();
    assert!(complaint.contains("certificate"), "{complaint}");
    server.kill();

    let file = home.path().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    home.set("mail.smtp.ca_file", &file.display().to_string());
    home.run(&["mail", "test", "jane@example.com"]).succeeded();
    let _server = home.start();
    sink.wait_for_token(&account.email, "uvt_");
}

/// The PEM of an authority, and a server of this name that it vouches for.
fn certified(name: &str) -> (String, Arc<ServerConfig>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (pem, Arc::new(server))
}

/// A server in the clear is for this machine alone, whoever is told so.
#[test]
fn m8_mail_in_clear_leaves_no_machine() {
    let mut home = Home::on_sqlite();
    home.set("mail.transport", "smtp");
    home.set("mail.from", "auth@example.com");
    home.set("mail.smtp.host", "mail.example.com");
    home.set("mail.smtp.tls", "none");
    for command in [&["serve", "--dev"][..], &["config", "check", "--dev"]] {
        let complaint = home.run(command).failed();
        assert!(
            complaint.contains("mail.smtp.tls: none is for a mail server on this"),
            "{complaint}"
        );
    }
}

/// What is wrong with a template is told before a mail is due.
#[test]
fn templates_are_the_operators_own_and_a_broken_one_is_refused() {
    let mut home = Home::on_sqlite();
    let mailbox = home.with_mail();
    let folder = home.path().join("templates");
    std::fs::create_dir(&folder).unwrap();
    home.set("mail.templates", &folder.display().to_string());
    home.set("branding.service_name", "Söhne & Co");
    let built_in = home.run(&["mail", "templates", "verify_email.txt"]).succeeded();
    let own = built_in.replacen("Hello,", "Good day from {{ service }},", 1);
    std::fs::write(folder.join("verify_email.txt"), own).unwrap();
    // Good for every letter that it is tried with, and not for one from here.
    let built_in = home.run(&["mail", "templates", "reset_password.txt"]).succeeded();
    let trap = "{% if network == \"127.0.0.0/24\" %}{{ nothing }}{% endif %}Good day,";
    std::fs::write(folder.join("reset_password.txt"), built_in.replacen("Hello,", trap, 1))
        .unwrap();
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    mailbox.wait_for_token(&account.email, "uvt_");
    let text = &mailbox.mails_to(&account.email)[0].text;
    assert!(text.contains("Good day from"), "{text}");
    let ask = Request::post("/v1/auth/password/reset", &json!({ "email": account.email }));
    server.client().ask(&ask).with_status(202);
    mailbox.wait_for_token(&account.email, "rst_");
    let text = &mailbox.mails_to(&account.email)[1].text;
    assert!(text.contains("Hello,") && !text.contains("Good day"), "{text}");
    assert!(server.log().contains("a template of mail.templates failed"), "{}", server.log());
    server.kill();

    for (name, text, expected) in [
        ("verify_email.txt", "Subject: Hello\n\n{{ nothing }}", "verify_email.txt"),
        ("verify_email.txt", "Subject: Hello\n\nno link", "{{ link }}"),
        ("verify-email.txt", "Subject: Hello\n\n{{ link }}", "there is none of this name"),
    ] {
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
        for command in [&["serve", "--dev"][..], &["config", "check", "--dev"]] {
            let complaint = home.run(command).failed();
            let says = complaint.contains("mail.templates") && complaint.contains(expected);
            assert!(says, "{complaint}");
        }
    }
}
