use portcullis_kernel::{Entropy, Instant, SecretString, SessionId, TokenId, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use time::Duration;

use crate::{
    Algorithm, InvalidJwt, KeyPurpose, KeySet,
    jwt::{self, Unverified},
    keyring::SignError,
};

/// How far the clocks of two instances may be apart.
pub(crate) const LEEWAY_SECONDS: i64 = 5;

/// What people's access tokens say of their issuer, and how long they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenPolicy {
    /// The `iss` claim; any string.
    pub issuer: String,
    /// The `aud` claim; absent when `None`.
    pub audience: Option<String>,
    /// How long a token lives.
    pub ttl: Duration,
}

/// The claims of a person's access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The user's id.
    pub sub: String,
    /// The user's address.
    pub email: String,
    /// The user's role.
    pub role: String,
    /// When it was issued, Unix seconds.
    pub iat: i64,
    /// When it expires, Unix seconds.
    pub exp: i64,
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Its own id.
    pub jti: String,
    /// The session it belongs to.
    pub sid: String,
    /// Not valid before, Unix seconds (RFC 7519 §4.1.5); never issued, but honoured.
    #[serde(default, deserialize_with = "number", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
}

/// Judges when a token is good, with a leeway in seconds.
pub(crate) fn check_times(
    exp: i64,
    nbf: Option<i64>,
    now: Instant,
    leeway: i64,
) -> Result<(), InvalidJwt> {
    let now = now.unix_timestamp();
    if now >= exp.saturating_add(leeway) {
        return Err(InvalidJwt::Expired);
    }
    if nbf.is_some_and(|nbf| now < nbf.saturating_sub(leeway)) {
        return Err(InvalidJwt::Claims);
    }
    Ok(())
}

/// A claim that may be absent, but is a number where it is not: `null` is none.
pub(crate) fn number<'de, D: Deserializer<'de>>(claim: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(claim).map(Some)
}

/// A person's access token that was accepted as ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonToken {
    /// Its own id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// The session it belongs to.
    pub session: SessionId,
    /// The `aud` claim.
    pub audience: Option<String>,
    /// When it was issued.
    pub issued_at: Instant,
    /// From when on it is dead.
    pub expires_at: Instant,
}

impl AccessClaims {
    fn read(self) -> Option<PersonToken> {
        let at = |seconds| Instant::from_unix_timestamp(seconds).ok();
        Some(PersonToken {
            id: self.jti.parse().ok()?,
            user: self.sub.parse().ok()?,
            session: self.sid.parse().ok()?,
            audience: self.aud,
            issued_at: at(self.iat)?,
            expires_at: at(self.exp)?,
        })
    }
}

/// A signed access token on its way out.
#[derive(Clone, Debug)]
pub struct IssuedAccessToken {
    /// The compact JWS.
    pub token: SecretString,
    /// Seconds until it expires.
    pub expires_in: i64,
}

/// Whom an access token is issued to.
pub struct Subject<'s> {
    /// The user's id.
    pub user: UserId,
    /// The user's address.
    pub email: &'s str,
    /// The user's role.
    pub role: &'s str,
    /// The session that asks.
    pub session: SessionId,
}

impl AccessTokenPolicy {
    /// Signs a token for the subject with the key that is active at `now`.
    ///
    /// # Errors
    /// [`SignError`] when no key is active, or there is no entropy for the `jti`.
    pub fn issue(
        &self,
        keys: &KeySet,
        subject: &Subject<'_>,
        now: Instant,
        entropy: &dyn Entropy,
    ) -> Result<IssuedAccessToken, SignError> {
        let key = keys.signing(KeyPurpose::People, Algorithm::Rs256, now);
        let key = key.ok_or(SignError::NoActiveKey)?;
        let iat = now.unix_timestamp();
        let expires_in = self.ttl.whole_seconds();
        let claims = AccessClaims {
            sub: subject.user.to_string(),
            email: subject.email.to_owned(),
            role: subject.role.to_owned(),
            iat,
            exp: iat + expires_in,
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            jti: TokenId::generate(now, entropy)?.to_string(),
            sid: subject.session.to_string(),
            nbf: None,
        };
        let token = jwt::encode(&key.header, &claims, key.signer.as_ref())?;
        Ok(IssuedAccessToken { token: token.into(), expires_in })
    }

    /// Checks a presented token: header, signature and every claim. Whether its session still lives
    /// is the caller's to ask.
    ///
    /// # Errors
    /// [`InvalidJwt`]; `UnknownKey` may pass when the key set is read anew.
    pub fn verify(
        &self,
        keys: &KeySet,
        token: &str,
        now: Instant,
    ) -> Result<PersonToken, InvalidJwt> {
        let unverified = Unverified::parse(token)?;
        let key = keys.verifying(KeyPurpose::People, unverified.kid(), now)?;
        let claims: AccessClaims =
            unverified.verify(KeyPurpose::People, key.algorithm, key.verifier.as_ref())?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(InvalidJwt::Claims);
        }
        check_times(claims.exp, claims.nbf, now, LEEWAY_SECONDS)?;
        claims.read().ok_or(InvalidJwt::Claims)
    }
}
