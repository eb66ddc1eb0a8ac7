use portcullis_identity::User;
use portcullis_kernel::{Instant, SessionId, StoreError};
use portcullis_storage::StorageExt;
use portcullis_tokens::InvalidJwt;

use crate::{Engine, Fault, error::classify, keys::OpenKeysError};

/// A user whose access token was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, as stored now.
    pub user: User,
    /// The session of the token.
    pub session: SessionId,
}

/// Why a bearer token was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// None was sent.
    #[error("An access token is required.")]
    Missing,
    /// It is not one of ours, has expired, or its session is over.
    #[error("The access token is invalid or expired.")]
    Refused,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AuthenticateError {
    Self::Missing | Self::Refused => (Unauthenticated, UNAUTHORIZED),
} via { Fault });

impl Engine {
    /// Accepts a person's access token if it is ours, its session lives and its user may act.
    ///
    /// # Errors
    /// [`AuthenticateError`].
    pub fn authenticate(&self, token: &str) -> Result<Caller, AuthenticateError> {
        let now = self.now();
        let policy = &self.options.access;
        let verified = match policy.verify(&self.keys.current(), token, now) {
            // Another instance may have begun to sign with a key that this one has not read yet.
            Err(InvalidJwt::UnknownKey) if self.reread_keys(now)? => {
                policy.verify(&self.keys.current(), token, now)
            }
            verified => verified,
        };
        let (user, session) = verified.map_err(|_| AuthenticateError::Refused)?;
        let caller = self.storage.read(|uow| -> Result<Option<Caller>, StoreError> {
            let live = uow.sessions().find_live(session, now)?;
            if live.is_none_or(|live| live.user != user) {
                return Ok(None);
            }
            let user = uow.users().find(user)?.filter(User::is_active);
            Ok(user.map(|user| Caller { user, session }))
        });
        caller.map_err(Fault::from)?.ok_or(AuthenticateError::Refused)
    }

    /// Reads the keys anew unless that was done within the last second; says whether it was done.
    /// While the database is away a new key cannot be told from none, so that is a fault.
    fn reread_keys(&self, now: Instant) -> Result<bool, Fault> {
        if self.keys_read_at().is_some_and(|at| now - at < time::Duration::SECOND) {
            return Ok(false);
        }
        match self.reload_keys() {
            Ok(()) => Ok(true),
            Err(OpenKeysError::Fault(fault)) => Err(fault),
            Err(_) => Ok(false),
        }
    }
}
