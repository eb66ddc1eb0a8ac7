use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, MailedToken, Password, PasswordHash};
use portcullis_email::{Asked, Content};
use portcullis_identity::User;
use portcullis_kernel::{ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{
    issue::address_of,
    mailed::{MailedTokenError, PresentedToken, read_mailed_token, spend},
    password::personal,
};
use crate::{Engine, Fault, Invalid, error::classify};

const KIND: MailedKind = MailedKind::ResetPassword;

/// A new password and the token that lets it be set, as they came in.
#[derive(Clone, Debug, Default)]
pub struct ResetPassword {
    /// The token.
    pub token: Field<SecretString>,
    /// The new password.
    pub password: Field<SecretString>,
}

/// A reset that keeps every rule that can be judged without the account.
#[derive(Debug)]
pub struct PasswordReset {
    token: PresentedToken,
    password: Password,
}

/// Why no password was set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The input breaks a rule; the token is still good.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The token.
    #[error(transparent)]
    Token(#[from] MailedTokenError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ResetError {} via { Invalid, Token, Fault });

impl Engine {
    /// Judges a reset. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`Invalid`] names every broken field.
    pub fn check_reset(&self, input: ResetPassword) -> Result<PasswordReset, Invalid> {
        let mut errors = FieldErrors::default();
        let policy = self.options.password;
        let token = read_mailed_token(&mut errors, KIND, input.token);
        let password = errors.required("password", input.password, |raw| policy.accept(raw, &[]));
        let reset = token.zip(password).map(|(token, password)| PasswordReset { token, password });
        Invalid::or(errors, reset)
    }

    /// Whether a token would let a password be set. Changes nothing.
    ///
    /// # Errors
    /// [`MailedTokenError`].
    pub fn preview_reset(&self, token: &PresentedToken) -> Result<User, MailedTokenError> {
        let found = self.look_at(KIND, token, self.now())?;
        found.map(|(_, user)| user).ok_or(MailedTokenError::InvalidToken)
    }

    /// Sets a password by a mailed token, which is good once: the mailbox is proven, every session of
    /// the user ends. Hashes a password, when the token is good.
    ///
    /// # Errors
    /// [`ResetError`].
    pub fn reset_password(&self, reset: PasswordReset, origin: &Origin) -> Result<(), ResetError> {
        let now = self.now();
        let found = self.look_at(KIND, &reset.token, now)?;
        let (token, user) = found.ok_or(MailedTokenError::InvalidToken)?;
        let password = self.judge_by_owner(reset.password, &user)?;
        let hash = self.hasher.hash(&password, self.entropy.as_ref()).map_err(Fault::from)?;
        let done =
            self.storage.transact(|uow| self.store_reset(uow, &token, &hash, origin, now))?;
        if done { Ok(()) } else { Err(MailedTokenError::InvalidToken.into()) }
    }

    /// Judges a new password by what is known of its owner.
    fn judge_by_owner(&self, password: Password, user: &User) -> Result<Password, Invalid> {
        let raw: SecretString = password.expose_secret().into();
        let mut errors = FieldErrors::default();
        let accepted = errors.required("password", Field::Given(raw), |raw| {
            self.options.password.accept(raw, &personal(user))
        });
        Invalid::or(errors, accepted)
    }

    fn store_reset(
        &self,
        uow: &mut dyn UnitOfWork,
        token: &MailedToken,
        hash: &PasswordHash,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let Some(mut user) = spend(uow, token, now)? else { return Ok(false) };
        let asked = Asked::by(origin, now);
        let before = user.clone();
        let planted = prove_mailbox(uow, &mut user, now)?;
        uow.passwords().put(user.id, hash, now)?;
        uow.sessions().end_all(user.id, None, now)?;
        // Whoever had the password may have signed in from somewhere. Who proved the mailbox just now is
        // known where they did, or strangers could shut them out of what they got back.
        uow.known_addresses().forget(user.id)?;
        if let Some(address) = address_of(origin) {
            uow.known_addresses().touch(user.id, &address, now)?;
        }
        if !tell_reclaimed(self, uow, &before, &user, planted, asked.clone(), now)? {
            self.notify(uow, &user, Content::PasswordChanged {}, asked, now)?;
        }
        let event = self.event(Action::PasswordReset, Actor::User(user.id), origin, now)?;
        uow.audit().append(&event)?;
        Ok(true)
    }
}

/// Notes that somebody proved the mailbox of a [locked](portcullis_storage::UserRepository::lock)
/// account by something that the account itself did not ask for. If the address was never proven
/// before, whoever opened the account may be a stranger to the mailbox: the password and every
/// session go. Says whether there was a password to take away.
pub(crate) fn prove_mailbox(
    uow: &mut dyn UnitOfWork,
    user: &mut User,
    now: Instant,
) -> Result<bool, Fault> {
    let mut planted = false;
    if !user.is_verified() {
        planted = uow.passwords().remove(user.id)?;
        uow.sessions().end_all(user.id, None, now)?;
        uow.known_addresses().forget(user.id)?;
        user.verify_email(now);
        uow.users().update(user)?;
    }
    uow.email_changes().remove(user.id)?;
    for kind in MailedKind::ALL {
        uow.mailed_tokens().remove(user.id, kind)?;
    }
    Ok(planted)
}

/// Tells the owner of a mailbox that somebody else had opened the account on it; not where an operator
/// had. Says whether that is so.
pub(crate) fn tell_reclaimed(
    engine: &Engine,
    uow: &mut dyn UnitOfWork,
    before: &User,
    user: &User,
    planted: bool,
    asked: Asked,
    now: Instant,
) -> Result<bool, Fault> {
    let opened_from = before.opened_from.clone();
    if !planted || opened_from.is_none() {
        return Ok(false);
    }
    let opened_at = before.created_at;
    let content = Content::AccountReclaimed { opened_at, opened_from, token: None };
    engine.notify(uow, user, content, asked, now)?;
    Ok(true)
}
