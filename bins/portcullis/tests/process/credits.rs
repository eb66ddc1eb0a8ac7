//! Credits on the real binary: given by command, charged by a resource server, topped up by a signed
//! delivery.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use crate::harness::{
    Account, Agent, ApiKey, Client, Home, Request, ResourceServer, at_once, each_database,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn json(home: &Home, command: &[&str]) -> Value {
    let said = home.run(&[command, &["--json"]].concat()).succeeded();
    serde_json::from_str(&said).unwrap()
}

fn charge(api: &ResourceServer, token: &str, cost: i64, operation: &str) -> Request {
    let body = json!({ "token": token, "cost": cost, "operation_id": operation });
    Request::post("/v1/meter/charge", &body).basic(&api.id, &api.secret)
}

fn balance(client: &mut Client, key: &ApiKey) -> Value {
    let answer = client.ask(&Request::get("/v1/balance").bearer(&key.secret));
    answer.with_status(200).json()["balance"].clone()
}

/// A delivery that was signed at this time, which is now on the clock of this machine.
fn delivery(event: &str, account: &str, amount: i64) -> Request {
    let body = json!({ "type": "credits.topup", "data": { "account": account, "amount": amount } });
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{event}.{now}.{body}").as_bytes());
    Request::post("/v1/credits/topups", &body)
        .header("webhook-id", event)
        .header("webhook-timestamp", &now.to_string())
        .header("webhook-signature", &format!("v1,{}", STANDARD.encode(tag)))
}

fn an_operator_gives_shows_and_gives_back(home: &mut Home) {
    let server = home.start();
    let mut client = server.client();
    let api = ResourceServer::add(home);
    let agent = Agent::register(&mut client);
    let key = agent.make_key(&mut client);
    let given = json(home, &["credits", "grant", &agent.id, "100", "--note", "Welcome"]);
    assert_eq!(given, json!({ "account": agent.id, "credited": 100, "balance": 100 }));
    let told = client.ask(&charge(&api, &key.secret, 30, "req-1")).with_status(200).json();
    assert_eq!(told, json!({ "charged": 30, "balance": 70 }));
    let shown = json(home, &["credits", "show", &agent.id]);
    assert_eq!((&shown["account"], &shown["balance"]), (&agent.id.clone().into(), &70.into()));
    let [charged, granted] = [0, 1].map(|n| shown["ledger"][n].clone());
    assert_eq!((&charged["delta"], &charged["operation_id"]), (&json!(-30), &json!("req-1")));
    assert_eq!((&charged["resource_server"], &charged["balance"]), (&json!(api.id), &json!(70)));
    assert_eq!((&granted["reason"], &granted["note"]), (&json!("grant"), &json!("Welcome")));
    let table = home.run(&["credits", "show", &agent.id]).succeeded();
    for text in ["balance   70", "-30", "+100", "req-1", "Welcome", &api.id] {
        assert!(table.contains(text), "{text}: {table}");
    }
    let back = json(home, &["credits", "refund", &api.id, "req-1"]);
    assert_eq!(back, json!({ "account": agent.id, "credited": 30, "balance": 100 }));
    let again = home.run(&["credits", "refund", &api.id, "req-1"]).failed();
    assert!(again.contains("given back already"), "{again}");
    assert_eq!(balance(&mut client, &key), 100);

    let person = Account::new();
    home.run(&["users", "create", &person.email]).succeeded();
    let said = home.run(&["credits", "grant", &person.email, "5"]).succeeded();
    assert!(said.contains("got 5 credits and has 5 now"), "{said}");
    let nobody = home.run(&["credits", "grant", "nobody@example.com", "5"]).failed();
    assert!(nobody.contains("No such user or agent"), "{nobody}");
    let none = home.run(&["credits", "grant", &person.email, "0"]).failed();
    assert!(none.contains("amount") && none.contains("must be 1 to"), "{none}");
}

