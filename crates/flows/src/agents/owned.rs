use portcullis_audit::{Action, Actor};
use portcullis_credentials::ApiKey;
use portcullis_identity::{Agent, AgentFilter};
use portcullis_kernel::{AgentId, ApiKeyId, Instant, Origin, Page, Scopes, Slice, StoreError};
use portcullis_limits::{BucketKey, Standing};
use portcullis_storage::{AsStoreError, StorageExt, UnitOfWork};

use super::{CreateKey, CreatedKey, InvalidInput, KeyError, SliceInput, account::strip_agent};
use crate::{
    Engine, Fault, Invalid, LimitError, Limited, error::classify, people::Caller,
    registration::hold_registration, rows::MOST_ROWS,
};

/// Keys of an agent, live or not, among which dead ones are looked for.
const LATEST_KEYS: u32 = 100;

/// An agent of a user, and every key of it that lives.
#[derive(Clone, Debug)]
pub struct OwnedAgent {
    /// The agent.
    pub agent: Agent,
    /// Its live keys, newest first.
    pub keys: Vec<ApiKey>,
}

/// An agent of a user, and its dead keys, too.
#[derive(Clone, Debug)]
pub struct OwnedAgentDetails {
    /// The agent and its live keys.
    pub owned: OwnedAgent,
    /// Those of its latest keys that are dead, newest first; a hundred at most.
    pub dead_keys: Vec<ApiKey>,
}

/// Why nothing was done to an agent of a user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnedAgentError {
    /// There is none, or it is not the caller's.
    #[error("You have no such agent.")]
    NotFound,
    /// The agent has no such key, or it is dead.
    #[error("No such API key, or it is revoked or expired already.")]
    NoKey,
    /// An operator has shut the agent.
    #[error("This agent is suspended. It can have another key once an operator has resumed it.")]
    Suspended,
    /// The agent has as many keys as it may.
    #[error("An agent may have at most {0} API keys; revoke one first.")]
    TooMany(u32),
    /// The agent got or lost its recovery key a moment ago, and with it the scopes that it may have.
    #[error("This agent changed a moment ago. Try again.")]
    Changed,
    /// The session ended, or the account was shut, a moment ago.
    #[error("The access token is invalid or expired.")]
    Gone,
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Over a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(OwnedAgentError {
    Self::NotFound | Self::NoKey => (NotFound, NOT_FOUND),
    Self::Suspended | Self::TooMany(_) | Self::Changed => (Conflict, CONFLICT),
    Self::Gone => (Unauthenticated, UNAUTHORIZED),
} via { Invalid, Limit, Fault });

impl Limited for OwnedAgentError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            _ => None,
        }
    }
}

