use portcullis_kernel::{
    AgentId, ApiKeyId, ExposeSecret as _, Instant, Scopes, SecretString, TokenId, UserId,
};

/// Who sends a request, and what they may do. Handlers get it from the layer.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who: an agent, which is the OAuth client, too. People's tokens are for the auth server alone.
    pub subject: AgentId,
    /// What for. Of a key: the scopes that it shares with this resource server.
    pub scopes: Scopes,
    /// The user that an agent belongs to: when its token was issued or, where the auth server was asked, now.
    pub owner: Option<UserId>,
    /// The API key, or that for which the access token was issued.
    pub key_id: Option<ApiKeyId>,
    /// The `jti` of an access token.
    pub token_id: Option<TokenId>,
    /// The `aud` of an access token.
    pub audience: Option<String>,
    /// From when on the token or key is dead; `None` for a key without an end.
    pub expires_at: Option<Instant>,
    /// Whether an address of the principal was proven; `None` where the auth server was not asked.
    pub email_verified: Option<bool>,
    presented: SecretString,
}

/// What is known of a token or key, without the token or key.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) subject: AgentId,
    pub(crate) scopes: Scopes,
    pub(crate) owner: Option<UserId>,
    pub(crate) key_id: Option<ApiKeyId>,
    pub(crate) token_id: Option<TokenId>,
    pub(crate) audience: Option<String>,
    pub(crate) expires_at: Option<Instant>,
    pub(crate) email_verified: Option<bool>,
}

impl Principal {
    pub(crate) fn new(known: Known, presented: &str) -> Self {
        let Known { subject, scopes, owner, key_id, .. } = known;
        Self {
            subject,
            scopes,
            owner,
            key_id,
            token_id: known.token_id,
            audience: known.audience,
            expires_at: known.expires_at,
            email_verified: known.email_verified,
            presented: presented.into(),
        }
    }

    /// Whether it has this scope.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    /// The token or key as it was sent.
    pub(crate) fn presented(&self) -> &str {
        self.presented.expose_secret()
    }
}
