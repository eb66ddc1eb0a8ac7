//! `EdDSA` with Ed25519 by ring (RFC 8037 §3.1).

use portcullis_tokens::{
    PublicJwk,
    ports::{JoseError, KeyPair, Signer, Verifier},
};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use zeroize::Zeroizing;

use crate::{failed, from_member, to_member};

const CURVE: &str = "Ed25519";

pub(crate) struct EdSigner(Ed25519KeyPair);

pub(crate) struct EdVerifier(UnparsedPublicKey<[u8; 32]>);

pub(crate) fn generate() -> Result<KeyPair, JoseError> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
    let private = Zeroizing::new(made.as_ref().to_vec());
    let pair = load(&private)?;
    let x = to_member(pair.public_key().as_ref());
    Ok(KeyPair { private, public: PublicJwk::Okp { crv: CURVE.to_owned(), x } })
}

pub(crate) fn signer(private: &[u8]) -> Result<EdSigner, JoseError> {
    Ok(EdSigner(load(private)?))
}

pub(crate) fn verifier(crv: &str, x: &str) -> Result<EdVerifier, JoseError> {
    if crv != CURVE {
        return Err(failed("a public key on another curve"));
    }
    Ok(EdVerifier(UnparsedPublicKey::new(&ED25519, from_member(x)?)))
}

impl Signer for EdSigner {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(self.0.sign(input).as_ref().to_vec())
    }
}

impl Verifier for EdVerifier {
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify(input, signature).is_ok()
    }
}

/// Only what holds its public half too, as [`generate`] makes it: a private half that was damaged is
/// refused and never signs.
fn load(private: &[u8]) -> Result<Ed25519KeyPair, JoseError> {
    Ed25519KeyPair::from_pkcs8(private).map_err(failed)
}
