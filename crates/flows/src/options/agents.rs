use portcullis_credentials::{KeyPrefix, RecoveryTries};
use portcullis_kernel::Scopes;
use portcullis_tokens::{AgentTokenPolicy, Algorithm};
use time::Duration;

/// Accounts of agents, their keys and tokens.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Whether agents may register themselves.
    pub open: bool,
    /// What access tokens say and how long they live.
    pub token: AgentTokenPolicy,
    /// What API keys begin with.
    pub key_prefix: KeyPrefix,
    /// The scopes that an agent may give its keys.
    pub scopes: Scopes,
    /// The scopes of a key for which none are named.
    pub default_scopes: Scopes,
    /// Live keys of one agent.
    pub most_keys: u32,
    /// How long a dead key stays in its agent's list.
    pub keep_dead_keys: Duration,
    /// How long a link that proves an address lives.
    pub verification: Duration,
    /// How long a recovery code lives.
    pub recovery: Duration,
    /// Wrong tries at recovery codes.
    pub recovery_tries: RecoveryTries,
    /// How long a network from which an agent got a token is known.
    pub known_network_for: Duration,
}

/// The scopes of a key unless somebody says otherwise.
const SCOPES: [&str; 4] =
    ["messages:read", "messages:write", "conversations:read", "presence:update"];

impl Default for AgentOptions {
    fn default() -> Self {
        // What the type accepts, as a test says.
        let scopes = Scopes::new(SCOPES).unwrap_or_default();
        Self {
            open: true,
            token: AgentTokenPolicy {
                issuer: "http://127.0.0.1:8080".into(),
                audience: "http://127.0.0.1:8080".into(),
                algorithm: Algorithm::Es256,
                ttl: Duration::HOUR,
            },
            key_prefix: KeyPrefix::default(),
            default_scopes: scopes.clone(),
            scopes,
            most_keys: 50,
            keep_dead_keys: Duration::days(90),
            verification: Duration::HOUR,
            recovery: Duration::minutes(15),
            recovery_tries: RecoveryTries::default(),
            known_network_for: Duration::days(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_their_types_accept() {
        let options = AgentOptions::default();
        assert!(options.scopes.equals(&Scopes::new(SCOPES).unwrap()));
        assert_eq!(options.key_prefix, KeyPrefix::parse("sk_").unwrap());
    }
}
