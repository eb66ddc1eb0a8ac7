use portcullis_kernel::{CodeMac, Entropy, EntropyError, ExposeSecret, SecretString};
use ring::hmac;

const DIGITS: usize = 6;
const CODES: u32 = 1_000_000;

/// A six-digit code on its way out, or as somebody typed it.
#[derive(Clone, Debug)]
pub struct PlainCode(SecretString);

impl PlainCode {
    /// A new code, every one as likely as the next; leading zeros are kept.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        // The largest multiple of a million: what lies above would favour small codes.
        let fair = u32::MAX - u32::MAX % CODES;
        loop {
            let mut random = [0; 4];
            entropy.fill(&mut random)?;
            let drawn = u32::from_le_bytes(random);
            if drawn < fair {
                return Ok(Self(format!("{:0DIGITS$}", drawn % CODES).into()));
            }
        }
    }

    /// Reads a typed code: six ASCII digits and nothing else. `None` for any other text.
    pub fn parse(typed: SecretString) -> Option<Self> {
        let text = typed.expose_secret();
        let fits = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(Self(typed))
    }

    /// The code itself, for the mail that carries it.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// The key under which codes are stored: a million codes are soon tried, so that a bare digest would
/// hide nothing.
pub struct Pepper(hmac::Key);

impl Pepper {
    /// A pepper of 256 secret bits, which never enter the database.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The stored form of a code, good for this `attempt` only.
    pub fn mac(&self, attempt: &str, code: &PlainCode) -> CodeMac {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(&self.0, &message(attempt, code)).as_ref());
        CodeMac::from_bytes(bytes)
    }

    /// Whether this is the code of the attempt, in constant time.
    pub fn verify(&self, attempt: &str, code: &PlainCode, stored: &CodeMac) -> bool {
        hmac::verify(&self.0, &message(attempt, code), stored.as_bytes()).is_ok()
    }
}

fn message(attempt: &str, code: &PlainCode) -> Vec<u8> {
    // The code has a fixed length, so that no other pair makes the same text.
    [attempt.as_bytes(), b"|", code.0.expose_secret().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(&'static [u8]);
    impl Entropy for Bytes {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.copy_from_slice(&self.0[..dest.len()]);
            Ok(())
        }
    }

    fn code(text: &str) -> PlainCode {
        PlainCode::parse(text.into()).unwrap()
    }

    #[test]
    fn o10_leading_zeros_are_kept() {
        let seven = PlainCode::generate(&Bytes(&[7, 0, 0, 0])).unwrap();
        assert_eq!(seven.into_secret().expose_secret(), "000007");
    }

    #[test]
    fn o8_six_ascii_digits_and_nothing_else_are_a_code() {
        assert!(PlainCode::parse("012345".into()).is_some());
        for text in
            ["", "12345", "1234567", " 12345", "12345\n", "１２３４５６", "12 456", "-12345"]
        {
            assert!(PlainCode::parse(text.into()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn o6_a_stored_code_is_good_for_its_attempt_only() {
        let pepper = Pepper::new(&[1; 32]);
        let stored = pepper.mac("ech_1", &code("123456"));
        assert!(pepper.verify("ech_1", &code("123456"), &stored));
        assert!(!pepper.verify("ech_1", &code("123457"), &stored));
        assert!(!pepper.verify("ech_2", &code("123456"), &stored));
        assert!(!Pepper::new(&[2; 32]).verify("ech_1", &code("123456"), &stored));
        assert!(!format!("{:?}{stored:?}", code("123456")).contains("123456"));
    }
}
