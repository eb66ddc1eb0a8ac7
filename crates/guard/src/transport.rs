use std::pin::Pin;

use http::{Request, Response};

/// The most bytes of an answer that are read.
pub const MOST_BYTES: usize = 64 * 1024;

/// An answer on its way.
pub type Answering =
    Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, TransportError>> + Send>>;

/// What carries questions to the auth server: [`HttpsClient`](crate::HttpsClient), or a client that a
/// service has already.
///
/// It must check the server's certificate, follow no redirect, and give up on a body of more than
/// [`MOST_BYTES`]. How long an answer may take is the guard's to say: it drops a future that takes more than
/// 5 seconds. URLs are https, or http to a loopback address.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole answer.
    fn send(&self, request: Request<Vec<u8>>) -> Answering;
}

/// There is no answer: the server was not reached, or said what is no HTTP or too much of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(String);

impl TransportError {
    /// An error with this cause, for the log.
    pub fn new(cause: impl ToString) -> Self {
        Self(cause.to_string())
    }
}
