use portcullis_credits::WebhookSecret;
use url::Url;

use super::Checker;
use crate::settings::sections::Settings;

/// The longest URL, in bytes: it travels in a header.
const MOST_BYTES: usize = 512;

impl Checker<'_> {
    pub(super) fn credits(&mut self, settings: &Settings) {
        let credits = &settings.credits;
        if credits.topup_url.as_deref().is_some_and(|text| !is_place(text)) {
            let text = "must be an http or https URL in ASCII, at most 512 bytes, such as \
                        https://pay.example.com/credits";
            self.refuse("credits.topup_url", text);
        }
        if let Some(secret) = &credits.webhook_secret
            && let Err(error) = WebhookSecret::parse_all(&secret.0)
        {
            self.refuse("credits.webhook_secret", error.to_string());
        }
    }

    pub(super) fn credit_limits(&mut self, settings: &Settings) {
        let limits = &settings.rate_limits.credits;
        self.limits(&[
            ("credits.anonymous", &limits.anonymous),
            ("credits.principal", &limits.principal),
            ("credits.charge", &limits.charge),
            ("credits.top_up", &limits.top_up),
        ]);
    }
}

/// Whether a person can be sent there.
fn is_place(text: &str) -> bool {
    let plain = text.len() <= MOST_BYTES && text.bytes().all(|b| b.is_ascii_graphic());
    plain
        && Url::parse(text).is_ok_and(|url| {
            let web = matches!(url.scheme(), "https" | "http") && url.host().is_some();
            web && url.username().is_empty() && url.password().is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_of_the_web() {
        for good in ["https://pay.example.com", "http://127.0.0.1:9/a?b=c#d"] {
            assert!(is_place(good), "{good}");
        }
        let long = format!("https://pay.example.com/{}", "x".repeat(500));
        for bad in [
            "",
            "pay",
            "/pay",
            "ftp://pay.example",
            "javascript:1",
            "https://",
            "https://a b",
            "https://j:p@pay.example",
            &long,
        ] {
            assert!(!is_place(bad), "{bad}");
        }
    }
}
