use std::{fmt, str::FromStr};

use ulid::Ulid;

use crate::{Entropy, EntropyError, Instant};

/// A text that is no id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidId;

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id: 48 bits of time, 80 random bits.
            ///
            /// # Errors
            /// When there is no entropy.
            pub fn generate(now: Instant, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                let mut random = [0; 16];
                entropy.fill(&mut random[..10])?;
                let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
                Ok(Self(Ulid::from_parts(millis, u128::from_le_bytes(random))))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the 26 upper-case characters; no other spelling is the same id.
            fn from_str(raw: &str) -> Result<Self, InvalidId> {
                let id = Ulid::from_string(raw).map_err(|_| InvalidId)?;
                if id.to_string() == raw { Ok(Self(id)) } else { Err(InvalidId) }
            }
        }
    };
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id of 128 random bits.
            ///
            /// # Errors
            /// When there is no entropy.
            pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                let mut random = [0; 16];
                entropy.fill(&mut random)?;
                Ok(Self(random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:032x}", $prefix, u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the prefix and 32 lower-case hexadecimal digits.
            fn from_str(raw: &str) -> Result<Self, InvalidId> {
                let digits = raw.strip_prefix($prefix).ok_or(InvalidId)?;
                let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                if digits.len() != 32 || !digits.bytes().all(lower_hex) {
                    return Err(InvalidId);
                }
                let value = u128::from_str_radix(digits, 16).map_err(|_| InvalidId)?;
                Ok(Self(value.to_be_bytes()))
            }
        }
    };
}

ulid_id! {
    /// A person's account.
    UserId
}
ulid_id! {
    /// One issued token: the `jti` claim (RFC 7519 §4.1.7).
    TokenId
}
prefixed_id! {
    /// One session: a sign-in and all the refresh tokens rotated from it.
    SessionId, "ses_"
}
prefixed_id! {
    /// One audit event.
    AuditEventId, "evn_"
}
prefixed_id! {
    /// One mail that waits or was delivered.
    MailId, "eml_"
}
prefixed_id! {
    /// One pending change of an e-mail address.
    EmailChangeId, "ech_"
}
prefixed_id! {
    /// One invitation to register. Its secret is another thing.
    InvitationId, "ivt_"
}

prefixed_id! {
    /// An agent's account.
    AgentId, "agt_"
}
prefixed_id! {
    /// One API key. Its secret is another thing.
    ApiKeyId, "aky_"
}
prefixed_id! {
    /// One request for recovery codes.
    RecoveryId, "rcv_"
}
prefixed_id! {
    /// One registration by which an agent signed itself up.
    RegistrationId, "rgn_"
}
prefixed_id! {
    /// One attempt of a person to claim a registration: one mailed code.
    ClaimAttemptId, "cla_"
}
prefixed_id! {
    /// One resource server: an API that asks this server about keys and tokens.
    ResourceServerId, "rs_"
}
prefixed_id! {
    /// One entry of a ledger of credits.
    CreditEntryId, "cre_"
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill(0xff);
            Ok(())
        }
    }

    #[test]
    fn a_ulid_has_its_time_and_80_random_bits() {
        let now = Instant::from_unix_timestamp(1_710_000_000).unwrap();
        let id = UserId::generate(now, &Ones).unwrap();
        assert_eq!(id.to_string(), "01HRHZ2K00ZZZZZZZZZZZZZZZZ");
        assert_eq!("01HRHZ2K00ZZZZZZZZZZZZZZZZ".parse(), Ok(id));
    }

    #[test]
    fn other_spellings_are_other_things() {
        for raw in ["", "01hrhz2k00zzzzzzzzzzzzzzzz", "01HRHZ2K00ZZZZZZZZZZZZZZZ", "éééé"] {
            assert_eq!(raw.parse::<UserId>(), Err(InvalidId), "{raw}");
        }
        let id = SessionId::generate(&Ones).unwrap();
        assert_eq!(id.to_string(), format!("ses_{}", "f".repeat(32)));
        assert_eq!(id.to_string().parse(), Ok(id));
        for raw in ["", "ses_", &id.to_string().to_uppercase(), &format!("{id}0")] {
            assert_eq!(raw.parse::<SessionId>(), Err(InvalidId), "{raw}");
        }
    }
}
