use portcullis_audit::{Action, Actor};
use portcullis_credentials::PlainCode;
use portcullis_credits::AccountId;
use portcullis_email::{Asked, Content};
use portcullis_identity::{Agent, EmailAddress, User};
use portcullis_kernel::{
    ExposeSecret, Instant, Origin, SecretString, StoreError, UniqueKey, UserId,
};
use portcullis_limits::{AddressKey, BucketKey};
use portcullis_registration::{ClaimAttempt, Decision, PlainUnclaimToken, Registration};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use super::{ClaimError, attempt::open, input::CompleteClaim};
use crate::{
    Engine, Fault, LimitError, RegistrationMode,
    agents::CreatedKey,
    people::{prove_mailbox, tell_reclaimed},
};

/// How long a person who was told of a claim may undo it by the link in that mail.
const UNDO: Duration = Duration::days(30);
/// An account with the address may be made by somebody else at the same moment; the second time it is
/// found.
const ROUNDS: u32 = 2;

/// A claim that a person made.
#[derive(Debug)]
pub struct CompletedClaim {
    /// The key with the scopes after a claim; its secret is shown once.
    pub key: CreatedKey,
    /// To whom the agent belongs.
    pub owner: UserId,
}

/// What a claim would store, made before anything is held.
struct Prepared {
    undo: PlainUnclaimToken,
    /// The account of a person who has none.
    id: UserId,
}

/// What became of a code that was compared.
enum Tried {
    Wrong,
    Right(Box<CompletedClaim>),
}

