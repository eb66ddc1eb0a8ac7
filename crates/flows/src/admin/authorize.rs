use portcullis_audit::Actor;
use portcullis_identity::Role;

use crate::{error::classify, people::Caller};

/// Why somebody may not do what administrators do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// They lack the role.
    #[error("Only administrators may do this.")]
    NotAdmin,
}

classify!(AuthorizeError { Self::NotAdmin => (Forbidden, FORBIDDEN), } via {});

/// Judges whether a signed-in user may administer other accounts, by their role as it is stored now,
/// not as their token tells it; gives the actor under whom it is written down.
///
/// # Errors
/// [`AuthorizeError`].
pub fn authorize_admin(caller: &Caller) -> Result<Actor, AuthorizeError> {
    match caller.user.role {
        Role::Admin => Ok(Actor::User(caller.user.id)),
        Role::Guest | Role::User | Role::VerifiedUser | Role::Host => Err(AuthorizeError::NotAdmin),
    }
}
