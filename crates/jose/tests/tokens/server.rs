use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_jose::Josekit;
use portcullis_kernel::{Entropy, EntropyError, Instant};
use portcullis_tokens::{
    AccessTokenPolicy, AgentGrant, AgentTokenPolicy, Algorithm, KeyPurpose, KeySet, MasterKey,
    SigningKey,
    ports::{Jose as _, KeyPair},
};
use serde_json::{Value, json};
use time::Duration;

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const AGENT: &str = "agt_00112233445566778899aabbccddeeff";
pub(crate) const KEY: &str = "aky_ffeeddccbbaa99887766554433221100";
pub(crate) const START: i64 = 1_700_000_000;

pub(crate) fn at(seconds: i64) -> Instant {
    Instant::from_unix_timestamp(START + seconds).unwrap()
}

pub(crate) struct Steps;

impl Entropy for Steps {
    fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for (byte, value) in dest.iter_mut().zip(1..) {
            *byte = value;
        }
        Ok(())
    }
}

/// A key as it is stored, and its private half besides.
pub(crate) struct Key {
    pub(crate) stored: SigningKey,
    pair: KeyPair,
}

impl Key {
    /// A key that signs from second 0 on.
    pub(crate) fn new(purpose: KeyPurpose, algorithm: Algorithm, generation: i32) -> Self {
        let (pair, master) = (Josekit.generate(algorithm).unwrap(), master());
        let kid = pair.public.thumbprint();
        let sealed = master.seal(&SigningKey::seal_context(&kid), &pair.private, &Steps).unwrap();
        let stored = SigningKey {
            kid,
            purpose,
            generation,
            algorithm,
            public: pair.public.clone(),
            sealed,
            sealed_by: master.id(),
            created_at: at(0),
            active_from: at(0),
            retired_at: None,
            removed_at: None,
        };
        Self { stored, pair }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.stored.kid
    }

    /// A good signature over any header and claims.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let input = format!("{header}.{claims}");
        let signer = Josekit.signer(self.stored.algorithm, &self.pair.private).unwrap();
        let signature = signer.sign(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims under the header of this key with some members changed.
    pub(crate) fn token(&self, header: Value, claims: &Value) -> String {
        let own = json!({
            "alg": self.stored.algorithm.as_str(),
            "typ": self.stored.purpose.token_type(),
            "kid": self.kid(),
        });
        self.sign(&super::changed(&own, header).to_string(), &claims.to_string())
    }
}

pub(crate) fn master() -> MasterKey {
    MasterKey::generate(&Steps).unwrap()
}

pub(crate) fn load<'k>(keys: impl IntoIterator<Item = &'k Key>, now: Instant) -> KeySet {
    let stored = keys.into_iter().map(|key| key.stored.clone()).collect();
    KeySet::load(stored, &master(), &Josekit, now).unwrap()
}

/// A key for each purpose and algorithm.
pub(crate) struct Server {
    pub(crate) keys: Vec<Key>,
    pub(crate) set: KeySet,
}

impl Server {
    pub(crate) fn new() -> Self {
        let keys: Vec<_> = KeyPurpose::ALL
            .into_iter()
            .flat_map(|purpose| purpose.algorithms().iter().map(move |a| (purpose, *a)))
            .map(|(purpose, algorithm)| Key::new(purpose, algorithm, 1))
            .collect();
        let set = load(&keys, at(0));
        Self { keys, set }
    }

    pub(crate) fn key(&self, purpose: KeyPurpose, algorithm: Algorithm) -> &Key {
        let wanted =
            |key: &&Key| key.stored.purpose == purpose && key.stored.algorithm == algorithm;
        self.keys.iter().find(wanted).unwrap()
    }

    pub(crate) fn agents_key(&self) -> &Key {
        self.key(KeyPurpose::Agents, Algorithm::Es256)
    }
}

pub(crate) fn agents(algorithm: Algorithm) -> AgentTokenPolicy {
    AgentTokenPolicy {
        issuer: ISSUER.to_owned(),
        audience: ISSUER.to_owned(),
        algorithm,
        ttl: Duration::HOUR,
    }
}

/// People's tokens of the same issuer, so that nothing but key and type keeps them apart.
pub(crate) fn people() -> AccessTokenPolicy {
    let audience = Some(ISSUER.to_owned());
    AccessTokenPolicy { issuer: ISSUER.to_owned(), audience, ttl: Duration::minutes(15) }
}

pub(crate) fn grant() -> AgentGrant {
    AgentGrant {
        agent: AGENT.parse().unwrap(),
        key: KEY.parse().unwrap(),
        owner: None,
        scopes: "messages:read messages:write".parse().unwrap(),
        audience: ISSUER.to_owned(),
    }
}
