use portcullis_audit::{Action, Actor};
use portcullis_credentials::Password;
use portcullis_identity::{DisplayName, EmailAddress, User};
use portcullis_kernel::{Field, FieldErrors, Origin, SecretString, StoreError, UniqueKey, UserId};
use portcullis_storage::StorageExt;

use super::{SignedIn, issue::address_of};
use crate::{Engine, Fault, Invalid, error::classify};

/// A registration as it came in.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// The e-mail address.
    pub email: Field<String>,
    /// The password.
    pub password: Field<SecretString>,
    /// The name shown to others.
    pub display_name: Field<String>,
}

/// A registration that keeps every rule.
#[derive(Debug)]
pub struct Registration {
    pub(crate) email: EmailAddress,
    pub(crate) password: Password,
    pub(crate) display_name: Option<DisplayName>,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// An account with the address exists.
    #[error("An account with this email already exists.")]
    EmailTaken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RegisterError { Self::EmailTaken => (Conflict, CONFLICT), } via { Fault });

impl Engine {
    /// Judges a registration. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`Invalid`] names every broken field.
    pub fn check_registration(&self, input: Register) -> Result<Registration, Invalid> {
        let mut errors = FieldErrors::default();
        if matches!(input.password, Field::Absent) {
            errors.add("password", "is required");
        }
        let account =
            self.judge_account(&mut errors, input.email, input.display_name, input.password);
        let registration = account.and_then(|account| {
            let (email, display_name) = (account.email, account.display_name);
            account.password.map(|password| Registration { email, password, display_name })
        });
        Invalid::or(errors, registration)
    }

    /// Makes an account and signs its owner in. Hashes a password.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is then stored.
    pub fn register(
        &self,
        registration: Registration,
        origin: &Origin,
    ) -> Result<SignedIn, RegisterError> {
        let now = self.now();
        let Registration { email, password, display_name } = registration;
        let taken = self.storage.read(|uow| uow.users().find_by_email(email.as_str()));
        if taken.map_err(Fault::from)?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        let entropy = self.entropy.as_ref();
        let hash = self.hasher.hash(&password, entropy).map_err(Fault::from)?;
        let id = UserId::generate(now, entropy).map_err(Fault::from)?;
        let user = User::registered(id, email, display_name, now);
        let new = self.new_session(&user, origin, now)?;
        let event = self
            .event(Action::UserRegistered, Actor::User(user.id), origin, now)
            .map_err(Fault::from)?
            .in_session(new.session.id);
        let stored = self.storage.transact(|uow| -> Result<(), StoreError> {
            uow.users().insert(&user)?;
            uow.passwords().put(user.id, &hash, now)?;
            uow.sessions().insert(&new.session, &new.first)?;
            if let Some(address) = address_of(origin) {
                uow.known_addresses().touch(user.id, &address, now)?;
            }
            uow.audit().append(&event)
        });
        match stored {
            Ok(()) => Ok(SignedIn { user, tokens: new.tokens }),
            Err(StoreError::Conflict(UniqueKey::UserEmail)) => Err(RegisterError::EmailTaken),
            Err(error) => Err(Fault::from(error).into()),
        }
    }
}
