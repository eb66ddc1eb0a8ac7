use super::*;

fn refused(algorithm: Algorithm, public: &PublicJwk) -> bool {
    Josekit.verifier(algorithm, public).is_err()
}

fn ec(crv: &str, x: &str, y: &str) -> PublicJwk {
    PublicJwk::Ec { crv: crv.into(), x: x.into(), y: y.into() }
}

fn okp(crv: &str, x: &str) -> PublicJwk {
    PublicJwk::Okp { crv: crv.into(), x: x.into() }
}

/// Texts that are no 32 octets in base64url without padding.
fn wrong(good: &str) -> Vec<String> {
    let octets = URL_SAFE_NO_PAD.decode(good).unwrap();
    let mut letters = good.chars();
    let (Some(_), rest, Some(last)) = (letters.next(), letters.as_str(), letters.next_back())
    else {
        panic!("too short");
    };
    vec![
        String::new(),
        URL_SAFE_NO_PAD.encode(&octets[1..]),
        URL_SAFE_NO_PAD.encode([&[0], &octets[..]].concat()),
        URL_SAFE_NO_PAD.encode([&octets[..], &octets[..]].concat()),
        format!("{good}="),
        format!(" {good}"),
        format!("+{rest}"),
        // The last character carries two bits that belong to no octet.
        format!("{}B", good.strip_suffix(last).unwrap()),
        "é".repeat(20),
    ]
}

#[test]
fn a_public_half_verifies_by_its_own_algorithm_only() {
    for algorithm in Algorithm::ALL {
        let public = pair(algorithm).2.public;
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(refused(other, &public), "{algorithm:?} as {other:?}");
        }
    }
}

#[test]
fn a_key_on_another_curve_is_refused() {
    let PublicJwk::Ec { crv, x, y } = pair(Algorithm::Es256).2.public else { panic!("EC") };
    assert!(!refused(Algorithm::Es256, &ec(&crv, &x, &y)));
    for other in ["P-384", "secp256k1", "p-256", "Ed25519", "P-256 ", ""] {
        assert!(refused(Algorithm::Es256, &ec(other, &x, &y)), "{other}");
    }
    let PublicJwk::Okp { crv, x } = pair(Algorithm::EdDsa).2.public else { panic!("OKP") };
    assert!(!refused(Algorithm::EdDsa, &okp(&crv, &x)));
    for other in ["X25519", "Ed448", "ed25519", "P-256", ""] {
        assert!(refused(Algorithm::EdDsa, &okp(other, &x)), "{other}");
    }
}

#[test]
fn numbers_of_another_length_or_writing_are_refused() {
    let PublicJwk::Ec { crv, x, y } = pair(Algorithm::Es256).2.public else { panic!("EC") };
    for other in wrong(&x) {
        assert!(refused(Algorithm::Es256, &ec(&crv, &other, &y)), "{other}");
        assert!(refused(Algorithm::Es256, &ec(&crv, &x, &other)), "{other}");
    }
    let PublicJwk::Okp { crv, x } = pair(Algorithm::EdDsa).2.public else { panic!("OKP") };
    for other in wrong(&x) {
        assert!(refused(Algorithm::EdDsa, &okp(&crv, &other)), "{other}");
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_verifies_nothing() {
    let (signer, _, pair) = pair(Algorithm::Es256);
    let PublicJwk::Ec { crv, x, y } = pair.public else { panic!("EC") };
    let signature = signer.sign(b"text").unwrap();
    let verifies = |public: &PublicJwk| {
        let verifier = Josekit.verifier(Algorithm::Es256, public);
        verifier.is_ok_and(|verifier| verifier.verify(b"text", &signature))
    };
    assert!(verifies(&ec(&crv, &x, &y)));
    assert!(!verifies(&ec(&crv, &y, &x)));
    let zero = to_member(&[0; 32]);
    assert!(!verifies(&ec(&crv, &zero, &zero)));
}
