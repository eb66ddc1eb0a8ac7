//! `portcullis agents` and `portcullis resources`, beside a running server.

use serde_json::Value;

use crate::harness::{
    Account, Agent, ApiKey, Arrivals, Home, ResourceServer, agents::new_mailbox, database,
    each_database,
};

const NOBODY: &str = "agt_00000000000000000000000000000000";

fn json(home: &Home, command: &[&str]) -> Value {
    let said = home.run(&[command, &["--json"]].concat()).succeeded();
    serde_json::from_str(&said).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned()
}

fn create(home: &Home, more: &[&str]) -> Agent {
    let made = json(home, &[&["agents", "create", "weather-bot"], more].concat());
    Agent { id: text(&made, "id"), recovery_key: text(&made, "recovery_key") }
}

fn create_key(home: &Home, agent: &Agent, more: &[&str]) -> ApiKey {
    let made = json(home, &[&["agents", "create-key", &agent.id, "--name", "ci"], more].concat());
    ApiKey { agent: agent.id.clone(), id: text(&made, "id"), secret: text(&made, "api_key") }
}

/// The ids of the agents that a list shows.
fn listed(home: &Home, more: &[&str]) -> Vec<String> {
    let page = json(home, &[&["agents", "list"], more].concat());
    page["agents"].as_array().unwrap().iter().map(|agent| text(agent, "id")).collect()
}

fn an_operator_makes_and_finds_agents(home: &mut Home) {
    let server = home.start();
    let mut client = server.client();
    let owner = Account::new();
    home.run(&["users", "create", &owner.email]).succeeded();
    let first = create(home, &["--owner", &owner.email]);
    let second = create(home, &[]);
    assert!(first.is_managed(&mut client) && second.is_managed(&mut client));
    assert_eq!(listed(home, &[]), [second.id.as_str(), &first.id], "newest first");
    assert_eq!(listed(home, &["--owner", &owner.email]), [first.id.as_str()]);
    assert_eq!(listed(home, &["--name", "WEATHER"]).len(), 2);
    assert!(listed(home, &["--name", "other"]).is_empty());
    let page = json(home, &["agents", "list", "--limit", "1"]);
    let next = text(&page, "next");
    assert_eq!(listed(home, &["--limit", "1", "--after", &next]), [first.id.as_str()]);
    let shown = json(home, &["agents", "show", &first.id]);
    assert_eq!((&shown["name"], &shown["status"]), (&"weather-bot".into(), &"active".into()));
    let users = json(home, &["users", "show", &owner.email]);
    assert_eq!(shown["owner"], users["id"]);
    let table = home.run(&["agents", "list"]).succeeded();
    assert!(table.contains(&first.id) && table.contains("weather-bot"), "{table}");
}

fn an_operator_shuts_opens_and_erases_an_agent(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let agent = create(home, &[]);
    let key = create_key(home, &agent, &[]);
    let token = key.token(&mut client);
    home.run(&["agents", "suspend", &agent.id]).succeeded();
    client.ask(&key.exchange()).with_status(403);
    assert_eq!(listed(home, &["--status", "suspended"]), [agent.id.as_str()]);
    let complaint = home.run(&["agents", "create-key", &agent.id, "--name", "x"]).failed();
    assert!(complaint.contains("is suspended"), "{complaint}");
    home.run(&["agents", "resume", &agent.id]).succeeded();
    assert!(listed(home, &["--status", "suspended"]).is_empty());
    assert!(token.is_good(&mut client));

    let unsure = home.run(&["agents", "delete", &agent.id]);
    assert_eq!(unsure.code, Some(2), "{unsure:?}");
    assert!(token.is_good(&mut client));
    home.run(&["agents", "delete", &agent.id, "--yes"]).succeeded();
    assert!(!token.is_good(&mut client));
    for command in ["show", "suspend", "resume", "keys", "reset-recovery-key"] {
        let complaint = home.run(&["agents", command, &agent.id]).failed();
        assert!(complaint.contains("No such agent"), "{command}: {complaint}");
    }
}

