use portcullis_audit::{Action, Actor};
use portcullis_credentials::{AgentToken, PlainAgentToken};
use portcullis_email::{Asked, Content, OutboxEntry};
use portcullis_identity::{Agent, EmailAddress};
use portcullis_kernel::{ExposeSecret, Field, Instant, Origin, SecretString, StoreResult, codes};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{InvalidInput, Judge, authenticate::hold_unchanged};
use crate::{Engine, Fault, error::classify};

/// A token that proves an agent's address, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ReadAgentToken {
    /// The token.
    pub token: Field<SecretString>,
}

/// A token that somebody presented; it holds none when the text cannot be one.
#[derive(Clone, Debug)]
pub struct PresentedAgentToken(Option<PlainAgentToken>);

/// Why an agent's address was not proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentTokenError {
    /// Unknown or expired, or the agent has given another address since.
    #[error("The token is invalid or expired.")]
    InvalidToken,
    /// It was used, and has not expired yet. Tells nothing to who does not hold the token.
    #[error("The token is invalid or expired.")]
    AlreadyUsed,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AgentTokenError {
    Self::InvalidToken | Self::AlreadyUsed => (Unauthenticated, INVALID_TOKEN),
} via { Fault });

/// Another address for an agent, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ChangeAgentEmail {
    /// The address.
    pub email: Field<String>,
}

/// Why an agent was not given another address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentEmailError {
    /// The agent was erased or shut, or its recovery key replaced, a moment ago.
    #[error("The credential is wrong, expired or revoked.")]
    Gone,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AgentEmailError { Self::Gone => (Unauthenticated, UNAUTHORIZED), } via { Fault });

/// A token for an agent's address and the mail that carries it, ready to be stored together.
pub(crate) struct MintedForAgent {
    token: AgentToken,
    mail: OutboxEntry,
}

impl MintedForAgent {
    pub(crate) fn expires_at(&self) -> Instant {
        self.token.expires_at
    }
}

impl ReadAgentToken {
    /// The presented token, which may be a text that was never issued as one.
    ///
    /// # Errors
    /// [`InvalidInput`] when the field is missing, empty or not a string.
    pub fn check(self) -> Result<PresentedAgentToken, InvalidInput> {
        let mut judge = Judge::default();
        let token = judge.required("token", codes::VALIDATION_ERROR, self.token, |raw| {
            if raw.expose_secret().is_empty() {
                return Err("must not be empty");
            }
            Ok(PresentedAgentToken(PlainAgentToken::parse(raw)))
        });
        judge.finish(token)
    }
}

impl Engine {
    /// The agent whose address a token would prove. Changes nothing.
    ///
    /// # Errors
    /// [`AgentTokenError`].
    pub fn preview_agent_email(
        &self,
        token: &PresentedAgentToken,
    ) -> Result<Agent, AgentTokenError> {
        Ok(self.look_at_agent_token(token, self.now())?.1)
    }

    /// Notes that an agent's address was proven, and gives the agent as it is then. A token is good once.
    ///
    /// # Errors
    /// [`AgentTokenError`].
    pub fn verify_agent_email(
        &self,
        token: &PresentedAgentToken,
        origin: &Origin,
    ) -> Result<Agent, AgentTokenError> {
        let now = self.now();
        let (stored, _) = self.look_at_agent_token(token, now)?;
        let verified = self.storage.transact(|uow| self.store_proof(uow, &stored, origin, now))?;
        if verified.is_none() {
            // A button that was pressed twice finds the token used by now, and is told that.
            self.look_at_agent_token(token, now)?;
        }
        // Somebody else was faster, or took the address away.
        verified.ok_or(AgentTokenError::InvalidToken)
    }

