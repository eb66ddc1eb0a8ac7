use std::cmp::Reverse;

use portcullis_audit::{Action, Actor};
use portcullis_credentials::MailedKind;
use portcullis_email::{Asked, OutboxEntry, Parcel, Request, RequestKind};
use portcullis_identity::{Agent, EmailAddress, User};
use portcullis_kernel::{Field, FieldErrors, Instant, Origin, codes};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use crate::{
    Engine, Fault, Invalid,
    agents::{InvalidInput, Judge},
    people::Caller,
};

/// Agents of one address that get a mail by one request.
const MOST_AGENTS: u32 = 5;

/// An address as it came in.
#[derive(Clone, Debug, Default)]
pub struct AddressInput {
    /// The address.
    pub email: Field<String>,
}

/// A request for a mail that is worth queuing.
#[derive(Clone, Debug)]
pub struct AskForMail {
    kind: RequestKind,
    email: EmailAddress,
}

impl Engine {
    /// Judges a request for a mail. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`Invalid`] when the address is none.
    pub fn check_ask_for_mail(
        &self,
        kind: RequestKind,
        input: AddressInput,
    ) -> Result<AskForMail, Invalid> {
        let mut errors = FieldErrors::default();
        let rules = self.options.email;
        let email = errors.required("email", input.email, |raw| EmailAddress::parse(&raw, rules));
        Invalid::or(errors, email.map(|email| AskForMail { kind, email }))
    }

    /// Judges a request for another mail to prove the address of agents. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] when the address is none.
    pub fn check_ask_for_agent_mail(
        &self,
        input: AddressInput,
    ) -> Result<AskForMail, InvalidInput> {
        let rules = self.options.email;
        let mut judge = Judge::default();
        let email = judge.required("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        let kind = RequestKind::AgentVerification;
        judge.finish(email.map(|email| AskForMail { kind, email }))
    }

    /// Queues the request. Does the same, and takes as long, whether an account has the address or not:
    /// that is found out when its turn comes, and so is whether too many mails went there of late.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn ask_for_mail(&self, ask: &AskForMail, origin: &Origin) -> Result<(), Fault> {
        let now = self.now();
        let kind = ask.kind;
        let asked = Asked::by(origin, now);
        let life = self.life_of_request(kind);
        let parcel = Parcel::Request(Request::new(kind, ask.email.as_str(), asked));
        let entry = self.mail(&parcel, now, now + life)?;
        Ok(self.storage.transact(|uow| uow.outbox().insert(&entry))?)
    }

    /// Queues the request for a mail that confirms the caller's address, which is the stored one: what
    /// the rules for addresses say by now does not matter.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn ask_for_verification(&self, caller: &Caller, origin: &Origin) -> Result<(), Fault> {
        let email = caller.user.email.clone();
        self.ask_for_mail(&AskForMail { kind: RequestKind::Verification, email }, origin)
    }

    /// Makes the letter that was asked for, or nothing when the address has no account for it. What is
    /// counted towards the limits of the address are mails, not requests: strangers who ask for mails
    /// that nobody gets take nothing from whoever registers the address next.
    pub(super) fn fulfil(
        &self,
        entry: &OutboxEntry,
        request: &Request,
        now: Instant,
    ) -> Result<(), Fault> {
        self.storage.transact(|uow| match request.kind {
            RequestKind::Verification => {
                self.fulfil_for_user(uow, entry, request, MailedKind::VerifyEmail, now)
            }
            RequestKind::Reset => {
                self.fulfil_for_user(uow, entry, request, MailedKind::ResetPassword, now)
            }
            RequestKind::AgentVerification => self.fulfil_for_agents(uow, entry, request, now),
            RequestKind::Recovery => self.fulfil_recovery(uow, entry, request, now),
            RequestKind::ClaimCode => self.fulfil_claim_code(uow, entry, request, now),
            // Of a later version; such a parcel is not read as a request here.
            _ => Ok(()),
        })
    }

    fn fulfil_for_user(
        &self,
        uow: &mut dyn UnitOfWork,
        entry: &OutboxEntry,
        request: &Request,
        kind: MailedKind,
        now: Instant,
    ) -> Result<(), Fault> {
        let user = holder(uow, request)?;
        // Whoever took the request after this one decides.
        if !uow.outbox().remove(entry.id, entry.attempts)? {
            return Ok(());
        }
        let Some(user) = user else { return Ok(()) };
        let (action, allowed) = match kind {
            MailedKind::VerifyEmail => {
                let allowed = self.allows_verification(uow, user.email.as_str(), now)?;
                (Action::VerificationAsked, allowed)
            }
            MailedKind::ResetPassword | MailedKind::DeleteAccount => {
                (Action::PasswordResetAsked, self.allows_reset(uow, user.email.as_str(), now)?)
            }
        };
        let origin = request.asked.origin();
        let event = self.event(action, Actor::Anonymous, &origin, now)?.about(user.id);
        if !allowed {
            return Ok(uow.audit().append(&event.failed().with_detail("limit"))?);
        }
        self.mint(kind, &user, request.asked.clone(), now)?.store(uow)?;
        Ok(uow.audit().append(&event)?)
    }

    /// A token for each agent that waits to have the address proven, the newest five, as far as the
    /// limit of the address goes.
    fn fulfil_for_agents(
        &self,
        uow: &mut dyn UnitOfWork,
        entry: &OutboxEntry,
        request: &Request,
        now: Instant,
    ) -> Result<(), Fault> {
        let found = uow.agents().list_pending(&request.email, MOST_AGENTS)?;
        let mut ids: Vec<_> = found.iter().map(|agent| agent.id).collect();
        ids.sort();
        let mut agents = Vec::new();
        for id in ids {
            let waits = |agent: &Agent| {
                let pending = agent.pending_email.as_ref();
                agent.is_active() && pending.is_some_and(|email| email.as_str() == request.email)
            };
            agents.extend(uow.agents().lock(id)?.filter(waits));
        }
        if !uow.outbox().remove(entry.id, entry.attempts)? {
            return Ok(());
        }
        agents.sort_by_key(|agent| Reverse((agent.created_at, agent.id)));
        let origin = request.asked.origin();
        for agent in &agents {
            let action = Action::AgentVerificationAsked;
            let event = self.event(action, Actor::Anonymous, &origin, now)?.about_agent(agent.id);
            let minted = self.mint_agent_token(agent, request.asked.clone(), now)?;
            let sent = self.send_agent_token(uow, minted.as_ref(), now)?;
            let event = if sent { event } else { event.failed().with_detail("limit") };
            uow.audit().append(&event)?;
        }
        Ok(())
    }

    fn life_of_request(&self, kind: RequestKind) -> Duration {
        match kind {
            RequestKind::Verification => self.life_of(MailedKind::VerifyEmail),
            RequestKind::AgentVerification => self.options.agents.verification,
            RequestKind::Recovery => self.options.agents.recovery,
            _ => self.life_of(MailedKind::ResetPassword),
        }
    }
}

/// The user who gets the mail, held against change.
fn holder(uow: &mut dyn UnitOfWork, request: &Request) -> Result<Option<User>, Fault> {
    let Some(found) = uow.users().find_by_email(&request.email)? else { return Ok(None) };
    let user = uow.users().lock(found.id)?.filter(|user| {
        let wants = match request.kind {
            RequestKind::Verification => !user.is_verified(),
            _ => true,
        };
        wants && user.is_active() && user.email.as_str() == request.email
    });
    Ok(user)
}
