use portcullis_flows::{AgentRegistrationLimits, AgentRegistrationOptions};

use super::{agents::set, limited};
use crate::settings::{sections::Settings, span::Span};

impl Settings {
    pub(super) fn agent_registration(&self) -> AgentRegistrationOptions {
        let set_to = &self.agent_registration;
        AgentRegistrationOptions {
            pre_claim_scopes: set(&set_to.pre_claim_scopes),
            post_claim_scopes: set(&set_to.post_claim_scopes),
            anonymous_prefix: set_to.anonymous_prefix.0.clone(),
            claimed_prefix: set_to.claimed_prefix.0.clone(),
            claim: set_to.claim_ttl.time(),
            code: set_to.code_ttl.time(),
            code_tries: set_to.code_tries,
            most_codes: set_to.max_codes,
            anonymous_lifetime: set_to.anonymous_lifetime.map(Span::time),
        }
    }

    pub(super) fn agent_registration_limits(&self) -> AgentRegistrationLimits {
        let set_to = &self.rate_limits.agent_registration;
        let built_in = AgentRegistrationLimits::default();
        AgentRegistrationLimits {
            anonymous: limited(built_in.anonymous, set_to.anonymous),
            email: limited(built_in.email, set_to.email),
            requests: limited(built_in.requests, set_to.requests),
            wrong_codes: limited(built_in.wrong_codes, set_to.wrong_codes),
            code_mail: limited(built_in.code_mail, set_to.code_mail),
            code_mail_long: limited(built_in.code_mail_long, set_to.code_mail_long),
            code_mail_longest: limited(built_in.code_mail_longest, set_to.code_mail_longest),
            alarm_wrong_codes: limited(built_in.alarm_wrong_codes, set_to.alarm_wrong_codes),
            alarm_sign_ups: limited(built_in.alarm_sign_ups, set_to.alarm_sign_ups),
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_flows::EngineOptions;

    use super::*;

    #[test]
    fn the_defaults_for_registrations_are_those_of_the_crates() {
        let (ours, theirs) = (Settings::default().engine(), EngineOptions::default());
        assert_eq!(ours.agent_registration, theirs.agent_registration);
        let limits = [ours.limits, theirs.limits].map(|limits| limits.agent_registration);
        let [ours, theirs] = limits.map(|limits| format!("{limits:?}"));
        assert_eq!(ours, theirs);
    }
}
