//! What ring signs OpenSSL verifies, and the reverse: verifiers elsewhere are of either make.

use josekit::{
    jwk::Jwk,
    jws::{ES256, EdDSA, JwsSigner, JwsVerifier, alg::eddsa::EddsaJwsAlgorithm},
};

use super::*;

fn jwk(public: &PublicJwk) -> Jwk {
    let (kty, members) = match public {
        PublicJwk::Ec { crv, x, y } => ("EC", vec![("crv", crv), ("x", x), ("y", y)]),
        PublicJwk::Okp { crv, x } => ("OKP", vec![("crv", crv), ("x", x)]),
        other => panic!("{other:?}"),
    };
    let mut jwk = Jwk::new(kty);
    for (name, value) in members {
        jwk.set_parameter(name, Some(value.as_str().into())).unwrap();
    }
    jwk
}

fn member(jwk: &Jwk, name: &str) -> String {
    jwk.parameter(name).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn openssl_verifies_what_ring_signs() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let (signer, _, pair) = pair(algorithm);
        let jwk = jwk(&pair.public);
        let theirs: Box<dyn JwsVerifier> = match algorithm {
            Algorithm::Es256 => Box::new(ES256.verifier_from_jwk(&jwk).unwrap()),
            _ => Box::new(EdDSA.verifier_from_jwk(&jwk).unwrap()),
        };
        // Often enough that some r, s or coordinate begins with a zero, which must not be cut off.
        for round in 0..600_u32 {
            let text = round.to_be_bytes();
            let signature = signer.sign(&text).unwrap();
            assert!(theirs.verify(&text, &signature).is_ok(), "{algorithm:?} {round}");
            assert!(theirs.verify(b"text", &signature).is_err());
        }
    }
}

#[test]
fn ring_verifies_what_openssl_signs() {
    let pair = ES256.generate_key_pair().unwrap();
    let jwk = pair.to_jwk_public_key();
    let public =
        PublicJwk::Ec { crv: member(&jwk, "crv"), x: member(&jwk, "x"), y: member(&jwk, "y") };
    let theirs = ES256.signer_from_der(pair.to_der_private_key()).unwrap();
    verifies(Algorithm::Es256, &public, &theirs);

    let pair = EdDSA.generate_key_pair(josekit::jwk::alg::ed::EdCurve::Ed25519).unwrap();
    let jwk = pair.to_jwk_public_key();
    let public = PublicJwk::Okp { crv: member(&jwk, "crv"), x: member(&jwk, "x") };
    let theirs = EddsaJwsAlgorithm::Eddsa.signer_from_der(pair.to_der_private_key()).unwrap();
    verifies(Algorithm::EdDsa, &public, &theirs);
}

fn verifies(algorithm: Algorithm, public: &PublicJwk, theirs: &dyn JwsSigner) {
    let ours = Josekit.verifier(algorithm, public).unwrap();
    for round in 0..600_u32 {
        let text = round.to_be_bytes();
        let signature = theirs.sign(&text).unwrap();
        assert!(ours.verify(&text, &signature), "{algorithm:?} {round}");
        assert!(!ours.verify(b"text", &signature));
    }
}
