use portcullis_kernel::{ExposeSecret, SecretString};

/// The passwords refused by default; see `data/README.md` for their source and licence.
const COMMON: &str = include_str!("../data/common-passwords.txt");

/// The most bytes that are ever hashed; more are refused before any work is done with them.
const MAX_BYTES: usize = 1024;

/// Which new passwords are accepted. No composition rules and no score, as NIST SP 800-63B §5.1.1.2
/// advises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Fewest characters.
    pub min_chars: usize,
    /// Most characters.
    pub max_chars: usize,
    /// Refuse what stands in the list of common passwords.
    pub refuse_common: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: 8, max_chars: 128, refuse_common: true }
    }
}

/// A password that the policy accepts: exactly as sent, neither trimmed nor folded.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPassword {
    /// Fewer characters than the policy wants.
    #[error("must be at least {0} characters")]
    TooShort(usize),
    /// More characters than the policy allows.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// One of the passwords that attackers try first.
    #[error("is one of the most common passwords; choose another")]
    Common,
    /// The e-mail address or the name.
    #[error("must not be your email address or name")]
    Personal,
}

impl PasswordPolicy {
    /// Judges a new password. `personal` are the texts it must not equal: address and name.
    ///
    /// # Errors
    /// [`InvalidPassword`] says which rule it breaks.
    pub fn accept(
        &self,
        raw: SecretString,
        personal: &[&str],
    ) -> Result<Password, InvalidPassword> {
        let text = raw.expose_secret();
        if self.is_over_long(text) {
            return Err(InvalidPassword::TooLong(self.max_chars));
        }
        if text.chars().count() < self.min_chars {
            return Err(InvalidPassword::TooShort(self.min_chars));
        }
        let lower = text.to_lowercase();
        if personal.iter().any(|known| known.to_lowercase() == lower) {
            return Err(InvalidPassword::Personal);
        }
        if self.refuse_common && COMMON.lines().any(|common| common == lower) {
            return Err(InvalidPassword::Common);
        }
        Ok(Password(raw))
    }

    /// Whether no account can have this password, so that checking it must fail without hashing it.
    pub fn is_over_long(&self, raw: &str) -> bool {
        raw.len() > MAX_BYTES || raw.chars().count() > self.max_chars
    }
}

impl ExposeSecret<str> for Password {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(raw: &str) -> Result<Password, InvalidPassword> {
        let personal = ["jane.smith@example.com", "Jane Smith"];
        PasswordPolicy::default().accept(raw.into(), &personal)
    }

    #[test]
    fn p1_eight_characters_are_enough_and_seven_are_not() {
        assert!(judge("kX9!vQ2z").is_ok());
        assert_eq!(judge("kX9!vQ2").unwrap_err(), InvalidPassword::TooShort(8));
        assert!(judge("🦀🦀🦀🦀🦀🦀🦀é").is_ok(), "characters are counted, not bytes");
    }

    #[test]
    fn p3_128_characters_fit_and_no_more() {
        assert!(judge(&"xy".repeat(64)).is_ok());
        assert!(judge(&"🦀".repeat(128)).is_ok());
        assert_eq!(judge(&"x".repeat(129)).unwrap_err(), InvalidPassword::TooLong(128));
        assert_eq!(judge(&"x".repeat(1_000_000)).unwrap_err(), InvalidPassword::TooLong(128));
    }

    #[test]
    fn p2_a_password_stays_exactly_as_sent() {
        for raw in [
            "  space at both ends  ",
            "Кириллица и 🦀",
            "nul \0 and \t tab",
            "e\u{301}tudes, plural",
        ] {
            assert_eq!(judge(raw).unwrap().expose_secret(), raw);
        }
    }

    #[test]
    fn p5_common_and_personal_passwords_are_refused_in_any_case() {
        assert!(COMMON.lines().count() >= 3000);
        for raw in ["password", "PassWord", "12345678", "qwertyuiop", "sunshine"] {
            assert_eq!(judge(raw).unwrap_err(), InvalidPassword::Common, "{raw}");
        }
        for raw in ["Jane.Smith@example.com", "jane smith"] {
            assert_eq!(judge(raw).unwrap_err(), InvalidPassword::Personal, "{raw}");
        }
        assert!(judge("SecureP@ssw0rd!").is_ok());
        let lax = PasswordPolicy { refuse_common: false, ..PasswordPolicy::default() };
        assert!(lax.accept("password".into(), &[]).is_ok());
    }

    #[test]
    fn debug_shows_nothing() {
        assert!(!format!("{:?}", judge("kX9!vQ2z").unwrap()).contains("kX9"));
    }
}
