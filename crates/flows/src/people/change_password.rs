use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, Password, PasswordHash};
use portcullis_email::{Asked, Content};
use portcullis_kernel::{ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{
    Caller,
    issue::address_of,
    password::{PasswordError, personal},
};
use crate::{Engine, Fault, Invalid};

/// A change of password as it came in.
#[derive(Clone, Debug, Default)]
pub struct ChangePassword {
    /// The password so far.
    pub current: Field<SecretString>,
    /// The password from now on.
    pub new: Field<SecretString>,
}

/// A change of password that keeps every rule.
#[derive(Debug)]
pub struct PasswordChange {
    current: SecretString,
    new: Password,
}

/// What became of a change that was to be stored.
enum Stored {
    Done,
    /// Another change was faster.
    WasChanged,
    /// The session or the account is over.
    Gone,
}

impl Engine {
    /// Judges a change of the caller's password. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`Invalid`] names every broken field.
    pub fn check_password_change(
        &self,
        caller: &Caller,
        input: ChangePassword,
    ) -> Result<PasswordChange, Invalid> {
        let mut errors = FieldErrors::default();
        let policy = self.options.password;
        let current = errors.required("current_password", input.current, Ok::<_, &str>);
        let new = errors
            .required("new_password", input.new, |raw| policy.accept(raw, &personal(&caller.user)));
        let change = current.zip(new).map(|(current, new)| PasswordChange { current, new });
        Invalid::or(errors, change)
    }

    /// Changes the caller's password: every other session ends, and the owner is told. Hashes twice.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn change_password(
        &self,
        caller: &Caller,
        change: PasswordChange,
        origin: &Origin,
    ) -> Result<(), PasswordError> {
        let now = self.now();
        let presented = change.current.expose_secret();
        let checked = self.confirm_password(&caller.user, presented, origin, now)?;
        let hash = self.hasher.hash(&change.new, self.entropy.as_ref()).map_err(Fault::from)?;
        let stored = self.storage.transact(|uow| {
            self.store_password_change(uow, caller, (&checked, &hash), origin, now)
        })?;
        match stored {
            Stored::Done => Ok(()),
            Stored::WasChanged => Err(PasswordError::Wrong),
            Stored::Gone => Err(PasswordError::Gone),
        }
    }

    fn store_password_change(
        &self,
        uow: &mut dyn UnitOfWork,
        caller: &Caller,
        (checked, hash): (&PasswordHash, &PasswordHash),
        origin: &Origin,
        now: Instant,
    ) -> Result<Stored, Fault> {
        let id = caller.user.id;
        let Some(user) = uow.users().lock(id)?.filter(portcullis_identity::User::is_active) else {
            return Ok(Stored::Gone);
        };
        if uow.sessions().find_live(caller.session, now)?.is_none() {
            return Ok(Stored::Gone);
        }
        if !uow.passwords().replace(id, checked, hash, now)? {
            return Ok(Stored::WasChanged);
        }
        uow.sessions().end_all(id, Some(caller.session), now)?;
        uow.email_changes().remove(id)?;
        uow.mailed_tokens().remove(id, MailedKind::ResetPassword)?;
        // Whoever else had the password may have signed in from somewhere.
        uow.known_addresses().forget(id)?;
        if let Some(address) = address_of(origin) {
            uow.known_addresses().touch(id, &address, now)?;
        }
        self.notify(uow, &user, Content::PasswordChanged {}, Asked::by(origin, now), now)?;
        let event = self.event(Action::PasswordChanged, Actor::User(id), origin, now)?;
        uow.audit().append(&event.in_session(caller.session))?;
        Ok(Stored::Done)
    }
}
