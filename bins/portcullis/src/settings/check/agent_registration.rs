use super::{
    Checker, DAY, LONGEST, SECOND,
    agents::{TRIES, set},
};
use crate::settings::{sections::Settings, span::Span};

impl Checker<'_> {
    pub(super) fn agent_registration(&mut self, settings: &Settings) {
        let set_to = &settings.agent_registration;
        let (before, after) = (set(&set_to.pre_claim_scopes), set(&set_to.post_claim_scopes));
        for (key, scopes) in [("pre_claim_scopes", &before), ("post_claim_scopes", &after)] {
            if let Err(error) = scopes {
                self.refuse(&format!("agent_registration.{key}"), error.to_string());
            }
        }
        if let (Ok(before), Ok(after)) = (before, after)
            && !before.is_within(&after)
        {
            let text = format!("must be among agent_registration.post_claim_scopes ({after})");
            self.refuse("agent_registration.pre_claim_scopes", text);
        }
        self.prefix("agent_registration.anonymous_prefix", &set_to.anonymous_prefix);
        self.prefix("agent_registration.claimed_prefix", &set_to.claimed_prefix);
        let month = Span::days(30);
        self.within("agent_registration.claim_ttl", set_to.claim_ttl, SECOND..=month);
        self.within("agent_registration.code_ttl", set_to.code_ttl, SECOND..=Span::hours(1));
        self.within("agent_registration.code_tries", set_to.code_tries, TRIES);
        self.within("agent_registration.max_codes", set_to.max_codes, 1..=10);
        if let Some(lifetime) = set_to.anonymous_lifetime {
            self.within("agent_registration.anonymous_lifetime", lifetime, DAY..=LONGEST);
            if lifetime < set_to.claim_ttl {
                let text = format!(
                    "must be at least agent_registration.claim_ttl ({}): what can still be claimed \
                     is not erased",
                    set_to.claim_ttl
                );
                self.refuse("agent_registration.anonymous_lifetime", text);
            }
        }
    }

    pub(super) fn agent_registration_limits(&mut self, settings: &Settings) {
        let limits = &settings.rate_limits.agent_registration;
        self.limits(&[
            ("agent_registration.anonymous", &limits.anonymous),
            ("agent_registration.email", &limits.email),
            ("agent_registration.requests", &limits.requests),
            ("agent_registration.wrong_codes", &limits.wrong_codes),
            ("agent_registration.code_mail", &limits.code_mail),
            ("agent_registration.code_mail_long", &limits.code_mail_long),
            ("agent_registration.code_mail_longest", &limits.code_mail_longest),
            ("agent_registration.alarm_wrong_codes", &limits.alarm_wrong_codes),
            ("agent_registration.alarm_sign_ups", &limits.alarm_sign_ups),
        ]);
    }
}
