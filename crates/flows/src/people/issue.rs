use portcullis_identity::User;
use portcullis_kernel::{Instant, Origin, SessionId};
use portcullis_limits::AddressKey;
use portcullis_tokens::{IssuedAccessToken, RefreshRow, RefreshToken, Session, SignError, Subject};

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

/// A session that is ready to be stored, and what its client will hold.
pub(super) struct NewSession {
    pub(super) session: Session,
    pub(super) first: RefreshRow,
    pub(super) tokens: Tokens,
}

/// The address that a user is remembered to have signed in from.
pub(super) fn address_of(origin: &Origin) -> Option<String> {
    origin.client.map(|client| AddressKey::from(client).to_string())
}

impl Engine {
    pub(super) fn new_session(
        &self,
        user: &User,
        origin: &Origin,
        now: Instant,
    ) -> Result<NewSession, Fault> {
        let policy = &self.options.refresh;
        let id = SessionId::generate(self.entropy.as_ref())?;
        let session = Session::begin(id, user.id, origin, now + policy.absolute, now);
        let refresh = RefreshToken::generate(self.entropy.as_ref())?;
        let first = policy.row(&refresh, &session, 0, now);
        let access = self.access_token(user, id, now)?;
        Ok(NewSession { session, first, tokens: Tokens { access, refresh } })
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
