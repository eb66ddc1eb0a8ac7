use portcullis_credentials::ApiKey;
use portcullis_flows::agents::{OwnedAgent, OwnedAgentDetails};
use portcullis_kernel::{Instant, Scopes};
use serde::Serialize;

use crate::kit::Moment;

/// An agent as its owner is shown it.
#[derive(Serialize)]
pub(super) struct ShownAgent {
    id: String,
    name: String,
    registered: Moment,
    suspended: bool,
    scopes: Vec<String>,
    used: Option<Moment>,
}

/// An agent with its keys, as its owner is shown it.
#[derive(Serialize)]
pub(super) struct ShownDetails {
    agent: ShownAgent,
    has_recovery_key: bool,
    keys: Vec<ShownKey>,
}

/// A key as the owner of its agent is shown it.
#[derive(Serialize)]
struct ShownKey {
    id: String,
    name: String,
    hint: String,
    scopes: Vec<String>,
    made: Moment,
    used: Option<Moment>,
    ends: Option<Moment>,
    revoked: Option<Moment>,
    live: bool,
    /// Another one took its place.
    replaced: bool,
}

impl From<&OwnedAgent> for ShownAgent {
    fn from(owned: &OwnedAgent) -> Self {
        let agent = &owned.agent;
        Self {
            id: agent.id.to_string(),
            name: agent.name.as_str().to_owned(),
            registered: agent.created_at.into(),
            suspended: !agent.is_active(),
            scopes: names(&owned.scopes()),
            used: owned.last_used_at().map(Moment::from),
        }
    }
}

impl ShownDetails {
    pub(super) fn new(details: &OwnedAgentDetails, now: Instant) -> Self {
        let OwnedAgentDetails { owned, dead_keys } = details;
        let keys = owned.keys.iter().chain(dead_keys);
        Self {
            agent: owned.into(),
            has_recovery_key: owned.agent.recovery.is_some(),
            keys: keys.map(|key| ShownKey::new(key, now)).collect(),
        }
    }
}

impl ShownKey {
    fn new(key: &ApiKey, now: Instant) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.as_str().to_owned(),
            hint: key.hint.clone(),
            scopes: names(&key.scopes),
            made: key.created_at.into(),
            used: key.last_used_at.map(Moment::from),
            ends: key.expires_at.map(Moment::from),
            revoked: key.revoked_at.map(Moment::from),
            live: key.is_live(now),
            replaced: key.replaced_by.is_some(),
        }
    }
}

fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}
