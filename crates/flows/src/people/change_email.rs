use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, PasswordHash, PlainCode};
use portcullis_email::{Asked, Content, Letter, OutboxEntry, Parcel};
use portcullis_identity::{EmailAddress, EmailChange, User};
use portcullis_kernel::{
    EmailChangeId, ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString, StoreError,
    UniqueKey,
};
use portcullis_limits::Standing;
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{Caller, password::PasswordError};
use crate::{Engine, Fault, Invalid, Limited, error::classify};

/// A change of address as it came in.
#[derive(Clone, Debug, Default)]
pub struct ChangeEmail {
    /// The new address.
    pub email: Field<String>,
    /// The account's password.
    pub password: Field<SecretString>,
}

/// A change of address that keeps every rule.
#[derive(Debug)]
pub struct AddressChange {
    email: EmailAddress,
    password: SecretString,
}

/// Why no change of address was begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeEmailError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Accounts here have addresses of certain domains.
    #[error("Accounts here have addresses of certain domains only.")]
    DomainRefused,
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ChangeEmailError {
    Self::DomainRefused => (Forbidden, FORBIDDEN),
} via { Invalid, Password, Fault });

impl Limited for ChangeEmailError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Password(error) => error.standing(),
            _ => None,
        }
    }
}

/// The code of a change of address as it came in.
#[derive(Clone, Debug, Default)]
pub struct ConfirmEmail {
    /// Six digits.
    pub code: Field<SecretString>,
}

/// Why an address was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmEmailError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Wrong, expired, tried too often, or asked for in another session.
    #[error("The code is wrong, expired or was tried too often.")]
    InvalidCode,
    /// Another account took the address in the meantime.
    #[error("An account with this email already exists.")]
    EmailTaken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ConfirmEmailError {
    Self::InvalidCode => (Unauthenticated, INVALID_TOKEN),
    Self::EmailTaken => (Conflict, CONFLICT),
} via { Invalid, Fault });

/// A change that is ready to be stored, and the code for the new address.
struct Begun {
    change: EmailChange,
    code: PlainCode,
    checked: PasswordHash,
    asked: Asked,
}

impl Engine {
    /// Judges a change of the caller's address. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`ChangeEmailError`].
    pub fn check_email_change(
        &self,
        caller: &Caller,
        input: ChangeEmail,
    ) -> Result<AddressChange, ChangeEmailError> {
        let mut errors = FieldErrors::default();
        let rules = self.options.email;
        let email = errors.required("email", input.email, |raw| EmailAddress::parse(&raw, rules));
        let password = errors.required("password", input.password, Ok::<_, &str>);
        if email.as_ref().is_some_and(|email| *email == caller.user.email) {
            errors.add("email", "is the address of this account already");
        }
        let change = email.zip(password).map(|(email, password)| AddressChange { email, password });
        let change = Invalid::or(errors, change)?;
        if !self.options.registration.admits(&change.email) {
            return Err(ChangeEmailError::DomainRefused);
        }
        Ok(change)
    }

    /// Begins a change of address: a code goes to the new one, a notice to the old. Does the same when
    /// the new one is taken, and tells its owner so in the mail. Hashes a password.
    ///
    /// # Errors
    /// [`ChangeEmailError`].
    pub fn change_email(
        &self,
        caller: &Caller,
        change: AddressChange,
        origin: &Origin,
    ) -> Result<(), ChangeEmailError> {
        let now = self.now();
        let presented = change.password.expose_secret();
        let checked = self.confirm_password(&caller.user, presented, origin, now)?;
        let entropy = self.entropy.as_ref();
        let code = PlainCode::generate(entropy).map_err(Fault::from)?;
        let id = EmailChangeId::generate(entropy).map_err(Fault::from)?;
        let change = EmailChange {
            id,
            user: caller.user.id,
            session: caller.session,
            email: change.email,
            code: self.pepper.mac(&id.to_string(), &code),
            tries: 0,
            created_at: now,
            expires_at: now + self.options.mailed.code,
        };
        let begun = Begun { change, code, checked, asked: Asked::by(origin, now) };
        let stored = self
            .storage
            .transact(|uow| self.store_email_change(uow, caller, &begun, origin, now))?;
        if stored { Ok(()) } else { Err(PasswordError::Gone.into()) }
    }

