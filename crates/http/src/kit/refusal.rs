use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use portcullis_flows::{Limited, credits::PaymentRequired};
use portcullis_kernel::{Classify, ErrorKind, FieldErrors, Instant, SecretString, causes, codes};
use portcullis_limits::Standing;

use super::{credential::Challenge, envelope::Envelope};

/// What is told of broken fields where their names stand beside it.
pub(super) const INVALID: &str = "Request validation failed.";

/// Seconds after which to try again when the service is away.
const RETRY_UNAVAILABLE: u64 = 2;

/// A refused request, before it has an envelope: [`super::finish`] renders it in that of its path.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Option<FieldErrors>,
    pub(crate) allow: Option<String>,
    /// How to authenticate, where that is what is wrong.
    pub(crate) challenge: Challenge,
    /// A bearer token was sent, and refused.
    pub(crate) token_refused: bool,
    pub(crate) retry_after: Option<u64>,
    /// The bucket that refused, shown instead of the route's.
    pub(crate) standing: Option<Standing>,
    /// What is to be paid, where that is what is wrong.
    pub(crate) payment: Option<Box<PaymentRequired>>,
    /// For the log only.
    pub(crate) cause: Option<String>,
    /// The page that tells of it, where pages do. Its form may hold the token of a link.
    pub(crate) page: Option<SecretString>,
    /// In which form it is told, where that is not the one of the path.
    pub(super) told_in: Option<Envelope>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status)
    }
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: None,
            allow: None,
            challenge: Challenge::Bearer,
            token_refused: false,
            retry_after: None,
            standing: None,
            payment: None,
            cause: None,
            page: None,
            told_in: None,
        }
    }

    /// The refusal that an error of the flows becomes. What is our own fault says nothing of its
    /// cause; that goes to the log.
    pub(crate) fn of(error: impl Classify) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => return Self::unavailable(causes(&error)),
            _ => return Self::internal(causes(&error)),
        };
        let mut refusal = Self::new(status, error.code(), error.to_string());
        refusal.fields = error.fields().cloned();
        refusal
    }

    /// The same of an error that may be a full bucket's, which is then shown.
    pub(crate) fn of_limited(error: impl Limited, now: Instant) -> Self {
        match error.standing() {
            Some(standing) => Self::rate_limited(error.to_string(), standing, now),
            None => Self::of(error),
        }
    }

    /// The same refusal of a route that wants this credential.
    pub(crate) fn challenging(mut self, challenge: Challenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// The same refusal, told by a page whatever its path is.
    pub(crate) fn on_a_page(mut self) -> Self {
        self.told_in = Some(Envelope::Html);
        self
    }

    /// What is wrong, in a surface that has no place for details.
    pub(super) fn told(&self) -> String {
        match &self.fields {
            Some(fields) if self.message == INVALID => {
                let told: Vec<_> =
                    fields.iter().map(|(name, why)| format!("{name} {why}")).collect();
                format!("{}.", told.join("; "))
            }
            _ => self.message.clone(),
        }
    }

    pub(crate) fn malformed(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::VALIDATION_ERROR, why)
    }

    fn rate_limited(message: String, standing: Standing, now: Instant) -> Self {
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, codes::RATE_LIMITED, message);
        refusal.retry_after = Some(standing.retry_after(now));
        refusal.standing = Some(standing);
        refusal
    }

    pub(crate) fn unavailable(cause: impl Into<String>) -> Self {
        let message = "The service is temporarily unavailable. Try again shortly.";
        let mut refusal =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, codes::SERVICE_UNAVAILABLE, message);
        refusal.retry_after = Some(RETRY_UNAVAILABLE);
        refusal.cause = Some(cause.into());
        refusal
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let message = "Something went wrong on our side. The request id names the log entry.";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut refusal = Self::new(status, codes::INTERNAL_ERROR, message);
        refusal.cause = Some(cause.into());
        refusal
    }

    /// What an answer that no handler of ours gave becomes.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(status, codes::NOT_FOUND, "No such path."),
            StatusCode::REQUEST_TIMEOUT => Self::new(
                status,
                codes::REQUEST_TIMEOUT,
                "The request body did not arrive in time.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, codes::PAYLOAD_TOO_LARGE, "The body is over 64 KiB.")
            }
            status if status.is_client_error() => Self::malformed("The request is malformed."),
            status => Self::internal(format!("an answer with status {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_the_page_is_not_in_debug() {
        let mut refusal = Refusal::malformed("no");
        refusal.page = Some(SecretString::from("<input type=\"hidden\" value=\"uvt_secret\">"));
        let debug = format!("{refusal:?}");
        assert!(debug.contains("validation_error") && !debug.contains("uvt_"), "{debug}");
    }
}
