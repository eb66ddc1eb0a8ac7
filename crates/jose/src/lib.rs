//! Key generation, signing and verifying behind [`Jose`]: RS256 by josekit and its OpenSSL, ES256 and
//! Ed25519 by ring.
//!
//! Nothing else in the workspace signs. OpenSSL's RSA signing is constant-time, which the pure-Rust
//! `rsa` crate's is not (RUSTSEC-2023-0071), and ring makes no RSA keys. On the curves ring is the faster
//! of the two.

mod ec;
mod ed;
mod rsa;

use std::fmt::Display;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_tokens::{
    Algorithm, PublicJwk,
    ports::{Jose, JoseError, KeyPair, Signer, Verifier},
};

/// Signatures by josekit's OpenSSL and by ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Josekit;

impl Jose for Josekit {
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError> {
        match algorithm {
            Algorithm::Rs256 => rsa::generate(),
            Algorithm::Es256 => ec::generate(),
            Algorithm::EdDsa => ed::generate(),
            _ => Err(unknown(algorithm)),
        }
    }

    fn signer(&self, algorithm: Algorithm, private: &[u8]) -> Result<Box<dyn Signer>, JoseError> {
        match algorithm {
            Algorithm::Rs256 => Ok(Box::new(rsa::signer(private)?)),
            Algorithm::Es256 => Ok(Box::new(ec::signer(private)?)),
            Algorithm::EdDsa => Ok(Box::new(ed::signer(private)?)),
            _ => Err(unknown(algorithm)),
        }
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        public: &PublicJwk,
    ) -> Result<Box<dyn Verifier>, JoseError> {
        match (algorithm, public) {
            (Algorithm::Rs256, PublicJwk::Rsa { n, e }) => Ok(Box::new(rsa::verifier(n, e)?)),
            (Algorithm::Rs256, _) => {
                Err(failed(format!("a public key of another kind than {}", algorithm.as_str())))
            }
            (Algorithm::Es256 | Algorithm::EdDsa, public) => {
                portcullis_tokens::verifier(algorithm, public)
            }
            _ => Err(unknown(algorithm)),
        }
    }
}

fn failed(cause: impl Display) -> JoseError {
    JoseError(cause.to_string())
}

fn unknown(algorithm: Algorithm) -> JoseError {
    failed(format!("{} is not supported here", algorithm.as_str()))
}

/// The member of a public key on a curve whose numbers have 32 octets: leading zeros are kept
/// (RFC 7518 §6.2.1.2).
fn to_member(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

#[cfg(test)]
mod tests;
