//! What is set for agents: their accounts, keys, tokens and rate limits.

use std::{fmt, str::FromStr};

use portcullis_credentials::KeyPrefix;
use portcullis_kernel::Scopes;
use serde::{Deserialize, Serialize};

use super::{Limit, List, Span, choice, text_setting};

section! {
    /// Accounts of agents, their keys and tokens.
    Agents {
        registration: AgentRegistration = AgentRegistration::Open,
        algorithm: AgentAlgorithm = AgentAlgorithm::Es256,
        audience: Option<String> = None,
        token_ttl: Span = Span::hours(1),
        key_prefix: Prefix = Prefix(KeyPrefix::default()),
        scopes: List<Scope> = Scope::list([
            "messages:read",
            "messages:write",
            "conversations:read",
            "presence:update",
        ]),
        default_scopes: Option<List<Scope>> = None,
        max_keys: u32 = 50,
        keep_dead_keys: Span = Span::days(90),
        verification_ttl: Span = Span::hours(1),
        recovery_ttl: Span = Span::minutes(15),
        recovery_tries: Tries = Tries::default(),
        known_network_for: Span = Span::days(30),
    }
}

section! {
    /// Wrong tries at the recovery codes of one request.
    Tries {
        own: u32 = 5,
        other: u32 = 3,
        own_of_several: u32 = 2,
        other_of_several: u32 = 1,
    }
}

section! {
    /// Rate limits of agents.
    AgentLimits {
        register: Limit = Limit { limit: 10, window: Span::hours(1) },
        token: Limit = Limit { limit: 600, window: Span::minutes(1) },
        token_by_id: Limit = Limit { limit: 60, window: Span::minutes(1) },
        refresh: Limit = Limit { limit: 30, window: Span::minutes(1) },
        resend: Limit = Limit { limit: 5, window: Span::hours(1) },
        recovery: Limit = Limit { limit: 5, window: Span::minutes(15) },
        recovery_mail: Limit = Limit { limit: 3, window: Span::minutes(15) },
        recovery_mail_long: Limit = Limit { limit: 5, window: Span::hours(1) },
        recover: Limit = Limit { limit: 10, window: Span::minutes(15) },
        make_key: Limit = Limit { limit: 20, window: Span::hours(1) },
        anonymous: Limit = Limit { limit: 60, window: Span::minutes(1) },
        principal: Limit = Limit { limit: 100, window: Span::minutes(1) },
    }
}

section! {
    /// Rate limits of those who ask about keys and tokens.
    OauthLimits {
        anonymous: Limit = Limit { limit: 60, window: Span::minutes(1) },
        resource_server: Limit = Limit { limit: 600, window: Span::minutes(1) },
    }
}

choice! {
    /// Whether agents may register themselves.
    AgentRegistration { Open = "open", Closed = "closed" }
}

choice! {
    /// How agents' access tokens are signed.
    AgentAlgorithm { Es256 = "ES256", EdDsa = "EdDSA", Rs256 = "RS256" }
}

/// What API keys begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) KeyPrefix);

impl Prefix {
    /// A built-in prefix, which is one as a test says.
    pub(super) fn built_in(text: &str) -> Self {
        Self(KeyPrefix::parse(text).unwrap_or_default())
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        KeyPrefix::parse(raw).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

text_setting!(Prefix);

/// The name of one scope. One with a comma could not stand in a list of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(pub(crate) String);

impl Scope {
    pub(super) fn list<const N: usize>(names: [&str; N]) -> List<Self> {
        List(names.into_iter().map(|name| Self(name.to_owned())).collect())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        match Scopes::new([raw]) {
            Ok(_) if !raw.contains(',') => Ok(Self(raw.to_owned())),
            _ => Err(format!(
                "must be scopes such as messages:read, each at most 64 printable ASCII characters \
                 without space, comma, quotes or backslash, not {raw:?}"
            )),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
