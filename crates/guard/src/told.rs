//! What the auth server answers when it is asked about a key or token (RFC 7662 §2.2).

use std::{fmt::Display, sync::Arc};

use http::{Response, StatusCode};
use portcullis_kernel::{Instant, Scopes};
use serde::Deserialize;

use crate::{
    principal::Known,
    server::{AuthServer, Away},
};

/// What a key or token is good for; `None` when for nothing.
pub(crate) type Told = Option<Arc<Known>>;

/// Why a key or token was not told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The auth server is away, or does not know this resource server: so it is with every question.
    Server(Away),
    /// It was asked too often.
    TooMany(Away),
    /// It answered what cannot be read: about another one it may answer well.
    Unclear(Away),
}

/// Reads an answer of the endpoint `path`.
pub(crate) fn read(
    server: &AuthServer,
    path: &str,
    answer: &Response<Vec<u8>>,
) -> Result<Told, Trouble> {
    let status = answer.status();
    if status != StatusCode::OK {
        let away = server.refused(path, answer);
        return Err(match status {
            StatusCode::TOO_MANY_REQUESTS => Trouble::TooMany(away),
            StatusCode::UNAUTHORIZED => Trouble::Server(away),
            status if status.is_server_error() => Trouble::Server(away),
            _ => Trouble::Unclear(away),
        });
    }
    let unclear = |why: &dyn Display| Trouble::Unclear(server.away(path, why));
    let body: Body = serde_json::from_slice(answer.body()).map_err(|error| unclear(&error))?;
    if !body.active {
        return Ok(None);
    }
    if body.is_of_a_person() {
        tracing::warn!(%path, "The auth server told of a person. The guard knows agents only, and refuses it.");
        return Ok(None);
    }
    let known = body.read();
    let why = "it told of a principal in a form that is not known here";
    known.map(|known| Some(Arc::new(known))).ok_or_else(|| unclear(&why))
}

/// An answer, as far as it is read.
#[derive(Deserialize)]
struct Body {
    active: bool,
    sub: Option<String>,
    principal_type: Option<String>,
    scope: Option<String>,
    exp: Option<i64>,
    jti: Option<String>,
    aud: Option<String>,
    owner: Option<String>,
    key_id: Option<String>,
    email_verified: Option<bool>,
}

impl Body {
    fn is_of_a_person(&self) -> bool {
        self.principal_type.as_deref() == Some("user")
    }

    fn read(self) -> Option<Known> {
        if self.principal_type? != "agent" {
            return None;
        }
        let scopes = self.scope.map_or(Ok(Scopes::default()), |scope| scope.parse()).ok()?;
        let expires_at = self.exp.map(Instant::from_unix_timestamp).transpose().ok()?;
        Some(Known {
            subject: self.sub?.parse().ok()?,
            scopes,
            owner: self.owner.map(|owner| owner.parse()).transpose().ok()?,
            key_id: self.key_id.map(|key| key.parse()).transpose().ok()?,
            token_id: self.jti.map(|id| id.parse()).transpose().ok()?,
            audience: self.aud,
            expires_at,
            email_verified: self.email_verified,
        })
    }
}
