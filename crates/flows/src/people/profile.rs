use portcullis_audit::{Action, Actor};
use portcullis_identity::{DisplayName, User};
use portcullis_kernel::{Field, FieldErrors, Origin};
use portcullis_storage::StorageExt;

use super::Caller;
use crate::{Engine, Fault, Invalid, error::classify};

/// A change of the profile as it came in.
#[derive(Clone, Debug, Default)]
pub struct UpdateProfile {
    /// The name shown to others: absent leaves it, `Some(None)` clears it.
    pub display_name: Option<Field<String>>,
}

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The account was erased a moment ago.
    #[error("The access token is invalid or expired.")]
    Gone,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ProfileError { Self::Gone => (Unauthenticated, UNAUTHORIZED), } via { Invalid, Fault });

impl Engine {
    /// Changes the caller's own profile and gives the user as it is then.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn update_profile(
        &self,
        caller: Caller,
        input: UpdateProfile,
        origin: &Origin,
    ) -> Result<User, ProfileError> {
        let Some(field) = input.display_name else { return Ok(caller.user) };
        let mut errors = FieldErrors::default();
        let name = errors.optional("display_name", field, |raw| DisplayName::parse(&raw));
        Invalid::or(errors, Some(()))?;
        let mut user = caller.user;
        let now = self.now();
        let event = self
            .event(Action::ProfileChanged, Actor::User(user.id), origin, now)
            .map_err(Fault::from)?
            .in_session(caller.session);
        let found = self.storage.transact(|uow| -> Result<bool, Fault> {
            let found = uow.users().set_display_name(user.id, name.as_ref())?;
            if found && user.display_name != name {
                uow.audit().append(&event)?;
            }
            Ok(found)
        })?;
        if !found {
            return Err(ProfileError::Gone);
        }
        user.display_name = name;
        Ok(user)
    }
}