    fn store_email_change(
        &self,
        uow: &mut dyn UnitOfWork,
        caller: &Caller,
        begun: &Begun,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let id = caller.user.id;
        let Some(user) = uow.users().lock(id)?.filter(User::is_active) else { return Ok(false) };
        let same = uow.passwords().find(id)?.is_some_and(|hash| hash == begun.checked);
        if !same || uow.sessions().find_live(caller.session, now)?.is_none() {
            return Ok(false);
        }
        let holder = uow.users().find_by_email(begun.change.email.as_str())?;
        uow.email_changes().put(&begun.change)?;
        if self.allows_verification(uow, begun.change.email.as_str(), now)? {
            uow.outbox().insert(&self.mail_of_change(begun, holder.as_ref(), now)?)?;
        } else {
            // A code that is mailed to nobody is nobody's to guess.
            uow.email_changes().remove(id)?;
        }
        self.notify(uow, &user, Content::EmailChangeAsked {}, begun.asked.clone(), now)?;
        let event = self.event(Action::EmailChangeAsked, Actor::User(id), origin, now)?;
        uow.audit().append(&event.in_session(caller.session))?;
        Ok(true)
    }

    /// The mail to the new address: the code, or, where it is somebody's already, that it is.
    fn mail_of_change(
        &self,
        begun: &Begun,
        holder: Option<&User>,
        now: Instant,
    ) -> Result<OutboxEntry, Fault> {
        let change = &begun.change;
        let (to, content) = if let Some(holder) = holder {
            (&holder.email, Content::NewEmailTaken {})
        } else {
            let code = begun.code.clone().into_secret().into();
            let expires_at = change.expires_at;
            (&change.email, Content::ConfirmNewEmail { code, expires_at })
        };
        let to = to.delivery().to_owned();
        let parcel = Parcel::Letter(Letter { to, asked: begun.asked.clone(), content });
        let mut mail = self.mail(&parcel, now, change.expires_at)?;
        mail.change = Some(change.id);
        mail.user = Some(change.user);
        Ok(mail)
    }

    /// Changes the caller's address with the code that went to the new one, and gives the user as it
    /// is then. A try is counted before it is judged.
    ///
    /// # Errors
    /// [`ConfirmEmailError`].
    pub fn confirm_email(
        &self,
        caller: &Caller,
        input: ConfirmEmail,
        origin: &Origin,
    ) -> Result<User, ConfirmEmailError> {
        let mut errors = FieldErrors::default();
        let code = errors.required("code", input.code, |raw| {
            if raw.expose_secret().is_empty() { Err("must not be empty") } else { Ok(raw) }
        });
        let code = Invalid::or(errors, code.map(PlainCode::parse))?;
        let code = code.ok_or(ConfirmEmailError::InvalidCode)?;
        let now = self.now();
        let stored = self.storage.transact(|uow| self.try_code(uow, caller, &code, origin, now));
        match stored {
            Ok(user) => user.ok_or(ConfirmEmailError::InvalidCode),
            Err(Fault::Store(StoreError::Conflict(UniqueKey::UserEmail))) => {
                Err(ConfirmEmailError::EmailTaken)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// What is published is the count of the try, and with a right code the new address.
    fn try_code(
        &self,
        uow: &mut dyn UnitOfWork,
        caller: &Caller,
        code: &PlainCode,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<User>, Fault> {
        let (id, session) = (caller.user.id, caller.session);
        let Some(mut user) = uow.users().lock(id)?.filter(User::is_active) else {
            return Ok(None);
        };
        if uow.sessions().find_live(session, now)?.is_none() {
            return Ok(None);
        }
        let most = self.options.mailed.code_tries;
        let Some(change) = uow.email_changes().take_try(id, session, most, now)? else {
            return Ok(None);
        };
        let event =
            self.event(Action::EmailChanged, Actor::User(id), origin, now)?.in_session(session);
        if !self.pepper.verify(&change.id.to_string(), code, &change.code) {
            uow.audit().append(&event.failed().with_detail("code"))?;
            return Ok(None);
        }
        let before = user.clone();
        user.change_email(change.email, now);
        uow.users().update(&user)?;
        uow.email_changes().remove(id)?;
        // What was mailed to the old address proves nothing of the new one.
        for kind in MailedKind::ALL {
            uow.mailed_tokens().remove(id, kind)?;
        }
        self.notify(uow, &before, Content::EmailChanged {}, Asked::by(origin, now), now)?;
        uow.audit().append(&event)?;
        Ok(Some(user))
    }
}
