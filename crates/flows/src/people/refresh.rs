use portcullis_audit::{Action, Actor};
use portcullis_identity::User;
use portcullis_kernel::{Field, FieldErrors, Instant, Origin, SecretString, SessionId};
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
        let rotated =
            self.storage.transact(|uow| self.rotate(uow, &token, &successor, origin, now))?;
        let (user, session) = rotated.ok_or(RefreshError::InvalidToken)?;
        // Signed after the commit: no key operation inside a transaction.
        let access = self.access_token(&user, session, now).map_err(Fault::from)?;
        Ok(Tokens { access, refresh: successor })
    }

    /// The user and session for whom the token was rotated; `None` when it was refused.
    fn rotate(
        &self,
        uow: &mut dyn UnitOfWork,
        token: &RefreshToken,
        successor: &RefreshToken,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<(User, SessionId)>, Fault> {
        let policy = &self.options.refresh;
        let digest = token.digest();
        let Some(mut state) = uow.sessions().find_token(&digest)? else {
            return Ok(None);
        };
        if state.judge(policy, now) == Judgement::Rotate {
            let user = uow.users().find(state.session.user)?.filter(User::is_active);
            let Some(user) = user else { return Ok(None) };
            if uow.sessions().spend(&digest, now)? {
                let row = policy.row(successor, &state.session, state.token.generation + 1, now);
                let advanced = uow.sessions().advance(&row, now)?;
                return Ok(advanced.then_some((user, state.session.id)));
            }
            // Somebody else was faster since it was read: judge what is there now.
            let Some(fresh) = uow.sessions().find_token(&digest)? else {
                return Ok(None);
            };
            state = fresh;
        }
        match state.judge(policy, now) {
            Judgement::Raced => self.note_race(uow, &state, policy, origin, now)?,
            Judgement::Replayed => self.end_replayed(uow, &state, policy, origin, now)?,
            Judgement::Rotate | Judgement::Dead => {}
        }
        Ok(None)
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
