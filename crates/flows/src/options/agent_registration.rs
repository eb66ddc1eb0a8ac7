use portcullis_credentials::KeyPrefix;
use portcullis_kernel::Scopes;
use portcullis_limits::Policy;
use time::Duration;

/// Agents that sign themselves up, and people who claim them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRegistrationOptions {
    /// The scopes of a key that nobody has claimed.
    pub pre_claim_scopes: Scopes,
    /// The scopes of a key that a person has claimed.
    pub post_claim_scopes: Scopes,
    /// What keys begin with that nobody has claimed.
    pub anonymous_prefix: KeyPrefix,
    /// What keys begin with that a person has claimed.
    pub claimed_prefix: KeyPrefix,
    /// How long a registration may be claimed.
    pub claim: Duration,
    /// How long a mailed code lives.
    pub code: Duration,
    /// Wrong tries at one code, from all client addresses together.
    pub code_tries: u32,
    /// Codes of one registration.
    pub most_codes: u32,
    /// From when on an anonymous registration that nobody claimed is erased; never when `None`.
    pub anonymous_lifetime: Option<Duration>,
}

impl AgentRegistrationOptions {
    /// Every scope that a key of a registration may have.
    pub fn scopes(&self) -> Scopes {
        self.pre_claim_scopes.joined_with(&self.post_claim_scopes)
    }
}

impl Default for AgentRegistrationOptions {
    fn default() -> Self {
        // What the types accept, as a test says.
        let scopes = |names: &[&str]| Scopes::new(names.iter().copied()).unwrap_or_default();
        let prefix = |text| KeyPrefix::parse(text).unwrap_or_default();
        Self {
            pre_claim_scopes: scopes(&["api.read"]),
            post_claim_scopes: scopes(&["api.read", "api.write"]),
            anonymous_prefix: prefix("anon_"),
            claimed_prefix: prefix("live_"),
            claim: Duration::DAY,
            code: Duration::minutes(10),
            code_tries: 5,
            most_codes: 3,
            anonymous_lifetime: None,
        }
    }
}

/// The rate limits of agents that sign themselves up.
#[derive(Clone, Copy, Debug)]
pub struct AgentRegistrationLimits {
    /// Anonymous registrations of one client address.
    pub anonymous: Policy,
    /// Registrations for an e-mail address, of one client address.
    pub email: Policy,
    /// Other requests of one client address.
    pub requests: Policy,
    /// Wrong codes that one client address had compared.
    pub wrong_codes: Policy,
    /// Codes mailed to one address, in the short run.
    pub code_mail: Policy,
    /// The same, in the middle run.
    pub code_mail_long: Policy,
    /// The same, in the long run.
    pub code_mail_longest: Policy,
    /// Wrong codes of all together, above which an operator is told.
    pub alarm_wrong_codes: Policy,
    /// Registrations of all together, above which an operator is told.
    pub alarm_sign_ups: Policy,
}

impl Default for AgentRegistrationLimits {
    fn default() -> Self {
        let (minute, hour, day) = (Duration::MINUTE, Duration::HOUR, Duration::DAY);
        let closed = |name, limit, window| Policy::new(name, limit, window).closed_on_failure();
        Self {
            anonymous: closed("agent_registration.anonymous", 5, hour),
            email: closed("agent_registration.email", 10, hour),
            requests: closed("agent_registration.requests", 60, minute),
            wrong_codes: closed("agent_registration.wrong_codes", 20, hour),
            code_mail: closed("mail.claim_code", 1, minute),
            code_mail_long: closed("mail.claim_code_long", 5, hour),
            code_mail_longest: closed("mail.claim_code_longest", 10, day),
            alarm_wrong_codes: Policy::new("alarm.wrong_claim_codes", 1000, day),
            alarm_sign_ups: Policy::new("alarm.agent_registrations", 10_000, hour),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_their_types_accept() {
        let options = AgentRegistrationOptions::default();
        assert_eq!(options.pre_claim_scopes.to_string(), "api.read");
        assert_eq!(options.post_claim_scopes.to_string(), "api.read api.write");
        assert_eq!(options.scopes().to_string(), "api.read api.write");
        let prefixes = [&options.anonymous_prefix, &options.claimed_prefix];
        assert_eq!(prefixes.map(KeyPrefix::as_str), ["anon_", "live_"]);
    }
}
