use portcullis_kernel::{
    Entropy, EntropyError, ExposeSecret, Instant, SecretString, TokenDigest, UserId, opaque,
};

/// What a mailed token lets its holder do, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailedKind {
    /// Confirm the address of an account.
    VerifyEmail,
    /// Set a new password.
    ResetPassword,
    /// Erase an account that has no password to ask for.
    DeleteAccount,
}

impl MailedKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::VerifyEmail, Self::ResetPassword, Self::DeleteAccount];

    /// What every token of this kind begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::VerifyEmail => "uvt_",
            Self::ResetPassword => "rst_",
            Self::DeleteAccount => "udt_",
        }
    }

    /// The name used in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::DeleteAccount => "delete_account",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A mailed token on its way out, or as somebody presented it.
#[derive(Clone, Debug)]
pub struct PlainMailedToken(SecretString);

impl PlainMailedToken {
    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(kind: MailedKind, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(kind.prefix(), entropy).map(Self)
    }

    /// Reads a presented token. `None` for any other shape or a wrong checksum: such a one was never
    /// issued.
    pub fn parse(kind: MailedKind, presented: SecretString) -> Option<Self> {
        opaque::is_well_formed(kind.prefix(), &presented).then_some(Self(presented))
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

/// A mailed token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedToken {
    /// Its digest.
    pub digest: TokenDigest,
    /// What it lets its holder do.
    pub kind: MailedKind,
    /// To whose account.
    pub user: UserId,
    /// The canonical address it was mailed to: it proves that mailbox, and no other that the account
    /// may have by the time it comes back.
    pub email: String,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is dead.
    pub expires_at: Instant,
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
    fn j4_a_token_of_one_kind_is_none_of_another() {
        for kind in MailedKind::ALL {
            let token = PlainMailedToken::generate(kind, &Sevens).unwrap().into_secret();
            for other in MailedKind::ALL {
                let read = PlainMailedToken::parse(other, token.clone());
                assert_eq!(read.is_some(), other == kind, "{kind:?} as {other:?}");
            }
            assert_eq!(MailedKind::from_name(kind.as_str()), Some(kind));
        }
        let token = PlainMailedToken::generate(MailedKind::VerifyEmail, &Sevens).unwrap();
        assert!(!format!("{token:?}").contains("uvt_"));
    }
}
