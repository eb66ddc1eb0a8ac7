use portcullis_identity::{Agent, ResourceServer};
use portcullis_kernel::{ApiKeyId, Instant, SecretString, TokenId, UserId};

use super::look::Found;
use crate::{Engine, Fault};

/// What a resource server is told of a key or token (RFC 7662 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// It is dead, none of ours, or none of the server's business; which of these is not told.
    Inactive,
    /// It works.
    Active(Box<Active>),
}

/// A key or token that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// Whose it is.
    pub subject: String,
    /// Whether that is a person or an agent.
    pub kind: PrincipalKind,
    /// The client that it was issued to: the agent itself; absent for people.
    pub client_id: Option<String>,
    /// The scopes that are the server's business, with spaces between them; absent for people.
    pub scope: Option<String>,
    /// Whom a token is for; absent for keys.
    pub audience: Option<String>,
    /// Who issued a token; absent for keys.
    pub issuer: Option<String>,
    /// When it was issued.
    pub issued_at: Instant,
    /// When it dies; absent for a key without an end.
    pub expires_at: Option<Instant>,
    /// The id of a token; absent for keys.
    pub token_id: Option<TokenId>,
    /// The key, or that which a token was issued for.
    pub key: Option<ApiKeyId>,
    /// The user that the agent belongs to.
    pub owner: Option<UserId>,
    /// Whether an address of the principal was proven.
    pub email_verified: bool,
}

/// What kind of principal a key or token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// An agent.
    Agent,
}

impl PrincipalKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
        }
    }
}

impl Engine {
    /// Tells a resource server of a key or token. A key counts as used.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn introspect(
        &self,
        server: &ResourceServer,
        token: &SecretString,
    ) -> Result<Introspection, Fault> {
        let Some((found, scopes)) = self.scopes_seen_by(server, token, self.now())? else {
            return Ok(Introspection::Inactive);
        };
        let scope = (!scopes.is_empty()).then(|| scopes.to_string());
        let active = self.told_of(found, scope);
        Ok(Introspection::Active(Box::new(active)))
    }

    fn told_of(&self, found: Found, scope: Option<String>) -> Active {
        match found {
            Found::Key(holder) => {
                let key = &holder.key;
                Active {
                    subject: key.agent.to_string(),
                    kind: PrincipalKind::Agent,
                    client_id: Some(key.agent.to_string()),
                    scope,
                    audience: None,
                    issuer: None,
                    issued_at: key.created_at,
                    expires_at: key.expires_at,
                    token_id: None,
                    key: Some(key.id),
                    owner: holder.agent.owner,
                    email_verified: has_proven_address(&holder.agent),
                }
            }
            Found::Agent(holder, token) => Active {
                subject: holder.agent.id.to_string(),
                kind: PrincipalKind::Agent,
                client_id: Some(holder.agent.id.to_string()),
                scope,
                audience: Some(token.grant.audience),
                issuer: Some(self.options.agents.token.issuer.clone()),
                issued_at: token.issued_at,
                expires_at: Some(token.expires_at),
                token_id: Some(token.id),
                key: Some(holder.key.id),
                owner: holder.agent.owner,
                email_verified: has_proven_address(&holder.agent),
            },
            Found::Person(user, token) => Active {
                subject: user.id.to_string(),
                kind: PrincipalKind::User,
                client_id: None,
                scope: None,
                audience: token.audience,
                issuer: Some(self.options.access.issuer.clone()),
                issued_at: token.issued_at,
                expires_at: Some(token.expires_at),
                token_id: Some(token.id),
                key: None,
                owner: None,
                email_verified: user.is_verified(),
            },
        }
    }
}

/// The agent's own address was proven, or that of the person who claimed it. One without a recovery key
/// signed itself up, and got its owner by a code that was mailed to them.
fn has_proven_address(agent: &Agent) -> bool {
    agent.email.is_some() || (agent.owner.is_some() && agent.recovery.is_none())
}
