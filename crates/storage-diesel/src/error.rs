use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind as Kind, Error};
use portcullis_kernel::{StoreError, UniqueKey};

/// What a dialect knows of its own error texts. diesel passes no SQLSTATE and no result code on.
pub(crate) struct Texts {
    pub(crate) unique_key: fn(&dyn DatabaseErrorInformation) -> UniqueKey,
    /// Parts of messages, and what they mean.
    pub(crate) parts: &'static [(&'static str, Meaning)],
}

/// What an error says about the statement and about the connection it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Another transaction was in the way.
    Contention,
    /// The database took too long; the connection is well.
    TooSlow,
    /// The database cannot work, or the connection is gone.
    Down,
}

/// A statement's error, for the caller; and whether the connection may be used again.
pub(crate) struct Verdict {
    pub(crate) error: StoreError,
    pub(crate) reusable: bool,
}

/// Judges a statement's error. Whatever is not understood costs the connection.
pub(crate) fn judge(error: Error, texts: &Texts) -> Verdict {
    let meaning = match &error {
        Error::DatabaseError(Kind::UniqueViolation, info) => {
            let key = (texts.unique_key)(info.as_ref());
            return Verdict { error: StoreError::Conflict(key), reusable: true };
        }
        Error::DatabaseError(
            Kind::ForeignKeyViolation
            | Kind::NotNullViolation
            | Kind::CheckViolation
            | Kind::RestrictViolation
            | Kind::ExclusionViolation,
            _,
        ) => return Verdict { error: StoreError::Failed(Box::new(error)), reusable: true },
        Error::DatabaseError(Kind::SerializationFailure, _) => Some(Meaning::Contention),
        // A primary that became a standby: a new connection may reach the new primary.
        Error::DatabaseError(
            Kind::ClosedConnection | Kind::UnableToSendCommand | Kind::ReadOnlyTransaction,
            _,
        )
        | Error::BrokenTransactionManager => Some(Meaning::Down),
        Error::DatabaseError(_, info) => {
            let says = |(part, _): &&(&str, Meaning)| info.message().contains(part);
            texts.parts.iter().find(says).map(|(_, meaning)| *meaning)
        }
        _ => None,
    };
    let source = Box::new(error);
    match meaning {
        Some(Meaning::Contention) => {
            Verdict { error: StoreError::Contention(source), reusable: true }
        }
        Some(Meaning::TooSlow) => {
            Verdict { error: StoreError::Unavailable(source), reusable: true }
        }
        Some(Meaning::Down) => Verdict { error: StoreError::Unavailable(source), reusable: false },
        None => Verdict { error: StoreError::Failed(source), reusable: false },
    }
}
