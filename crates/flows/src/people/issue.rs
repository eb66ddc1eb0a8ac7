use portcullis_identity::User;
use portcullis_kernel::{Instant, Origin, SessionId};
use portcullis_limits::AddressKey;
use portcullis_tokens::{
    IssuedAccessToken, PageToken, RefreshRow, RefreshToken, Session, SignError, Subject,
};

use crate::{Engine, Fault};

/// What a signed-in client holds.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: IssuedAccessToken,
    /// The refresh token; shown once.
    pub refresh: RefreshToken,
}

/// A user who just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// Their tokens.
    pub tokens: Tokens,
}

/// A session that is ready to be stored.
pub(super) struct NewSession {
    pub(super) session: Session,
    pub(super) first: RefreshRow,
}

/// A new session and whose it is.
pub(super) struct Hold<'a> {
    pub(super) user: &'a User,
    pub(super) known_here: bool,
    pub(super) new: &'a NewSession,
}

/// The address that a user is remembered to have signed in from.
pub(super) fn address_of(origin: &Origin) -> Option<String> {
    origin.client.map(|client| AddressKey::from(client).to_string())
}

impl Engine {
    /// A session of a client that holds tokens, and the tokens.
    pub(super) fn new_session(
        &self,
        user: &User,
        origin: &Origin,
        now: Instant,
    ) -> Result<(NewSession, Tokens), Fault> {
        let policy = &self.options.refresh;
        let id = SessionId::generate(self.entropy.as_ref())?;
        let session = Session::begin(id, user.id, origin, now + policy.absolute, now);
        let refresh = RefreshToken::generate(self.entropy.as_ref())?;
        let first = policy.row(&refresh, &session, 0, now);
        let access = self.access_token(user, id, now)?;
        Ok((NewSession { session, first }, Tokens { access, refresh }))
    }

    /// A session of a browser on the pages, and what it holds.
    pub(super) fn new_page_session(
        &self,
        user: &User,
        origin: &Origin,
        now: Instant,
    ) -> Result<(NewSession, PageToken), Fault> {
        let id = SessionId::generate(self.entropy.as_ref())?;
        let ends = now + self.options.page_session;
        let session = Session::begin(id, user.id, origin, ends, now);
        let token = PageToken::generate(self.entropy.as_ref())?;
        let first = RefreshRow {
            digest: token.digest(),
            session: id,
            generation: 0,
            issued_at: now,
            expires_at: ends,
            used_at: None,
            raced_at: None,
        };
        Ok((NewSession { session, first }, token))
    }

    pub(super) fn access_token(
        &self,
        user: &User,
        session: SessionId,
        now: Instant,
    ) -> Result<IssuedAccessToken, SignError> {
        let subject = Subject {
            user: user.id,
            email: user.email.as_str(),
            role: user.role.as_str(),
            session,
        };
        self.options.access.issue(&self.keys.current(), &subject, now, self.entropy.as_ref())
    }
}
