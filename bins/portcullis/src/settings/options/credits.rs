use portcullis_credits::WebhookSecret;
use portcullis_flows::{CreditLimits, CreditOptions};

use super::limited;
use crate::settings::{Loaded, Problem, sections::Settings};

impl Settings {
    /// All but the secrets, which may stand in a file.
    pub(super) fn credits(&self) -> CreditOptions {
        CreditOptions { topup_url: self.credits.topup_url.clone(), ..CreditOptions::default() }
    }

    pub(super) fn credit_limits(&self) -> CreditLimits {
        let (set_to, built_in) = (&self.rate_limits.credits, CreditLimits::default());
        CreditLimits {
            anonymous: limited(built_in.anonymous, set_to.anonymous),
            principal: limited(built_in.principal, set_to.principal),
            charge: limited(built_in.charge, set_to.charge),
            top_up: limited(built_in.top_up, set_to.top_up),
        }
    }
}

impl Loaded {
    /// What top-ups are signed with; none where none is set.
    pub(crate) fn webhook_secrets(&self) -> Result<Vec<WebhookSecret>, Problem> {
        let credits = &self.settings.credits;
        let (key, text) = match (&credits.webhook_secret, &credits.webhook_secret_file) {
            (Some(secret), _) => ("credits.webhook_secret", secret.0.clone()),
            (None, Some(path)) => {
                let key = "credits.webhook_secret_file";
                (key, self.secret_file(key, path)?)
            }
            (None, None) => return Ok(Vec::new()),
        };
        WebhookSecret::parse_all(&text).map_err(|error| self.problem(key, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use portcullis_flows::EngineOptions;

    use super::*;

    #[test]
    fn the_defaults_for_credits_are_those_of_the_crates() {
        let options = [Settings::default().engine(), EngineOptions::default()];
        let [ours, theirs] =
            options.map(|options| format!("{:?} {:?}", options.credits, options.limits.credits));
        assert_eq!(ours, theirs);
    }
}
