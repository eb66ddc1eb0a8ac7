use portcullis_audit::{Action, Actor};
use portcullis_credentials::{PlainCode, PlainRecoveryKey, RecoveryCode, RecoveryRequest, Tried};
use portcullis_email::{Asked, Content};
use portcullis_identity::{Agent, EmailAddress};
use portcullis_kernel::{
    AgentId, ExposeSecret, Field, Instant, Origin, RecoveryId, SecretString, TokenDigest, codes,
};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{InvalidInput, Judge};
use crate::{Engine, Fault, error::classify};

/// A recovery code as it came in.
#[derive(Clone, Debug, Default)]
pub struct Recover {
    /// The address that the code was mailed to.
    pub email: Field<String>,
    /// Six digits.
    pub code: Field<SecretString>,
    /// Whether every API key of the agent is to be revoked, too.
    pub revoke_keys: Field<bool>,
}

/// A recovery that keeps every rule. It holds no code when the text cannot be one.
#[derive(Debug)]
pub struct RecoverAgent {
    email: EmailAddress,
    code: Option<PlainCode>,
    revoke_keys: bool,
}

/// An agent with a new recovery key.
#[derive(Debug)]
pub struct RecoveredAgent {
    /// Its id.
    pub id: AgentId,
    /// What manages the account from now on; shown once.
    pub recovery_key: PlainRecoveryKey,
}

/// Why no recovery key was replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// Wrong, expired or tried too often.
    #[error("The code is wrong, expired or was tried too often.")]
    InvalidCode,
    /// The code has done its work.
    #[error("The code was used already; ask for another one.")]
    AlreadyUsed,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RecoverError {
    Self::InvalidCode => (Unauthenticated, INVALID_CODE),
    Self::AlreadyUsed => (Conflict, CODE_ALREADY_USED),
} via { Fault });

/// What became of a code.
enum Outcome {
    Wrong,
    AlreadyUsed,
    Recovered(AgentId),
}

