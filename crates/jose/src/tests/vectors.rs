//! The examples of the RFCs.

use super::*;

fn verifies(algorithm: Algorithm, public: &PublicJwk, token: &str) -> bool {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verifier = Josekit.verifier(algorithm, public).unwrap();
    let good = verifier.verify(input.as_bytes(), &signature);
    assert!(!verifier.verify(input.to_lowercase().as_bytes(), &signature));
    good
}

/// RFC 7515 A.2.
#[test]
fn rs256() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let public = PublicJwk::Rsa { n: n.into(), e: "AQAB".into() };
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert!(verifies(Algorithm::Rs256, &public, token));
}

fn rfc7515() -> PublicJwk {
    PublicJwk::Ec {
        crv: "P-256".into(),
        x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into(),
        y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".into(),
    }
}

/// RFC 7515 A.3.
#[test]
fn es256() {
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(verifies(Algorithm::Es256, &rfc7515(), token));
    assert_eq!(rfc7515().thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

/// The example with s taken from the order of the group, which anybody can do: a signature names no token.
#[test]
fn an_es256_signature_has_a_second_writing() {
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmU69fgrc8OPGycO0lD3tat_FoFp57SETepkeks4eL_QfA";
    assert!(verifies(Algorithm::Es256, &rfc7515(), token));
}

fn rfc8037() -> PublicJwk {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into();
    PublicJwk::Okp { crv: "Ed25519".into(), x }
}

const RFC8037: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 8037 A.4 and A.5.
#[test]
fn eddsa() {
    assert!(verifies(Algorithm::EdDsa, &rfc8037(), RFC8037));
    assert_eq!(rfc8037().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 8032 §5.1.7: S is below the order of the group, so that nobody makes a second signature of one.
#[test]
fn an_eddsa_signature_has_no_second_writing() {
    // 2^252 + 27742317777372353535851937790883648493, least octet first
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (input, signature) = RFC8037.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut carry = 0;
    for (octet, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*octet) + add + carry;
        *octet = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let verifier = Josekit.verifier(Algorithm::EdDsa, &rfc8037()).unwrap();
    assert!(!verifier.verify(input.as_bytes(), &signature));
}

/// RFC 7518 §3.4 writes r and s one behind the other; TLS writes them in ASN.1.
#[test]
fn an_ecdsa_signature_in_asn1_is_refused() {
    let (signer, verifier, _) = pair(Algorithm::Es256);
    let signature = signer.sign(b"text").unwrap();
    let number = |octets: &[u8]| [&[2, 33, 0], octets].concat();
    let (r, s) = signature.split_at(32);
    let asn1 = [&[0x30, 70][..], &number(r), &number(s)].concat();
    assert!(verifier.verify(b"text", &signature));
    assert!(!verifier.verify(b"text", &asn1));
}
