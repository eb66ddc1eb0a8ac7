use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt},
};
use portcullis_kernel::{Entropy, EntropyError, ExposeSecret};

use crate::Password;

/// Bytes of salt; RFC 9106 §4 recommends 16.
const SALT_BYTES: usize = 16;
/// Bytes of hash.
const OUTPUT_BYTES: usize = 32;

/// What one Argon2id hash costs. The default is the least that OWASP recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Settings {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for Argon2Settings {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// The stored form of a password: a PHC string with parameters, salt and hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash read back from storage.
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, for storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashing went wrong; never because of the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The settings are outside what Argon2 allows, or below what this project allows.
    #[error("Argon2 settings: {0}")]
    Settings(String),
    /// A stored hash is not an Argon2id PHC string.
    #[error("a stored password hash cannot be read")]
    Stored,
    /// There is no salt without entropy.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// The outcome of checking a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The password is the right one.
    pub matches: bool,
    /// The stored hash was made with weaker settings than today's.
    pub outdated: bool,
}

/// Hashes and checks passwords with Argon2id (RFC 9106).
///
/// One call takes some 10 ms of a core and the configured memory: callers bound how many run at
/// once. The working memory is kept for the next call, so as many buffers live on as calls ever ran
/// at once.
pub struct PasswordHasher {
    params: Params,
    buffers: Mutex<Vec<Vec<Block>>>,
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").field("params", &self.params).finish_non_exhaustive()
    }
}

impl PasswordHasher {
    /// A hasher with these settings for new hashes.
    ///
    /// # Errors
    /// [`HashError::Settings`] when they are below the default or outside what Argon2 allows.
    pub fn new(settings: Argon2Settings) -> Result<Self, HashError> {
        let least = Argon2Settings::default();
        if settings.memory_kib < least.memory_kib || settings.iterations < least.iterations {
            let text = format!(
                "at least {} KiB of memory and {} iterations are wanted",
                least.memory_kib, least.iterations
            );
            return Err(HashError::Settings(text));
        }
        let params = Params::new(
            settings.memory_kib,
            settings.iterations,
            settings.parallelism,
            Some(OUTPUT_BYTES),
        )
        .map_err(|e| HashError::Settings(e.to_string()))?;
        Ok(Self { params, buffers: Mutex::default() })
    }

