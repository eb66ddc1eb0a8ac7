//! Agents that sign themselves up (the auth.md protocol), and people who claim them. The dialects of the
//! protocol differ in names and forms only, and call what stands here.

mod attempt;
mod complete;
mod expire;
mod input;
mod mail;
mod sign_up;
mod undo;
mod view;

use portcullis_kernel::{AgentId, StoreResult};
use portcullis_registration::Registration;
use portcullis_storage::UnitOfWork;

pub use attempt::{ClaimError, StartedClaim};
pub use complete::CompletedClaim;
pub use input::{
    ClaimInput, CompleteInput, PresentedClaim, PresentedUndo, PresentedView, SignUp, SignUpInput,
    StartClaim, ViewInput,
};
pub use sign_up::{SignUpError, SignedUp};
pub use undo::UndoError;
pub use view::{ClaimView, Report};

/// Holds the registration of an agent that signed itself up. Whoever holds both takes it first and the
/// agent after it, so that a claim and an erasure never wait for each other.
pub(crate) fn hold_registration(
    uow: &mut dyn UnitOfWork,
    agent: AgentId,
) -> StoreResult<Option<Registration>> {
    match uow.registrations().find_by_agent(agent)? {
        Some(found) => uow.registrations().lock_by_claim(&found.claim),
        None => Ok(None),
    }
}
