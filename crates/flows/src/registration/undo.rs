use portcullis_audit::{Action, Actor};
use portcullis_identity::Agent;
use portcullis_kernel::{Instant, Origin, StoreError, StoreResult, TokenDigest};
use portcullis_storage::{AsStoreError, StorageExt, UnitOfWork};

use super::PresentedUndo;
use crate::{Engine, Fault, agents::strip_agent, error::classify};

/// Why a claim was not undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// The token is unknown, expired or used.
    #[error("The link is invalid, expired or already used.")]
    InvalidToken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(UndoError { Self::InvalidToken => (Unauthenticated, INVALID_TOKEN), } via { Fault });

impl From<StoreError> for UndoError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl AsStoreError for UndoError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            Self::InvalidToken => None,
        }
    }
}

impl Engine {
    /// The agent that a link would take from its owner. Changes nothing.
    ///
    /// # Errors
    /// [`UndoError`].
    pub fn preview_undo(&self, token: &PresentedUndo) -> Result<Agent, UndoError> {
        let undo = token.0.as_ref().ok_or(UndoError::InvalidToken)?.digest();
        let now = self.now();
        let found = self.storage.read(|uow| -> StoreResult<_> {
            match uow.registrations().find_by_undo(&undo, now)? {
                Some(found) => uow.agents().find(found.agent),
                None => Ok(None),
            }
        })?;
        found.ok_or(UndoError::InvalidToken)
    }

    /// Takes a claimed agent from its owner and every credential from the agent, by the link in the mail
    /// that told of the claim. A link is good once.
    ///
    /// # Errors
    /// [`UndoError`]; nothing is then changed.
    pub fn undo_claim(&self, token: &PresentedUndo, origin: &Origin) -> Result<(), UndoError> {
        let undo = token.0.as_ref().ok_or(UndoError::InvalidToken)?.digest();
        let now = self.now();
        self.storage.transact(|uow| self.store_undo(uow, &undo, origin, now))
    }

    fn store_undo(
        &self,
        uow: &mut dyn UnitOfWork,
        undo: &TokenDigest,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), UndoError> {
        let registration = uow.registrations().lock_by_undo(undo, now)?;
        let registration = registration.ok_or(UndoError::InvalidToken)?;
        let agent = uow.agents().lock(registration.agent)?.ok_or(UndoError::InvalidToken)?;
        if !uow.registrations().forget_undo(registration.id)? {
            return Err(UndoError::InvalidToken);
        }
        let id = agent.id;
        strip_agent(uow, agent, now)?;
        let event = self.event(Action::ClaimUndone, Actor::Anonymous, origin, now);
        uow.audit().append(&event.map_err(Fault::from)?.about_agent(id))?;
        Ok(())
    }
}
