use portcullis_credits::WebhookSecret;
use time::Duration;

/// Credits.
#[derive(Clone, Debug)]
pub struct CreditOptions {
    /// Where credits are got, for who has none left.
    pub topup_url: Option<String>,
    /// What top-ups are signed with; without any none are heard.
    pub webhook_secrets: Vec<WebhookSecret>,
    /// How long the challenge of a refused charge is good.
    pub challenge: Duration,
}

impl Default for CreditOptions {
    fn default() -> Self {
        Self { topup_url: None, webhook_secrets: Vec::new(), challenge: Duration::minutes(5) }
    }
}
