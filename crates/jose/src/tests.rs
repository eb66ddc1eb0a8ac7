use super::*;

mod interop;
mod public_keys;
mod vectors;

fn pair(algorithm: Algorithm) -> (Box<dyn Signer>, Box<dyn Verifier>, KeyPair) {
    let pair = Josekit.generate(algorithm).unwrap();
    let signer = Josekit.signer(algorithm, &pair.private).unwrap();
    let verifier = Josekit.verifier(algorithm, &pair.public).unwrap();
    (signer, verifier, pair)
}

/// How long a signature is.
fn octets(algorithm: Algorithm) -> usize {
    if algorithm == Algorithm::Rs256 { 256 } else { 64 }
}

#[test]
fn what_a_key_signed_its_public_half_verifies_and_nothing_else() {
    for algorithm in Algorithm::ALL {
        let (signer, verifier, _) = pair(algorithm);
        let signature = signer.sign(b"text").unwrap();
        assert_eq!(signature.len(), octets(algorithm));
        assert!(verifier.verify(b"text", &signature), "{algorithm:?}");
        for other in [&b"texT"[..], b"text ", b"tex", b""] {
            assert!(!verifier.verify(other, &signature), "{algorithm:?} {other:?}");
        }
        let (foreign_signer, foreign, _) = pair(algorithm);
        assert!(!foreign.verify(b"text", &signature), "{algorithm:?}");
        assert!(!verifier.verify(b"text", &foreign_signer.sign(b"text").unwrap()), "{algorithm:?}");
    }
}

#[test]
fn a_signature_with_any_octet_changed_or_of_another_length_is_refused() {
    for algorithm in Algorithm::ALL {
        let (signer, verifier, _) = pair(algorithm);
        let signature = signer.sign(b"text").unwrap();
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!verifier.verify(b"text", &changed), "{algorithm:?} at {at}");
        }
        let (short, zeros) = (&signature[..signature.len() - 1], vec![0; signature.len()]);
        let longer = [&signature[..], &[0]].concat();
        let led = [&[0], &signature[..]].concat();
        for other in [short, &longer, &led, &zeros, &[]] {
            assert!(!verifier.verify(b"text", other), "{algorithm:?} {} octets", other.len());
        }
    }
}

#[test]
fn two_keys_are_never_the_same() {
    for algorithm in Algorithm::ALL {
        let (one, other) = (pair(algorithm).2, pair(algorithm).2);
        assert_ne!(one.private, other.private);
        assert_ne!(one.public.thumbprint(), other.public.thumbprint());
    }
}

#[test]
fn a_private_half_is_pkcs8_and_signs_by_its_own_algorithm_only() {
    for algorithm in Algorithm::ALL {
        let private = pair(algorithm).2.private;
        // SEQUENCE { INTEGER version, … }: RFC 5208 §5
        assert_eq!(private[0], 0x30);
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(Josekit.signer(other, &private).is_err(), "{algorithm:?} as {other:?}");
        }
        for length in [0, 1, private.len() / 2, private.len() - 1] {
            let cut = &private[..length];
            assert!(Josekit.signer(algorithm, cut).is_err(), "{algorithm:?} cut to {length}");
        }
    }
}

#[test]
fn a_damaged_private_half_on_a_curve_is_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let private = pair(algorithm).2.private;
        for at in 0..private.len() {
            let mut damaged = private.clone();
            damaged[at] ^= 1;
            assert!(Josekit.signer(algorithm, &damaged).is_err(), "{algorithm:?} at {at}");
        }
    }
}

/// RFC 8410 §7 has a form without the public half, in which damage would go unseen.
#[test]
fn a_private_half_of_ed25519_without_its_public_half_is_refused() {
    let head = [0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32];
    let alone = [&head[..], &[7; 32]].concat();
    assert!(josekit::jws::EdDSA.signer_from_der(&alone).is_ok(), "well formed");
    assert!(Josekit.signer(Algorithm::EdDsa, &alone).is_err());
}
