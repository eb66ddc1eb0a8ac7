use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{AllowedNetworks, ApiKey, KeyName, KeyPrefix, PlainApiKey};
use portcullis_identity::Agent;
use portcullis_kernel::{AgentId, ApiKeyId, Field, Instant, Origin, Page, Scopes, Slice, codes};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use super::{InvalidInput, Judge, authenticate::hold_unchanged};
use crate::{Engine, Fault, error::classify};

/// The longest overlap of a rotation.
const MOST_OVERLAP: i64 = 7 * 24 * 3600;

/// A key as it is wanted.
#[derive(Clone, Debug, Default)]
pub struct CreateKey {
    /// What its owner calls it.
    pub name: Field<String>,
    /// What it may be used for; the usual scopes when absent.
    pub scopes: Field<Vec<String>>,
    /// How many days it lives; without end when absent.
    pub expires_in_days: Field<i64>,
    /// The networks it may be used from; any when absent.
    pub allowed_cidrs: Field<Vec<String>>,
    /// How many requests a minute it may make; any number when absent.
    pub rate_limit_per_minute: Field<i64>,
}

/// A key that keeps every rule.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub(crate) name: KeyName,
    pub(crate) prefix: KeyPrefix,
    pub(crate) scopes: Scopes,
    pub(crate) life: Option<Duration>,
    pub(crate) networks: AllowedNetworks,
    pub(crate) rate_limit: Option<u32>,
}

/// A rotation as it came in.
#[derive(Clone, Debug, Default)]
pub struct RotateKey {
    /// How many seconds the old key lives on; none when absent.
    pub overlap_seconds: Field<i64>,
}

/// A rotation that keeps every rule.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    overlap: Duration,
}

/// A key that was just made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret; shown once.
    pub secret: PlainApiKey,
}

/// Why nothing was done with a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The agent has no such key, or it is dead.
    #[error("No such API key, or it is revoked or expired already.")]
    NotFound,
    /// It was rotated before.
    #[error("This API key was rotated already; rotate the one that took its place.")]
    Rotated,
    /// The agent has as many as it may.
    #[error("An agent may have at most {0} API keys; revoke one first.")]
    TooMany(u32),
    /// An operator has shut the agent.
    #[error("This agent is suspended.")]
    Suspended,
    /// The agent was erased, or its recovery key replaced, a moment ago.
    #[error("The credential is wrong, expired or revoked.")]
    Gone,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(KeyError {
    Self::NotFound => (NotFound, NOT_FOUND),
    Self::Rotated | Self::TooMany(_) => (Conflict, CONFLICT),
    Self::Suspended => (Forbidden, FORBIDDEN),
    Self::Gone => (Unauthenticated, UNAUTHORIZED),
} via { Fault });

impl From<portcullis_kernel::StoreError> for KeyError {
    fn from(error: portcullis_kernel::StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl portcullis_storage::AsStoreError for KeyError {
    fn as_store_error(&self) -> Option<&portcullis_kernel::StoreError> {
        match self {
            Self::Fault(fault) => fault.as_store_error(),
            _ => None,
        }
    }
}

impl RotateKey {
    /// Judges the rotation.
    ///
    /// # Errors
    /// [`InvalidInput`] when the overlap is not 0 to 604800 seconds.
    pub fn check(self) -> Result<Rotation, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let overlap = judge.optional("overlap_seconds", code, self.overlap_seconds, |seconds| {
            let fits = (0..=MOST_OVERLAP).contains(&seconds);
            fits.then_some(seconds).ok_or("must be 0 to 604800")
        });
        let overlap = Duration::seconds(overlap.unwrap_or_default());
        judge.finish(Some(Rotation { overlap }))
    }
}

impl Engine {
    /// Makes a key for an agent, if it is still what it was when it was accepted or looked up: a recovery
    /// key that was replaced meanwhile leaves nothing behind.
    ///
    /// # Errors
    /// [`KeyError`]; nothing is then stored.
    pub fn create_key(
        &self,
        agent: &Agent,
        new: NewKey,
        actor: Actor,
        origin: &Origin,
    ) -> Result<CreatedKey, KeyError> {
        let now = self.now();
        let created = self.make_key(agent.id, new, now)?;
        let event = self.key_event(Action::ApiKeyCreated, actor, &created.key, origin, now)?;
        self.storage.transact(|uow| {
            hold_for_keys(uow, agent)?;
            self.store_key(uow, &created, &event)
        })?;
        Ok(created)
    }

    /// Stores a key of an agent that this transaction holds, with the event that tells of it.
    ///
    /// # Errors
    /// [`KeyError::TooMany`] when the agent has as many as it may.
    pub(crate) fn store_key(
        &self,
        uow: &mut dyn UnitOfWork,
        created: &CreatedKey,
        event: &AuditEvent,
    ) -> Result<(), KeyError> {
        let (key, most) = (&created.key, self.options.agents.most_keys);
        if uow.api_keys().count_live(key.agent, key.created_at)? >= most {
            return Err(KeyError::TooMany(most));
        }
        uow.api_keys().insert(key)?;
        Ok(uow.audit().append(event)?)
    }

    /// The agent's keys, live or not, newest first.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_api_keys(
        &self,
        agent: AgentId,
        slice: &Slice<ApiKeyId>,
    ) -> Result<Page<ApiKey>, Fault> {
        Ok(self.storage.read(|uow| uow.api_keys().list(agent, slice))?)
    }

