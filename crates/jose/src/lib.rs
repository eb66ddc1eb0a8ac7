//! Key generation, signing and verifying by josekit and its OpenSSL, behind [`Jose`].
//!
//! Nothing else in the workspace knows either library. OpenSSL's RSA signing is constant-time, which
//! the pure-Rust `rsa` crate's is not (RUSTSEC-2023-0071).

use std::fmt::Display;

use josekit::{
    jwk::Jwk,
    jws::{JwsSigner, JwsVerifier, RS256},
};
use portcullis_tokens::{
    Algorithm, PublicJwk,
    ports::{Jose, JoseError, KeyPair, Signer, Verifier},
};
use zeroize::Zeroizing;

/// The size of new RSA keys. RFC 7518 §3.3 wants 2048 at least.
const RSA_BITS: u32 = 2048;

/// Signatures by josekit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Josekit;

impl Jose for Josekit {
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError> {
        match algorithm {
            Algorithm::Rs256 => generate_rsa(),
            _ => Err(unknown(algorithm)),
        }
    }

    fn signer(&self, algorithm: Algorithm, private: &[u8]) -> Result<Box<dyn Signer>, JoseError> {
        match algorithm {
            Algorithm::Rs256 => {
                let signer = RS256.signer_from_der(private).map_err(failed)?;
                Ok(Box::new(JosekitSigner(Box::new(signer))))
            }
            _ => Err(unknown(algorithm)),
        }
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        public: &PublicJwk,
    ) -> Result<Box<dyn Verifier>, JoseError> {
        match (algorithm, public) {
            (Algorithm::Rs256, PublicJwk::Rsa { n, e }) => {
                let mut jwk = Jwk::new("RSA");
                jwk.set_parameter("n", Some(n.clone().into())).map_err(failed)?;
                jwk.set_parameter("e", Some(e.clone().into())).map_err(failed)?;
                let verifier = RS256.verifier_from_jwk(&jwk).map_err(failed)?;
                Ok(Box::new(JosekitVerifier(Box::new(verifier))))
            }
            _ => Err(unknown(algorithm)),
        }
    }
}

struct JosekitSigner(Box<dyn JwsSigner + Send + Sync>);

impl Signer for JosekitSigner {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.0.sign(input).map_err(failed)
    }
}

struct JosekitVerifier(Box<dyn JwsVerifier + Send + Sync>);

impl Verifier for JosekitVerifier {
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify(input, signature).is_ok()
    }
}

fn generate_rsa() -> Result<KeyPair, JoseError> {
    let pair = RS256.generate_key_pair(RSA_BITS).map_err(failed)?;
    let jwk = pair.to_jwk_public_key();
    let member = |name| {
        let value = jwk.parameter(name).and_then(|value| value.as_str()).map(str::to_owned);
        value.ok_or_else(|| failed(format!("a new RSA key has no {name}")))
    };
    Ok(KeyPair {
        private: Zeroizing::new(pair.to_der_private_key()),
        public: PublicJwk::Rsa { n: member("n")?, e: member("e")? },
    })
}

fn failed(cause: impl Display) -> JoseError {
    JoseError(cause.to_string())
}

fn unknown(algorithm: Algorithm) -> JoseError {
    failed(format!("{} is not supported here", algorithm.as_str()))
}
