//! The auth server, as an API asks it.

use std::{fmt::Display, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use portcullis_kernel::ExposeSecret as _;
use portcullis_tokens::PublicKeySet;
use time::Duration as Span;

use crate::{Credentials, InvalidOptions, MOST_BYTES, Transport};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to come again where the auth server does not say.
const RETRY: Span = Span::SECOND;
/// However long it says.
const LONGEST_RETRY: Span = Span::MINUTE;

pub(crate) struct AuthServer {
    origin: String,
    basic: Option<HeaderValue>,
    transport: Arc<dyn Transport>,
}

/// The auth server cannot be asked; nothing is known but when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) retry_after: Span,
}

impl AuthServer {
    pub(crate) fn new(
        origin: String,
        credentials: Option<&Credentials>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, InvalidOptions> {
        let basic = credentials.map(basic).transpose()?;
        Ok(Self { origin, basic, transport })
    }

    /// Whether it can be asked as a resource server.
    pub(crate) fn has_credentials(&self) -> bool {
        self.basic.is_some()
    }

    /// The key set that it publishes (RFC 7517 §5).
    pub(crate) async fn key_set(&self) -> Result<PublicKeySet, Away> {
        let request = Request::builder().uri(self.at("/.well-known/jwks.json"));
        let answer = self.ask(request.body(Vec::new())).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused("the key set", &answer));
        }
        PublicKeySet::parse(answer.body()).map_err(|error| self.away("the key set", error))
    }

    /// Posts as this resource server.
    pub(crate) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Response<Vec<u8>>, Away> {
        let Some(basic) = self.basic.clone() else {
            return Err(self.away(path, "the guard was made without credentials"));
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.at(path))
            .header(AUTHORIZATION, basic)
            .header(CONTENT_TYPE, media_type);
        self.ask(request.body(body)).await
    }

    /// An answer that is none to the question.
    pub(crate) fn refused(&self, what: &str, answer: &Response<Vec<u8>>) -> Away {
        let said = String::from_utf8_lossy(answer.body());
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        let hint = if answer.status() == StatusCode::UNAUTHORIZED {
            " Check the id and secret of the resource server."
        } else {
            ""
        };
        self.away(what, format_args!("it answered {}: {said}{hint}", answer.status()));
        Away { retry_after: retry_after(answer).unwrap_or(RETRY) }
    }

    /// An answer that cannot be understood, or none.
    pub(crate) fn away(&self, what: &str, why: impl Display) -> Away {
        tracing::warn!(server = %self.origin, %what, "The auth server cannot be asked: {why}");
        Away { retry_after: RETRY }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    async fn ask(
        &self,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<Response<Vec<u8>>, Away> {
        let mut request = request.map_err(|error| self.away("a request", error))?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let what = request.uri().path().to_owned();
        let answer = tokio::time::timeout(PATIENCE, self.transport.send(request)).await;
        match answer {
            Ok(Ok(answer)) if answer.body().len() <= MOST_BYTES => Ok(answer),
            Ok(Ok(_)) => Err(self.away(&what, "its answer is too long")),
            Ok(Err(error)) => Err(self.away(&what, error)),
            Err(_) => Err(self.away(&what, "it did not answer within 5 seconds")),
        }
    }
}

/// Id and secret, form-encoded (RFC 6749 §2.3.1).
fn basic(credentials: &Credentials) -> Result<HeaderValue, InvalidOptions> {
    let encoded = |raw: &str| form_urlencoded::byte_serialize(raw.as_bytes()).collect::<String>();
    let secret = credentials.secret.expose_secret();
    let pair = format!("{}:{}", encoded(&credentials.id), encoded(secret));
    let header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut header =
        header.map_err(|_| InvalidOptions { option: "credentials", why: "do not fit a header" })?;
    header.set_sensitive(true);
    Ok(header)
}

/// The seconds of `Retry-After`, as far as they are reasonable; a date is not read.
fn retry_after(answer: &Response<Vec<u8>>) -> Option<Span> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Span::seconds(seconds.into()).clamp(RETRY, LONGEST_RETRY))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait(value: &str) -> Option<Span> {
        let header = HeaderValue::from_str(value).ok()?;
        let answer = Response::builder().header(RETRY_AFTER, header).body(Vec::new());
        retry_after(&answer.unwrap())
    }

    #[test]
    fn the_wait_that_is_asked_for_is_kept_within_reason() {
        let seconds = |seconds| Some(Span::seconds(seconds));
        assert_eq!((wait("7"), wait(" 7 ")), (seconds(7), seconds(7)));
        assert_eq!((wait("0"), wait("4000000000")), (seconds(1), seconds(60)));
        for unreadable in ["", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(wait(unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn k5_id_and_secret_are_form_encoded_and_never_shown() {
        let credentials = Credentials { id: "rs_1".into(), secret: "rss_%:".into() };
        let header = basic(&credentials).unwrap();
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"rs_1:rss_%25%3A");
        assert!(header.is_sensitive());
        assert!(!format!("{header:?} {credentials:?}").contains("rss_"));
    }

    proptest! {
        #[test]
        fn any_wait_is_read_or_not(value in any::<String>(), seconds in any::<u64>()) {
            let _ = wait(&value);
            let read = wait(&seconds.to_string());
            prop_assert!(read.is_none_or(|wait| (RETRY..=LONGEST_RETRY).contains(&wait)));
        }
    }
}
