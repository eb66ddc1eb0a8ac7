//! Signatures checked by ring: needs no secret, so that every service may do it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use crate::{
    Algorithm, PublicJwk,
    ports::{JoseError, Verifier},
};

/// What a point begins with when both its coordinates follow (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A public key, ready to verify by ring. RSA keys have 2,048 to 8,192 bits.
///
/// # Errors
/// When the key is of another kind than the algorithm's, on another curve, or not well encoded.
pub fn verifier(algorithm: Algorithm, public: &PublicJwk) -> Result<Box<dyn Verifier>, JoseError> {
    match (algorithm, public) {
        (Algorithm::Rs256, PublicJwk::Rsa { n, e }) => {
            Ok(Box::new(RsaKey(RsaPublicKeyComponents { n: octets(n)?, e: octets(e)? })))
        }
        (Algorithm::Es256, PublicJwk::Ec { crv, x, y }) if crv == "P-256" => {
            let mut point = vec![UNCOMPRESSED];
            point.extend(number(x)?);
            point.extend(number(y)?);
            Ok(Box::new(CurveKey(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))))
        }
        (Algorithm::EdDsa, PublicJwk::Okp { crv, x }) if crv == "Ed25519" => {
            Ok(Box::new(CurveKey(UnparsedPublicKey::new(&ED25519, number(x)?.to_vec()))))
        }
        _ => Err(failed("a public key of another kind or curve than its algorithm's")),
    }
}

struct CurveKey(UnparsedPublicKey<Vec<u8>>);

impl Verifier for CurveKey {
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify(input, signature).is_ok()
    }
}

struct RsaKey(RsaPublicKeyComponents<Vec<u8>>);

impl Verifier for RsaKey {
    fn verify(&self, input: &[u8], signature: &[u8]) -> bool {
        self.0.verify(&RSA_PKCS1_2048_8192_SHA256, input, signature).is_ok()
    }
}

fn octets(member: &str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD.decode(member).map_err(|_| failed("a public key that is not base64url"))
}

/// A number of a curve with 32 octets, leading zeros kept (RFC 7518 §6.2.1.2).
fn number(member: &str) -> Result<[u8; 32], JoseError> {
    octets(member)?.try_into().map_err(|_| failed("a number of the public key is not 32 octets"))
}

fn failed(why: &str) -> JoseError {
    JoseError(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037 A.4: a JWS and its key.
    #[test]
    fn the_signature_of_the_rfc_verifies() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
        let key = PublicJwk::Okp { crv: "Ed25519".to_owned(), x };
        let key = verifier(Algorithm::EdDsa, &key).unwrap();
        let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = octets(
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        );
        let signature = signature.unwrap();
        assert!(key.verify(input, &signature));
        assert!(!key.verify(&input[1..], &signature));
        assert!(!key.verify(input, &signature[1..]));
        assert!(!key.verify(input, &[]));
    }

    #[test]
    fn a_key_of_another_kind_or_curve_is_refused() {
        let text = |text: &str| text.to_owned();
        let number = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let okp = |crv: &str| PublicJwk::Okp { crv: text(crv), x: text(number) };
        let ec = |crv: &str| PublicJwk::Ec { crv: text(crv), x: text(number), y: text(number) };
        let rsa = PublicJwk::Rsa { n: text(number), e: text("AQAB") };
        assert!(verifier(Algorithm::Es256, &ec("P-256")).is_ok());
        assert!(verifier(Algorithm::Rs256, &rsa).is_ok());
        for (algorithm, key) in [
            (Algorithm::Es256, ec("P-384")),
            (Algorithm::Es256, okp("Ed25519")),
            (Algorithm::EdDsa, ec("P-256")),
            (Algorithm::EdDsa, okp("X25519")),
            (Algorithm::EdDsa, rsa),
            (Algorithm::Rs256, okp("Ed25519")),
            (Algorithm::EdDsa, PublicJwk::Okp { crv: text("Ed25519"), x: text("AAAA") }),
            (Algorithm::Rs256, PublicJwk::Rsa { n: text("!"), e: text("AQAB") }),
        ] {
            assert!(verifier(algorithm, &key).is_err(), "{algorithm:?} {key:?}");
        }
    }
}
