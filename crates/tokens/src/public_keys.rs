use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::{Algorithm, InvalidJwt, PublicJwk, ports::Verifier, verifier};

/// The public keys of an issuer as it publishes them (RFC 7517 §5): for services that verify tokens and
/// sign none.
#[derive(Default)]
pub struct PublicKeySet(Vec<PublicKey>);

struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    verifier: Box<dyn Verifier>,
}

/// A text that is no JWK Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK Set (RFC 7517 §5)")]
pub struct InvalidKeySet;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// What is read of a key; other members are nobody's business here.
#[derive(Deserialize)]
struct Published {
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl PublicKeySet {
    /// Reads a JWK Set. Keys that this crate cannot use, such as those of unknown kinds, without `kid` or
    /// `alg`, or for encryption, are passed over, as RFC 7517 §5 wants it. Of two keys with one `kid` the
    /// first counts.
    ///
    /// # Errors
    /// [`InvalidKeySet`] when it is none.
    pub fn parse(document: &[u8]) -> Result<Self, InvalidKeySet> {
        let document: Document = serde_json::from_slice(document).map_err(|_| InvalidKeySet)?;
        Ok(Self(document.keys.into_iter().filter_map(PublicKey::read).collect()))
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, kid: &str) -> Result<(Algorithm, &dyn Verifier), InvalidJwt> {
        let key = self.0.iter().find(|key| key.kid == kid).ok_or(InvalidJwt::UnknownKey)?;
        Ok((key.algorithm, key.verifier.as_ref()))
    }
}

impl fmt::Debug for PublicKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.kid)).finish()
    }
}

impl PublicKey {
    fn read(key: Value) -> Option<Self> {
        let key: Published = serde_json::from_value(key).ok()?;
        if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let algorithm = Algorithm::from_name(&key.alg)?;
        let public = match key.kty.as_str() {
            "RSA" => PublicJwk::Rsa { n: key.n?, e: key.e? },
            "EC" => PublicJwk::Ec { crv: key.crv?, x: key.x?, y: key.y? },
            "OKP" => PublicJwk::Okp { crv: key.crv?, x: key.x? },
            _ => return None,
        };
        let verifier = verifier(algorithm, &public).ok()?;
        Some(Self { kid: key.kid, algorithm, verifier })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The example of RFC 8037 A.2, as an issuer would publish it.
    fn key() -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    fn kids(keys: &[Value]) -> Vec<String> {
        let document = json!({ "keys": keys, "more": true }).to_string();
        let set = PublicKeySet::parse(document.as_bytes()).unwrap();
        set.0.into_iter().map(|key| key.kid).collect()
    }

    fn changed(name: &str, value: Value) -> Value {
        let mut key = key();
        key[name] = value;
        key
    }

    #[test]
    fn keys_that_cannot_be_used_are_passed_over() {
        assert_eq!(kids(&[key()]), ["k"]);
        assert_eq!(kids(&[changed("key_ops", json!(["verify"]))]), ["k"]);
        let others = [
            ("kty", json!("oct")),
            ("kty", json!("EC")),
            ("crv", json!("X25519")),
            ("use", json!("enc")),
            ("alg", json!("ES256")),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!(null)),
            ("kid", json!(null)),
            ("kid", json!(7)),
            ("x", json!("AAAA")),
            ("x", json!(null)),
        ];
        for (name, value) in others {
            assert_eq!(kids(&[changed(name, value.clone()), key()]), ["k"], "{name}: {value}");
            assert_eq!(kids(&[changed(name, value.clone())]), [""; 0], "{name}: {value}");
        }
        assert_eq!(kids(&[json!(7), json!("x"), json!([]), key()]), ["k"]);
    }

    #[test]
    fn other_documents_are_refused() {
        for text in ["", "{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":[]"#, r#"{"keys":null}"#]
        {
            assert!(PublicKeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(kids(&[]), [""; 0]);
        assert!(PublicKeySet::default().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_published_is_judged(text in any::<String>(), member in any::<String>()) {
            let _ = PublicKeySet::parse(text.as_bytes());
            for name in ["kty", "crv", "alg", "x", "n"] {
                kids(&[changed(name, member.clone().into())]);
            }
        }
    }
}
