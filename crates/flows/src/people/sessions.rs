use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Origin, SessionId};
use portcullis_storage::StorageExt;
use portcullis_tokens::Session;

use super::Caller;
use crate::{Engine, Fault, error::classify};

/// One of a user's live sessions, as shown to them.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// It is the one that asks.
    pub current: bool,
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The caller has no live session with this id.
    #[error("No such session.")]
    NotFound,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(SessionError { Self::NotFound => (NotFound, NOT_FOUND), } via { Fault });

impl Engine {
    /// The caller's live sessions, the last used first.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Fault> {
        let now = self.now();
        let sessions = self.storage.read(|uow| uow.sessions().list_live(caller.user.id, now))?;
        let view =
            |session: Session| SessionView { current: session.id == caller.session, session };
        Ok(sessions.into_iter().map(view).collect())
    }

    /// Ends one of the caller's sessions, the one that asks included.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] when it is not the caller's, not live, or not an id at all.
    pub fn end_session(
        &self,
        caller: &Caller,
        id: &str,
        origin: &Origin,
    ) -> Result<(), SessionError> {
        let id: SessionId = id.parse().map_err(|_| SessionError::NotFound)?;
        let (now, user) = (self.now(), caller.user.id);
        let event = self
            .event(Action::SessionEnded, Actor::User(user), origin, now)
            .map_err(Fault::from)?
            .in_session(id);
        let ended = self.storage.transact(|uow| -> Result<bool, Fault> {
            let ended = uow.sessions().end(id, user, now)?;
            if ended {
                uow.audit().append(&event)?;
            }
            Ok(ended)
        })?;
        if ended { Ok(()) } else { Err(SessionError::NotFound) }
    }

    /// Ends all of the caller's sessions but the one that asks; says how many.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn end_other_sessions(&self, caller: &Caller, origin: &Origin) -> Result<u64, Fault> {
        let (now, user) = (self.now(), caller.user.id);
        let event = self
            .event(Action::OtherSessionsEnded, Actor::User(user), origin, now)?
            .in_session(caller.session);
        self.storage.transact(|uow| {
            let ended = uow.sessions().end_all(user, Some(caller.session), now)?;
            if ended > 0 {
                uow.audit().append(&event)?;
            }
            Ok(ended)
        })
    }
}
