use portcullis_audit::{Action, Actor};
use portcullis_credentials::PlainCode;
use portcullis_email::{Asked, ClaimCode, OutboxEntry, Parcel, Request, RequestKind};
use portcullis_identity::EmailAddress;
use portcullis_kernel::{
    ClaimAttemptId, ExposeSecret, Instant, Origin, RegistrationId, SecretString, StoreError,
};
use portcullis_limits::Standing;
use portcullis_registration::{ClaimAttempt, Registration, State};
use portcullis_storage::{AsStoreError, StorageExt, UnitOfWork};

use super::{PresentedClaim, PresentedView, StartClaim};
use crate::{Engine, Fault, LimitError, Limited, error::classify};

/// An attempt to claim, as its asker is told of it, whether a mail went or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedClaim {
    /// What is to be claimed.
    pub registration: RegistrationId,
    /// The attempt.
    pub attempt: ClaimAttemptId,
    /// When its code dies.
    pub expires_at: Instant,
}

/// Why a registration was not claimed, or no attempt was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The token is unknown or expired.
    #[error("The claim token is unknown or expired; register again.")]
    InvalidToken,
    /// It was claimed before.
    #[error("This registration was claimed already.")]
    AlreadyClaimed,
    /// The person said that it is not theirs, or they or the agent may not act.
    #[error("The claim was denied.")]
    Denied,
    /// It may be claimed by the address that it was made for, and no other.
    #[error("This registration can be claimed by the email address it was made for only.")]
    EmailMismatch,
    /// So many codes were mailed that no more will be.
    #[error("No more codes are mailed for this registration; register again.")]
    CodesExhausted,
    /// The code is wrong.
    #[error("The code is wrong.")]
    InvalidCode,
    /// The code is expired, was tried too often, or was never mailed.
    #[error("The code is expired or was tried too often, or none was mailed; start a new claim.")]
    ExpiredCode,
    /// Over a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ClaimError {
    Self::InvalidToken => (NotFound, INVALID_CLAIM_TOKEN),
    Self::AlreadyClaimed => (Conflict, ALREADY_CLAIMED),
    Self::Denied => (Forbidden, CLAIM_DENIED),
    Self::EmailMismatch => (Conflict, EMAIL_MISMATCH),
    Self::CodesExhausted => (Conflict, CODES_EXHAUSTED),
    Self::InvalidCode => (Unauthenticated, OTP_INVALID),
    Self::ExpiredCode => (Unauthenticated, OTP_EXPIRED),
} via { Limit, Fault });

impl Limited for ClaimError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            _ => None,
        }
    }
}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl AsStoreError for ClaimError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

impl Engine {
    /// Has a code mailed to a person, by the agent that is to be claimed. Does the same, and takes as
    /// long, whether an account has the address or not.
    ///
    /// # Errors
    /// [`ClaimError`]; nothing is then stored.
    pub fn start_claim(
        &self,
        start: &StartClaim<PresentedClaim>,
        origin: &Origin,
    ) -> Result<StartedClaim, ClaimError> {
        let claim = start.token.0.as_ref().ok_or(ClaimError::InvalidToken)?.digest();
        self.start(&start.email, origin, |uow| Ok(uow.registrations().lock_by_claim(&claim)?))
    }

    /// The same by the person, who was shown the registration.
    ///
    /// # Errors
    /// [`ClaimError`]; nothing is then stored.
    pub fn start_claim_by_view(
        &self,
        start: &StartClaim<PresentedView>,
        origin: &Origin,
    ) -> Result<StartedClaim, ClaimError> {
        let view = start.token.0.as_ref().ok_or(ClaimError::InvalidToken)?.digest();
        self.start(&start.email, origin, |uow| Ok(uow.registrations().lock_by_view(&view)?))
    }

