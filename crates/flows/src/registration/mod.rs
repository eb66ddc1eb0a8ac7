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

pub use attempt::{ClaimError, StartedClaim};
pub use complete::CompletedClaim;
pub use input::{
    ClaimInput, CompleteInput, PresentedClaim, PresentedUndo, PresentedView, SignUp, SignUpInput,
    StartClaim, ViewInput,
};
pub use sign_up::{SignUpError, SignedUp};
pub use undo::UndoError;
pub use view::{ClaimView, Report};
