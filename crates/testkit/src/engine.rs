//! An engine for tests: memory storage, a clock that stands, the same random bytes in every run.

#![expect(clippy::expect_used, reason = "test support: a failure is the test's")]

use std::{ops::Deref, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_flows::{Engine, EngineOptions, Parts};
use portcullis_kernel::{Clock as _, Entropy};
use portcullis_storage::{MemoryStorage, Storage};
use portcullis_tokens::{Algorithm, KeyPurpose, KeyState, MasterKey, SigningKey, ports::Jose};
use serde_json::{Value, json};

use crate::{clock::FixedClock, entropy::SeededEntropy, jose::PooledJose};

/// The master key of every test engine that is not given another.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// An [`Engine`] whose keys are open, and what it is made of. It is used as the engine itself.
pub struct TestEngine {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its storage.
    pub storage: Arc<dyn Storage>,
    /// Its clock.
    pub clock: Arc<FixedClock>,
    /// Its signature library.
    pub jose: Arc<PooledJose>,
}

/// What a [`TestEngine`] is made of, while it is made.
pub struct TestEngineBuilder {
    storage: Arc<dyn Storage>,
    clock: Arc<FixedClock>,
    entropy: Arc<dyn Entropy>,
    jose: Arc<PooledJose>,
    master_key: MasterKey,
    options: EngineOptions,
}

impl TestEngine {
    /// An engine on an empty memory storage, with the default options.
    ///
    /// # Panics
    /// When its keys cannot be opened.
    #[expect(clippy::new_without_default, reason = "a test says what it makes")]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An engine that is to be other than [`new`](Self::new) makes it.
    ///
    /// # Panics
    /// Never: the master key is one.
    pub fn builder() -> TestEngineBuilder {
        TestEngineBuilder {
            storage: Arc::new(MemoryStorage::default()),
            clock: Arc::default(),
            entropy: Arc::new(SeededEntropy::default()),
            jose: Arc::default(),
            master_key: MasterKey::parse(MASTER_KEY).expect("a master key"),
            options: EngineOptions::default(),
        }
    }

    /// Another instance over the same storage and clock, with random bytes of its own.
    pub fn peer(&self) -> TestEngineBuilder {
        TestEngineBuilder {
            storage: Arc::clone(&self.storage),
            clock: Arc::clone(&self.clock),
            entropy: Arc::new(SeededEntropy::new(1)),
            jose: Arc::clone(&self.jose),
            options: self.options().clone(),
            ..Self::builder()
        }
    }

    /// The `kid` of the key that signs people's tokens now.
    ///
    /// # Panics
    /// When none does.
    pub fn active_kid(&self) -> String {
        self.active_kid_of(KeyPurpose::People, Algorithm::Rs256)
    }

    /// The `kid` of the key that signs tokens of this purpose by this algorithm now.
    ///
    /// # Panics
    /// When none does.
    pub fn active_kid_of(&self, purpose: KeyPurpose, algorithm: Algorithm) -> String {
        let (keys, now) = (self.list_keys().expect("the keys"), self.clock.now());
        let theirs = |key: &SigningKey| key.purpose == purpose && key.algorithm == algorithm;
        let mut active = keys.into_iter().rev().filter(theirs);
        active.find(|key| key.state(now) == KeyState::Active).expect("a key that signs").kid
    }

    /// A token of any header and claims with a good signature of the key that signs people's tokens now,
    /// or of the one that the header names, if it is one of ours.
    ///
    /// # Panics
    /// When no key signs.
    pub fn sign_jwt(&self, header: &Value, claims: &Value) -> String {
        self.sign_parts(&header.to_string(), &claims.to_string())
    }

    /// The same of texts that need not be JSON.
    ///
    /// # Panics
    /// When no key signs.
    pub fn sign_parts(&self, header: &str, claims: &str) -> String {
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let named = serde_json::from_str::<Value>(header).ok();
        let named = named.as_ref().and_then(|header| header["kid"].as_str());
        let signature = named
            .and_then(|kid| self.jose.sign(kid, input.as_bytes()))
            .or_else(|| self.jose.sign(&self.active_kid(), input.as_bytes()))
            .expect("a key of this process");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The header of the tokens that this engine issues to people now.
    ///
    /// # Panics
    /// When no key signs.
    pub fn jwt_header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.active_kid() })
    }

    /// The header of the tokens that this engine issues to agents now.
    ///
    /// # Panics
    /// When no key signs.
    pub fn agent_jwt_header(&self) -> Value {
        let algorithm = self.options().agents.token.algorithm;
        let kid = self.active_kid_of(KeyPurpose::Agents, algorithm);
        json!({ "alg": algorithm.as_str(), "typ": "at+jwt", "kid": kid })
    }
}

impl Deref for TestEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl TestEngineBuilder {
    /// On this storage.
    #[must_use]
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = storage;
        self
    }

    /// With this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<FixedClock>) -> Self {
        self.clock = clock;
        self
    }

    /// With these random bytes.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// With this key over its keys.
    #[must_use]
    pub fn master_key(mut self, master_key: MasterKey) -> Self {
        self.master_key = master_key;
        self
    }

    /// With options changed.
    #[must_use]
    pub fn options(mut self, change: impl FnOnce(&mut EngineOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Makes the engine and opens its keys.
    ///
    /// # Panics
    /// When the options are not allowed or the keys cannot be opened.
    pub fn build(self) -> TestEngine {
        let made = self.build_closed();
        made.open_keys().expect("the signing keys");
        made
    }

    /// Makes the engine; its keys are still to be opened.
    ///
    /// # Panics
    /// When the options are not allowed.
    pub fn build_closed(self) -> TestEngine {
        let Self { storage, clock, entropy, jose, master_key, options } = self;
        let parts = Parts {
            storage: Arc::clone(&storage),
            clock: clock.clone(),
            entropy,
            jose: Arc::<PooledJose>::clone(&jose) as Arc<dyn Jose>,
            master_key,
        };
        let engine = Arc::new(Engine::new(parts, options).expect("options that are allowed"));
        TestEngine { engine, storage, clock, jose }
    }
}
