use portcullis_audit::{Action, Actor};
use portcullis_email::{Asked, Content};
use portcullis_identity::User;
use portcullis_kernel::{
    Field, FieldErrors, Instant, Origin, SecretString, SessionId, StoreResult,
};
use portcullis_storage::{StorageExt, UnitOfWork};
use portcullis_tokens::{
    Judgement, OnReplay, RefreshPolicy, RefreshState, RefreshToken, SignError,
};

use super::Tokens;
use crate::{Engine, Fault, Invalid, error::classify};

/// A refresh as it came in.
#[derive(Clone, Debug, Default)]
pub struct Refresh {
    /// The refresh token.
    pub refresh_token: Field<SecretString>,
}

/// Why no tokens were given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// Unknown, expired or used, or its session is over.
    #[error("The refresh token is invalid, expired or already used.")]
    InvalidToken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RefreshError { Self::InvalidToken => (Unauthenticated, INVALID_TOKEN), } via { Fault });

/// What became of a presented token.
enum Attempt {
    Rotated(User, SessionId),
    /// There is nothing more to do.
    Refused,
    /// It was used before: by an honest race, or by somebody else.
    Spent,
}

impl Refresh {
    /// The presented token; `None` for a text that was never issued as one.
    ///
    /// # Errors
    /// [`Invalid`] when the field is missing, empty or not a string.
    pub fn check(self) -> Result<Option<RefreshToken>, Invalid> {
        read_token(self.refresh_token)
    }
}

impl Engine {
    /// Rotates a refresh token. Of any number of calls with one token, one succeeds.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub fn refresh(
        &self,
        token: Option<RefreshToken>,
        origin: &Origin,
    ) -> Result<Tokens, RefreshError> {
        let token = token.ok_or(RefreshError::InvalidToken)?;
        // No token is spent for a client who could not be given another.
        if !self.can_sign() {
            return Err(Fault::from(SignError::NoActiveKey).into());
        }
        let now = self.now();
        let successor = RefreshToken::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        match self.rotate(&token, &successor, now)? {
            Attempt::Rotated(user, session) => {
                // Signed after the commit: no key operation inside a transaction.
                let access = self.access_token(&user, session, now).map_err(Fault::from)?;
                Ok(Tokens { access, refresh: successor })
            }
            Attempt::Refused => Err(RefreshError::InvalidToken),
            Attempt::Spent => {
                self.storage.transact(|uow| self.note_spent(uow, &token, origin, now))?;
                Err(RefreshError::InvalidToken)
            }
        }
    }

    /// What is read is only judged; one conditional write decides.
    fn rotate(
        &self,
        token: &RefreshToken,
        successor: &RefreshToken,
        now: Instant,
    ) -> Result<Attempt, Fault> {
        let policy = &self.options.refresh;
        let digest = token.digest();
        let found = self.storage.read(|uow| -> StoreResult<_> {
            let Some(state) = uow.sessions().find_token(&digest)? else { return Ok(None) };
            let user = match state.judge(policy, now) {
                Judgement::Rotate => uow.users().find(state.session.user)?,
                Judgement::Raced | Judgement::Replayed | Judgement::Dead => None,
            };
            Ok(Some((state, user.filter(User::is_active))))
        });
        let Some((state, user)) = found? else { return Ok(Attempt::Refused) };
        let Some(user) = user else {
            let spent = state.token.used_at.is_some() && state.session.is_live(now);
            return Ok(if spent { Attempt::Spent } else { Attempt::Refused });
        };
        let row = policy.row(successor, &state.session, state.token.generation + 1, now);
        let rotated = self.storage.statement(|uow| uow.sessions().rotate(&digest, &row, now))?;
        // Not rotated: somebody else was faster since it was read.
        Ok(if rotated { Attempt::Rotated(user, state.session.id) } else { Attempt::Spent })
    }

    /// Judges a spent token by what is stored now, and does what a race or a replay asks for.
    fn note_spent(
        &self,
        uow: &mut dyn UnitOfWork,
        token: &RefreshToken,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let policy = &self.options.refresh;
        let Some(state) = uow.sessions().find_token(&token.digest())? else { return Ok(()) };
        // In the order in which all lock: the user, whom a mail refers to, and then the session.
        if !uow.users().hold_active(state.session.user)? {
            return Ok(());
        }
        match state.judge(policy, now) {
            Judgement::Raced => self.note_race(uow, &state, policy, origin, now),
            Judgement::Replayed => self.end_replayed(uow, &state, policy, origin, now),
            Judgement::Rotate | Judgement::Dead => Ok(()),
        }
    }

    /// Counts a race once per token; too many within the period are a replay.
    fn note_race(
        &self,
        uow: &mut dyn UnitOfWork,
        state: &RefreshState,
        policy: &RefreshPolicy,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        if !uow.sessions().mark_raced(&state.token.digest, now)? {
            return Ok(());
        }
        let since = now - RefreshPolicy::RACE_PERIOD;
        let raced = uow.sessions().count_raced(state.session.id, since)?;
        if raced >= RefreshPolicy::RACES_TOO_MANY {
            return self.end_replayed(uow, state, policy, origin, now);
        }
        let event = self
            .event(Action::RefreshRaced, Actor::Anonymous, origin, now)?
            .failed()
            .about(state.session.user)
            .in_session(state.session.id);
        Ok(uow.audit().append(&event)?)
    }

    /// Ends what a replay ends (RFC 9700 §4.14.2), and says so once.
    fn end_replayed(
        &self,
        uow: &mut dyn UnitOfWork,
        state: &RefreshState,
        policy: &RefreshPolicy,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let (session, user) = (state.session.id, state.session.user);
        if !uow.sessions().end(session, user, now)? {
            return Ok(());
        }
        if policy.on_replay == OnReplay::User {
            uow.sessions().end_all(user, None, now)?;
        }
        let event = self
            .event(Action::RefreshReplayed, Actor::Anonymous, origin, now)?
            .failed()
            .about(user)
            .in_session(session);
        if let Some(user) = uow.users().find(user)? {
            let everywhere = policy.on_replay == OnReplay::User;
            let content = Content::RefreshReplayed { everywhere };
            self.notify(uow, &user, content, Asked::by(origin, now), now)?;
        }
        Ok(uow.audit().append(&event)?)
    }
}

/// A token is opaque: missing, empty or not a string is broken input, any other shape is unknown.
pub(super) fn read_token(field: Field<SecretString>) -> Result<Option<RefreshToken>, Invalid> {
    use portcullis_kernel::ExposeSecret as _;
    let mut errors = FieldErrors::default();
    let token = errors.required("refresh_token", field, |raw| {
        if raw.expose_secret().is_empty() { Err("must not be empty") } else { Ok(raw) }
    });
    Invalid::or(errors, token.map(RefreshToken::parse))
}
