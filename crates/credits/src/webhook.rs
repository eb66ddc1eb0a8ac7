use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_kernel::{ExposeSecret, Instant, SecretString};
use ring::hmac;

const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification recommends them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How far the sender's clock may be from ours, in seconds, either way.
const TOLERANCE: i64 = 300;
/// The most signatures of a delivery that are looked at.
const MOST_SIGNATURES: usize = 8;

/// The secret that a sender of Standard Webhooks signs with.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

/// A text that is no secret of Standard Webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64")]
pub struct InvalidWebhookSecret;

/// The signature is not one of ours for this body and time; which part is wrong is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery is not signed by the secret of this endpoint within the last five minutes")]
pub struct Unverified;

/// The headers of a delivery, as sent.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl WebhookSecret {
    /// Reads the text form, `whsec_` and base64.
    ///
    /// # Errors
    /// [`InvalidWebhookSecret`].
    pub fn parse(text: &SecretString) -> Result<Self, InvalidWebhookSecret> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(InvalidWebhookSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidWebhookSecret)?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(InvalidWebhookSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Reads one or more secrets with spaces between them: all are good, so that a sender can change over.
    ///
    /// # Errors
    /// [`InvalidWebhookSecret`] when there is none, or one is none.
    pub fn parse_all(texts: &SecretString) -> Result<Vec<Self>, InvalidWebhookSecret> {
        let texts = texts.expose_secret().split_ascii_whitespace();
        let secrets: Vec<_> =
            texts.map(|text| Self::parse(&text.into())).collect::<Result<_, _>>()?;
        if secrets.is_empty() { Err(InvalidWebhookSecret) } else { Ok(secrets) }
    }
}

/// Whether one of the secrets signed exactly this body under this id within five minutes of now (Standard
/// Webhooks 1.0.0, "Verifying webhook authenticity"). Compares in constant time.
///
/// # Errors
/// [`Unverified`].
pub fn verify(
    secrets: &[WebhookSecret],
    delivery: &Delivery<'_>,
    body: &[u8],
    now: Instant,
) -> Result<(), Unverified> {
    let digits = delivery.timestamp.bytes().all(|b| b.is_ascii_digit());
    let sent: i64 = delivery.timestamp.parse().ok().filter(|_| digits).ok_or(Unverified)?;
    if delivery.id.is_empty() || now.unix_timestamp().abs_diff(sent) > TOLERANCE.unsigned_abs() {
        return Err(Unverified);
    }
    let signed = [delivery.id.as_bytes(), b".", delivery.timestamp.as_bytes(), b".", body].concat();
    let tags = delivery.signature.split(' ').filter_map(|part| part.strip_prefix("v1,"));
    let tags: Vec<_> =
        tags.take(MOST_SIGNATURES).filter_map(|tag| STANDARD.decode(tag).ok()).collect();
    let good = |secret: &WebhookSecret| {
        tags.iter().any(|tag| hmac::verify(&secret.0, &signed, tag).is_ok())
    };
    if secrets.iter().any(good) { Ok(()) } else { Err(Unverified) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    /// The example of the specification's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secrets(text: &str) -> Vec<WebhookSecret> {
        WebhookSecret::parse_all(&text.into()).unwrap()
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_unix_timestamp(1_614_265_330 + seconds).unwrap()
    }

    fn delivery() -> Delivery<'static> {
        Delivery { id: ID, timestamp: TIMESTAMP, signature: SIGNATURE }
    }

    fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
        let key = &secrets(secret)[0].0;
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)))
    }

    #[test]
    fn the_published_example_verifies() {
        assert_eq!(sign(SECRET, ID, TIMESTAMP, BODY), SIGNATURE);
        assert_eq!(verify(&secrets(SECRET), &delivery(), BODY, at(0)), Ok(()));
    }

    #[test]
    fn five_minutes_either_way() {
        for (seconds, good) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let verified = verify(&secrets(SECRET), &delivery(), BODY, at(seconds));
            assert_eq!(verified.is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let refused = |delivery: Delivery<'_>, body: &[u8]| {
            assert_eq!(verify(&secrets(SECRET), &delivery, body, at(0)), Err(Unverified));
        };
        refused(delivery(), br#"{"test": 2432232315}"#);
        refused(delivery(), b"");
        for id in ["", "msg_other"] {
            refused(Delivery { id, ..delivery() }, BODY);
        }
        for timestamp in
            ["", "1614265331", "+1614265330", "1614265330.0", "-1", "99999999999999999999"]
        {
            refused(Delivery { timestamp, ..delivery() }, BODY);
        }
        let bare = SIGNATURE.trim_start_matches("v1,");
        let newer = format!("v2,{bare}");
        for signature in ["", "v1,", "v1,AAAA", bare, &newer, "v1,g0hM9SsE+OTPJTGt"] {
            refused(Delivery { signature, ..delivery() }, BODY);
        }
        let other = secrets("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(verify(&other, &delivery(), BODY, at(0)), Err(Unverified));
        assert_eq!(verify(&[], &delivery(), BODY, at(0)), Err(Unverified));
    }

    #[test]
    fn one_of_several_signatures_and_of_several_secrets_is_enough() {
        let signature = format!("v1a,x v1,AAAA {SIGNATURE}");
        let several = Delivery { signature: &signature, ..delivery() };
        let both = format!("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  {SECRET}");
        assert_eq!(verify(&secrets(&both), &several, BODY, at(0)), Ok(()));
        let flood = format!("{}{SIGNATURE}", "v1,AAAA ".repeat(MOST_SIGNATURES));
        let flood = Delivery { signature: &flood, ..delivery() };
        assert_eq!(verify(&secrets(&both), &flood, BODY, at(0)), Err(Unverified));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_shown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for text in ["", " ", "whsec_", "secret", "whsec_!!!!", &short, &long] {
            assert!(WebhookSecret::parse_all(&text.into()).is_err(), "{text}");
        }
        assert_eq!(format!("{:?}", secrets(SECRET)), "[WebhookSecret(…)]");
    }

    proptest! {
        #[test]
        fn any_headers_are_refused_unless_signed(
            id in any::<String>(), timestamp in any::<String>(), signature in any::<String>(),
        ) {
            let delivery = Delivery { id: &id, timestamp: &timestamp, signature: &signature };
            prop_assert!(verify(&secrets(SECRET), &delivery, BODY, at(0)).is_err());
        }

        #[test]
        fn what_was_signed_verifies(id in "[ -~]{1,64}", body in any::<Vec<u8>>()) {
            let signature = sign(SECRET, &id, TIMESTAMP, &body);
            let delivery = Delivery { id: &id, timestamp: TIMESTAMP, signature: &signature };
            prop_assert!(verify(&secrets(SECRET), &delivery, &body, at(0)).is_ok());
        }
    }
}
