use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use portcullis_kernel::{Entropy, EntropyError};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{self, HKDF_SHA256},
};
use zeroize::{Zeroize, Zeroizing};

const KEY_BYTES: usize = 32;
const FORMAT: u8 = 1;
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The key that seals private keys at rest. It never enters the database.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

/// A text that is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random bytes in base64, as `portcullis keys new-master` writes it")]
pub struct InvalidMasterKey;

/// Sealing or opening failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no nonce without entropy.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Not sealed by this master key, sealed for something else, or damaged.
    #[error("sealed under another master key, or damaged")]
    Open,
    /// The cipher refused its input.
    #[error("the cipher refused its input")]
    Cipher,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl MasterKey {
    /// A new random key.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Reads the text form: base64 in either alphabet, padded or not, space around it dropped.
    ///
    /// # Errors
    /// [`InvalidMasterKey`] when it is not 32 bytes, or all bytes are the same.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let text = text.trim();
        let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
        let standard = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
        let mut decoded = url_safe
            .decode(text)
            .or_else(|_| standard.decode(text))
            .map_err(|_| InvalidMasterKey)?;
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded.as_slice());
        decoded.zeroize();
        let bytes = Zeroizing::new(bytes.map_err(|_| InvalidMasterKey)?);
        let first = bytes.first().copied();
        if bytes.iter().all(|byte| Some(*byte) == first) {
            return Err(InvalidMasterKey);
        }
        Ok(Self(bytes))
    }

    /// The text form: base64url without padding.
    pub fn to_text(&self) -> Zeroizing<String> {
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        Zeroizing::new(engine.encode(self.0.as_slice()))
    }

    /// A public name of the key: tells whether two are the same, and nothing else of them.
    pub fn id(&self) -> String {
        let id: Zeroizing<[u8; KEY_BYTES]> = self.derive(b"portcullis/master-key-id/v1");
        id.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Seals `plain`; it opens under the same `context` only.
    ///
    /// # Errors
    /// When there is no entropy for the nonce.
    pub fn seal(
        &self,
        context: &str,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let mut sealed = Zeroizing::new(plain.to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| SealError::Cipher)?;
        Ok([&[FORMAT][..], &nonce, &sealed, tag.as_ref()].concat())
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`SealError::Open`] for another key, another context, or damage.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (format, rest) = sealed.split_first().ok_or(SealError::Open)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Open)?;
        if *format != FORMAT {
            return Err(SealError::Open);
        }
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let plain = self
            .cipher()?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(context.as_bytes()),
                &mut buffer,
            )
            .map_err(|_| SealError::Open)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }

    /// The key under which short codes are stored.
    pub fn code_pepper(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.derive(b"portcullis/code-pepper/v1")
    }

    /// The key of the tokens in forms.
    pub fn form_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.derive(b"portcullis/form-key/v1")
    }

    /// The key of the ids of payment challenges.
    pub fn payment_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        self.derive(b"portcullis/payment-key/v1")
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        let key = self.derive(b"portcullis/seal/v1");
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| SealError::Cipher)?;
        Ok(LessSafeKey::new(key))
    }

    /// HKDF (RFC 5869), so that no two uses share a key.
    fn derive(&self, info: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut out = Zeroizing::new([0; KEY_BYTES]);
        let prk = hkdf::Salt::new(HKDF_SHA256, b"portcullis").extract(self.0.as_slice());
        // Both calls fail only for outputs longer than 255 hashes.
        if let Ok(okm) = prk.expand(&[info], HKDF_SHA256) {
            let _ = okm.fill(out.as_mut_slice());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Steps;
    impl Entropy for Steps {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            for (byte, value) in dest.iter_mut().zip(7..) {
                *byte = value;
            }
            Ok(())
        }
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_context_only() {
        let key = MasterKey::generate(&Steps).unwrap();
        let sealed = key.seal("kid-1", b"private", &Steps).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"private"));
        assert_eq!(key.open("kid-1", &sealed).unwrap().as_slice(), b"private");
        assert_eq!(key.open("kid-2", &sealed), Err(SealError::Open));
        let other = MasterKey::parse(&format!("AAEC{}", "A".repeat(39))).unwrap();
        assert_eq!(other.open("kid-1", &sealed), Err(SealError::Open));
        for cut in 0..sealed.len() {
            assert_eq!(key.open("kid-1", &sealed[..cut]), Err(SealError::Open));
        }
    }

    #[test]
    fn the_text_form_comes_back_and_the_id_tells_keys_apart() {
        let key = MasterKey::generate(&Steps).unwrap();
        let text = key.to_text();
        assert_eq!(text.len(), 43);
        assert_eq!(MasterKey::parse(&format!("{}\n", *text)).unwrap().id(), key.id());
        let padded = format!("{}=", *text);
        assert_eq!(MasterKey::parse(&padded).unwrap().id(), key.id());
        assert!(!format!("{key:?}").contains(text.as_str()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "change-me", &"A".repeat(43), &"A".repeat(44), &"Zz".repeat(32)] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), InvalidMasterKey, "{text}");
        }
    }
}