fn a_key_of_an_operator_is_shown_once_and_works_until_it_is_revoked(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let agent = create(home, &[]);
    let more = ["--scope", "messages:read", "--expires-in-days", "90", "--allow-from", "127.0.0.1"];
    let key = create_key(home, &agent, &[&more[..], &["--rate-limit", "50"]].concat());
    let issued = client.ask(&key.exchange()).with_status(200).json();
    assert_eq!(issued["scope"], "messages:read");
    let mut elsewhere = server.client().from([127, 0, 2, 1]);
    elsewhere.ask(&key.exchange()).with_status(403);
    let usual = create_key(home, &agent, &[]);
    let issued = client.ask(&usual.exchange()).with_status(200).json();
    let all = "messages:read messages:write conversations:read presence:update";
    assert_eq!(issued["scope"], all);

    let keys = json(home, &["agents", "keys", &agent.id]);
    assert!(!keys.to_string().contains(&key.secret) && !keys.to_string().contains(&usual.secret));
    let row = &keys["keys"][1];
    assert_eq!(row["id"], *key.id);
    assert_eq!(row["prefix"], key.secret[.."sk_".len() + 4]);
    assert_eq!(row["allowed_cidrs"][0], "127.0.0.1/32");
    assert_eq!((&row["rate_limit_per_minute"], &row["state"]), (&50.into(), &"live".into()));
    assert!(row["expires_at"].is_string() && keys["keys"][0]["expires_at"].is_null());
    let token = key.token(&mut client);
    home.run(&["agents", "revoke-key", &agent.id, &key.id]).succeeded();
    client.ask(&key.exchange()).with_status(401);
    assert!(!token.is_good(&mut client));
    client.ask(&usual.exchange()).with_status(200);
    let again = home.run(&["agents", "revoke-key", &agent.id, &key.id]).failed();
    assert!(again.contains("revoked"), "{again}");
    let other = create(home, &[]);
    home.run(&["agents", "revoke-key", &other.id, &usual.id]).failed();
    let shown = json(home, &["agents", "show", &agent.id]);
    let states: Vec<_> = shown["keys"].as_array().unwrap().iter().map(|k| &k["state"]).collect();
    assert_eq!(states, ["live", "revoked"]);
}

fn a_new_recovery_key_takes_the_place_of_the_old_one(home: &mut Home) {
    let server = home.start();
    let mut client = server.client();
    let old = create(home, &[]);
    assert!(old.is_managed(&mut client));
    let reset = json(home, &["agents", "reset-recovery-key", &old.id]);
    let new = Agent { id: text(&reset, "id"), recovery_key: text(&reset, "recovery_key") };
    assert!(!old.is_managed(&mut client) && new.is_managed(&mut client));
    let shown = home.run(&["agents", "show", &new.id]).succeeded();
    assert!(shown.contains("recovery     set"), "{shown}");
}

fn an_address_that_is_not_verified_is_mailed_and_an_erased_one_is_told(home: &mut Home) {
    let mailbox = home.with_mail();
    let server = home.start();
    let (waits, known) = (new_mailbox(), new_mailbox());
    let agent = create(home, &["--email", &waits]);
    let verified = create(home, &["--email", &known, "--verified"]);
    let token = agent.mailed_token(&mailbox, &waits);
    let shown = json(home, &["agents", "show", &verified.id]);
    assert_eq!(
        (&shown["email"], &shown["unverified_email"]),
        (&known.clone().into(), &Value::Null)
    );
    let shown = json(home, &["agents", "show", &agent.id]);
    assert_eq!(
        (&shown["email"], &shown["unverified_email"]),
        (&Value::Null, &waits.clone().into())
    );
    assert_eq!(listed(home, &["--email", &known.to_uppercase()]), [verified.id.as_str()]);
    let verify = crate::harness::agents::verification(&token);
    server.client().ask(&verify).with_status(200);
    assert_eq!(json(home, &["agents", "show", &agent.id])["email"], *waits);

    home.run(&["agents", "delete", &verified.id, "--yes"]).succeeded();
    mailbox.wait_for(&known, "a mail of the deletion", |mail| {
        mail.text.contains(&verified.id).then_some(())
    });
    assert_eq!(mailbox.mails_to(&known).len(), 1, "nothing was mailed to verify it");
}

