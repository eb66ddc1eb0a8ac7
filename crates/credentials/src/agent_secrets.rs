use portcullis_kernel::{
    AgentId, Entropy, EntropyError, ExposeSecret, Instant, SecretString, TokenDigest, opaque,
};

const RECOVERY_PREFIX: &str = "rk_";
const MAILED_PREFIX: &str = "evt_";

/// An agent's recovery key on its way out, or as somebody presented it: what manages the account.
#[derive(Clone, Debug)]
pub struct PlainRecoveryKey(SecretString);

impl PlainRecoveryKey {
    /// A new key of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(RECOVERY_PREFIX, entropy).map(Self)
    }

    /// Reads a presented key. `None` for any other shape or a wrong checksum: such a one was never
    /// issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        opaque::is_well_formed(RECOVERY_PREFIX, &presented).then_some(Self(presented))
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }

    /// The key itself, to be shown once.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// A token that proves an agent's address, on its way out, or as somebody presented it.
#[derive(Clone, Debug)]
pub struct PlainAgentToken(SecretString);

impl PlainAgentToken {
    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(MAILED_PREFIX, entropy).map(Self)
    }

    /// Reads a presented token. `None` for any other shape or a wrong checksum: such a one was never
    /// issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        opaque::is_well_formed(MAILED_PREFIX, &presented).then_some(Self(presented))
    }

    /// Whether a text claims to be one, right or wrong.
    pub fn is_meant_by(presented: &SecretString) -> bool {
        presented.expose_secret().starts_with(MAILED_PREFIX)
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }

    /// The token itself, for the mail that carries it.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// A token that proves an agent's address as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentToken {
    /// Its digest.
    pub digest: TokenDigest,
    /// Whose address it proves.
    pub agent: AgentId,
    /// The canonical address it was mailed to: it proves that one, and no other.
    pub email: String,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is dead, and nothing tells that it was used.
    pub expires_at: Instant,
    /// When it was used.
    pub used_at: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill(7);
            Ok(())
        }
    }

    #[test]
    fn k4_a_secret_of_one_kind_is_none_of_another() {
        let recovery = PlainRecoveryKey::generate(&Sevens).unwrap();
        assert!(!format!("{recovery:?}").contains("rk_"));
        let recovery = recovery.into_secret();
        assert!(recovery.expose_secret().starts_with("rk_"));
        assert!(PlainRecoveryKey::parse(recovery.clone()).is_some());
        assert!(PlainAgentToken::parse(recovery.clone()).is_none());
        assert!(!PlainAgentToken::is_meant_by(&recovery));
        let token = PlainAgentToken::generate(&Sevens).unwrap().into_secret();
        assert!(PlainAgentToken::parse(token.clone()).is_some());
        assert!(PlainAgentToken::is_meant_by(&token) && PlainRecoveryKey::parse(token).is_none());
    }
}