    fn start(
        &self,
        email: &EmailAddress,
        origin: &Origin,
        lock: impl Fn(&mut dyn UnitOfWork) -> Result<Option<Registration>, ClaimError>,
    ) -> Result<StartedClaim, ClaimError> {
        let now = self.now();
        self.storage.transact(|uow| {
            let registration = open(lock(uow)?, now)?;
            if !registration.admits(email.as_str()) {
                return Err(ClaimError::EmailMismatch);
            }
            let most = self.options.agent_registration.code_tries;
            let current = uow.registrations().attempt(registration.id)?;
            let current = current.filter(|it| it.stands(most, now));
            let alive = current.as_ref().filter(|it| it.is_alive(most, now));
            if let Some(same) = alive.filter(|it| it.email == email.as_str()) {
                return Ok(StartedClaim::of(same));
            }
            if registration.codes >= self.options.agent_registration.most_codes {
                return Err(ClaimError::CodesExhausted);
            }
            let attempt = self.start_attempt(uow, &registration, current, email, origin, now)?;
            Ok(StartedClaim::of(&attempt))
        })
    }

    /// Makes a code and has it mailed, if one may go to the address now. If not, there is an attempt
    /// without a code, which stays the same however often it is asked for, like any other, and gets a code
    /// if one may go while half of its life is left. A code for another address dies in either case.
    pub(super) fn start_attempt(
        &self,
        uow: &mut dyn UnitOfWork,
        registration: &Registration,
        current: Option<ClaimAttempt>,
        email: &EmailAddress,
        origin: &Origin,
        now: Instant,
    ) -> Result<ClaimAttempt, Fault> {
        let entropy = self.entropy.as_ref();
        let same = current.filter(|it| it.email == email.as_str());
        if let Some(late) = same.as_ref().filter(|it| it.is_late(now)) {
            return Ok(late.clone());
        }
        let made = ClaimAttempt {
            id: ClaimAttemptId::generate(entropy)?,
            registration: registration.id,
            email: email.as_str().to_owned(),
            delivery: email.delivery().to_owned(),
            code: None,
            tries: 0,
            created_at: now,
            expires_at: now + self.options.agent_registration.code,
        };
        let event = self.event(Action::ClaimAsked, Actor::Anonymous, origin, now)?;
        let event = event.about_agent(registration.agent);
        if !self.allows_claim_code(uow, email.as_str(), now)? {
            if let Some(same) = same {
                return Ok(same);
            }
            uow.audit().append(&event.failed().with_detail("limit"))?;
            uow.registrations().put_attempt(&made)?;
            return Ok(made);
        }
        let mut attempt = same.unwrap_or(made);
        let code = PlainCode::generate(entropy)?.into_secret();
        let typed = SecretString::from(code.expose_secret());
        attempt.code = PlainCode::parse(typed).map(|it| self.pepper.mac(&attempt.bound_to(), &it));
        let mail = self.code_request(&attempt, code, origin, now)?;
        uow.registrations().put_attempt(&attempt)?;
        uow.outbox().insert(&mail)?;
        uow.audit().append(&event)?;
        Ok(attempt)
    }

    fn code_request(
        &self,
        attempt: &ClaimAttempt,
        code: SecretString,
        origin: &Origin,
        now: Instant,
    ) -> Result<OutboxEntry, Fault> {
        let parcel = Parcel::Request(Request {
            claim: Some(ClaimCode { attempt: attempt.id.to_string(), code: code.into() }),
            ..Request::new(RequestKind::ClaimCode, &attempt.email, Asked::by(origin, now))
        });
        let mut mail = self.mail(&parcel, now, attempt.expires_at)?;
        mail.claim = Some(attempt.id);
        Ok(mail)
    }
}

impl StartedClaim {
    fn of(attempt: &ClaimAttempt) -> Self {
        let ClaimAttempt { registration, id, expires_at, .. } = *attempt;
        Self { registration, attempt: id, expires_at }
    }
}

/// The registration, if it may still be claimed.
pub(super) fn open(found: Option<Registration>, now: Instant) -> Result<Registration, ClaimError> {
    let live = found.filter(|found| now < found.expires_at).ok_or(ClaimError::InvalidToken)?;
    match live.state {
        State::Open => Ok(live),
        State::Claimed(_) => Err(ClaimError::AlreadyClaimed),
        State::Denied(_) => Err(ClaimError::Denied),
    }
}
