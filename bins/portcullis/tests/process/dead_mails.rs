//! A mail whose token has died while it waited is never sent.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    Account, Arrivals, Client, Home, Manner, Request, Sink, database, each_database, wait_until,
};

const PATIENCE: Duration = Duration::from_mins(1);

fn count(home: &Home, what: &str) -> i64 {
    database::count(home.database_url(), &format!("SELECT count(*) FROM {what}"))
}

/// Mails are sent in the order in which they fall due, so what comes after shows what was left out.
fn send_another(home: &Home, sink: &Sink, client: &mut Client) {
    sink.be(Manner::Take);
    let next = Account::new();
    next.register(client);
    sink.wait_for_token(&next.email, "uvt_");
    wait_until("nothing waits", PATIENCE, || count(home, "outbox") == 0);
}

fn m7_f8_a_reset_that_was_asked_for_anew_is_not_mailed(home: &mut Home) {
    home.without_limits();
    let mut sink = Sink::start(Manner::Take);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    sink.wait_for_token(&account.email, "uvt_");
    sink.down();
    let ask = Request::post("/v1/auth/password/reset", &json!({ "email": account.email }));
    for _ in 0..3 {
        client.ask(&ask).with_status(202);
    }
    // The worker pauses, as nobody takes its mails, and takes up one request at a time.
    wait_until("the requests are fulfilled", PATIENCE, || {
        count(home, "outbox WHERE kind = 'reset_request'") == 0
    });
    assert_eq!(count(home, "outbox WHERE kind = 'reset_password'"), 1);
    sink.up();
    let token = sink.wait_for_token(&account.email, "rst_");
    send_another(home, &sink, &mut client);
    let resets = sink.mails_to(&account.email).iter().filter_map(|m| m.token("rst_")).count();
    assert_eq!(resets, 1);
    let new = Account { password: Account::new().password, ..account };
    let confirm = json!({ "token": token, "password": new.password });
    let confirm = Request::post("/v1/auth/password/reset/confirm", &confirm);
    client.ask(&confirm).with_status(204);
    new.signed_in(&mut client);
}

fn m7_f8_a_link_that_was_used_is_not_mailed_again(home: &mut Home) {
    home.without_limits();
    // The reader has the mail, and the server does not know.
    let sink = Sink::start(Manner::HangUp);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    let token = sink.wait_for_token(&account.email, "uvt_");
    assert_eq!(count(home, "outbox"), 1);
    let verify = Request::post("/v1/auth/verify-email", &json!({ "token": token }));
    client.ask(&verify).with_status(200);
    assert_eq!(count(home, "outbox"), 0);
    send_another(home, &sink, &mut client);
    assert_eq!(sink.mails_to(&account.email).len(), 1);
}

fn m7_f8_a_link_that_expired_is_not_mailed(home: &mut Home) {
    home.without_limits();
    home.set("people.verification_ttl", "3s");
    let sink = Sink::start(Manner::NotNow);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    wait_until("it is dropped", PATIENCE, || count(home, "outbox") == 0);
    server.kill();
    home.unset("people.verification_ttl");
    let server = home.start();
    send_another(home, &sink, &mut server.client());
    assert_eq!(sink.mails_to(&account.email).len(), 0);
    assert_eq!(count(home, "audit_events WHERE action = 'mail.refused'"), 0);
}

fn r9_m7_an_erased_account_gets_no_mail(home: &mut Home) {
    home.without_limits();
    let sink = Sink::start(Manner::NotNow);
    home.with_sink(&sink);
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    account.register(&mut client);
    home.run(&["users", "delete", &account.email, "--yes"]).succeeded();
    assert_eq!(count(home, "outbox"), 0);
    send_another(home, &sink, &mut client);
    assert_eq!(sink.mails_to(&account.email).len(), 0);
}

each_database!(
    m7_f8_a_reset_that_was_asked_for_anew_is_not_mailed,
    m7_f8_a_link_that_was_used_is_not_mailed_again,
    m7_f8_a_link_that_expired_is_not_mailed,
    r9_m7_an_erased_account_gets_no_mail,
);