fn a_resource_server_asks_until_it_is_removed(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let key = create_key(home, &create(home, &[]), &["--scope", "messages:read"]);
    let add = ["resources", "add", "chat", "--scope", "messages:read"];
    let added = json(home, &add);
    let chat = ResourceServer { id: text(&added, "id"), secret: text(&added, "secret") };
    let other = ["--audience", "https://api.example.com", "--scope", "messages:write", "--people"];
    let other = json(home, &[&["resources", "add", "other"], &other[..]].concat());
    let other = ResourceServer { id: text(&other, "id"), secret: text(&other, "secret") };
    assert!(chat.is_active(&mut client, &key.secret));
    assert!(!other.is_active(&mut client, &key.secret), "none of its scopes");
    let listed = json(home, &["resources", "list"]);
    assert!(!listed.to_string().contains("rss_"), "the secret is shown once: {listed}");
    let listed = listed["resource_servers"].as_array().unwrap();
    assert_eq!([&listed[0]["id"], &listed[1]["id"]], [&*chat.id, &*other.id]);
    assert_eq!((&listed[0]["audience"], &listed[0]["people"]), (&Value::Null, &false.into()));
    assert_eq!(listed[1]["audience"], "https://api.example.com");
    assert_eq!(listed[1]["people"], true);

    home.run(&["resources", "remove", &chat.id]).succeeded();
    client.ask(&chat.introspection(&key.secret)).with_status(401);
    let again = home.run(&["resources", "remove", &chat.id]).failed();
    assert!(again.contains("No such resource server"), "{again}");
}

/// Secrets go to standard output, once, and nowhere else.
fn g1_what_commands_make_is_neither_logged_nor_stored(home: &mut Home) {
    home.set("log.level", "trace");
    let server = home.start();
    let agent = create(home, &[]);
    let commands: [(&[&str], &str); 4] = [
        (&["agents", "create", "weather-bot", "--email", "bot@example.com"], "rk_"),
        (&["agents", "create-key", &agent.id, "--name", "ci"], "sk_"),
        (&["agents", "reset-recovery-key", &agent.id], "rk_"),
        (&["resources", "add", "chat", "--scope", "mesages:read"], "rss_"),
    ];
    let mut secrets = Vec::new();
    for (command, prefix) in commands {
        let finished = home.run(command);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let secret = finished.stdout.lines().last().unwrap().to_owned();
        assert!(secret.starts_with(prefix) && secret.len() == prefix.len() + 49, "{finished:?}");
        assert_eq!(finished.stdout.matches(&secret).count(), 1, "{finished:?}");
        assert!(!finished.stderr.contains(&secret), "{finished:?}");
        assert!(finished.stderr.contains("not shown again"), "{finished:?}");
        secrets.push(secret);
    }
    let log = server.log();
    server.kill();
    let mut places = vec![("the log".to_owned(), log.into_bytes())];
    if home.is_sqlite() {
        let files = home.files("data").into_iter();
        places.extend(files.map(|(path, bytes)| (path.display().to_string(), bytes)));
    } else {
        places.push(("the database".into(), database::dump(home.database_url()).into_bytes()));
    }
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes);
        // Without its prefix: a key's first letters are kept.
        let told = secrets.iter().find(|secret| text.contains(&secret[8..]));
        assert_eq!(told, None, "in {place}");
    }
}

each_database!(
    an_operator_makes_and_finds_agents,
    an_operator_shuts_opens_and_erases_an_agent,
    a_key_of_an_operator_is_shown_once_and_works_until_it_is_revoked,
    a_new_recovery_key_takes_the_place_of_the_old_one,
    an_address_that_is_not_verified_is_mailed_and_an_erased_one_is_told,
    a_resource_server_asks_until_it_is_removed,
    g1_what_commands_make_is_neither_logged_nor_stored,
);

