use portcullis_credentials::{MailedKind, MailedToken, PlainMailedToken};
use portcullis_identity::User;
use portcullis_kernel::{ExposeSecret, Field, FieldErrors, Instant, SecretString, StoreResult};
use portcullis_storage::{StorageExt, UnitOfWork};

use crate::{Engine, Fault, Invalid, error::classify};

/// A mailed token as it came in.
#[derive(Clone, Debug, Default)]
pub struct PresentToken {
    /// The token.
    pub token: Field<SecretString>,
}

/// A token that somebody presented; it holds none when the text cannot be one.
#[derive(Clone, Debug)]
pub struct PresentedToken(Option<PlainMailedToken>);

/// Why nothing was done with a mailed token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailedTokenError {
    /// Unknown, expired or used, or the account is no longer what it was mailed for.
    #[error("The token is invalid, expired or already used.")]
    InvalidToken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(MailedTokenError {
    Self::InvalidToken => (Unauthenticated, INVALID_TOKEN),
} via { Fault });

impl PresentToken {
    /// The presented token, which may be a text that was never issued as one of this kind.
    ///
    /// # Errors
    /// [`Invalid`] when the field is missing, empty or not a string.
    pub fn check(self, kind: MailedKind) -> Result<PresentedToken, Invalid> {
        let mut errors = FieldErrors::default();
        let token = read_mailed_token(&mut errors, kind, self.token);
        Invalid::or(errors, token)
    }
}

/// A token is opaque: missing, empty or not a string is broken input, any other shape is unknown.
pub(super) fn read_mailed_token(
    errors: &mut FieldErrors,
    kind: MailedKind,
    field: Field<SecretString>,
) -> Option<PresentedToken> {
    errors.required("token", field, |raw| {
        if raw.expose_secret().is_empty() {
            return Err("must not be empty");
        }
        Ok(PresentedToken(PlainMailedToken::parse(kind, raw)))
    })
}

impl Engine {
    /// The stored token and its user, if both are good for something. Only reads.
    pub(super) fn look_at(
        &self,
        kind: MailedKind,
        token: &PresentedToken,
        now: Instant,
    ) -> Result<Option<(MailedToken, User)>, Fault> {
        let Some(token) = &token.0 else { return Ok(None) };
        Ok(self.storage.read(|uow| -> StoreResult<_> {
            let Some(token) = uow.mailed_tokens().find(kind, &token.digest(), now)? else {
                return Ok(None);
            };
            let user = uow.users().find(token.user)?;
            Ok(user.filter(|user| fits(&token, user)).map(|user| (token, user)))
        })?)
    }
}

/// Spends a token for the user it was mailed to, who is held against change from then on. `None` when
/// somebody else was faster, or the account is no longer what the token was mailed for.
pub(super) fn spend(
    uow: &mut dyn UnitOfWork,
    token: &MailedToken,
    now: Instant,
) -> StoreResult<Option<User>> {
    spend_if(uow, token, now, |_| true)
}

/// The same, if the user is `wanted`; else the token stays what it is.
pub(super) fn spend_if(
    uow: &mut dyn UnitOfWork,
    token: &MailedToken,
    now: Instant,
    wanted: impl Fn(&User) -> bool,
) -> StoreResult<Option<User>> {
    let held = uow.users().lock(token.user)?;
    let Some(user) = held.filter(|user| fits(token, user) && wanted(user)) else {
        return Ok(None);
    };
    let spent = uow.mailed_tokens().spend(token.kind, &token.digest, now)?;
    Ok(Some(user).filter(|_| spent))
}

fn fits(token: &MailedToken, user: &User) -> bool {
    user.is_active() && user.email.as_str() == token.email
}
