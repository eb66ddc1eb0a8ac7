use anyhow::{Result, bail};
use portcullis_audit::Actor;
use portcullis_flows::{
    Engine,
    oauth::{AddServer, AddServerError, AddedServer},
};
use portcullis_identity::ResourceServer;
use portcullis_kernel::{ExposeSecret, Field, Origin, Scopes};
use serde_json::{Value, json};

use super::{Needs, given, keys::when, mistyped};
use crate::{
    cli::{self, Resources},
    output,
};

pub(super) fn run(command: Resources) -> Result<()> {
    match command {
        Resources::Add { settings, name, scopes, audience, people, json } => {
            let scopes = Field::Given(scopes);
            let input = AddServer { name: name.into(), audience: given(audience), scopes, people };
            add(&engine(&settings)?, input, json)
        }
        Resources::List { settings, json } => list(&engine(&settings)?, json),
        Resources::Remove { settings, id } => {
            let removed = engine(&settings)?.remove_server(
                &id.to_string(),
                Actor::Operator,
                &Origin::local(),
            )?;
            if !removed {
                bail!("No such resource server; `portcullis resources list` shows them");
            }
            output::print(&format!("{id} is removed now"))
        }
    }
}

fn engine(settings: &cli::Settings) -> Result<Engine> {
    super::engine(settings, &Needs::Rows)
}

fn add(engine: &Engine, input: AddServer, json: bool) -> Result<()> {
    let added = match engine.add_server(input, Actor::Operator, &Origin::local()) {
        Err(AddServerError::Invalid(invalid)) => return Err(mistyped(&invalid).into()),
        added => added?,
    };
    let AddedServer { server, secret } = added;
    let secret = secret.into_secret();
    if json {
        let mut value = to_json(&server);
        if let Value::Object(members) = &mut value {
            members.insert("secret".to_owned(), secret.expose_secret().into());
        }
        return output::print_json(&value);
    }
    output::print(&format!("added {} ({}); scopes: {}", server.id, server.name, server.scopes))?;
    output::print(secret.expose_secret())?;
    output::hint("keep this secret in a safe place: it is not shown again");
    warn_of_unknown(&server.scopes, &engine.options().scopes());
    Ok(())
}

/// A slip in a name would else show only in that every token is hidden.
fn warn_of_unknown(scopes: &Scopes, granted: &Scopes) {
    let unknown: Vec<_> = scopes.iter().filter(|scope| !granted.contains(scope)).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        output::hint(&format!(
            "no API key can have {unknown}, which neither agents.scopes nor agent_registration names"
        ));
    }
}

fn list(engine: &Engine, json: bool) -> Result<()> {
    let servers = engine.list_servers()?;
    if json {
        let servers: Vec<_> = servers.iter().map(to_json).collect();
        return output::print_json(&json!({ "resource_servers": servers }));
    }
    if servers.is_empty() {
        return output::print("no resource servers");
    }
    let rows: Vec<[String; 6]> = servers
        .iter()
        .map(|server| {
            [
                server.id.to_string(),
                server.name.clone(),
                server.scopes.to_string(),
                server.audience.clone().unwrap_or_else(|| "-".to_owned()),
                if server.people { "yes" } else { "no" }.to_owned(),
                when(server.created_at),
            ]
        })
        .collect();
    output::table(["ID", "NAME", "SCOPES", "AUDIENCE", "PEOPLE", "ADDED"], &rows)
}

fn to_json(server: &ResourceServer) -> Value {
    json!({
        "id": server.id.to_string(),
        "name": server.name,
        "scopes": server.scopes.iter().collect::<Vec<_>>(),
        "audience": server.audience,
        "people": server.people,
        "created_at": when(server.created_at),
    })
}