fn q1_two_servers_charge_one_operation_once_and_no_more_than_there_is(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let api = ResourceServer::add(home);
    let agent = Agent::register(&mut client);
    let key = agent.make_key(&mut client);
    home.run(&["credits", "grant", &agent.id, "20"]).succeeded();
    // SQLite is for one server.
    let other = (!home.is_sqlite()).then(|| home.start_another());
    let second = other.as_ref().unwrap_or(&server);
    let clients = (0..24).map(|n| if n % 2 == 0 { server.client() } else { second.client() });
    let told = at_once(clients, |mut client| {
        let answer = client.ask(&charge(&api, &key.secret, 3, "the same"));
        answer.with_status(200).json()
    });
    assert!(told.iter().all(|told| *told == json!({ "charged": 3, "balance": 17 })), "{told:?}");
    let clients = (0..24).map(|n| (n, if n % 2 == 0 { server.client() } else { second.client() }));
    let statuses = at_once(clients, |(n, mut client)| {
        client.ask(&charge(&api, &key.secret, 1, &format!("op-{n}"))).status
    });
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(402)), (17, 7), "{statuses:?}");
    assert_eq!(balance(&mut client, &key), 0);
    let refused = client.ask(&charge(&api, &key.secret, 1, "more")).with_status(402);
    assert!(refused.header("www-authenticate").unwrap().starts_with("Payment id=\""));
    assert_eq!(refused.json()["topupUrl"], Value::Null);
}

fn q6_a_signed_delivery_is_recorded_once_and_outlives_kill_9(home: &mut Home) {
    let file = home.path().join("keys/webhook");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    home.set("credits.webhook_secret_file", &file.display().to_string());
    home.set("credits.topup_url", "https://pay.example.com/credits");
    let server = home.start();
    let mut client = server.client();
    let agent = Agent::register(&mut client);
    let key = agent.make_key(&mut client);
    let api = ResourceServer::add(home);
    let refused = client.ask(&charge(&api, &key.secret, 1, "req-1")).with_status(402);
    assert_eq!(refused.json()["topupUrl"], "https://pay.example.com/credits");
    let told = client.ask(&delivery("evt_1", &agent.id, 50)).with_status(200).json();
    assert_eq!(told, json!({ "account": agent.id, "credited": 50, "balance": 50 }));
    client.ask(&charge(&api, &key.secret, 1, "req-1")).with_status(200);
    server.kill();
    let server = home.start();
    let mut client = server.client();
    let again = client.ask(&delivery("evt_1", &agent.id, 50)).with_status(200).json();
    assert_eq!(again, told);
    client.ask(&charge(&api, &key.secret, 1, "req-1")).with_status(200);
    assert_eq!(balance(&mut client, &key), 49);
    let forged = delivery("evt_2", &agent.id, 50).header("webhook-id", "evt_3");
    client.ask(&forged).with_status(401);
    assert!(!server.log().contains(SECRET.trim_start_matches("whsec_")));
    let shown = home.run(&["config", "show"]).succeeded();
    assert!(shown.contains("topup_url") && !shown.contains("MfKQ9r8GKYqrTwjU"), "{shown}");
}

each_database!(
    an_operator_gives_shows_and_gives_back,
    q1_two_servers_charge_one_operation_once_and_no_more_than_there_is,
    q6_a_signed_delivery_is_recorded_once_and_outlives_kill_9,
);

#[test]
fn settings_for_credits_that_cannot_be_are_refused() {
    let home = Home::on_sqlite();
    let refused = |more: &[(&str, &str)]| home.run_with(&["config", "show"], more, "").failed();
    let bad = refused(&[("credits.webhook_secret", "hunter2-hunter2")]);
    assert!(bad.contains("credits.webhook_secret") && bad.contains("whsec_"), "{bad}");
    assert!(!bad.contains("hunter2"), "{bad}");
    let bad = refused(&[("credits.topup_url", "pay.example.com")]);
    assert!(bad.contains("credits.topup_url") && bad.contains("https URL"), "{bad}");
    let both = [("credits.webhook_secret", SECRET), ("credits.webhook_secret_file", "/x")];
    let bad = refused(&both);
    assert!(bad.contains("are both set"), "{bad}");
    let missing = [("credits.webhook_secret_file", "/nowhere/webhook")];
    let bad = home.run_with(&["serve", "--dev"], &missing, "").failed();
    assert!(bad.contains("cannot read /nowhere/webhook"), "{bad}");
}
