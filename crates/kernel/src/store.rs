use crate::{Classify, ErrorKind, codes};

/// What a storage adapter answers with.
pub type StoreResult<T> = Result<T, StoreError>;

/// The unique keys whose breaking a flow wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UniqueKey {
    /// Two users with one address.
    UserEmail,
    /// Two signing keys of one purpose with one generation: another rotation was faster.
    SigningKeyGeneration,
    /// A key that should never collide, such as a random id.
    Other,
}

/// Why a storage adapter could not do what it was asked.
///
/// The source is for the log; no text of it ever reaches a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique key is taken.
    #[error("a unique key is taken: {0:?}")]
    Conflict(UniqueKey),
    /// Another transaction was in the way; the same work may succeed when tried again.
    #[error("another transaction was in the way")]
    Contention(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database cannot be reached, or gave no answer in time.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else: a statement the database refused, a row that cannot be read.
    #[error("the database refused a statement or holds a row that cannot be read")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Classify for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Contention(_) | Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Conflict(_) | Self::Failed(_) => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Unavailable => codes::SERVICE_UNAVAILABLE,
            _ => codes::INTERNAL_ERROR,
        }
    }
}
