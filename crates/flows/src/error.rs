use portcullis_credentials::HashError;
use portcullis_kernel::{Classify, EntropyError, ErrorKind, FieldErrors, StoreError, codes};
use portcullis_limits::Standing;
use portcullis_storage::AsStoreError;
use portcullis_tokens::{SealError, SignError};

/// Something on this side failed; the cause is for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source of random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Hashing.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Signing.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Sealing or opening a mail.
    #[error("a mail cannot be sealed or opened: {0}")]
    Seal(#[from] SealError),
    /// Writing or reading a mail's facts.
    #[error("a mail's facts cannot be written or read: {0}")]
    Facts(#[from] serde_json::Error),
}

impl Classify for Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            // Before the first key is made, and nothing else: worth trying again.
            Self::Sign(SignError::NoActiveKey) => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Unavailable => codes::SERVICE_UNAVAILABLE,
            _ => codes::INTERNAL_ERROR,
        }
    }
}

impl AsStoreError for Fault {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// Input that breaks a rule; names every broken field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Request validation failed.")]
pub struct Invalid(pub FieldErrors);

impl Invalid {
    /// The value when nothing is broken, else every broken field.
    pub(crate) fn or<T>(errors: FieldErrors, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Self(errors)),
        }
    }
}

impl Classify for Invalid {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn code(&self) -> &'static str {
        codes::VALIDATION_ERROR
    }

    fn fields(&self) -> Option<&FieldErrors> {
        Some(&self.0)
    }
}

/// An error that may be the refusal of a bucket.
pub trait Limited: Classify {
    /// The standing of the bucket that refused, if one did.
    fn standing(&self) -> Option<Standing>;
}

/// Implements [`Classify`] for a use case's error: its own variants, then those that wrap another.
macro_rules! classify {
    ($error:ident { $($variant:pat => ($kind:ident, $code:ident),)* } via { $($wrapped:ident),* }) => {
        impl portcullis_kernel::Classify for $error {
            fn kind(&self) -> portcullis_kernel::ErrorKind {
                match self {
                    $($variant => portcullis_kernel::ErrorKind::$kind,)*
                    $(Self::$wrapped(inner) => inner.kind(),)*
                }
            }

            fn code(&self) -> &'static str {
                match self {
                    $($variant => portcullis_kernel::codes::$code,)*
                    $(Self::$wrapped(inner) => inner.code(),)*
                }
            }

            fn fields(&self) -> Option<&portcullis_kernel::FieldErrors> {
                match self {
                    $(Self::$wrapped(inner) => inner.fields(),)*
                    #[allow(unreachable_patterns)] // where every variant wraps another
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use classify;
