use portcullis_identity::User;
use portcullis_kernel::{Instant, SessionId, StoreError};
use portcullis_storage::StorageExt;
use portcullis_tokens::{InvalidJwt, KeySet, PersonToken};

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
        let token = self.verify_person_token(token, now)?.ok_or(AuthenticateError::Refused)?;
        let (user, session) = (token.user, token.session);
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

    /// A token that is signed by us and has not expired; what else makes it good is not asked.
    pub(crate) fn verify_person_token(
        &self,
        token: &str,
        now: Instant,
    ) -> Result<Option<PersonToken>, Fault> {
        let policy = &self.options.access;
        self.with_fresh_keys(now, |keys| policy.verify(keys, token, now))
    }

    /// Verifies a token by the keys at hand, and by those stored now where that may help: another
    /// instance may have begun to sign with a key that this one has not read yet.
    pub(crate) fn with_fresh_keys<T>(
        &self,
        now: Instant,
        verify: impl Fn(&KeySet) -> Result<T, InvalidJwt>,
    ) -> Result<Option<T>, Fault> {
        let verified = match verify(&self.keys.current()) {
            Err(InvalidJwt::UnknownKey) if self.reread_keys(now)? => verify(&self.keys.current()),
            verified => verified,
        };
        Ok(verified.ok())
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
