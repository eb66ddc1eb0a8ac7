use portcullis_audit::{Action, Actor};
use portcullis_credentials::PlainRecoveryKey;
use portcullis_email::Asked;
use portcullis_identity::{Agent, AgentMetadata, AgentName, EmailAddress, ProvenEmail};
use portcullis_kernel::{AgentId, Field, Instant, Origin, UserId, codes};
use portcullis_storage::StorageExt;

use super::{InvalidInput, Judge};
use crate::{Engine, Fault, error::classify};

/// A registration as it came in.
#[derive(Clone, Debug, Default)]
pub struct RegisterAgent {
    /// The name the agent gives itself.
    pub agent_name: Field<String>,
    /// The address that may recover it, once proven.
    pub email: Field<String>,
    /// What it tells about itself.
    pub metadata: Field<MetadataInput>,
}

/// What an agent tells about itself, as it came in.
#[derive(Clone, Debug, Default)]
pub struct MetadataInput {
    /// What it does.
    pub description: Field<String>,
    /// Who runs it.
    pub owner: Field<String>,
    /// Its version.
    pub version: Field<String>,
}

/// A registration that keeps every rule.
#[derive(Clone, Debug)]
pub struct AgentRegistration {
    pub(crate) name: AgentName,
    pub(crate) email: Option<EmailAddress>,
    pub(crate) metadata: AgentMetadata,
    pub(crate) proven: bool,
}

impl AgentRegistration {
    /// The same, with an address that an operator knows to be its owner's: nothing is mailed to prove it.
    #[must_use]
    pub fn with_proven_email(self) -> Self {
        Self { proven: true, ..self }
    }
}

/// An agent that just registered.
#[derive(Debug)]
pub struct RegisteredAgent {
    /// Its account.
    pub agent: Agent,
    /// What manages the account; shown once.
    pub recovery_key: PlainRecoveryKey,
    /// When the mail to prove its address dies; absent when it gave no address.
    pub verification_expires_at: Option<Instant>,
}

/// Why an agent was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterAgentError {
    /// Operators make the agents here.
    #[error("Agents cannot register themselves here; ask an operator for an account.")]
    Closed,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RegisterAgentError { Self::Closed => (Forbidden, FORBIDDEN), } via { Fault });

impl Engine {
    /// Judges a registration. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_register_agent(
        &self,
        input: RegisterAgent,
    ) -> Result<AgentRegistration, InvalidInput> {
        let rules = self.options.email;
        let mut judge = Judge::default();
        let name =
            judge.required("agent_name", codes::INVALID_AGENT_NAME, input.agent_name, |raw| {
                AgentName::parse(&raw)
            });
        let email = judge.optional("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        let metadata = judge_metadata(&mut judge, input.metadata);
        judge.finish(name.map(|name| AgentRegistration { name, email, metadata, proven: false }))
    }

    /// Makes an agent's account, and mails a token to the address it gave. An address that other agents
    /// have changes nothing.
    ///
    /// # Errors
    /// [`RegisterAgentError`]; nothing is then stored.
    pub fn register_agent(
        &self,
        registration: AgentRegistration,
        origin: &Origin,
    ) -> Result<RegisteredAgent, RegisterAgentError> {
        if !self.options.agents.open {
            return Err(RegisterAgentError::Closed);
        }
        let made = self.make_agent(registration, None, Actor::Anonymous, origin)?;
        // It belongs to nobody, so there is no owner to miss.
        made.ok_or(RegisterAgentError::Closed)
    }

    /// Makes an account, which may belong to a user; `None` when there is no such user, or they may not
    /// act.
    pub(crate) fn make_agent(
        &self,
        registration: AgentRegistration,
        owner: Option<UserId>,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Option<RegisteredAgent>, Fault> {
        let now = self.now();
        let AgentRegistration { name, email, metadata, proven } = registration;
        let recovery_key = PlainRecoveryKey::generate(self.entropy.as_ref())?;
        let id = AgentId::generate(self.entropy.as_ref())?;
        let mut agent = Agent::registered(id, name, metadata, recovery_key.digest(), now);
        if proven {
            agent.email = email.map(|address| ProvenEmail { address, at: now });
        } else {
            agent.pending_email = email;
        }
        agent.owner = owner;
        let (action, actor) = match actor {
            Actor::Anonymous => (Action::AgentRegistered, Actor::Agent(id)),
            operator => (Action::AgentCreated, operator),
        };
        let event = self.event(action, actor, origin, now)?.about_agent(id);
        let minted = self.mint_agent_token(&agent, Asked::by(origin, now), now)?;
        let stored = self.storage.transact(|uow| -> Result<bool, Fault> {
            if let Some(owner) = owner
                && !uow.users().hold_active(owner)?
            {
                return Ok(false);
            }
            uow.agents().insert(&agent)?;
            self.send_agent_token(uow, minted.as_ref(), now)?;
            uow.audit().append(&event)?;
            Ok(true)
        })?;
        let verification_expires_at = minted.map(|minted| minted.expires_at());
        Ok(stored.then_some(RegisteredAgent { agent, recovery_key, verification_expires_at }))
    }
}

fn judge_metadata(judge: &mut Judge, field: Field<MetadataInput>) -> AgentMetadata {
    let code = codes::VALIDATION_ERROR;
    let input = judge.optional("metadata", code, field, Ok::<_, &str>).unwrap_or_default();
    let mut text = |name: &str, field| {
        judge.optional(&format!("metadata.{name}"), code, field, |raw: String| {
            AgentMetadata::parse_text(&raw)
        })
    };
    let description = text("description", input.description);
    let owner = text("owner", input.owner);
    let version = text("version", input.version);
    let metadata = AgentMetadata { description, owner, version };
    let whole = Field::Given(metadata);
    judge.optional("metadata", code, whole, AgentMetadata::check).unwrap_or_default()
}
