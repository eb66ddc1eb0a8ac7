use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, PasswordHash};
use portcullis_email::{Asked, Content};
use portcullis_identity::User;
use portcullis_kernel::{ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString};
use portcullis_limits::Standing;
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{
    Caller,
    mailed::{MailedTokenError, PresentedToken, spend},
    password::PasswordError,
};
use crate::{Engine, Fault, Invalid, Limited, error::classify};

const KIND: MailedKind = MailedKind::DeleteAccount;

/// The wish to erase one's account, as it came in.
#[derive(Clone, Debug, Default)]
pub struct DeleteAccount {
    /// The account's password, if it has one.
    pub password: Field<SecretString>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The account is erased.
    Done,
    /// The account has no password: a link to confirm went to its address.
    Mailed,
}

/// Why an account was not erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(DeleteError {} via { Invalid, Password, Fault });

impl Limited for DeleteError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Password(error) => error.standing(),
            _ => None,
        }
    }
}

impl Engine {
    /// Judges the wish to erase the caller's account.
    ///
    /// # Errors
    /// [`DeleteError`]; `Invalid` when the account has a password and none was given.
    pub fn check_deletion(
        &self,
        caller: &Caller,
        input: DeleteAccount,
    ) -> Result<Option<SecretString>, DeleteError> {
        let mut errors = FieldErrors::default();
        let password = errors.optional("password", input.password, Ok::<_, &str>);
        Invalid::or(errors, Some(()))?;
        let id = caller.user.id;
        let hash = self.storage.read(|uow| uow.passwords().find(id)).map_err(Fault::from)?;
        if hash.is_none() {
            return Ok(None);
        }
        let mut errors = FieldErrors::default();
        if password.is_none() {
            errors.add("password", "is required");
        }
        Ok(Some(Invalid::or(errors, password)?))
    }

    /// Erases the caller's account, with everything that belongs to it. Without a password a link to
    /// confirm is mailed. Hashes a password.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_account(
        &self,
        caller: &Caller,
        password: Option<SecretString>,
        origin: &Origin,
    ) -> Result<Deletion, DeleteError> {
        let now = self.now();
        let Some(password) = password else {
            return self.mail_deletion(caller, origin, now);
        };
        let presented = password.expose_secret();
        let checked = self.confirm_password(&caller.user, presented, origin, now)?;
        let erased = self.storage.transact(|uow| {
            let Some(user) = deletable(uow, caller, Some(&checked), now)? else {
                return Ok(false);
            };
            self.erase_own(uow, &user, origin, now)?;
            Ok::<_, Fault>(true)
        })?;
        if erased { Ok(Deletion::Done) } else { Err(PasswordError::Gone.into()) }
    }

    /// Erases an account by the link that was mailed.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn confirm_deletion(
        &self,
        token: &PresentedToken,
        origin: &Origin,
    ) -> Result<(), MailedTokenError> {
        let now = self.now();
        let found = self.look_at(KIND, token, now)?;
        let (token, _) = found.ok_or(MailedTokenError::InvalidToken)?;
        let erased = self.storage.transact(|uow| {
            let Some(user) = spend(uow, &token, now)? else { return Ok(false) };
            self.erase_own(uow, &user, origin, now)?;
            Ok::<_, Fault>(true)
        })?;
        if erased { Ok(()) } else { Err(MailedTokenError::InvalidToken) }
    }

    /// The account that a link would erase. Changes nothing.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn preview_deletion(&self, token: &PresentedToken) -> Result<User, MailedTokenError> {
        let found = self.look_at(KIND, token, self.now())?;
        found.map(|(_, user)| user).ok_or(MailedTokenError::InvalidToken)
    }

    fn mail_deletion(
        &self,
        caller: &Caller,
        origin: &Origin,
        now: Instant,
    ) -> Result<Deletion, DeleteError> {
        let asked = Asked::by(origin, now);
        let mailed = self.storage.transact(|uow| {
            let Some(user) = deletable(uow, caller, None, now)? else { return Ok(false) };
            // The mail carries a key to the account, like one that resets a password.
            if self.allows_reset(uow, user.email.as_str(), now)? {
                self.mint(KIND, &user, asked.clone(), now)?.store(uow)?;
            }
            let event = self.event(Action::DeletionAsked, Actor::User(user.id), origin, now)?;
            uow.audit().append(&event.in_session(caller.session))?;
            Ok::<_, Fault>(true)
        })?;
        if mailed { Ok(Deletion::Mailed) } else { Err(PasswordError::Gone.into()) }
    }

    fn erase_own(
        &self,
        uow: &mut dyn UnitOfWork,
        user: &User,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        self.erase(uow, user, now)?;
        if user.is_verified() {
            let expires_at = now + self.options.mailed.notice;
            let asked = Asked::by(origin, now);
            let mut mail =
                self.mail_to(user, Content::AccountDeleted {}, asked, now, expires_at)?;
            // The account is gone; only this is still told.
            mail.user = None;
            uow.outbox().insert(&mail)?;
        }
        let origin = origin.without_client();
        let event = self.event(Action::UserDeleted, Actor::User(user.id), &origin, now)?;
        Ok(uow.audit().append(&event)?)
    }
}

/// The caller's account, held, if it is still what it was when its password was checked.
fn deletable(
    uow: &mut dyn UnitOfWork,
    caller: &Caller,
    checked: Option<&PasswordHash>,
    now: Instant,
) -> Result<Option<User>, Fault> {
    let id = caller.user.id;
    let Some(user) = uow.users().lock(id)?.filter(User::is_active) else { return Ok(None) };
    let same = uow.passwords().find(id)?.as_ref() == checked;
    let live = uow.sessions().find_live(caller.session, now)?.is_some();
    Ok(Some(user).filter(|_| same && live))
}
