use std::fmt;

use ring::digest::{SHA256, digest};

/// The SHA-256 of a secret of 128 bits or more: the only form in which such a secret is stored.
///
/// `Debug` shows nothing of it, so that a log line cannot serve as a look-up key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Digests a secret as it travels, prefix included.
    pub fn of(secret: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(bytes)
    }

    /// A digest read back from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

/// The MAC of a short code: the only form in which such a code is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeMac([u8; 32]);

impl CodeMac {
    /// A MAC just made, or read back from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CodeMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeMac(…)")
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Crockford's base 32 in upper case: the low five bits of each byte become one character.
pub fn crockford(bytes: &[u8]) -> String {
    bytes
        .iter()
        .filter_map(|byte| CROCKFORD.get(usize::from(byte & 31)))
        .map(|symbol| char::from(*symbol))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha_256_and_never_shown() {
        let digest = TokenDigest::of("abc");
        assert_eq!(digest.as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(format!("{digest:?}"), "TokenDigest(…)");
    }

    #[test]
    fn crockford_uses_all_32_symbols_and_no_look_alikes() {
        let all: Vec<u8> = (0..32).collect();
        assert_eq!(crockford(&all), "0123456789ABCDEFGHJKMNPQRSTVWXYZ");
        assert_eq!(crockford(&[0b1110_0000]), "0");
    }
}
