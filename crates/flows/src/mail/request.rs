use portcullis_audit::{Action, Actor};
use portcullis_credentials::MailedKind;
use portcullis_email::{Asked, OutboxEntry, Parcel, Request, RequestKind};
use portcullis_identity::{EmailAddress, User};
use portcullis_kernel::{Field, FieldErrors, Instant, Origin};
use portcullis_storage::{StorageExt, UnitOfWork};

use crate::{Engine, Fault, Invalid, people::Caller};

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

    /// Queues the request. Does the same, and takes as long, whether an account has the address or not:
    /// that is found out when its turn comes, and so is whether too many mails went there of late.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn ask_for_mail(&self, ask: &AskForMail, origin: &Origin) -> Result<(), Fault> {
        let now = self.now();
        let kind = ask.kind;
        let asked = Asked::by(origin, now);
        let email = ask.email.as_str().to_owned();
        let life = self.life_of(token_of(kind));
        let parcel = Parcel::Request(Request { kind, email, asked });
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
        self.storage.transact(|uow| {
            let user = holder(uow, request)?;
            // Whoever took the request after this one decides.
            if !uow.outbox().remove(entry.id, entry.attempts)? {
                return Ok(());
            }
            let Some(user) = user else { return Ok(()) };
            let action = match request.kind {
                RequestKind::Verification => Action::VerificationAsked,
                _ => Action::PasswordResetAsked,
            };
            let allowed = match request.kind {
                RequestKind::Verification => {
                    self.allows_verification(uow, user.email.as_str(), now)?
                }
                _ => self.allows_reset(uow, user.email.as_str(), now)?,
            };
            let origin = request.asked.origin();
            let event = self.event(action, Actor::Anonymous, &origin, now)?.about(user.id);
            if !allowed {
                return Ok(uow.audit().append(&event.failed().with_detail("limit"))?);
            }
            let kind = token_of(request.kind);
            self.mint(kind, &user, request.asked.clone(), now)?.store(uow)?;
            Ok(uow.audit().append(&event)?)
        })
    }
}

fn token_of(kind: RequestKind) -> MailedKind {
    match kind {
        RequestKind::Verification => MailedKind::VerifyEmail,
        _ => MailedKind::ResetPassword,
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
