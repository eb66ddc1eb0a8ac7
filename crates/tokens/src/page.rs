use portcullis_kernel::{
    Entropy, EntropyError, ExposeSecret, SecretString, TokenDigest, crockford, opaque,
};
use ring::hmac;

const PREFIX: &str = "pst_";

/// What a browser holds of a session on the pages, in a cookie that no script can read.
///
/// Its digest stands where that of a session's refresh token stands, but it is none: neither is ever
/// taken for the other, and this one is not rotated.
#[derive(Clone, Debug)]
pub struct PageToken(SecretString);

impl PageToken {
    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        opaque::generate(PREFIX, entropy).map(Self)
    }

    /// Reads a presented token. `None` for any other shape or a wrong checksum: such a one was never
    /// issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        opaque::is_well_formed(PREFIX, &presented).then_some(Self(presented))
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }
}

impl ExposeSecret<str> for PageToken {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Makes the tokens that tell a form of ours from one on another site: a MAC of the browser's cookie,
/// which other sites cannot read.
pub struct FormKey(hmac::Key);

impl FormKey {
    /// A key of 256 secret bits.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The token of forms in the browser that holds this cookie.
    pub fn token(&self, cookie: &str) -> String {
        crockford(hmac::sign(&self.0, cookie.as_bytes()).as_ref())
    }

    /// Whether a form came from the browser that holds this cookie, in constant time.
    pub fn verify(&self, cookie: &str, token: &str) -> bool {
        let ours = self.token(cookie);
        let tag = hmac::sign(&self.0, ours.as_bytes());
        hmac::verify(&self.0, token.as_bytes(), tag.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RefreshToken;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            dest.fill(7);
            Ok(())
        }
    }

    #[test]
    fn j4_a_cookie_is_no_refresh_token_and_the_reverse() {
        let page = PageToken::generate(&Sevens).unwrap();
        assert!(RefreshToken::parse(page.expose_secret().into()).is_none());
        assert!(PageToken::parse(page.expose_secret().into()).is_some());
        let refresh = RefreshToken::generate(&Sevens).unwrap();
        assert!(PageToken::parse(refresh.expose_secret().into()).is_none());
    }

    #[test]
    fn w5_a_form_belongs_to_the_browser_that_got_it() {
        let key = FormKey::new(&[1; 32]);
        let token = key.token("cookie");
        assert!(key.verify("cookie", &token));
        assert!(!key.verify("another", &token));
        assert!(!key.verify("cookie", ""));
        assert!(!FormKey::new(&[2; 32]).verify("cookie", &token));
    }
}
