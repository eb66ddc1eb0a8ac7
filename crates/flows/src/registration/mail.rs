use portcullis_audit::{Action, Actor};
use portcullis_email::{ClaimCode, Content, OutboxEntry, Request};
use portcullis_identity::{EmailAddress, User};
use portcullis_kernel::{ClaimAttemptId, Instant};
use portcullis_registration::{ClaimAttempt, Registration};
use portcullis_storage::UnitOfWork;

use super::attempt::open;
use crate::{Engine, Fault};

impl Engine {
    /// Makes the letter that tells a code, or nothing when nobody with the address could claim by it, or
    /// another attempt took its place. Locks in the order of all: the registration, then the user.
    pub(crate) fn fulfil_claim_code(
        &self,
        uow: &mut dyn UnitOfWork,
        entry: &OutboxEntry,
        asked_for: &Request,
        now: Instant,
    ) -> Result<(), Fault> {
        let found = match &asked_for.claim {
            Some(claim) => self.find_to_tell(uow, claim, now)?,
            None => None,
        };
        let user = match &found {
            Some((_, attempt, _)) => holder(uow, attempt)?,
            None => None,
        };
        // Whoever took the request after this one decides.
        if !uow.outbox().remove(entry.id, entry.attempts)? {
            return Ok(());
        }
        let Some((registration, attempt, claim)) = found else { return Ok(()) };
        let typed = EmailAddress::from_stored(attempt.email.clone(), attempt.delivery.clone());
        if user.is_none() && !self.may_have_account(&typed) {
            return Ok(());
        }
        let to = user.as_ref().map_or(&typed, |user| &user.email);
        let content = Content::ClaimCode {
            agent: registration.agent.to_string(),
            asked_from: registration.asked_from.clone(),
            scopes: self.options.agent_registration.post_claim_scopes.to_string(),
            code: claim.code.clone(),
            expires_at: attempt.expires_at,
        };
        let (asked, expires_at) = (asked_for.asked.clone(), attempt.expires_at);
        let mut mail =
            self.mail_for_agent(registration.agent, to, content, asked, now, expires_at)?;
        mail.user = user.as_ref().map(|user| user.id);
        mail.claim = Some(attempt.id);
        uow.outbox().insert(&mail)?;
        let origin = asked_for.asked.origin();
        let event = self.event(Action::ClaimCodeSent, Actor::Anonymous, &origin, now)?;
        Ok(uow.audit().append(&event.about_agent(registration.agent))?)
    }

    /// The registration and attempt that a code is for, while it is worth telling.
    fn find_to_tell<'c>(
        &self,
        uow: &mut dyn UnitOfWork,
        claim: &'c ClaimCode,
        now: Instant,
    ) -> Result<Option<(Registration, ClaimAttempt, &'c ClaimCode)>, Fault> {
        let Ok(id) = claim.attempt.parse::<ClaimAttemptId>() else { return Ok(None) };
        let Some(registration) = uow.registrations().lock_by_attempt(id)? else { return Ok(None) };
        let attempt = uow.registrations().attempt(registration.id)?;
        let most = self.options.agent_registration.code_tries;
        let told = attempt.filter(|it| it.id == id && it.is_alive(most, now));
        let Ok(registration) = open(Some(registration), now) else { return Ok(None) };
        Ok(told.map(|attempt| (registration, attempt, claim)))
    }
}

/// The user whose mailbox it is, held against change: mail goes to the stored form of the address.
fn holder(uow: &mut dyn UnitOfWork, attempt: &ClaimAttempt) -> Result<Option<User>, Fault> {
    let Some(found) = uow.users().find_by_email(&attempt.email)? else { return Ok(None) };
    let held = uow.users().lock(found.id)?;
    Ok(held.filter(|user| user.email.as_str() == attempt.email))
}
