use crate::FieldErrors;

/// What kind of refusal an error is; every surface maps it to its own status and envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller sent something that cannot be accepted.
    InvalidInput,
    /// No credential, or one that is refused.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// No such thing, or none that the caller may know of.
    NotFound,
    /// It clashes with what exists.
    Conflict,
    /// It existed and is over.
    Gone,
    /// No credit.
    PaymentRequired,
    /// Over a limit.
    RateLimited,
    /// A dependency is away, or too much waits; worth trying again.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// Gives an error its kind and its stable code.
pub trait Classify: std::error::Error {
    /// The kind, from which a surface takes the status.
    fn kind(&self) -> ErrorKind;

    /// The stable code, one of [`crate::codes`].
    fn code(&self) -> &'static str;

    /// Every broken field, when the input was at fault.
    fn fields(&self) -> Option<&FieldErrors> {
        None
    }
}
