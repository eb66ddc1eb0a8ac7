//! `portcullis doctor` before the real server and the example API: what it says of one that is right, and of
//! addresses where agents would stumble.

use serde_json::{Value, json};

use crate::{
    guard::Api,
    harness::{Home, free_port},
};

/// What it finds, which must be over these many stumbles.
#[track_caller]
fn examined(home: &Home, stumbles: usize, arguments: &[&str]) -> String {
    let finished = home.run(&[&["doctor"], arguments].concat());
    assert_eq!(finished.code, Some(i32::from(stumbles > 0)), "{finished:?}");
    let found = finished.stdout.lines().filter(|line| line.starts_with("STUMBLE")).count();
    assert_eq!(found, stumbles, "{finished:?}");
    if stumbles > 0 {
        assert!(finished.stderr.contains("an agent would stumble"), "{finished:?}");
    }
    finished.stdout
}

#[track_caller]
fn assert_tells(told: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(told.contains(text), "{text} is not in:\n{told}");
    }
}

#[test]
fn a_server_and_an_api_that_are_right_pass() {
    let home = Home::on_sqlite();
    let _server = home.start();
    let api = Api::start("guarded_axum", &home);
    let url = format!("http://{}", home.address());
    for (address, path) in [(&url, "/v1/balance"), (&api.resource, "/notes")] {
        let told = examined(&home, 0, &[address, "--protected", path]);
        assert!(!told.contains("hint"), "{told}");
        let place = |path: &str| format!("ok       {url}{path}: ");
        assert_tells(
            &told,
            &[
                &format!("{address}/.well-known/oauth-protected-resource: sends agents to {url}"),
                &place("/.well-known/oauth-authorization-server"),
                &place("/oauth2/token"),
                &place("/.well-known/jwks.json"),
                "an agent may sign up as anonymous or verified_email",
                &place("/v1/auth/agent"),
                &place("/v1/auth/agent/claim"),
                &place("/v1/auth/agent/claim/complete"),
                &place("/v1/auth/agent/revoke"),
                &place("/auth.md"),
                &format!("ok       {address}{path}: its 401 leads to the documents"),
                &format!("an agent finds its way from {address} to a key\n"),
            ],
        );
    }
}

#[test]
fn a_server_that_goes_by_another_address_does_not_pass() {
    let mut home = Home::on_sqlite();
    let elsewhere = format!("http://127.0.0.1:{}", free_port());
    home.set("public_url", &elsewhere);
    let _server = home.start();
    let url = format!("http://{}", home.address());
    let told = examined(&home, 2, &[&url]);
    let resource = format!("{url}/.well-known/oauth-protected-resource: resource is {elsewhere:?}");
    let server = format!("{elsewhere}/.well-known/oauth-authorization-server: gives no answer");
    assert_tells(&told, &[&resource, "public_url", &server, "refused"]);

    let finished = home.run(&["doctor", &url, "--json"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let told: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&told["url"], &told["stumbles"]), (&json!(url), &json!(2)));
    let first = &told["findings"][0];
    assert_eq!(first["level"], "stumble");
    assert_eq!(first["place"], format!("{url}/.well-known/oauth-protected-resource"));
    assert!(first["text"].as_str().unwrap().contains(&elsewhere), "{first}");
}

#[test]
fn an_address_with_nothing_for_agents_does_not_pass() {
    let home = Home::on_sqlite();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert_tells(&examined(&home, 1, &[&nobody]), &["gives no answer", "refused"]);
    assert_tells(&examined(&home, 1, &["auth.example.com"]), &["such as https://"]);
    let server = home.start();
    let url = format!("http://{}", server.address());
    let told = examined(&home, 1, &[&url, "--protected", "/health"]);
    assert_tells(&told, &[&format!("{url}/health: answers 200"), "a 401 would lead"]);
    let told = examined(&home, 1, &[&format!("{url}/v1/balance")]);
    assert_tells(&told, &["answers 404", &format!("doctor {url} --protected /v1/balance")]);
    let secure = url.replace("http:", "https:");
    assert_tells(&examined(&home, 1, &[&secure]), &["speaks no TLS"]);
}