#[test]
fn what_is_mistyped_is_told_and_changes_nothing() {
    let home = Home::on_sqlite();
    home.run(&["migrate"]).succeeded();
    home.run(&["keys", "new-master"]).succeeded();
    let agent = create(&home, &[]);
    let make_key = |more: &[&str]| {
        let command = ["agents", "create-key", &agent.id, "--name", "ci"];
        home.run(&[&command[..], more].concat())
    };
    for (arguments, expected) in [
        (&["--scope", "everything"][..], "--scope: must be among: messages:read"),
        (&["--scope", "messages:read messages:write"], "--scope: must name"),
        (&["--expires-in-days", "3651"], "--expires-in-days: must be 1 to 3650"),
        (&["--allow-from", "anywhere"], "--allow-from: must be 1 to 20 networks"),
        (&["--rate-limit", "0"], "--rate-limit: must be 1 to"),
    ] {
        let complaint = make_key(arguments).failed();
        assert!(complaint.contains(expected), "{complaint}");
    }
    for (command, expected) in [
        (&["agents", "create", "a b"][..], "name: must be 3 to 50"),
        (&["agents", "create", "bot", "--email", "nowhere"], "--email: must be"),
        (&["agents", "create", "bot", "--owner", "x@example.com"], "No such user"),
        (&["agents", "list", "--owner", "x@example.com"], "No such user"),
        // The cursor of another list.
        (&["agents", "list", "--after", "MDFKTg"], "--after: must be a cursor"),
        (&["agents", "show", NOBODY], "No such agent"),
        (&["agents", "delete", NOBODY, "--yes"], "No such agent"),
        (&["agents", "create-key", NOBODY, "--name", "ci"], "No such agent"),
        (&["resources", "add", " ", "--scope", "a"], "name: must be 1 to 100"),
        (&["resources", "add", "chat", "--scope", "a b"], "--scope: must name"),
        (&["resources", "add", "chat", "--scope", "a", "--audience", "/v1"], "--audience: must"),
    ] {
        let finished = home.run(command);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert_eq!(finished.stdout, "", "{finished:?}");
        let complaint = finished.failed();
        assert!(complaint.contains(expected), "{complaint}");
    }
    for command in [
        &["agents", "create"][..],
        &["agents", "create", "bot", "--verified"],
        &["agents", "show", "weather-bot"],
        &["agents", "list", "--status", "asleep"],
        &["agents", "list", "--limit", "201"],
        &["agents", "create-key", &agent.id],
        &["agents", "create-key", &agent.id, "--name", "ci", "--expires-in-days", "soon"],
        &["agents", "revoke-key", &agent.id, "ci"],
        &["resources", "add", "chat"],
        &["resources", "remove", "chat"],
    ] {
        assert_eq!(home.run(command).code, Some(2), "{command:?}");
    }
    assert_eq!(listed(&home, &[]), [agent.id.as_str()]);
    assert_eq!(home.run(&["agents", "keys", &agent.id]).succeeded(), "no API keys\n");
    assert_eq!(home.run(&["resources", "list"]).succeeded(), "no resource servers\n");
}

#[test]
fn a_key_of_an_operator_counts_towards_the_most() {
    let mut home = Home::on_sqlite();
    home.set("agents.max_keys", "2");
    home.set("agents.key_prefix", "vj_");
    home.run(&["migrate"]).succeeded();
    let agent = create(&home, &[]);
    assert!(create_key(&home, &agent, &[]).secret.starts_with("vj_"));
    create_key(&home, &agent, &[]);
    let complaint = home.run(&["agents", "create-key", &agent.id, "--name", "x"]).failed();
    assert!(complaint.contains("at most 2 API keys"), "{complaint}");
}

#[test]
fn a_mail_for_an_agent_wants_the_master_key_that_seals_it() {
    let home = Home::on_sqlite();
    home.run(&["migrate"]).succeeded();
    std::fs::write(home.key_file(), "no key").unwrap();
    let mailed = ["agents", "create", "bot", "--email", "bot@example.com"];
    let complaint = home.run(&mailed).failed();
    assert!(complaint.contains("master.key"), "{complaint}");
    home.run(&[&mailed[..], &["--verified"]].concat()).succeeded();
    let id = listed(&home, &[]).remove(0);
    let complaint = home.run(&["agents", "delete", &id, "--yes"]).failed();
    assert!(complaint.contains("master.key"), "{complaint}");
    assert_eq!(listed(&home, &[]), [id.as_str()]);
}
