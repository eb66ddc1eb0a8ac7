use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_jose::Josekit;
use portcullis_kernel::Instant;
use portcullis_tokens::{
    Algorithm, PublicJwk,
    ports::{Jose as _, KeyPair},
};
use serde_json::{Value, json};

use super::{ISSUER, RESOURCE};

pub(crate) const AGENT: &str = "agt_00112233445566778899aabbccddeeff";
pub(crate) const KEY_ID: &str = "aky_ffeeddccbbaa99887766554433221100";
pub(crate) const START: i64 = 1_700_000_000;

pub(crate) fn at(seconds: i64) -> Instant {
    Instant::from_unix_timestamp(START + seconds).unwrap()
}

/// The object with members set; `null` takes one away.
pub(crate) fn changed(object: &Value, changes: Value) -> Value {
    let mut object = object.clone();
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

/// A signing key of the auth server.
pub(crate) struct Issuer {
    pub(crate) algorithm: Algorithm,
    pair: KeyPair,
}

impl Issuer {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, pair: Josekit.generate(algorithm).unwrap() }
    }

    pub(crate) fn es256() -> Self {
        Self::new(Algorithm::Es256)
    }

    pub(crate) fn kid(&self) -> String {
        self.pair.public.thumbprint()
    }

    pub(crate) fn public(&self) -> &PublicJwk {
        &self.pair.public
    }

    /// As the auth server publishes it.
    pub(crate) fn published(&self) -> Value {
        let about = json!({ "use": "sig", "alg": self.algorithm.as_str(), "kid": self.kid() });
        changed(&serde_json::to_value(self.public()).unwrap(), about)
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.as_str(), "typ": "at+jwt", "kid": self.kid() })
    }

    /// The claims of a good token of second 0.
    pub(crate) fn claims() -> Value {
        json!({
            "iss": ISSUER, "sub": AGENT, "aud": RESOURCE, "client_id": AGENT,
            "scope": "api.read api.write", "key_id": KEY_ID,
            "iat": START, "exp": START + 3600, "jti": "01HRHZ2K00ZZZZZZZZZZZZZZZZ",
        })
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.sign(&self.header(), &Self::claims())
    }

    /// A token with other claims.
    pub(crate) fn claiming(&self, changes: Value) -> String {
        self.sign(&self.header(), &changed(&Self::claims(), changes))
    }

    /// A token with another header.
    pub(crate) fn headed(&self, changes: Value) -> String {
        self.sign(&changed(&self.header(), changes), &Self::claims())
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let key = Josekit.signer(self.algorithm, &self.pair.private).unwrap();
        let signature = key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
