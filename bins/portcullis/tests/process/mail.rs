//! Mails leave by themselves, outlast crashes and stops, and go once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    Account, Arrivals, Home, Manner, Request, Server, Sink, database, each_database, random,
    wait_until,
};

const PATIENCE: Duration = Duration::from_mins(1);
const TEN_SECONDS: Duration = Duration::from_secs(10);
const KILLS: usize = 3;
/// Mails that one instance has in hand at most, the default of `mail.workers`.
const IN_HAND: usize = 2;

/// Registers as many people; gives their addresses.
fn register(server: &Server, people: usize) -> Vec<String> {
    let mut client = server.client();
    let accounts: Vec<Account> = (0..people).map(|_| Account::new()).collect();
    for account in &accounts {
        account.register(&mut client);
    }
    accounts.into_iter().map(|account| account.email).collect()
}

fn queued(home: &Home) -> i64 {
    database::count(home.database_url(), "SELECT count(*) FROM outbox")
}

fn wait_until_sent(home: &Home) {
    wait_until("nothing waits", PATIENCE, || queued(home) == 0);
}

fn m1_m7_a_mail_arrives_by_itself_and_is_good_once(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    let token = mailbox.wait_for_token(&account.email, "uvt_");
    let verify = Request::post("/v1/auth/verify-email", &json!({ "token": token }));
    let verified = client.ask(&verify).with_status(200).json();
    assert_eq!(verified["user"]["email_verified"], true);
    client.ask(&verify).with_status(401);
    wait_until_sent(home);
    assert_eq!(mailbox.mails_to(&account.email).len(), 1);
    assert_eq!(server.log().matches("mail delivered").count(), 1);
}

fn m7_kill_9_with_mails_queued_loses_none(home: &mut Home) {
    home.without_limits();
    let sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    let mut server = home.start();
    let mut addresses = Vec::new();
    for _ in 0..KILLS {
        sink.be(Manner::Silent);
        addresses.extend(register(&server, 12));
        let before = sink.mails().len();
        sink.be(Manner::Take);
        let some = 1 + usize::try_from(random() % 8).unwrap();
        wait_until("some have left", PATIENCE, || sink.mails().len() >= before + some);
        server.kill();
        server = home.start();
    }
    sink.wait_for_all(&addresses);
    wait_until_sent(home);
    let mails = sink.mails();
    for mail in &mails {
        let copies = mails.iter().filter(|other| other.id == mail.id).count();
        assert!(copies <= 1 + KILLS, "{copies} copies");
    }
    let duplicates = sink.duplicates();
    assert!(duplicates <= KILLS * IN_HAND, "{duplicates} duplicates");
    assert_eq!(mails.len(), addresses.len() + duplicates);
    eprintln!("{KILLS} kills: {} mails, {duplicates} duplicates", addresses.len());
}

fn m7_f12_a_stop_with_mails_queued_is_prompt_and_they_are_sent_later(home: &mut Home) {
    home.without_limits();
    home.set("http.shutdown_timeout", "2s");
    home.set("mail.smtp.timeout", "1m");
    let sink = Sink::start(Manner::Silent);
    home.with_sink(&sink);
    let mut server = home.start();
    let addresses = register(&server, 6);
    wait_until("mails are in hand", PATIENCE, || sink.connections() >= IN_HAND);
    let begun = Instant::now();
    server.terminate();
    assert_eq!(server.wait_end(PATIENCE).code(), Some(0));
    assert!(begun.elapsed() < TEN_SECONDS, "it took {:?}", begun.elapsed());
    assert!(server.log().contains("still being handed over"), "{}", server.log());
    assert_eq!(sink.mails().len(), 0);

    sink.be(Manner::Take);
    // As if the leases of those in hand were over.
    database::execute(home.database_url(), "UPDATE outbox SET due_at = created_at");
    let _server = home.start();
    sink.wait_for_all(&addresses);
    wait_until_sent(home);
    assert_eq!(sink.mails().len(), addresses.len());
}

fn m7_f12_a_mail_in_hand_is_finished_before_the_end(home: &mut Home) {
    let sink = Sink::start(Manner::Ponder);
    home.with_sink(&sink);
    let mut server = home.start();
    let addresses = register(&server, 1);
    wait_until("the mail is in hand", PATIENCE, || sink.tries() == 1);
    server.terminate();
    wait_until("it is stopping", PATIENCE, || server.log().contains("stopping"));
    sink.be(Manner::Take);
    assert_eq!(server.wait_end(PATIENCE).code(), Some(0));
    sink.wait_for_all(&addresses);
    assert_eq!(queued(home), 0, "it is known to be sent");
}

