use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Instant, Origin, Scopes, StoreResult};
use portcullis_registration::{Decision, Registration};
use portcullis_storage::StorageExt;

use super::{ClaimError, PresentedView, attempt::open};
use crate::{Engine, Fault};

/// What a person is shown of an agent that wants to be claimed. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimView {
    /// The registration.
    pub registration: Registration,
    /// What the agent may do now; nothing when it has no key yet.
    pub scopes: Option<Scopes>,
    /// What it may do once it is claimed.
    pub post_claim_scopes: Scopes,
    /// Until when a code that was mailed works, and to which address it went.
    pub attempt: Option<(String, Instant)>,
}

/// What a person says with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nothing more.
    No,
    /// That an operator should look at the agent.
    Yes,
}

impl Engine {
    /// What the person behind a claim link is shown. Changes nothing.
    ///
    /// # Errors
    /// [`ClaimError::InvalidToken`], [`ClaimError::AlreadyClaimed`] and [`ClaimError::Denied`].
    pub fn view_claim(&self, token: &PresentedView) -> Result<ClaimView, ClaimError> {
        let view = token.0.as_ref().ok_or(ClaimError::InvalidToken)?.digest();
        let now = self.now();
        let found = self.storage.read(|uow| -> StoreResult<_> {
            let Some(found) = uow.registrations().find_by_view(&view)? else { return Ok(None) };
            let attempt = uow.registrations().attempt(found.id)?;
            Ok(Some((found, attempt)))
        })?;
        let (found, attempt) = found.ok_or(ClaimError::InvalidToken)?;
        let registration = open(Some(found), now)?;
        let options = &self.options.agent_registration;
        let attempt = attempt.filter(|it| it.stands(options.code_tries, now));
        Ok(ClaimView {
            scopes: registration.kind.address().is_none().then(|| options.pre_claim_scopes.clone()),
            post_claim_scopes: options.post_claim_scopes.clone(),
            attempt: attempt.map(|it| (it.email, it.expires_at)),
            registration,
        })
    }

    /// Notes that a person says an agent is not theirs: it can no longer be claimed. A key that it has
    /// goes on working.
    ///
    /// # Errors
    /// [`ClaimError::InvalidToken`], [`ClaimError::AlreadyClaimed`] and [`ClaimError::Denied`].
    pub fn deny_claim(
        &self,
        token: &PresentedView,
        report: Report,
        origin: &Origin,
    ) -> Result<(), ClaimError> {
        let view = token.0.as_ref().ok_or(ClaimError::InvalidToken)?.digest();
        let now = self.now();
        let event = self.event(Action::ClaimDenied, Actor::Anonymous, origin, now);
        let event = event.map_err(Fault::from)?;
        let event = match report {
            Report::Yes => event.with_detail("reported"),
            Report::No => event,
        };
        let agent = self.storage.transact(|uow| {
            let registration = open(uow.registrations().lock_by_view(&view)?, now)?;
            if !uow.registrations().decide(registration.id, &Decision::Deny, now)? {
                return Err(ClaimError::AlreadyClaimed);
            }
            uow.audit().append(&event.clone().about_agent(registration.agent))?;
            Ok(registration.agent)
        })?;
        if report == Report::Yes {
            self.alarm
                .raise("a person reported an agent that wanted to be claimed", &Reported(agent));
        }
        Ok(())
    }
}

/// An agent that a person reported.
#[derive(Debug, thiserror::Error)]
#[error("{0}: see `portcullis agents`, where it can be suspended")]
struct Reported(portcullis_kernel::AgentId);
