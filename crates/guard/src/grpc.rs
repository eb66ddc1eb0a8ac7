//! Refusals as a client of gRPC reads them. See "gRPC over HTTP2", "Responses", and the meaning of
//! each code in "Status codes and their use in gRPC", both of the gRPC documentation.

use http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};

use crate::{Reason, Refusal};

const TYPE: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request is a call of gRPC. One of gRPC-Web is not: its clients read HTTP's status.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let Some((start, rest)) = sent.split_at_checked(TYPE.len()) else { return false };
    start.eq_ignore_ascii_case(TYPE.as_bytes()) && matches!(rest.first(), None | Some(b'+' | b';'))
}

impl Refusal {
    /// The status code of gRPC.
    pub fn grpc_code(&self) -> u8 {
        match self.reason() {
            // UNAUTHENTICATED
            Reason::Missing | Reason::Invalid => 16,
            // PERMISSION_DENIED
            Reason::InsufficientScope => 7,
            // FAILED_PRECONDITION: not to be tried again before somebody has paid.
            Reason::PaymentRequired => 9,
            // ALREADY_EXISTS
            Reason::Conflict => 6,
            // UNAVAILABLE
            Reason::Unavailable => 14,
            // INTERNAL
            Reason::NoCredentials => 13,
        }
    }

    /// The whole answer to a call of gRPC: status 200 and no body, as the protocol wants it, with
    /// code and message in headers besides those of the [refusal](Self::headers), which a client
    /// reads as metadata.
    pub fn to_grpc<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.clone_from(self.headers());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
        headers.insert(STATUS, HeaderValue::from(u16::from(self.grpc_code())));
        // Printable ASCII without `%`, so nothing is to be encoded.
        headers.insert(MESSAGE, HeaderValue::from_static(self.reason().told()));
        response
    }
}

#[cfg(feature = "tonic")]
impl From<Refusal> for tonic::Status {
    fn from(refusal: Refusal) -> Self {
        let metadata = tonic::metadata::MetadataMap::from_headers(refusal.headers().clone());
        Self::with_metadata(
            i32::from(refusal.grpc_code()).into(),
            refusal.reason().told(),
            metadata,
        )
    }
}

#[cfg(feature = "tonic")]
impl From<crate::Unguarded> for tonic::Status {
    fn from(mistake: crate::Unguarded) -> Self {
        tracing::error!("{mistake}");
        Self::internal("this service has a fault, which is in its log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_their_type() {
        for (sent, is_one) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC;x", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, sent.parse().unwrap())]);
            assert_eq!(is_call(&headers), is_one, "{sent}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }
}