impl From<StoreError> for OwnedAgentError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<KeyError> for OwnedAgentError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound | KeyError::Rotated => Self::NoKey,
            KeyError::TooMany(most) => Self::TooMany(most),
            KeyError::Suspended => Self::Suspended,
            KeyError::Gone => Self::NotFound,
            KeyError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl AsStoreError for OwnedAgentError {
    fn as_store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

impl OwnedAgent {
    /// What it may be used for by the keys that it has.
    pub fn scopes(&self) -> Scopes {
        let scopes = self.keys.iter().map(|key| &key.scopes);
        scopes.fold(Scopes::default(), |all, scopes| all.joined_with(scopes))
    }

    /// When one of its live keys was last used, to within some seconds.
    pub fn last_used_at(&self) -> Option<Instant> {
        self.keys.iter().filter_map(|key| key.last_used_at).max()
    }
}

impl SliceInput {
    /// Judges which part of the caller's agents is wanted.
    ///
    /// # Errors
    /// [`Invalid`] names every broken parameter.
    pub fn check_owned(self) -> Result<Slice<AgentId>, Invalid> {
        Ok(self.check()?)
    }
}

impl From<InvalidInput> for Invalid {
    fn from(input: InvalidInput) -> Self {
        Self(input.into_fields())
    }
}

impl Engine {
    /// One page of the caller's agents, newest first; at most 200 rows.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_owned_agents(
        &self,
        caller: &Caller,
        slice: &Slice<AgentId>,
    ) -> Result<Page<OwnedAgent>, Fault> {
        let now = self.now();
        let slice = Slice { limit: slice.limit.clamp(1, MOST_ROWS), ..*slice };
        let filter = AgentFilter { owner: Some(caller.user.id), ..AgentFilter::default() };
        let (page, keys) = self.storage.read(|uow| -> Result<_, Fault> {
            let page = uow.agents().list(&filter, &slice)?;
            let ids: Vec<AgentId> = page.items.iter().map(|agent| agent.id).collect();
            let keys = uow.api_keys().list_live(&ids, now)?;
            Ok((page, keys))
        })?;
        let with_keys = |agent: Agent| {
            let keys = keys.iter().filter(|key| key.agent == agent.id).cloned().collect();
            OwnedAgent { agent, keys }
        };
        Ok(Page { items: page.items.into_iter().map(with_keys).collect(), next: page.next })
    }

    /// One of the caller's agents.
    ///
    /// # Errors
    /// [`OwnedAgentError::NotFound`].
    pub fn find_owned_agent(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<OwnedAgentDetails, OwnedAgentError> {
        let now = self.now();
        let id: AgentId = id.parse().map_err(|_| OwnedAgentError::NotFound)?;
        self.storage.read(|uow| {
            let agent = uow.agents().find(id)?.filter(|agent| is_owned(agent, caller));
            let agent = agent.ok_or(OwnedAgentError::NotFound)?;
            let keys = uow.api_keys().list_live(&[id], now)?;
            let mut dead_keys = uow.api_keys().list(id, &Slice::first(LATEST_KEYS))?.items;
            dead_keys.retain(|key| !key.is_live(now));
            Ok(OwnedAgentDetails { owned: OwnedAgent { agent, keys }, dead_keys })
        })
    }

    /// Makes a key for one of the caller's agents, by the rules for keys of that agent. Counts towards a
    /// limit of the caller's own for this agent, which the agent cannot use up.
    ///
    /// # Errors
    /// [`OwnedAgentError`]; nothing is then stored.
    pub fn create_owned_key(
        &self,
        caller: &Caller,
        id: &str,
        input: CreateKey,
        origin: &Origin,
    ) -> Result<CreatedKey, OwnedAgentError> {
        let now = self.now();
        let found = match id.parse() {
            Ok(id) => self.storage.read(|uow| uow.agents().find(id))?,
            Err(_) => None,
        };
        let found = found.filter(|agent| is_owned(agent, caller));
        let rules = match &found {
            Some(agent) => {
                self.count_owned_key(caller, agent.id, origin)?;
                self.key_rules(agent)
            }
            None => self.usual_key_rules(),
        };
        let new = rules.check(input).map_err(Invalid::from)?;
        let agent = found.ok_or(OwnedAgentError::NotFound)?;
        let created = self.make_key(agent.id, new, now)?;
        let actor = Actor::User(caller.user.id);
        let event = self.key_event(Action::ApiKeyCreated, actor, &created.key, origin, now)?;
        let event = event.in_session(caller.session);
        self.storage.transact(|uow| {
            let held = hold_owned(uow, caller, agent.id, now)?;
            if held.recovery.is_some() != agent.recovery.is_some() {
                return Err(OwnedAgentError::Changed);
            }
            if !held.is_active() {
                return Err(OwnedAgentError::Suspended);
            }
            Ok(self.store_key(uow, &created, &event)?)
        })?;
        Ok(created)
    }

    fn count_owned_key(
        &self,
        caller: &Caller,
        agent: AgentId,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        let policy = self.options.limits.agents.make_key;
        let bucket = BucketKey::principal(&policy, format_args!("{}.{agent}", caller.user.id));
        self.count(bucket, policy, origin)
    }

    /// Revokes a live key of one of the caller's agents; every token issued for it is dead with it.
    ///
    /// # Errors
    /// [`OwnedAgentError`].
    pub fn revoke_owned_key(
        &self,
        caller: &Caller,
        id: &str,
        key: &str,
        origin: &Origin,
    ) -> Result<(), OwnedAgentError> {
        let now = self.now();
        let id: AgentId = id.parse().map_err(|_| OwnedAgentError::NotFound)?;
        let key: Option<ApiKeyId> = key.parse().ok();
        let actor = Actor::User(caller.user.id);
        let event = self.event(Action::ApiKeyRevoked, actor, origin, now).map_err(Fault::from)?;
        let event = event.about_agent(id).in_session(caller.session);
        self.storage.transact(|uow| {
            hold_owned(uow, caller, id, now)?;
            let key = key.ok_or(OwnedAgentError::NoKey)?;
            if !uow.api_keys().revoke(key, id, now)? {
                return Err(OwnedAgentError::NoKey);
            }
            Ok(uow.audit().append(&event.clone().with_key(key))?)
        })
    }

    /// Gives one of the caller's agents up: it belongs to nobody from then on, and all its credentials are
    /// dead.
    ///
    /// # Errors
    /// [`OwnedAgentError`].
    pub fn give_up_agent(
        &self,
        caller: &Caller,
        id: &str,
        origin: &Origin,
    ) -> Result<(), OwnedAgentError> {
        let now = self.now();
        let id: AgentId = id.parse().map_err(|_| OwnedAgentError::NotFound)?;
        let actor = Actor::User(caller.user.id);
        let event = self.event(Action::AgentDisowned, actor, origin, now).map_err(Fault::from)?;
        let event = event.about_agent(id).in_session(caller.session);
        self.storage.transact(|uow| {
            hold_registration(uow, id)?;
            let agent = hold_owned(uow, caller, id, now)?;
            strip_agent(uow, agent, now)?;
            Ok(uow.audit().append(&event)?)
        })
    }
}

fn is_owned(agent: &Agent, caller: &Caller) -> bool {
    agent.owner == Some(caller.user.id)
}

/// The agent, held against change after its owner, if the caller still may act and it still is theirs.
fn hold_owned(
    uow: &mut dyn UnitOfWork,
    caller: &Caller,
    id: AgentId,
    now: Instant,
) -> Result<Agent, OwnedAgentError> {
    let may_act = uow.users().hold_active(caller.user.id)?
        && uow.sessions().find_live(caller.session, now)?.is_some();
    if !may_act {
        return Err(OwnedAgentError::Gone);
    }
    let held = uow.agents().lock(id)?.filter(|agent| is_owned(agent, caller));
    held.ok_or(OwnedAgentError::NotFound)
}
