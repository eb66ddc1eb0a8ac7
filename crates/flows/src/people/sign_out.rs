use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Field, Origin, SecretString};
use portcullis_storage::StorageExt;

use super::{Caller, refresh::read_token};
use crate::{Engine, Fault, Invalid, error::classify};

/// A sign-out as it came in.
#[derive(Clone, Debug, Default)]
pub struct SignOut {
    /// A refresh token of the session to end.
    pub refresh_token: Field<SecretString>,
}

/// Why a sign-out was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignOutError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(SignOutError {} via { Invalid, Fault });

impl Engine {
    /// Ends the session of the token, used or not, if it is the caller's own. A token that is
    /// unknown or somebody else's changes nothing and is told so to nobody.
    ///
    /// # Errors
    /// [`SignOutError`].
    pub fn sign_out(
        &self,
        caller: &Caller,
        input: SignOut,
        origin: &Origin,
    ) -> Result<(), SignOutError> {
        let Some(token) = read_token(input.refresh_token)? else { return Ok(()) };
        let now = self.now();
        let user = caller.user.id;
        let event =
            self.event(Action::SignedOut, Actor::User(user), origin, now).map_err(Fault::from)?;
        self.storage.transact(|uow| -> Result<(), Fault> {
            let Some(state) = uow.sessions().find_token(&token.digest())? else { return Ok(()) };
            if uow.sessions().end(state.session.id, user, now)? {
                uow.audit().append(&event.clone().in_session(state.session.id))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
