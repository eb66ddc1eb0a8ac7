use std::fmt;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use portcullis_kernel::{Scopes, codes};
use serde_json::json;
use time::Duration;

use crate::{InvalidOptions, Metadata};

/// A request that is not served, as the answer to it: status, headers and a body of
/// `application/problem+json` (RFC 9457).
#[derive(Clone)]
pub struct Refusal {
    reason: Reason,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// 401: it shows no token or key.
    Missing,
    /// 401: its token or key is not good, or not for this API.
    Invalid,
    /// 403: its token or key lacks a scope.
    InsufficientScope,
    /// 402: the balance does not cover it.
    PaymentRequired,
    /// 409: its operation was charged already, at another cost.
    Conflict,
    /// 503: the auth server cannot be asked.
    Unavailable,
    /// 500: a request is to be charged by a guard that was made without credentials. A mistake of the
    /// program.
    NoCredentials,
}

/// What makes the refusals of one API: all of them name its metadata.
pub(crate) struct Refusals {
    missing: HeaderValue,
    invalid: HeaderValue,
    metadata: String,
}

impl Refusal {
    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, `Content-Type` included.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The whole answer, for whatever serves `http::Response`.
    pub fn into_http<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// Hands an answer of the auth server on.
    pub(crate) fn passed_on(
        reason: Reason,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        Self { reason, status, headers, body }
    }

    fn new(reason: Reason, code: &str, detail: &str) -> Self {
        let status = reason.status();
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "code": code,
            "error": code,
        });
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { reason, status, headers, body: body.to_string().into() }
    }

    fn challenging(mut self, challenge: HeaderValue) -> Self {
        self.headers.insert(WWW_AUTHENTICATE, challenge);
        self
    }
}

impl Reason {
    fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoCredentials => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// In words, which are printable ASCII without `%`.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Missing => "no access token or API key",
            Self::Invalid => "an access token or API key that is not good here",
            Self::InsufficientScope => "a scope is missing",
            Self::PaymentRequired => "the balance does not cover it",
            Self::Conflict => "charged already, at another cost",
            Self::Unavailable => "the auth server cannot be asked",
            Self::NoCredentials => "the guard was made without credentials to charge with",
        }
    }
}

impl Refusals {
    pub(crate) fn new(metadata: &Metadata) -> Result<Self, InvalidOptions> {
        let url = metadata.url();
        let header = |text: String| {
            let why = "does not fit a header";
            HeaderValue::try_from(text).map_err(|_| InvalidOptions { option: "resource", why })
        };
        let missing = header(format!("Bearer resource_metadata=\"{url}\""))?;
        let invalid =
            header(format!("Bearer resource_metadata=\"{url}\", error=\"invalid_token\""))?;
        Ok(Self { missing, invalid, metadata: url.to_owned() })
    }

    /// No token or key was sent.
    pub(crate) fn missing(&self) -> Refusal {
        let detail = "Send an access token or API key in the header Authorization: Bearer; \
                      resource_metadata says whose.";
        let refusal = Refusal::new(Reason::Missing, codes::UNAUTHORIZED, detail);
        refusal.challenging(self.missing.clone())
    }

    /// The token or key is not good. Why is told to nobody but the log.
    pub(crate) fn invalid(&self) -> Refusal {
        let detail = "The access token or API key is wrong, expired, revoked or for another API.";
        let refusal = Refusal::new(Reason::Invalid, codes::UNAUTHORIZED, detail);
        refusal.challenging(self.invalid.clone())
    }

    /// Scopes are missing.
    pub(crate) fn insufficient_scope(&self, wanted: &Scopes) -> Refusal {
        let detail = format!("This needs the scope {wanted}.");
        let code = codes::INSUFFICIENT_SCOPE;
        let refusal = Refusal::new(Reason::InsufficientScope, code, &detail);
        let url = &self.metadata;
        let challenge = format!(
            "Bearer error=\"insufficient_scope\", scope=\"{wanted}\", resource_metadata=\"{url}\""
        );
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => refusal.challenging(challenge),
            // Scopes are printable ASCII without quotes, so it fits.
            Err(_) => refusal,
        }
    }

    /// The auth server cannot be asked.
    pub(crate) fn unavailable(retry_after: Duration) -> Refusal {
        let detail = "The auth server cannot be asked at the moment. Try again.";
        let mut refusal = Refusal::new(Reason::Unavailable, codes::SERVICE_UNAVAILABLE, detail);
        // Up to the next second: who comes earlier is refused again.
        let seconds = retry_after.whole_seconds() + i64::from(retry_after.subsec_nanoseconds() > 0);
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        refusal
    }

    /// Nothing can be charged. Why is told to nobody but the log.
    pub(crate) fn no_credentials() -> Refusal {
        let detail = "This API has a fault, which is in its log.";
        Refusal::new(Reason::NoCredentials, codes::INTERNAL_ERROR, detail)
    }

    /// The operation was charged at another cost.
    pub(crate) fn conflict() -> Refusal {
        let detail =
            "This operation was charged already, at another cost: take another idempotency key.";
        Refusal::new(Reason::Conflict, codes::CONFLICT, detail)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.told())
    }
}

impl std::error::Error for Refusal {}

/// A handler wants a [`Principal`](crate::Principal) on a route that no guard stands before: a mistake of
/// the program, answered with 500 before the handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this route is not behind a guard, and its handler wants a Principal: add the layer to it")]
pub struct Unguarded;