    /// Hashes a new password under a salt of its own.
    ///
    /// # Errors
    /// [`HashError::Entropy`] when there is no salt.
    pub fn hash(
        &self,
        password: &Password,
        entropy: &dyn Entropy,
    ) -> Result<PasswordHash, HashError> {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt)?;
        let output = self.derive(&self.params, password.expose_secret().as_bytes(), &salt)?;
        let unreadable = |_| HashError::Stored;
        let phc = Phc {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).map_err(|_| HashError::Stored)?,
            salt: Some(Salt::new(&salt).map_err(unreadable)?),
            hash: Some(Output::new(&output).map_err(unreadable)?),
        };
        Ok(PasswordHash(phc.to_string()))
    }

    /// Checks a presented password. Without a stored hash it does the same work and matches never,
    /// so that an unknown account takes as long as a known one.
    ///
    /// # Errors
    /// [`HashError::Stored`] when the stored hash cannot be read.
    pub fn verify(
        &self,
        presented: &str,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, HashError> {
        let Some(stored) = stored else {
            self.derive(&self.params, presented.as_bytes(), &[0; SALT_BYTES])?;
            return Ok(Verdict { matches: false, outdated: false });
        };
        let phc = Phc::new(&stored.0).map_err(|_| HashError::Stored)?;
        let params = Params::try_from(&phc).map_err(|_| HashError::Stored)?;
        let (Some(salt), Some(hash)) = (phc.salt, phc.hash) else {
            return Err(HashError::Stored);
        };
        if phc.algorithm != ARGON2ID_IDENT || hash.as_ref().len() != OUTPUT_BYTES {
            return Err(HashError::Stored);
        }
        let output = self.derive(&params, presented.as_bytes(), salt.as_ref())?;
        let output = Output::new(&output).map_err(|_| HashError::Stored)?;
        // `Output` compares in constant time.
        let verdict = Verdict { matches: output == hash, outdated: self.is_weaker(&params) };
        if verdict.outdated && !verdict.matches {
            self.make_up_for(&params)?;
        }
        Ok(verdict)
    }

    /// Works as much longer as a hash of today costs more than one with `params` did: a wrong
    /// password takes as long whether the account is unknown, renewed or not yet renewed.
    fn make_up_for(&self, params: &Params) -> Result<(), HashError> {
        let cost = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
        let lacking = cost(&self.params).saturating_sub(cost(params));
        let memory = u32::try_from(lacking / u64::from(self.params.t_cost())).unwrap_or(u32::MAX);
        let lanes = self.params.p_cost();
        if memory < 8 * lanes {
            return Ok(());
        }
        let rest = Params::new(memory, self.params.t_cost(), lanes, Some(OUTPUT_BYTES));
        let rest = rest.map_err(|e| HashError::Settings(e.to_string()))?;
        self.derive(&rest, &[], &[0; SALT_BYTES]).map(drop)
    }

    fn is_weaker(&self, params: &Params) -> bool {
        params.m_cost() < self.params.m_cost() || params.t_cost() < self.params.t_cost()
    }

    fn derive(
        &self,
        params: &Params,
        password: &[u8],
        salt: &[u8],
    ) -> Result<[u8; OUTPUT_BYTES], HashError> {
        let mut buffer = self.take_buffer();
        if buffer.len() < params.block_count() {
            buffer.resize(params.block_count(), Block::default());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut output = [0; OUTPUT_BYTES];
        let done =
            argon2.hash_password_into_with_memory(password, salt, &mut output, &mut buffer[..]);
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        done.map_err(|_| HashError::Stored)?;
        Ok(output)
    }

    fn take_buffer(&self) -> Vec<Block> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PasswordPolicy;

    struct Counting(Mutex<u8>);
    impl Entropy for Counting {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            let mut next = self.0.lock().unwrap();
            *next += 1;
            dest.fill(*next);
            Ok(())
        }
    }

    fn password(raw: &str) -> Password {
        PasswordPolicy::default().accept(raw.into(), &[]).unwrap()
    }

    #[test]
    fn p6_the_stored_form_is_argon2id_with_the_settings_and_a_salt_of_its_own() {
        let hasher = PasswordHasher::new(Argon2Settings::default()).unwrap();
        let entropy = Counting(Mutex::new(0));
        let a = hasher.hash(&password("correct horse"), &entropy).unwrap();
        let b = hasher.hash(&password("correct horse"), &entropy).unwrap();
        assert!(a.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", a.as_str());
        assert_ne!(a, b);
        assert_eq!(format!("{a:?}"), "PasswordHash(…)");
    }

    #[test]
    fn p2_p4_only_the_exact_password_matches() {
        let hasher = PasswordHasher::new(Argon2Settings::default()).unwrap();
        let long = "x".repeat(72) + "and what follows";
        let stored = hasher.hash(&password(&long), &Counting(Mutex::new(0))).unwrap();
        let right = hasher.verify(&long, Some(&stored)).unwrap();
        assert_eq!(right, Verdict { matches: true, outdated: false });
        let cut: String = long.chars().take(72).collect();
        for wrong in [cut.as_str(), long.trim_end_matches('s'), ""] {
            assert!(!hasher.verify(wrong, Some(&stored)).unwrap().matches);
        }
        assert!(!hasher.verify(&long, None).unwrap().matches);
    }

    #[test]
    fn p8_a_hash_with_weaker_settings_is_outdated() {
        let weak = PasswordHasher::new(Argon2Settings::default()).unwrap();
        let stored = weak.hash(&password("correct horse"), &Counting(Mutex::new(0))).unwrap();
        let raised = Argon2Settings { iterations: 3, ..Argon2Settings::default() };
        let strong = PasswordHasher::new(raised).unwrap();
        let verdict = strong.verify("correct horse", Some(&stored)).unwrap();
        assert_eq!(verdict, Verdict { matches: true, outdated: true });
    }

    #[test]
    fn settings_below_the_minimum_and_unreadable_hashes_are_errors() {
        let low = Argon2Settings { memory_kib: 1024, ..Argon2Settings::default() };
        assert!(matches!(PasswordHasher::new(low), Err(HashError::Settings(_))));
        let hasher = PasswordHasher::new(Argon2Settings::default()).unwrap();
        for phc in ["", "$2b$12$abc", "$argon2i$v=19$m=19456,t=2,p=1$AQEBAQEBAQE$AQEB"] {
            let stored = PasswordHash::from_stored(phc.into());
            assert!(matches!(hasher.verify("x", Some(&stored)), Err(HashError::Stored)), "{phc}");
        }
    }
}
