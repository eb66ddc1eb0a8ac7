//! Access tokens under real keys: what each policy signs and accepts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is test code"
)]

mod agents;
mod forgeries;
mod keys;
mod purposes;
mod server;

use std::sync::LazyLock;

use serde_json::{Value, json};

use self::server::Server;

/// One for all tests: making its RSA keys takes longer than they do.
static SERVER: LazyLock<Server> = LazyLock::new(Server::new);

/// The object with members set.
fn changed(object: &Value, changes: Value) -> Value {
    let mut object = object.clone();
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name).expect("a member that is there");
    object
}

/// The claims of a good token of an agent.
fn claims() -> Value {
    json!({
        "iss": server::ISSUER,
        "sub": server::AGENT,
        "aud": server::ISSUER,
        "client_id": server::AGENT,
        "scope": "messages:read messages:write",
        "key_id": server::KEY,
        "iat": server::START,
        "exp": server::START + 3600,
        "jti": "01HRHZ2K00ZZZZZZZZZZZZZZZZ",
    })
}
