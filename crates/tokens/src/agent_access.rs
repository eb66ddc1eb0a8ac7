use portcullis_kernel::{
    AgentId, ApiKeyId, Entropy, EntropyError, Instant, Scopes, TokenId, UserId,
};
use serde::{Deserialize, Serialize};
use time::Duration;

use crate::{
    Algorithm, InvalidJwt, IssuedAccessToken, KeyPurpose, KeySet, PublicKeySet, SignError,
    access::{LEEWAY_SECONDS, check_times},
    jwt::{self, Unverified},
    ports::Verifier,
};

/// What agents' access tokens say of their issuer and audience, and how long they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTokenPolicy {
    /// The `iss` claim: the origin of this server.
    pub issuer: String,
    /// The `aud` claim of a token for which no resource was asked.
    pub audience: String,
    /// How a token is signed.
    pub algorithm: Algorithm,
    /// How long a token lives.
    pub ttl: Duration,
}

/// The claims of an agent's access token (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    scope: String,
    key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
    /// Never issued, but honoured (RFC 7519 §4.1.5).
    #[serde(
        default,
        deserialize_with = "crate::access::number",
        skip_serializing_if = "Option::is_none"
    )]
    nbf: Option<i64>,
}

/// What an agent's access token grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentGrant {
    /// To whom.
    pub agent: AgentId,
    /// By which API key.
    pub key: ApiKeyId,
    /// The user to whom the agent belonged when the token was issued.
    pub owner: Option<UserId>,
    /// What it may be used for.
    pub scopes: Scopes,
    /// The `aud` claim.
    pub audience: String,
}

/// An agent's access token that is ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentToken {
    /// Its own id.
    pub id: TokenId,
    /// What it grants.
    pub grant: AgentGrant,
    /// When it was issued, in whole seconds.
    pub issued_at: Instant,
    /// From when on it is dead, in whole seconds.
    pub expires_at: Instant,
}

impl AgentToken {
    /// Until when the token could be accepted anywhere: how long it must be remembered once it is spent.
    /// An instance's clock may be behind by up to a minute.
    pub fn remembered_until(&self) -> Instant {
        self.expires_at + Duration::seconds(LEEWAY_SECONDS) + Duration::MINUTE
    }
}

impl AgentTokenPolicy {
    /// A token of now.
    ///
    /// # Errors
    /// When there is no entropy for its id.
    pub fn token(
        &self,
        grant: AgentGrant,
        now: Instant,
        entropy: &dyn Entropy,
    ) -> Result<AgentToken, EntropyError> {
        let issued_at = now.replace_nanosecond(0).unwrap_or(now);
        let id = TokenId::generate(now, entropy)?;
        Ok(AgentToken { id, grant, issued_at, expires_at: issued_at + self.ttl })
    }

    /// Signs a token with the key that is active at `now`.
    ///
    /// # Errors
    /// [`SignError`] when no key is active.
    pub fn sign(
        &self,
        keys: &KeySet,
        token: &AgentToken,
        now: Instant,
    ) -> Result<IssuedAccessToken, SignError> {
        let key = keys.signing(KeyPurpose::Agents, self.algorithm, now);
        let key = key.ok_or(SignError::NoActiveKey)?;
        let grant = &token.grant;
        let agent = grant.agent.to_string();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: agent.clone(),
            aud: grant.audience.clone(),
            client_id: agent,
            scope: grant.scopes.to_string(),
            key_id: grant.key.to_string(),
            owner: grant.owner.map(|owner| owner.to_string()),
            iat: token.issued_at.unix_timestamp(),
            exp: token.expires_at.unix_timestamp(),
            jti: token.id.to_string(),
            nbf: None,
        };
        let signed = jwt::encode(&key.header, &claims, key.signer.as_ref())?;
        let expires_in = (token.expires_at - token.issued_at).whole_seconds();
        Ok(IssuedAccessToken { token: signed.into(), expires_in })
    }

    /// Checks a presented token: header, signature and every claim but its audience, which is the
    /// caller's to judge, as is whether token, key and agent still live.
    ///
    /// # Errors
    /// [`InvalidJwt`]; `UnknownKey` may pass when the key set is read anew.
    pub fn verify(
        &self,
        keys: &KeySet,
        token: &str,
        now: Instant,
    ) -> Result<AgentToken, InvalidJwt> {
        let unverified = Unverified::parse(token)?;
        let key = keys.verifying(KeyPurpose::Agents, unverified.kid(), now)?;
        let check = Check { issuer: &self.issuer, now, leeway: LEEWAY_SECONDS };
        check.judge(&unverified, key.algorithm, key.verifier.as_ref())
    }
}

impl PublicKeySet {
    /// Checks a presented token as a service does that knows nothing of its issuer but this set: as
    /// [`AgentTokenPolicy::verify`], with clocks that may be apart by `leeway`.
    ///
    /// # Errors
    /// [`InvalidJwt`]; `UnknownKey` may pass when the set is fetched anew.
    pub fn verify_agent_token(
        &self,
        token: &str,
        issuer: &str,
        now: Instant,
        leeway: Duration,
    ) -> Result<AgentToken, InvalidJwt> {
        let unverified = Unverified::parse(token)?;
        let (algorithm, verifier) = self.find(unverified.kid())?;
        let check = Check { issuer, now, leeway: leeway.whole_seconds() };
        check.judge(&unverified, algorithm, verifier)
    }
}

/// What a token is held against, whoever asks.
struct Check<'c> {
    issuer: &'c str,
    now: Instant,
    /// In seconds.
    leeway: i64,
}

impl Check<'_> {
    fn judge(
        &self,
        token: &Unverified<'_>,
        algorithm: Algorithm,
        verifier: &dyn Verifier,
    ) -> Result<AgentToken, InvalidJwt> {
        let claims: Claims = token.verify(KeyPurpose::Agents, algorithm, verifier)?;
        if claims.iss != self.issuer || claims.client_id != claims.sub {
            return Err(InvalidJwt::Claims);
        }
        check_times(claims.exp, claims.nbf, self.now, self.leeway)?;
        claims.read().ok_or(InvalidJwt::Claims)
    }
}

impl Claims {
    fn read(self) -> Option<AgentToken> {
        let at = |seconds| Instant::from_unix_timestamp(seconds).ok();
        let grant = AgentGrant {
            agent: self.sub.parse().ok()?,
            key: self.key_id.parse().ok()?,
            owner: self.owner.map(|owner| owner.parse()).transpose().ok()?,
            scopes: self.scope.parse().ok()?,
            audience: self.aud,
        };
        let (issued_at, expires_at) = (at(self.iat)?, at(self.exp)?);
        Some(AgentToken { id: self.jti.parse().ok()?, grant, issued_at, expires_at })
    }
}
