use portcullis_audit::{Action, Actor};
use portcullis_credentials::{AllowedNetworks, ApiKey, KeyName, KeyPrefix, PlainApiKey};
use portcullis_identity::Agent;
use portcullis_kernel::{
    AgentId, ApiKeyId, Field, Instant, InvalidScopes, Origin, Page, Scopes, Slice, codes,
};
use portcullis_storage::{StorageExt, UnitOfWork};
use time::Duration;

use super::{InvalidInput, Judge, authenticate::hold_unchanged};
use crate::{Engine, Fault, error::classify};

/// The longest life of a key, in days.
const MOST_DAYS: i64 = 3650;
/// The longest overlap of a rotation.
const MOST_OVERLAP: i64 = 7 * 24 * 3600;
/// The highest limit of a key, in requests a minute.
const MOST_RATE: i64 = 10_000;

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
    /// Judges a key. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_create_key(&self, input: CreateKey) -> Result<NewKey, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let name =
            judge.required("name", codes::INVALID_KEY_NAME, input.name, |raw| KeyName::parse(&raw));
        let granted = &self.options.agents.scopes;
        let scopes = judge.optional("scopes", code, input.scopes, |names| {
            let scopes = Scopes::new(names).map_err(|error: InvalidScopes| error.to_string())?;
            if scopes.is_within(granted) {
                Ok(scopes)
            } else {
                Err(format!("must be among: {granted}"))
            }
        });
        let days = judge.optional("expires_in_days", code, input.expires_in_days, |days| {
            let fits = (1..=MOST_DAYS).contains(&days);
            fits.then(|| Duration::days(days)).ok_or("must be 1 to 3650")
        });
        let networks = judge.optional("allowed_cidrs", code, input.allowed_cidrs, |raw| {
            AllowedNetworks::parse(&raw)
        });
        let limit = input.rate_limit_per_minute;
        let rate_limit = judge.optional("rate_limit_per_minute", code, limit, |limit| {
            let fits = u32::try_from(limit).ok().filter(|_| (1..=MOST_RATE).contains(&limit));
            fits.ok_or("must be 1 to 10000")
        });
        let scopes = scopes.unwrap_or_else(|| self.options.agents.default_scopes.clone());
        let networks = networks.unwrap_or_default();
        let prefix = self.options.agents.key_prefix.clone();
        judge.finish(name.map(|name| NewKey {
            name,
            prefix,
            scopes,
            life: days,
            networks,
            rate_limit,
        }))
    }

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
            let most = self.options.agents.most_keys;
            if uow.api_keys().count_live(agent.id, now)? >= most {
                return Err(KeyError::TooMany(most));
            }
            uow.api_keys().insert(&created.key)?;
            uow.audit().append(&event)?;
            Ok(())
        })?;
        Ok(created)
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
            let most = self.options.agents.most_keys;
            if keys.count_live(agent.id, now)? >= most {
                return Err(KeyError::TooMany(most));
            }
            keys.insert(&created.key)?;
            uow.audit().append(&event)?;
            Ok(())
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
    ) -> Result<portcullis_audit::AuditEvent, Fault> {
        let event = self.event(action, actor, origin, now)?;
        Ok(event.about_agent(key.agent).with_key(key.id))
    }
}

fn hold_for_keys(uow: &mut dyn UnitOfWork, agent: &Agent) -> Result<(), KeyError> {
    let held = hold_unchanged(uow, agent)?.ok_or(KeyError::Gone)?;
    if held.is_active() { Ok(()) } else { Err(KeyError::Suspended) }
}
