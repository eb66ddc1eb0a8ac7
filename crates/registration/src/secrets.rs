use portcullis_kernel::{Entropy, EntropyError, ExposeSecret, SecretString, TokenDigest, opaque};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// A new one of 256 random bits.
            ///
            /// # Errors
            /// When there is no entropy.
            pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                opaque::generate($prefix, entropy).map(Self)
            }

            /// Reads a presented one. `None` for any other shape or a wrong checksum: such a one was
            /// never issued.
            pub fn parse(presented: SecretString) -> Option<Self> {
                opaque::is_well_formed($prefix, &presented).then_some(Self(presented))
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
    };
}

secret! {
    /// A claim token: what an agent claims its registration with.
    PlainClaimToken, "clm_"
}
secret! {
    /// A view token: what shows a registration to a person, and lets them have a code mailed or say no.
    /// It claims nothing.
    PlainViewToken, "cvt_"
}
secret! {
    /// What a person who was told of a claim undoes it with.
    PlainUnclaimToken, "crt_"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let claim = PlainClaimToken::generate(&Sevens).unwrap();
        assert!(!format!("{claim:?}").contains("clm_"));
        let claim = claim.into_secret();
        assert!(claim.expose_secret().starts_with("clm_"));
        assert!(PlainClaimToken::parse(claim.clone()).is_some());
        assert!(PlainViewToken::parse(claim.clone()).is_none());
        assert!(PlainUnclaimToken::parse(claim).is_none());
        let view = PlainViewToken::generate(&Sevens).unwrap();
        assert_eq!(view.digest(), TokenDigest::of(view.into_secret().expose_secret()));
    }

    proptest! {
        #[test]
        fn whatever_is_presented_is_judged(raw in any::<String>()) {
            prop_assert!(PlainClaimToken::parse(raw.as_str().into()).is_none());
            let prefixed = ["cvt_", raw.as_str()].concat();
            prop_assert!(PlainViewToken::parse(prefixed.into()).is_none());
        }
    }
}
