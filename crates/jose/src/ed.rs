//! `EdDSA` with Ed25519 by ring (RFC 8037 §3.1).

use portcullis_tokens::{
    PublicJwk,
    ports::{JoseError, KeyPair, Signer},
};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use zeroize::Zeroizing;

use crate::{failed, to_member};

const CURVE: &str = "Ed25519";

pub(crate) struct EdSigner(Ed25519KeyPair);

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

impl Signer for EdSigner {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(self.0.sign(input).as_ref().to_vec())
    }
}

/// Only what holds its public half too, as [`generate`] makes it: a private half that was damaged is
/// refused and never signs.
fn load(private: &[u8]) -> Result<Ed25519KeyPair, JoseError> {
    Ed25519KeyPair::from_pkcs8(private).map_err(failed)
}