    /// Judges another address for an agent.
    ///
    /// # Errors
    /// [`InvalidInput`] when it is none.
    pub fn check_agent_email(&self, input: ChangeAgentEmail) -> Result<EmailAddress, InvalidInput> {
        let rules = self.options.email;
        let mut judge = Judge::default();
        let email = judge.required("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        judge.finish(email)
    }

    /// Gives an agent another address, which is its own from when it is proven. Until then the proven
    /// one stays, and is told of it.
    ///
    /// # Errors
    /// [`AgentEmailError`]; nothing is then stored.
    pub fn change_agent_email(
        &self,
        agent: &Agent,
        email: &EmailAddress,
        origin: &Origin,
    ) -> Result<(), AgentEmailError> {
        let now = self.now();
        let asked = Asked::by(origin, now);
        let changed = self.storage.transact(|uow| -> Result<bool, Fault> {
            let held = hold_unchanged(uow, agent)?.filter(Agent::is_active);
            let Some(mut agent) = held else { return Ok(false) };
            uow.agent_tokens().remove_open(agent.id)?;
            let proven = agent.is_recovered_by(email.as_str());
            agent.pending_email = (!proven).then(|| email.clone());
            uow.agents().update(&agent)?;
            if !proven {
                let minted = self.mint_agent_token(&agent, asked.clone(), now)?;
                self.send_agent_token(uow, minted.as_ref(), now)?;
                let (name, id) = (agent.name.as_str().to_owned(), agent.id.to_string());
                let content = Content::AgentEmailChangeAsked { name, agent: id };
                self.notify_agent(uow, &agent, content, asked.clone(), now)?;
            }
            let actor = Actor::Agent(agent.id);
            let event = self.event(Action::AgentEmailChangeAsked, actor, origin, now)?;
            uow.audit().append(&event)?;
            Ok(true)
        })?;
        if changed { Ok(()) } else { Err(AgentEmailError::Gone) }
    }

    fn look_at_agent_token(
        &self,
        token: &PresentedAgentToken,
        now: Instant,
    ) -> Result<(AgentToken, Agent), AgentTokenError> {
        let Some(token) = &token.0 else { return Err(AgentTokenError::InvalidToken) };
        let found = self.storage.read(|uow| -> StoreResult<_> {
            let Some(token) = uow.agent_tokens().find(&token.digest(), now)? else {
                return Ok(None);
            };
            let agent = uow.agents().find(token.agent)?;
            Ok(agent.map(|agent| (token, agent)))
        });
        let Some((token, agent)) = found.map_err(Fault::from)? else {
            return Err(AgentTokenError::InvalidToken);
        };
        match token.used_at {
            Some(_) => Err(AgentTokenError::AlreadyUsed),
            None if is_for(&token, &agent) => Ok((token, agent)),
            None => Err(AgentTokenError::InvalidToken),
        }
    }

    fn store_proof(
        &self,
        uow: &mut dyn UnitOfWork,
        token: &AgentToken,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<Agent>, Fault> {
        let held = uow.agents().lock(token.agent)?;
        let Some(mut agent) = held.filter(|agent| is_for(token, agent)) else { return Ok(None) };
        if !uow.agent_tokens().spend(&token.digest, now)? {
            return Ok(None);
        }
        let before = agent.clone();
        agent.prove_email(&token.email, now);
        uow.agents().update(&agent)?;
        if before.email.is_some() {
            // What went to the mailbox before is worth nothing any more.
            uow.recoveries().remove_open_codes(agent.id)?;
            let (name, id) = (agent.name.as_str().to_owned(), agent.id.to_string());
            let content = Content::AgentEmailChanged { name, agent: id };
            self.notify_agent(uow, &before, content, Asked::by(origin, now), now)?;
        }
        let event = self.event(Action::AgentEmailVerified, Actor::Anonymous, origin, now)?;
        uow.audit().append(&event.about_agent(agent.id))?;
        Ok(Some(agent))
    }

    /// A token for the agent's pending address, if it has one, and the mail that carries it.
    pub(crate) fn mint_agent_token(
        &self,
        agent: &Agent,
        asked: Asked,
        now: Instant,
    ) -> Result<Option<MintedForAgent>, Fault> {
        let Some(email) = &agent.pending_email else { return Ok(None) };
        let expires_at = now + self.options.agents.verification;
        let token = PlainAgentToken::generate(self.entropy.as_ref())?;
        let digest = token.digest();
        let content = Content::AgentVerifyEmail {
            name: agent.name.as_str().to_owned(),
            agent: agent.id.to_string(),
            token: token.into_secret().into(),
            expires_at,
        };
        let mut mail = self.mail_for_agent(agent.id, email, content, asked, now, expires_at)?;
        mail.agent_token = Some(digest);
        let token = AgentToken {
            digest,
            agent: agent.id,
            email: email.as_str().to_owned(),
            created_at: now,
            expires_at,
            used_at: None,
        };
        Ok(Some(MintedForAgent { token, mail }))
    }

    /// Stores a token with its mail, unless too many such mails went to the address of late; says
    /// whether it did.
    pub(crate) fn send_agent_token(
        &self,
        uow: &mut dyn UnitOfWork,
        minted: Option<&MintedForAgent>,
        now: Instant,
    ) -> StoreResult<bool> {
        let Some(MintedForAgent { token, mail }) = minted else { return Ok(false) };
        if !self.allows_verification(uow, &token.email, now)? {
            return Ok(false);
        }
        uow.agent_tokens().put(token)?;
        uow.outbox().insert(mail)?;
        Ok(true)
    }
}

/// Whether the token was mailed to the address that the agent waits to have proven.
fn is_for(token: &AgentToken, agent: &Agent) -> bool {
    let pending = agent.pending_email.as_ref();
    agent.is_active() && pending.is_some_and(|pending| pending.as_str() == token.email)
}
