//! ES256 by ring (RFC 7518 §3.4).

use portcullis_tokens::{
    PublicJwk,
    ports::{JoseError, KeyPair, Signer},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use zeroize::Zeroizing;

use crate::{failed, to_member};

const CURVE: &str = "P-256";

/// What a point begins with when both its coordinates follow (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

pub(crate) struct EcSigner {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

pub(crate) fn generate() -> Result<KeyPair, JoseError> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(failed)?;
    let private = Zeroizing::new(made.as_ref().to_vec());
    let pair = load(&private)?;
    let point = pair.public_key().as_ref().strip_prefix(&[UNCOMPRESSED]);
    let coordinates = point.and_then(|point| point.split_at_checked(point.len() / 2));
    let (x, y) = coordinates.ok_or_else(|| failed("a new key has no coordinates"))?;
    let public = PublicJwk::Ec { crv: CURVE.to_owned(), x: to_member(x), y: to_member(y) };
    Ok(KeyPair { private, public })
}

pub(crate) fn signer(private: &[u8]) -> Result<EcSigner, JoseError> {
    Ok(EcSigner { pair: load(private)?, random: SystemRandom::new() })
}

impl Signer for EcSigner {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(self.pair.sign(&self.random, input).map_err(failed)?.as_ref().to_vec())
    }
}

fn load(private: &[u8]) -> Result<EcdsaKeyPair, JoseError> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private, &SystemRandom::new())
        .map_err(failed)
}
