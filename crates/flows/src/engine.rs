use std::sync::Arc;

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{HashError, PasswordHasher, Pepper};
use portcullis_credits::ChallengeKey;
use portcullis_kernel::{Alarm, Clock, Entropy, EntropyError, Instant, Origin};
use portcullis_limits::Front;
use portcullis_storage::Storage;
use portcullis_tokens::{FormKey, KeyRing, MasterKey, ports::Jose};

use crate::{EngineOptions, agents::uses::Uses};

/// What an engine is made of: the adapters, and the key that seals its private keys.
pub struct Parts {
    /// The database.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The signature library.
    pub jose: Arc<dyn Jose>,
    /// The key that seals private keys at rest.
    pub master_key: MasterKey,
}

/// Every use case of the server, over any storage.
///
/// Made by [`Engine::new`]; before it can issue or check tokens its keys must be opened
/// ([`open_keys`](Self::open_keys)).
pub struct Engine {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) jose: Arc<dyn Jose>,
    pub(crate) master_key: MasterKey,
    pub(crate) options: EngineOptions,
    pub(crate) hasher: PasswordHasher,
    pub(crate) keys: KeyRing,
    pub(crate) keys_read_at: std::sync::Mutex<Option<Instant>>,
    pub(crate) front: Front,
    pub(crate) alarm: Arc<dyn Alarm>,
    pub(crate) pepper: Pepper,
    pub(crate) forms: FormKey,
    pub(crate) payments: ChallengeKey,
    pub(crate) uses: Uses,
    clock: Arc<dyn Clock>,
}

impl Engine {
    /// An engine whose keys are not opened yet.
    ///
    /// # Errors
    /// When the Argon2 settings are not allowed.
    pub fn new(parts: Parts, options: EngineOptions) -> Result<Self, HashError> {
        Ok(Self {
            hasher: PasswordHasher::new(options.argon2)?,
            pepper: Pepper::new(&parts.master_key.code_pepper()),
            forms: FormKey::new(&parts.master_key.form_key()),
            payments: ChallengeKey::new(&parts.master_key.payment_key()),
            storage: parts.storage,
            clock: parts.clock,
            entropy: parts.entropy,
            jose: parts.jose,
            master_key: parts.master_key,
            options,
            keys: KeyRing::default(),
            keys_read_at: std::sync::Mutex::default(),
            front: Front::default(),
            alarm: Arc::new(Silent),
            uses: Uses::default(),
        })
    }

    /// The same engine, telling an operator of what it went on without.
    #[must_use]
    pub fn with_alarm(mut self, alarm: Arc<dyn Alarm>) -> Self {
        self.alarm = alarm;
        self
    }

    /// The options it runs with.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// The current time, from the engine's clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn event(
        &self,
        action: Action,
        actor: Actor,
        origin: &Origin,
        now: Instant,
    ) -> Result<AuditEvent, EntropyError> {
        AuditEvent::new(action, actor, origin, now, self.entropy.as_ref())
    }
}

/// Tells nobody.
struct Silent;

impl Alarm for Silent {
    fn raise(&self, _what: &str, _cause: &dyn std::error::Error) {}
}
