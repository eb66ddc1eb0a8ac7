use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The public half of a signing key (RFC 7517), without the members that its use adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty", deny_unknown_fields)]
#[non_exhaustive]
pub enum PublicJwk {
    /// An RSA key (RFC 7518 §6.3.1).
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus, base64url.
        n: String,
        /// The exponent, base64url.
        e: String,
    },
    /// A key on an elliptic curve (RFC 7518 §6.2.1).
    #[serde(rename = "EC")]
    Ec {
        /// The curve, `P-256`.
        crv: String,
        /// The x coordinate, base64url.
        x: String,
        /// The y coordinate, base64url.
        y: String,
    },
    /// An octet key pair (RFC 8037 §2).
    #[serde(rename = "OKP")]
    Okp {
        /// The curve, `Ed25519`.
        crv: String,
        /// The public key, base64url.
        x: String,
    },
}

impl PublicJwk {
    /// The key's thumbprint (RFC 7638), which serves as its `kid`.
    pub fn thumbprint(&self) -> String {
        // RFC 7638 §3.3 fixes the order of the members, so the text is built by hand.
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::Ec { crv, x, y } => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let jwk = PublicJwk::Rsa {
            n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into(),
            e: "AQAB".into(),
        };
        assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    /// The example of RFC 8037 A.3.
    #[test]
    fn the_thumbprint_of_an_octet_key_is_that_of_its_rfc() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into();
        let jwk = PublicJwk::Okp { crv: "Ed25519".into(), x };
        assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let text = |text: &str| text.to_owned();
        for jwk in [
            PublicJwk::Rsa { n: text("n"), e: text("AQAB") },
            PublicJwk::Ec { crv: text("P-256"), x: text("x"), y: text("y") },
            PublicJwk::Okp { crv: text("Ed25519"), x: text("x") },
        ] {
            let written = serde_json::to_string(&jwk).unwrap();
            assert_eq!(serde_json::from_str::<PublicJwk>(&written).unwrap(), jwk);
        }
    }

    #[test]
    fn a_key_with_a_private_half_or_of_an_unknown_kind_is_refused() {
        for text in [
            r#"{"kty":"RSA","n":"n","e":"AQAB","d":"d"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"x","y":"y","d":"d"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"x","d":"d"}"#,
            r#"{"kty":"oct","k":"k"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"x"}"#,
            r#"{"crv":"Ed25519","x":"x"}"#,
        ] {
            assert!(serde_json::from_str::<PublicJwk>(text).is_err(), "{text}");
        }
    }
}
