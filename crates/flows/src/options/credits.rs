use portcullis_credits::WebhookSecret;
use portcullis_limits::Policy;
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

/// The rate limits of balances, charges and top-ups.
#[derive(Clone, Copy, Debug)]
pub struct CreditLimits {
    /// Requests of one client address without a credential, or with a refused one.
    pub anonymous: Policy,
    /// Requests of one agent or user.
    pub principal: Policy,
    /// Charges of one resource server.
    pub charge: Policy,
    /// Signed top-ups, of all together: there is one sender.
    pub top_up: Policy,
}

impl Default for CreditLimits {
    fn default() -> Self {
        let minute = Duration::MINUTE;
        Self {
            anonymous: Policy::new("credits.anonymous", 60, minute),
            principal: Policy::new("credits.principal", 100, minute),
            charge: Policy::new("credits.charge", 600, minute),
            top_up: Policy::new("credits.top_up", 600, minute),
        }
    }
}
