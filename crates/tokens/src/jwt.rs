//! Compact JWS (RFC 7515 §3.1), as narrow as this server needs it: one signature, a `kid` of our own.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    key::{Algorithm, KeyPurpose},
    ports::{JoseError, Signer, Verifier},
};

/// The longest token that is looked at.
const MAX_BYTES: usize = 8 * 1024;

/// Why a JWT is refused. Clients are told no more than that it is; the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJwt {
    /// Not three parts of base64url JSON, or too long.
    #[error("not a compact JWS")]
    Malformed,
    /// `alg`, `typ` or `crit` is not what this server issues.
    #[error("a header this server never issues")]
    Header,
    /// No published key has this `kid`.
    #[error("no published key has this kid")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature does not verify")]
    Signature,
    /// A claim is missing, of the wrong type, or not what it must be.
    #[error("a claim is missing or wrong")]
    Claims,
    /// It has expired.
    #[error("expired")]
    Expired,
}

/// The header of an incoming token. What is not listed (`jku`, `jwk`, `x5u`, …) is never read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: String,
    crit: Option<serde_json::Value>,
}

/// A token taken apart, not yet believed.
pub(crate) struct Unverified<'t> {
    signed: &'t str,
    header: Header,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Unverified<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, InvalidJwt> {
        if token.len() > MAX_BYTES {
            return Err(InvalidJwt::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidJwt::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidJwt::Malformed)?;
        if payload.contains('.') {
            return Err(InvalidJwt::Malformed);
        }
        Ok(Self { signed, header: json(header)?, payload, signature })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// The claims, once header and signature are those of the key.
    pub(crate) fn verify<C: DeserializeOwned>(
        &self,
        purpose: KeyPurpose,
        algorithm: Algorithm,
        key: &dyn Verifier,
    ) -> Result<C, InvalidJwt> {
        let header = &self.header;
        let typ = header.typ.as_deref();
        if header.alg != algorithm.as_str()
            || typ != Some(purpose.token_type())
            || header.crit.is_some()
        {
            return Err(InvalidJwt::Header);
        }
        let signature =
            URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| InvalidJwt::Malformed)?;
        if !key.verify(self.signed.as_bytes(), &signature) {
            return Err(InvalidJwt::Signature);
        }
        json(self.payload).map_err(|_| InvalidJwt::Claims)
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, InvalidJwt> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidJwt::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| InvalidJwt::Malformed)
}

/// The encoded header of every token that a key signs.
pub(crate) fn encode_header(algorithm: Algorithm, purpose: KeyPurpose, kid: &str) -> String {
    let header =
        serde_json::json!({ "alg": algorithm.as_str(), "typ": purpose.token_type(), "kid": kid });
    URL_SAFE_NO_PAD.encode(header.to_string())
}

/// Header, claims and signature, joined.
pub(crate) fn encode(
    header: &str,
    claims: &impl Serialize,
    signer: &dyn Signer,
) -> Result<String, JoseError> {
    let claims = serde_json::to_vec(claims).map_err(|e| JoseError(e.to_string()))?;
    let mut token = String::with_capacity(1024);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = signer.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
