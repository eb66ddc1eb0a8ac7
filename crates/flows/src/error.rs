use portcullis_credentials::HashError;
use portcullis_kernel::{Classify, EntropyError, ErrorKind, FieldErrors, StoreError, codes};
use portcullis_storage::AsStoreError;
use portcullis_tokens::SignError;

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
}

impl Classify for Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            // Before the first key is made, and nothing else: worth trying again.
            Self::Sign(SignError::NoActiveKey) => ErrorKind::Unavailable,
            Self::Entropy(_) | Self::Hash(_) | Self::Sign(_) => ErrorKind::Internal,
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
            Self::Entropy(_) | Self::Hash(_) | Self::Sign(_) => None,
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
