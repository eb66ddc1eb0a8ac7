use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_kernel::Instant;
use ring::hmac;
use serde::Serialize;
use time::{UtcOffset, format_description::well_known::Rfc3339};

use crate::{Cost, OperationId};

/// The payment method: credits of this server, which are got at the top-up URL.
const METHOD: &str = "credits";
/// One payment for one call.
const INTENT: &str = "charge";

/// The key that binds the id of a challenge to its other parameters.
pub struct ChallengeKey(hmac::Key);

/// What is to be paid.
#[derive(Clone, Debug)]
pub struct PaymentWanted<'a> {
    /// Whose charge it is: this server's origin.
    pub realm: &'a str,
    /// How much.
    pub cost: Cost,
    /// What for.
    pub operation: &'a OperationId,
    /// Where credits are got.
    pub topup_url: Option<&'a str>,
    /// Until when the challenge is good.
    pub expires: Instant,
}

/// The members in the order in which RFC 8785 has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    amount: String,
    currency: &'static str,
    external_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    method_details: Option<MethodDetails<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MethodDetails<'a> {
    topup_url: &'a str,
}

impl ChallengeKey {
    /// A key of 256 secret bits.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The value of `WWW-Authenticate` (draft-httpauth-payment-01): parameters, and an id that is an
    /// HMAC-SHA-256 over them (there "Challenge Binding": realm, method, intent, request, expires, digest
    /// and opaque, of which the last two are empty).
    ///
    /// # Errors
    /// When the request cannot be written as JSON, or the time not as RFC 3339 has it: never, for what
    /// the types hold.
    pub fn challenge(&self, wanted: &PaymentWanted<'_>) -> Result<String, serde_json::Error> {
        let request = Request {
            amount: wanted.cost.credits().to_string(),
            currency: "credits",
            external_id: wanted.operation.as_str(),
            method_details: wanted.topup_url.map(|topup_url| MethodDetails { topup_url }),
        };
        let request = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&request)?);
        let expires = rfc3339(wanted.expires);
        let realm = wanted.realm;
        let bound = [realm, METHOD, INTENT, &request, &expires, "", ""].join("|");
        let id = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, bound.as_bytes()));
        let realm = quoted(realm);
        Ok(format!(
            "Payment id=\"{id}\", realm=\"{realm}\", method=\"{METHOD}\", intent=\"{INTENT}\", \
             request=\"{request}\", expires=\"{expires}\""
        ))
    }
}

/// Whole seconds, UTC. A time of the clock always has this form.
fn rfc3339(at: Instant) -> String {
    let whole = at.to_offset(UtcOffset::UTC).replace_nanosecond(0).unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// What a quoted string of a header holds (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Instant = time::macros::datetime!(2026-03-15 10:05:00.123456 UTC);

    fn challenge(key: u8, operation: &str, topup_url: Option<&str>) -> String {
        let wanted = PaymentWanted {
            realm: "https://auth.example.com",
            cost: Cost::new(5).unwrap(),
            operation: &OperationId::parse(operation).unwrap(),
            topup_url,
            expires: AT,
        };
        ChallengeKey::new(&[key; 32]).challenge(&wanted).unwrap()
    }

    fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
        let (_, rest) = challenge.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0
    }

    #[test]
    fn the_challenge_has_the_parameters_of_the_draft() {
        let challenge = challenge(1, "op-1", Some("https://pay.example.com/a?b=c"));
        assert!(challenge.starts_with("Payment id=\""));
        assert_eq!(parameter(&challenge, "realm"), "https://auth.example.com");
        assert_eq!(parameter(&challenge, "method"), "credits");
        assert_eq!(parameter(&challenge, "intent"), "charge");
        assert_eq!(parameter(&challenge, "expires"), "2026-03-15T10:05:00Z");
        let request = URL_SAFE_NO_PAD.decode(parameter(&challenge, "request")).unwrap();
        let expected = r#"{"amount":"5","currency":"credits","externalId":"op-1","methodDetails":{"topupUrl":"https://pay.example.com/a?b=c"}}"#;
        assert_eq!(String::from_utf8(request).unwrap(), expected);
    }

    #[test]
    fn the_id_is_the_mac_of_the_seven_slots() {
        let challenge = challenge(7, "op-1", None);
        let slots = ["realm", "method", "intent", "request", "expires"];
        let bound = slots.map(|name| parameter(&challenge, name)).join("|") + "||";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let id = URL_SAFE_NO_PAD.encode(hmac::sign(&key, bound.as_bytes()));
        assert_eq!(parameter(&challenge, "id"), id);
        assert_eq!(id.len(), 43);
    }

    #[test]
    fn whatever_differs_gives_another_id() {
        let id = |challenge: String| parameter(&challenge, "id").to_owned();
        let first = id(challenge(1, "op-1", None));
        for other in [
            challenge(2, "op-1", None),
            challenge(1, "op-2", None),
            challenge(1, "op-1", Some("https://pay.example.com")),
        ] {
            assert_ne!(id(other), first);
        }
    }

    #[test]
    fn a_quoted_string_stays_one() {
        assert_eq!(quoted(r#"a"b\c"#), r#"a\"b\\c"#);
    }
}
