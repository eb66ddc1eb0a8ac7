//! What resource servers ask and standard clients do.

mod introspection;
mod revocation;
mod servers;

use portcullis_audit::Actor;
use portcullis_flows::{
    Engine,
    oauth::{Active, AddServer, Introspection},
};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{ExposeSecret as _, Field, Origin};

/// The audience of the API of these tests.
const API: &str = "https://api.example.com";

fn field(scopes: &[&str]) -> Field<Vec<String>> {
    Field::Given(scopes.iter().map(|scope| (*scope).to_owned()).collect())
}

/// Adds a resource server; gives it with its secret.
fn add(
    engine: &Engine,
    audience: Option<&str>,
    scopes: &[&str],
    people: bool,
) -> (ResourceServer, String) {
    let audience = audience.map_or(Field::Absent, Field::from);
    let input = AddServer { name: "api".into(), audience, scopes: field(scopes), people };
    let added = engine.add_server(input, Actor::Operator, &Origin::local()).unwrap();
    (added.server, added.secret.into_secret().expose_secret().to_owned())
}

/// What a resource server is told of a text.
fn told_of(engine: &Engine, server: &ResourceServer, text: &str) -> Option<Active> {
    match engine.introspect(server, &text.into()).unwrap() {
        Introspection::Active(active) => Some(*active),
        Introspection::Inactive => None,
    }
}

/// The scopes that it is told of, if it is told of the text at all.
fn scope_of(engine: &Engine, server: &ResourceServer, text: &str) -> Option<String> {
    told_of(engine, server, text).map(|active| active.scope.unwrap_or_default())
}
