use portcullis_audit::{Action, Actor};
use portcullis_identity::{Role, User};
use portcullis_kernel::{Field, FieldErrors, Origin, SecretString, StoreError, UniqueKey, UserId};
use portcullis_storage::StorageExt;

use crate::{Engine, Fault, Invalid, account::NewAccount, error::classify};

/// An account as an operator wants it.
#[derive(Clone, Debug, Default)]
pub struct CreateUser {
    /// The e-mail address.
    pub email: Field<String>,
    /// The password; an account without one can be signed in to once its owner sets one.
    pub password: Field<SecretString>,
    /// The name shown to others.
    pub display_name: Field<String>,
    /// The role; `user` when absent.
    pub role: Field<String>,
    /// The operator vouches for the address.
    pub email_verified: bool,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateUserError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// An account with the address exists.
    #[error("An account with this email already exists.")]
    EmailTaken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(CreateUserError { Self::EmailTaken => (Conflict, CONFLICT), } via { Invalid, Fault });

impl Engine {
    /// Makes an account. Hashes a password when one is given.
    ///
    /// # Errors
    /// [`CreateUserError`]; nothing is then stored.
    pub fn create_user(
        &self,
        input: CreateUser,
        actor: Actor,
        origin: &Origin,
    ) -> Result<User, CreateUserError> {
        let now = self.now();
        let entropy = self.entropy.as_ref();
        let mut errors = FieldErrors::default();
        let role = errors.optional("role", input.role, |raw| raw.parse::<Role>());
        let account =
            self.judge_account(&mut errors, input.email, input.display_name, input.password);
        let NewAccount { email, display_name, password } = Invalid::or(errors, account)?;
        let hash = password.map(|password| self.hasher.hash(&password, entropy)).transpose();
        let hash = hash.map_err(Fault::from)?;
        let id = UserId::generate(now, entropy).map_err(Fault::from)?;
        let mut user = User::registered(id, email, display_name, now);
        user.email_verified_at = input.email_verified.then_some(now);
        let lifted = if input.email_verified { Role::VerifiedUser } else { Role::User };
        user.role = role.unwrap_or(lifted);
        let event = self
            .event(Action::UserCreated, actor, origin, now)
            .map_err(Fault::from)?
            .about(id)
            .with_detail(user.role.as_str());
        let stored = self.storage.transact(|uow| -> Result<(), StoreError> {
            uow.users().insert(&user)?;
            if let Some(hash) = &hash {
                uow.passwords().put(id, hash, now)?;
            }
            uow.audit().append(&event)
        });
        match stored {
            Ok(()) => Ok(user),
            Err(StoreError::Conflict(UniqueKey::UserEmail)) => Err(CreateUserError::EmailTaken),
            Err(error) => Err(Fault::from(error).into()),
        }
    }
}
