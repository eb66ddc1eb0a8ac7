use portcullis_kernel::{
    Entropy, EntropyError, ExposeSecret, Instant, InvitationId, SecretString, TokenDigest, opaque,
};

use crate::EmailAddress;

const PREFIX: &str = "inv_";

/// The secret of an invitation on its way out, or as somebody presented it.
#[derive(Clone, Debug)]
pub struct PlainInvitation(SecretString);

impl PlainInvitation {
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

/// Leave to register once, given by an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The digest of its secret.
    pub digest: TokenDigest,
    /// The only address it is good for; any when `None`.
    pub email: Option<EmailAddress>,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is dead.
    pub expires_at: Instant,
}

impl Invitation {
    /// Whether this address may register with it.
    pub fn admits(&self, email: &EmailAddress) -> bool {
        self.email.as_ref().is_none_or(|invited| invited == email)
    }
}