fn m7_c2_mails_that_wait_outlast_a_new_master_key(home: &mut Home) {
    let sink = Sink::start(Manner::NotNow);
    home.with_sink(&sink);
    let server = home.start();
    let addresses = register(&server, 2);
    server.kill();
    let new = home.path().join("keys/new.key").display().to_string();
    home.run(&["keys", "new-master", "--file", &new]).succeeded();
    let said = home.run(&["keys", "rewrap", "--new-master-key-file", &new]).succeeded();
    assert!(said.contains("every mail that waits"), "{said}");
    home.set("master_key_file", &new);
    sink.be(Manner::Take);
    let server = home.start();
    sink.wait_for_all(&addresses);
    let token = sink.wait_for_token(&addresses[0], "uvt_");
    let verify = Request::post("/v1/auth/verify-email", &json!({ "token": token }));
    server.client().ask(&verify).with_status(200);
}

fn the_inbox_of_development_keeps_mails_in_the_database(home: &mut Home) {
    let server = home.start();
    let account = Account::new();
    account.register(&mut server.client());
    wait_until("the mail is in the inbox", PATIENCE, || {
        server.client().get("/dev/inbox").with_status(200).text().contains(&account.email)
    });
    wait_until_sent(home);
    assert_eq!(database::count(home.database_url(), "SELECT count(*) FROM inbox"), 1);
}

each_database!(
    m1_m7_a_mail_arrives_by_itself_and_is_good_once,
    m7_kill_9_with_mails_queued_loses_none,
    m7_f12_a_stop_with_mails_queued_is_prompt_and_they_are_sent_later,
    m7_f12_a_mail_in_hand_is_finished_before_the_end,
    m7_c2_mails_that_wait_outlast_a_new_master_key,
    the_inbox_of_development_keeps_mails_in_the_database,
);

#[test]
fn m7_f9_two_instances_send_each_mail_once() {
    let Some(mut home) = Home::on_postgres() else { return };
    home.without_limits();
    let sink = Sink::start(Manner::Silent);
    home.with_sink(&sink);
    let servers = [home.start(), home.start_another()];
    let addresses: Vec<String> = servers.iter().flat_map(|server| register(server, 15)).collect();
    sink.be(Manner::Take);
    sink.wait_for_all(&addresses);
    wait_until_sent(&home);
    assert_eq!(sink.mails().len(), addresses.len());
    let sent = servers.each_ref().map(|server| server.log().matches("mail delivered").count());
    assert!(sent.iter().all(|sent| *sent > 0), "both send: {sent:?}");
}

/// A mail server may look at a mail for longer than the lease of who has it in hand.
#[test]
fn m7_a_mail_in_hand_is_kept_from_other_instances() {
    let Some(mut home) = Home::on_postgres() else { return };
    let sink = Sink::start(Manner::Ponder);
    home.with_sink(&sink);
    home.set("mail.smtp.timeout", "1m");
    let servers = [home.start(), home.start_another()];
    let addresses = register(&servers[0], 1);
    wait_until("the mail is in hand", PATIENCE, || sink.tries() == 1);
    let due = "SELECT CAST(EXTRACT(EPOCH FROM max(due_at)) * 1000 AS BIGINT) FROM outbox";
    let due = || database::count(home.database_url(), due);
    let lease = due();
    wait_until("the lease is renewed", PATIENCE, || due() > lease);
    let renewed = due();
    wait_until("and once more", PATIENCE, || due() > renewed);
    sink.be(Manner::Take);
    sink.wait_for_all(&addresses);
    wait_until_sent(&home);
    assert_eq!((sink.tries(), sink.mails().len()), (1, 1));
}

#[test]
fn an_operator_tries_the_mail_settings() {
    let mut home = Home::on_sqlite();
    let mailbox = home.with_mail();
    let said = home.run(&["mail", "test", "Jane@Example.com"]).succeeded();
    assert!(said.contains("took the mail eml_") && said.contains("Jane@Example.com"), "{said}");
    let mails = mailbox.mails_to("Jane@example.com");
    assert_eq!(mails.len(), 1, "{:?}", mailbox.mails());
    assert!(!home.sqlite_file().exists(), "no database is needed");
    let complaint = home.run(&["mail", "test", "not an address"]).failed();
    assert!(complaint.contains("valid email address"), "{complaint}");

    let mut sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    home.run(&["mail", "test", "jane@example.com"]).succeeded();
    assert_eq!(sink.mails_to("jane@example.com").len(), 1);
    sink.be(Manner::Never);
    let complaint = home.run(&["mail", "test", "jane@example.com"]).failed();
    assert!(complaint.contains("550 5.1.1") && complaint.contains("no such user"), "{complaint}");
    sink.down();
    let finished = home.run(&["mail", "test", "jane@example.com"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.failed().contains("onnection"));
    home.set("mail.transport", "none");
    let complaint = home.run(&["mail", "test", "jane@example.com"]).failed();
    assert!(complaint.contains("mail.transport"), "{complaint}");
}