impl Engine {
    /// Judges a recovery. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_recover(&self, input: Recover) -> Result<RecoverAgent, InvalidInput> {
        let rules = self.options.email;
        let mut judge = Judge::default();
        let email = judge.required("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        let code = judge.required("code", codes::VALIDATION_ERROR, input.code, |raw| {
            if raw.expose_secret().is_empty() {
                return Err("must not be empty");
            }
            Ok(PlainCode::parse(raw))
        });
        let flag = input.revoke_keys;
        let revoke_keys =
            judge.optional("revoke_keys", codes::VALIDATION_ERROR, flag, Ok::<_, &str>);
        let revoke_keys = revoke_keys.unwrap_or_default();
        judge.finish(email.zip(code).map(|(email, code)| RecoverAgent { email, code, revoke_keys }))
    }

    /// Replaces the recovery key of the agent that the code was mailed for. Of any number of calls with
    /// one code, one succeeds. A try is counted before the code is compared.
    ///
    /// # Errors
    /// [`RecoverError`].
    pub fn recover_agent(
        &self,
        recover: &RecoverAgent,
        origin: &Origin,
    ) -> Result<RecoveredAgent, RecoverError> {
        let code = recover.code.as_ref().ok_or(RecoverError::InvalidCode)?;
        let now = self.now();
        let recovery_key = PlainRecoveryKey::generate(self.entropy.as_ref());
        let recovery_key = recovery_key.map_err(Fault::from)?;
        let digest = recovery_key.digest();
        let outcome = self.storage.transact(|uow| {
            match self.find_code(uow, recover, code, origin, now)? {
                Ok(found) => self.store_recovery(uow, recover, &found, digest, origin, now),
                Err(outcome) => Ok(outcome),
            }
        })?;
        match outcome {
            Outcome::Recovered(id) => Ok(RecoveredAgent { id, recovery_key }),
            Outcome::AlreadyUsed => Err(RecoverError::AlreadyUsed),
            Outcome::Wrong => Err(RecoverError::InvalidCode),
        }
    }

    /// The request and agent of a code that is right, with the tries that it took; or what else it is.
    /// A request for a mailbox without agents costs the same statements as one for a mailbox with some.
    fn find_code(
        &self,
        uow: &mut dyn UnitOfWork,
        recover: &RecoverAgent,
        code: &PlainCode,
        origin: &Origin,
        now: Instant,
    ) -> Result<Result<Found, Outcome>, Fault> {
        let requests = uow.recoveries().lock_all(recover.email.as_str(), now)?;
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        let codes = uow.recoveries().codes(&ids)?;
        // Of a code that has done its work nothing can be learnt, so no try is taken for it.
        if codes.iter().any(|stored| stored.used_at.is_some() && self.is_code(stored, code)) {
            return Ok(Err(Outcome::AlreadyUsed));
        }
        let network = origin.subnet();
        let budgets = self.options.agents.recovery_tries;
        let mut taken = Vec::new();
        for request in requests.iter().filter(|request| request.is_open(now)) {
            let of_request =
                codes.iter().filter(|code| code.request == request.id && code.used_at.is_none());
            let alive: Vec<&RecoveryCode> = of_request.collect();
            let tried = request.tried_from(network.as_deref());
            // Counted alike whatever number of codes there is, and whether there is any.
            let counted = budgets.most(tried, 0);
            if !uow.recoveries().take_try(request.id, tried, counted)? {
                continue;
            }
            taken.push((request.id, tried));
            let before = tries_of(request, tried);
            let right = alive.iter().find(|stored| self.is_code(stored, code));
            if let Some(right) = right.filter(|_| before < budgets.most(tried, alive.len())) {
                return Ok(Ok(Found { request: request.id, agent: right.agent, taken }));
            }
            if before + 1 == budgets.most(tried, alive.len()) {
                self.note_exhausted(uow, &alive, origin, now)?;
            }
        }
        Ok(Err(Outcome::Wrong))
    }

    fn is_code(&self, stored: &RecoveryCode, code: &PlainCode) -> bool {
        let attempt = RecoveryRequest::attempt(stored.request, stored.agent);
        self.pepper.verify(&attempt, code, &stored.code)
    }

    fn store_recovery(
        &self,
        uow: &mut dyn UnitOfWork,
        recover: &RecoverAgent,
        found: &Found,
        digest: TokenDigest,
        origin: &Origin,
        now: Instant,
    ) -> Result<Outcome, Fault> {
        let held = uow.agents().lock(found.agent)?;
        let fits =
            |agent: &Agent| agent.is_active() && agent.is_recovered_by(recover.email.as_str());
        let Some(mut agent) = held.filter(fits) else { return Ok(Outcome::Wrong) };
        if !uow.recoveries().spend(found.request, agent.id, now)? {
            return Ok(Outcome::AlreadyUsed);
        }
        // It was no wrong try of any request that it was compared with.
        for (request, tried) in &found.taken {
            uow.recoveries().give_back_try(*request, *tried)?;
        }
        uow.recoveries().remove_open_codes(agent.id)?;
        // Whoever had the old key may have asked for another address.
        uow.agent_tokens().remove_open(agent.id)?;
        agent.pending_email = None;
        agent.recovery = Some(digest);
        uow.agents().update(&agent)?;
        let keys_revoked = recover.revoke_keys;
        if keys_revoked {
            uow.api_keys().revoke_all(agent.id, now)?;
        }
        let (name, id) = (agent.name.as_str().to_owned(), agent.id.to_string());
        let content = Content::AgentRecovered { name, agent: id, keys_revoked };
        self.notify_agent(uow, &agent, content, Asked::by(origin, now), now)?;
        let event = self.event(Action::AgentRecovered, Actor::Anonymous, origin, now)?;
        let event = event.about_agent(agent.id);
        let event = if keys_revoked { event.with_detail("keys_revoked") } else { event };
        uow.audit().append(&event)?;
        Ok(Outcome::Recovered(agent.id))
    }

    /// Wrong codes used up the tries of one side: somebody may be guessing. One event, so that a mailbox
    /// with several agents, or with none, takes no other time than one with one.
    fn note_exhausted(
        &self,
        uow: &mut dyn UnitOfWork,
        alive: &[&RecoveryCode],
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        let event = self.event(Action::AgentRecovered, Actor::Anonymous, origin, now)?;
        let event = event.failed().with_detail("tries_used_up");
        let event = match alive {
            [code] => event.about_agent(code.agent),
            _ => event,
        };
        Ok(uow.audit().append(&event)?)
    }
}

/// A code that was right.
struct Found {
    request: RecoveryId,
    agent: AgentId,
    /// The tries that were taken on the way to it.
    taken: Vec<(RecoveryId, Tried)>,
}

fn tries_of(request: &RecoveryRequest, tried: Tried) -> u32 {
    match tried {
        Tried::ByAsker => request.own_tries,
        Tried::ByOther => request.other_tries,
    }
}