    /// Revokes a live key of an agent, named by its id; every token issued for it is dead with it. Says
    /// when.
    ///
    /// # Errors
    /// [`KeyError::NotFound`].
    pub fn revoke_key(
        &self,
        agent: AgentId,
        key: &str,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(ApiKeyId, Instant), KeyError> {
        let id = key.parse().map_err(|_| KeyError::NotFound)?;
        let at = self.revoke_held(agent, id, actor, None, origin, |_| Ok(()))?;
        Ok((id, at))
    }

    /// The same for whoever holds the agent's recovery key, as long as that is the agent's.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] and [`KeyError::Gone`].
    pub fn revoke_own_key(
        &self,
        agent: &Agent,
        key: &str,
        origin: &Origin,
    ) -> Result<(ApiKeyId, Instant), KeyError> {
        let id = key.parse().map_err(|_| KeyError::NotFound)?;
        let hold =
            |uow: &mut dyn UnitOfWork| hold_unchanged(uow, agent)?.map(drop).ok_or(KeyError::Gone);
        let actor = Actor::Agent(agent.id);
        let at = self.revoke_held(agent.id, id, actor, None, origin, hold)?;
        Ok((id, at))
    }

    /// Revokes a key once `hold` has judged its agent; says when.
    pub(crate) fn revoke_held(
        &self,
        agent: AgentId,
        id: ApiKeyId,
        actor: Actor,
        detail: Option<&str>,
        origin: &Origin,
        hold: impl Fn(&mut dyn UnitOfWork) -> Result<(), KeyError>,
    ) -> Result<Instant, KeyError> {
        let now = self.now();
        let event = self.event(Action::ApiKeyRevoked, actor, origin, now).map_err(Fault::from)?;
        let event = event.about_agent(agent).with_key(id);
        let event = match detail {
            Some(detail) => event.with_detail(detail),
            None => event,
        };
        self.storage.transact(|uow| {
            hold(uow)?;
            if !uow.api_keys().revoke(id, agent, now)? {
                return Err(KeyError::NotFound);
            }
            uow.audit().append(&event)?;
            Ok(now)
        })
    }

    /// Makes a key with the rights of another one of the agent, which dies when the overlap ends. Of any
    /// number of rotations of one key, one succeeds. A key with an end gets as long a life anew. Asks of
    /// the agent what [`create_key`](Self::create_key) does.
    ///
    /// # Errors
    /// [`KeyError`]; nothing is then stored.
    pub fn rotate_api_key(
        &self,
        agent: &Agent,
        key: &str,
        rotation: Rotation,
        actor: Actor,
        origin: &Origin,
    ) -> Result<CreatedKey, KeyError> {
        let id: ApiKeyId = key.parse().map_err(|_| KeyError::NotFound)?;
        let now = self.now();
        let old = self.storage.read(|uow| uow.api_keys().find(id))?;
        let old = old.filter(|old| old.agent == agent.id && old.is_live(now));
        let old = old.ok_or(KeyError::NotFound)?;
        let new = NewKey {
            // Of the same kind, whatever a new key would begin with by now.
            prefix: old.prefix().unwrap_or_else(|| self.options.agents.key_prefix.clone()),
            name: old.name,
            scopes: old.scopes,
            life: old.expires_at.map(|end| end - old.created_at),
            networks: old.networks,
            rate_limit: old.rate_limit,
        };
        let created = self.make_key(agent.id, new, now)?;
        let event = self.key_event(Action::ApiKeyRotated, actor, &created.key, origin, now)?;
        let event = event.with_detail(id.to_string());
        self.storage.transact(|uow| {
            hold_for_keys(uow, agent)?;
            let keys = uow.api_keys();
            if !keys.replace(id, agent.id, created.key.id, now + rotation.overlap, now)? {
                let live = keys.find(id)?.filter(|old| old.is_live(now));
                return Err(live.map_or(KeyError::NotFound, |_| KeyError::Rotated));
            }
            self.store_key(uow, &created, &event)
        })?;
        Ok(created)
    }

    /// A key with a secret of its own, which nobody has stored yet.
    pub(crate) fn make_key(
        &self,
        agent: AgentId,
        new: NewKey,
        now: Instant,
    ) -> Result<CreatedKey, Fault> {
        let entropy = self.entropy.as_ref();
        let secret = PlainApiKey::generate(&new.prefix, entropy)?;
        let key = ApiKey {
            id: ApiKeyId::generate(entropy)?,
            agent,
            name: new.name,
            hint: secret.hint(),
            digest: secret.digest(),
            scopes: new.scopes,
            networks: new.networks,
            rate_limit: new.rate_limit,
            created_at: now,
            expires_at: new.life.map(|life| now + life),
            last_used_at: None,
            revoked_at: None,
            replaced_by: None,
        };
        Ok(CreatedKey { key, secret })
    }

    pub(crate) fn key_event(
        &self,
        action: Action,
        actor: Actor,
        key: &ApiKey,
        origin: &Origin,
        now: Instant,
    ) -> Result<AuditEvent, Fault> {
        let event = self.event(action, actor, origin, now)?;
        Ok(event.about_agent(key.agent).with_key(key.id))
    }
}

fn hold_for_keys(uow: &mut dyn UnitOfWork, agent: &Agent) -> Result<(), KeyError> {
    let held = hold_unchanged(uow, agent)?.ok_or(KeyError::Gone)?;
    if held.is_active() { Ok(()) } else { Err(KeyError::Suspended) }
}
