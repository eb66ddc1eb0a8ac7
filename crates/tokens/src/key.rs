use portcullis_kernel::Instant;
use time::Duration;

use crate::PublicJwk;

/// A signature algorithm (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// Ed25519 (RFC 8037 §3.1).
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name used in `alg` and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// What a key signs. Each purpose has keys of its own, and a token is accepted for its purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyPurpose {
    /// People's access tokens.
    People,
    /// Agents' access tokens.
    Agents,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::People, Self::Agents];

    /// The name used in storage and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Agents => "agents",
        }
    }

    /// The purpose with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// The algorithms that keys of this purpose use. There is a key for each of them, so that a change of
    /// the setting meets verifiers that know the key already.
    pub fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::People => &[Algorithm::Rs256],
            Self::Agents => &[Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256],
        }
    }

    /// The `typ` of tokens of this purpose (RFC 8725 §3.11).
    pub fn token_type(self) -> &'static str {
        match self {
            Self::People => "JWT",
            // RFC 9068 §2.1
            Self::Agents => "at+jwt",
        }
    }
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In the key set, not yet signing, so that verifiers know it before they meet it.
    Published,
    /// Signing.
    Active,
    /// No longer signing; in the key set until its last token has expired.
    Retired,
    /// Out of the key set; its tokens are refused.
    Removed,
}

impl KeyState {
    /// The name shown to operators.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Removed => "removed",
        }
    }
}

/// A signing key as it is stored: the private half sealed under the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The `kid`: the RFC 7638 thumbprint of the public half.
    pub kid: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// Counts the keys of a purpose from 1; unique within it, so that of two rotations at once
    /// one loses.
    pub generation: i32,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The public half.
    pub public: PublicJwk,
    /// The private half, sealed.
    pub sealed: Vec<u8>,
    /// The id of the master key that sealed it.
    pub sealed_by: String,
    /// When it was made and published.
    pub created_at: Instant,
    /// From when on it signs.
    pub active_from: Instant,
    /// From when on it no longer signs.
    pub retired_at: Option<Instant>,
    /// From when on its tokens are refused.
    pub removed_at: Option<Instant>,
}

/// How long the steps of a key's life last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How long a new key is published before it signs: one cache lifetime of the key set and the
    /// time in which every instance has read it.
    pub lead: Duration,
    /// How long a retired key stays published: the life of its last token.
    pub linger: Duration,
}

impl SigningKey {
    /// Where the key stands at `now`.
    pub fn state(&self, now: Instant) -> KeyState {
        let reached = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if reached(self.removed_at) {
            KeyState::Removed
        } else if reached(self.retired_at) {
            KeyState::Retired
        } else if self.active_from <= now {
            KeyState::Active
        } else {
            KeyState::Published
        }
    }

    /// Plans the end of the key: it signs until `at`, and stays published for the linger after.
    pub fn retire(&mut self, at: Instant, policy: KeyPolicy) {
        self.retired_at = Some(at);
        self.removed_at = Some(at + policy.linger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_none() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
        for purpose in KeyPurpose::ALL {
            assert_eq!(KeyPurpose::from_name(purpose.as_str()), Some(purpose));
        }
        for other in ["", "none", "HS256", "es256", "EDDSA", "PEOPLE", "agents "] {
            assert_eq!(Algorithm::from_name(other), None, "{other}");
            assert_eq!(KeyPurpose::from_name(other), None, "{other}");
        }
    }

    #[test]
    fn no_two_purposes_have_one_type_of_token() {
        assert_ne!(KeyPurpose::People.token_type(), KeyPurpose::Agents.token_type());
    }

    #[test]
    fn a_key_is_published_then_active_then_retired_then_removed() {
        let start = Instant::from_unix_timestamp(1_000_000).unwrap();
        let policy = KeyPolicy { lead: Duration::seconds(300), linger: Duration::seconds(900) };
        let mut key = SigningKey {
            kid: "k".into(),
            purpose: KeyPurpose::People,
            generation: 2,
            algorithm: Algorithm::Rs256,
            public: PublicJwk::Rsa { n: "n".into(), e: "e".into() },
            sealed: vec![],
            sealed_by: String::new(),
            created_at: start,
            active_from: start + policy.lead,
            retired_at: None,
            removed_at: None,
        };
        let after = |seconds| start + Duration::seconds(seconds);
        assert_eq!(key.state(start), KeyState::Published);
        assert_eq!(key.state(after(299)), KeyState::Published);
        assert_eq!(key.state(after(300)), KeyState::Active);
        key.retire(after(1000), policy);
        assert_eq!(key.state(after(999)), KeyState::Active);
        assert_eq!(key.state(after(1000)), KeyState::Retired);
        assert_eq!(key.state(after(1899)), KeyState::Retired);
        assert_eq!(key.state(after(1900)), KeyState::Removed);
    }
}
