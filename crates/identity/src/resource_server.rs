use portcullis_kernel::{
    Entropy, EntropyError, ExposeSecret, Instant, ResourceServerId, Scopes, SecretString,
    TokenDigest, opaque,
};

const PREFIX: &str = "rss_";

/// The secret of a resource server on its way out, or as somebody presented it.
#[derive(Clone, Debug)]
pub struct PlainServerSecret(SecretString);

impl PlainServerSecret {
    /// A new secret of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(PREFIX, entropy).map(Self)
    }

    /// Reads a presented secret. `None` for any other shape or a wrong checksum: such a one was never
    /// issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        opaque::is_well_formed(PREFIX, &presented).then_some(Self(presented))
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }

    /// The secret itself, to be shown once.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// An API that asks this server about the keys and tokens it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceServer {
    /// Its id, with which it authenticates.
    pub id: ResourceServerId,
    /// What operators call it.
    pub name: String,
    /// The digest of its secret.
    pub digest: TokenDigest,
    /// The `aud` of tokens that are for it alone (RFC 8707).
    pub audience: Option<String>,
    /// The scopes that it knows: of keys and tokens for everybody it sees those that have one.
    pub scopes: Scopes,
    /// Whether it sees people's tokens that are for everybody.
    pub people: bool,
    /// When it was added.
    pub created_at: Instant,
}
