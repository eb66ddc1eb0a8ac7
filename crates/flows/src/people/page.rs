use portcullis_identity::User;
use portcullis_kernel::{Instant, Origin, SecretString};
use portcullis_storage::StorageExt;
use portcullis_tokens::PageToken;

use super::{
    Caller, Registration, SessionError,
    register::RegisterError,
    sign_in::{SignInAttempt, SignInError},
};
use crate::{Engine, Fault};

/// A user who just signed in on the pages.
#[derive(Clone, Debug)]
pub struct PageSignedIn {
    /// The user.
    pub user: User,
    /// What their browser holds; shown once.
    pub token: PageToken,
    /// When the sign-in ends.
    pub expires_at: Instant,
}

impl Engine {
    /// Signs a user in on the pages: as [`sign_in`](Self::sign_in), for a browser. Hashes a password.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn sign_in_page(
        &self,
        attempt: SignInAttempt,
        origin: &Origin,
    ) -> Result<PageSignedIn, SignInError> {
        let now = self.now();
        self.sign_in_with(attempt, origin, now, |user| {
            let (new, token) = self.new_page_session(user, origin, now)?;
            let expires_at = new.session.expires_at;
            Ok((new, PageSignedIn { user: user.clone(), token, expires_at }))
        })
    }

    /// Makes an account and signs its owner in on the pages: as [`register`](Self::register), for a
    /// browser. Hashes a password.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is then stored.
    pub fn register_page(
        &self,
        registration: Registration,
        origin: &Origin,
    ) -> Result<PageSignedIn, RegisterError> {
        let now = self.now();
        self.register_with(registration, origin, now, |user| {
            let (new, token) = self.new_page_session(user, origin, now)?;
            let expires_at = new.session.expires_at;
            Ok((new, PageSignedIn { user: user.clone(), token, expires_at }))
        })
    }

    /// The user whose browser holds this token, if its session lives and they may act.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn authenticate_page(&self, cookie: SecretString) -> Result<Option<Caller>, Fault> {
        let Some(token) = PageToken::parse(cookie) else { return Ok(None) };
        let now = self.now();
        self.storage.read(|uow| {
            let Some(state) = uow.sessions().find_token(&token.digest())? else { return Ok(None) };
            let good = state.session.is_live(now)
                && state.token.used_at.is_none()
                && now < state.token.expires_at;
            if !good {
                return Ok(None);
            }
            let user = uow.users().find(state.session.user)?.filter(User::is_active);
            Ok(user.map(|user| Caller { user, session: state.session.id }))
        })
    }

    /// Ends the session of a browser. One that is over already is no error.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn sign_out_page(&self, caller: &Caller, origin: &Origin) -> Result<(), Fault> {
        match self.end_session(caller, &caller.session.to_string(), origin) {
            Ok(()) | Err(SessionError::NotFound) => Ok(()),
            Err(SessionError::Fault(fault)) => Err(fault),
        }
    }

    /// The token that forms carry in the browser that holds this cookie.
    pub fn form_token(&self, cookie: &str) -> String {
        self.forms.token(cookie)
    }

    /// Whether a form came from the browser that holds this cookie.
    pub fn is_own_form(&self, cookie: &str, token: &str) -> bool {
        self.forms.verify(cookie, token)
    }
}
