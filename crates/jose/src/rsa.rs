//! RS256 by josekit and its OpenSSL.

use josekit::{
    jwk::Jwk,
    jws::{
        JwsSigner as _, JwsVerifier as _, RS256,
        alg::rsassa::{RsassaJwsSigner, RsassaJwsVerifier},
    },
};
use portcullis_tokens::{
    PublicJwk,
    ports::{JoseError, KeyPair, Signer, Verifier},
};
use zeroize::Zeroizing;

use crate::failed;

/// The size of new RSA keys. RFC 7518 §3.3 wants 2048 at least.
const RSA_BITS: u32 = 2048;

pub(crate) struct RsaSigner(RsassaJwsSigner);

pub(crate) struct RsaVerifier(RsassaJwsVerifier);

pub(crate) fn generate() -> Result<KeyPair, JoseError> {
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

pub(crate) fn signer(private: &[u8]) -> Result<RsaSigner, JoseError> {
    Ok(RsaSigner(RS256.signer_from_der(private).map_err(failed)?))
}

pub(crate) fn verifier(n: &str, e: &str) -> Result<RsaVerifier, JoseError> {
    let mut jwk = Jwk::new("RSA");
    jwk.set_parameter("n", Some(n.into())).map_err(failed)?;
    jwk.set_parameter("e", Some(e.into())).map_err(failed)?;
    Ok(RsaVerifier(RS256.verifier_from_jwk(&jwk).map_err(failed)?))
}

impl Signer for RsaSigner {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.0.sign(input).map_err(failed)
    }
}

impl Verifier for RsaVerifier {
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify(input, signature).is_ok()
    }
}
