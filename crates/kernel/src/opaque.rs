//! The text of opaque secrets: a prefix that says what it is, 256 random bits, and a checksum that
//! tells a mistyped one from a wrong one without asking the database.

use crate::{Entropy, EntropyError, ExposeSecret, SecretString};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of the random part: 62^43 is above 2^256.
const BODY_CHARS: usize = 43;
/// Characters of the checksum: 62^6 is above 2^32.
const CHECK_CHARS: usize = 6;
/// The longest and shortest prefix.
const PREFIX_BYTES: std::ops::RangeInclusive<usize> = 2..=16;

/// A new secret: the prefix, 43 random base 62 characters and the checksum over both.
///
/// # Errors
/// When there is no entropy.
pub fn generate(prefix: &str, entropy: &dyn Entropy) -> Result<SecretString, EntropyError> {
    let mut text = String::with_capacity(prefix.len() + BODY_CHARS + CHECK_CHARS);
    text.push_str(prefix);
    while text.len() < prefix.len() + BODY_CHARS {
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        // 248 is four times 62: what lies above would favour the first symbols.
        let fair = random.iter().filter(|byte| **byte < 248).map(|byte| usize::from(byte % 62));
        let missing = prefix.len() + BODY_CHARS - text.len();
        text.extend(
            fair.filter_map(|digit| BASE62.get(digit)).take(missing).map(|b| char::from(*b)),
        );
    }
    text.push_str(&checksum(&text));
    Ok(text.into())
}

/// Whether a presented text has the form of a secret with this prefix, its checksum included.
pub fn is_well_formed(prefix: &str, presented: &SecretString) -> bool {
    let text = presented.expose_secret();
    let Some(rest) = text.strip_prefix(prefix) else { return false };
    if rest.len() != BODY_CHARS + CHECK_CHARS || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let (before, check) = text.split_at(text.len() - CHECK_CHARS);
    checksum(before) == check
}

/// The prefix of a presented text that has the form of a secret, whichever it is: up to its last
/// underscore. `None` for any other shape or a wrong checksum: such a one was never issued.
pub fn prefix_of(presented: &SecretString) -> Option<&str> {
    let text = presented.expose_secret();
    let prefix = text.get(..text.rfind('_')? + 1)?;
    (is_prefix(prefix) && is_well_formed(prefix, presented)).then_some(prefix)
}

/// Whether secrets may begin with this: 2 to 16 lower-case letters, digits or underscores, an underscore
/// last.
pub fn is_prefix(raw: &str) -> bool {
    let symbol = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    PREFIX_BYTES.contains(&raw.len()) && raw.ends_with('_') && raw.bytes().all(symbol)
}

/// CRC-32 (ISO 3309) in base 62, six digits.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [0_u8; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        let symbol = BASE62.get((rest % 62) as usize).copied();
        *digit = symbol.unwrap_or_default();
        rest /= 62;
    }
    digits.iter().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
            Ok(())
        }
    }

    fn check(text: &str) -> bool {
        is_well_formed("uvt_", &text.into())
    }

    #[test]
    fn k2_a_secret_has_256_bits_and_a_checksum_over_all_before_it() {
        let entropy = Counting::default();
        let secret = generate("uvt_", &entropy).unwrap();
        let text = secret.expose_secret();
        assert_eq!(text.len(), 4 + 43 + 6);
        assert!(check(text));
        assert_ne!(generate("uvt_", &entropy).unwrap().expose_secret(), text);
        assert!(!is_well_formed("rst_", &secret));
        assert_eq!(checksum("123456789"), checksum_of(0xcbf4_3926), "the CRC's check value");
    }

    fn checksum_of(crc: u32) -> String {
        let digit = |power: u32| char::from(BASE62[(crc / 62_u32.pow(power) % 62) as usize]);
        (0..6).rev().map(digit).collect()
    }

    #[test]
    fn any_slip_of_one_character_is_noticed() {
        let secret = generate("uvt_", &Counting::default()).unwrap();
        let text = secret.expose_secret();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(!check(std::str::from_utf8(&bytes).unwrap()), "{at}");
        }
    }

    #[test]
    fn the_prefix_of_a_secret_is_read_off_it() {
        let entropy = Counting::default();
        for prefix in ["sk_", "vj_live_", "a_"] {
            let secret = generate(prefix, &entropy).unwrap();
            assert_eq!(prefix_of(&secret), Some(prefix));
            let text = secret.expose_secret();
            assert_eq!(prefix_of(&format!("{text}0").into()), None);
            assert_eq!(prefix_of(&format!("x{text}").into()), None);
        }
        for prefix in ["", "_", "SK_", "seventeen_letters_"] {
            assert_eq!(prefix_of(&generate(prefix, &entropy).unwrap()), None, "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_presented_is_judged(raw in any::<String>()) {
            prop_assert!(!check(&raw));
            prop_assert!(prefix_of(&raw.as_str().into()).is_none());
            let prefixed = format!("uvt_{raw}");
            prop_assert!(!check(&prefixed));
        }
    }
}