impl Engine {
    /// Hands an agent to the person who read the code to it. The key that it had dies and another with
    /// more scopes is made, in one transaction; of any number of calls with one code, one succeeds. A try
    /// is counted before the code is compared.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn complete_claim(
        &self,
        complete: &CompleteClaim,
        origin: &Origin,
    ) -> Result<CompletedClaim, ClaimError> {
        let claim = complete.token.0.as_ref().ok_or(ClaimError::InvalidToken)?.digest();
        let now = self.now();
        let entropy = self.entropy.as_ref();
        let prepared = Prepared {
            undo: PlainUnclaimToken::generate(entropy).map_err(Fault::from)?,
            id: UserId::generate(now, entropy).map_err(Fault::from)?,
        };
        let mut round = 1;
        let tried = loop {
            let tried = self.storage.transact(|uow| {
                let registration = open(uow.registrations().lock_by_claim(&claim)?, now)?;
                self.try_claim_code(
                    uow,
                    &registration,
                    complete.code.as_ref(),
                    &prepared,
                    origin,
                    now,
                )
            });
            match tried {
                Err(ClaimError::Fault(Fault::Store(StoreError::Conflict(
                    UniqueKey::UserEmail,
                )))) if round < ROUNDS => round += 1,
                tried => break tried?,
            }
        };
        match tried {
            Tried::Right(completed) => Ok(*completed),
            Tried::Wrong => {
                self.watch(self.options.limits.agent_registration.alarm_wrong_codes, origin);
                Err(ClaimError::InvalidCode)
            }
        }
    }

    fn try_claim_code(
        &self,
        uow: &mut dyn UnitOfWork,
        registration: &Registration,
        code: Option<&PlainCode>,
        prepared: &Prepared,
        origin: &Origin,
        now: Instant,
    ) -> Result<Tried, ClaimError> {
        let most = self.options.agent_registration.code_tries;
        let attempt = uow.registrations().attempt(registration.id)?;
        let attempt = attempt.filter(|it| it.is_alive(most, now)).ok_or(ClaimError::ExpiredCode)?;
        // Nothing can be learnt by a text that is no code.
        let code = code.ok_or(ClaimError::InvalidCode)?;
        if !uow.registrations().take_try(attempt.id, most)? {
            return Err(ClaimError::ExpiredCode);
        }
        self.charge_wrong_code(uow, origin, now)?;
        let right = attempt
            .code
            .is_some_and(|stored| self.pepper.verify(&attempt.bound_to(), code, &stored));
        if !right {
            self.note_wrong_code(uow, registration, &attempt, origin, now)?;
            return Ok(Tried::Wrong);
        }
        let Some(owner) = self.claiming_user(uow, &attempt, prepared.id, origin, now)? else {
            // Nobody may have an account with the address: the code is as good as a wrong one.
            self.note_wrong_code(uow, registration, &attempt, origin, now)?;
            return Ok(Tried::Wrong);
        };
        self.refund_wrong_code(uow, origin, now)?;
        uow.registrations().give_back_try(attempt.id)?;
        let completed = self.store_claim(uow, registration, &owner, prepared, origin, now)?;
        Ok(Tried::Right(Box::new(completed)))
    }

    /// The user with the proven address, held against change; made when there is none and may be one.
    fn claiming_user(
        &self,
        uow: &mut dyn UnitOfWork,
        attempt: &ClaimAttempt,
        id: UserId,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<User>, ClaimError> {
        let found = uow.users().find_by_email(&attempt.email)?;
        let held = match found {
            Some(user) => uow.users().lock(user.id)?,
            None => None,
        };
        let same = held.filter(|user| user.email.as_str() == attempt.email);
        let Some(mut user) = same else {
            return Ok(self.make_claiming_user(uow, attempt, id, origin, now)?);
        };
        if !user.is_active() {
            return Err(ClaimError::Denied);
        }
        if !user.is_verified() {
            let before = user.clone();
            let planted = prove_mailbox(uow, &mut user, now)?;
            tell_reclaimed(self, uow, &before, &user, planted, Asked::by(origin, now), now)?;
        }
        Ok(Some(user))
    }

    fn make_claiming_user(
        &self,
        uow: &mut dyn UnitOfWork,
        attempt: &ClaimAttempt,
        id: UserId,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<User>, Fault> {
        let email = EmailAddress::from_stored(attempt.email.clone(), attempt.delivery.clone());
        if !self.may_have_account(&email) {
            return Ok(None);
        }
        let mut user = User::registered(id, email, None, now);
        user.verify_email(now);
        uow.users().insert(&user)?;
        let event = self.event(Action::UserRegistered, Actor::User(id), origin, now)?;
        uow.audit().append(&event.with_detail("claim"))?;
        Ok(Some(user))
    }

    /// Whether an account may be made for an address by claiming an agent.
    pub(super) fn may_have_account(&self, email: &EmailAddress) -> bool {
        let rules = &self.options.registration;
        rules.mode == RegistrationMode::Open && rules.admits(email)
    }

    fn store_claim(
        &self,
        uow: &mut dyn UnitOfWork,
        registration: &Registration,
        owner: &User,
        prepared: &Prepared,
        origin: &Origin,
        now: Instant,
    ) -> Result<CompletedClaim, ClaimError> {
        let held = uow.agents().lock(registration.agent)?;
        let free = |agent: &Agent| agent.is_active() && agent.owner.is_none();
        let mut agent = held.filter(free).ok_or(ClaimError::Denied)?;
        let undo_until = now + UNDO;
        let decision = Decision::Claim { undo: prepared.undo.digest(), undo_until };
        if !uow.registrations().decide(registration.id, &decision, now)? {
            return Err(ClaimError::AlreadyClaimed);
        }
        agent.owner = Some(owner.id);
        uow.agents().update(&agent)?;
        uow.credits().merge(AccountId::Agent(agent.id), AccountId::User(owner.id))?;
        uow.api_keys().revoke_all(agent.id, now)?;
        let options = &self.options.agent_registration;
        let (prefix, scopes) = (&options.claimed_prefix, &options.post_claim_scopes);
        let key = self.make_registered_key(agent.id, "claim", prefix, scopes, now)?;
        uow.api_keys().insert(&key.key)?;
        let token = SecretString::from(prepared.undo.clone().into_secret().expose_secret());
        let content = Content::AgentClaimed {
            agent: agent.id.to_string(),
            scopes: scopes.to_string(),
            token: token.into(),
            expires_at: undo_until,
        };
        let expires_at = now + self.options.mailed.notice;
        let mail = self.mail_to(owner, content, Asked::by(origin, now), now, expires_at)?;
        uow.outbox().insert(&mail)?;
        let actor = Actor::User(owner.id);
        let claimed = self.event(Action::AgentClaimed, actor, origin, now).map_err(Fault::from)?;
        uow.audit().append(&claimed.about_agent(agent.id))?;
        let created = self.key_event(Action::ApiKeyCreated, actor, &key.key, origin, now)?;
        uow.audit().append(&created)?;
        Ok(CompletedClaim { key, owner: owner.id })
    }

    /// Takes a place among the wrong codes of a client address, before it is known whether it is one.
    fn charge_wrong_code(
        &self,
        uow: &mut dyn UnitOfWork,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), ClaimError> {
        let Some((bucket, policy)) = self.wrong_codes_of(origin) else { return Ok(()) };
        if uow.rate_limits().charge(&bucket, &policy, 1, now, now)?.is_some() {
            return Ok(());
        }
        let log = uow.rate_limits().find(&bucket)?.unwrap_or_default();
        Err(LimitError::Exceeded(log.standing(&policy, now)).into())
    }

    fn refund_wrong_code(
        &self,
        uow: &mut dyn UnitOfWork,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), ClaimError> {
        if let Some((bucket, _)) = self.wrong_codes_of(origin) {
            uow.rate_limits().refund(&bucket, now)?;
        }
        Ok(())
    }

    fn wrong_codes_of(&self, origin: &Origin) -> Option<(BucketKey, portcullis_limits::Policy)> {
        let policy = self.options.limits.agent_registration.wrong_codes;
        let client = origin.client.filter(|_| self.options.limits.enabled)?;
        Some((BucketKey::address(&policy, AddressKey::from(client)), policy))
    }

    /// Wrong codes used up the tries of one attempt: somebody may be guessing.
    fn note_wrong_code(
        &self,
        uow: &mut dyn UnitOfWork,
        registration: &Registration,
        attempt: &ClaimAttempt,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        if attempt.tries + 1 < self.options.agent_registration.code_tries {
            return Ok(());
        }
        let event = self.event(Action::AgentClaimed, Actor::Anonymous, origin, now)?;
        let event = event.failed().with_detail("tries_used_up").about_agent(registration.agent);
        Ok(uow.audit().append(&event)?)
    }
}
