use std::ops::RangeInclusive;

use portcullis_flows::oauth::is_resource;
use portcullis_kernel::{InvalidScopes, Scopes};

use super::{Checker, DAY, LONGEST, SECOND};
use crate::settings::{
    sections::{Limit, Prefix, Scope, Settings},
    span::Span,
    text::List,
};

/// What other secrets begin with: one that begins like it would be taken for it.
const TAKEN: [&str; 13] = [
    "rk_", "evt_", "uvt_", "rst_", "udt_", "inv_", "rss_", "pst_", "rt_", "clm_", "cvt_", "crt_",
    "art_",
];
/// A code has six digits: with more tries some would be guessed.
pub(super) const TRIES: RangeInclusive<u32> = 1..=10;

impl Checker<'_> {
    pub(super) fn agents(&mut self, settings: &Settings) {
        let agents = &settings.agents;
        if agents.audience.as_deref().is_some_and(|audience| !is_resource(audience)) {
            let text =
                "must be an absolute URI without a fragment, such as https://api.example.com";
            self.refuse("agents.audience", text);
        }
        self.within("agents.token_ttl", agents.token_ttl, SECOND..=DAY);
        self.prefix("agents.key_prefix", &agents.key_prefix);
        self.scopes(&agents.scopes, agents.default_scopes.as_ref());
        self.within("agents.max_keys", agents.max_keys, 1..=10_000);
        self.within("agents.keep_dead_keys", agents.keep_dead_keys, DAY..=LONGEST);
        self.within("agents.verification_ttl", agents.verification_ttl, SECOND..=Span::days(30));
        self.within("agents.recovery_ttl", agents.recovery_ttl, SECOND..=Span::hours(1));
        let tries = &agents.recovery_tries;
        self.within("agents.recovery_tries.own", tries.own, TRIES);
        self.within("agents.recovery_tries.other", tries.other, TRIES);
        self.within("agents.recovery_tries.own_of_several", tries.own_of_several, TRIES);
        self.within("agents.recovery_tries.other_of_several", tries.other_of_several, TRIES);
        self.within("agents.known_network_for", agents.known_network_for, DAY..=LONGEST);
    }

    pub(super) fn prefix(&mut self, key: &str, prefix: &Prefix) {
        let prefix = prefix.0.as_str();
        if TAKEN.contains(&prefix) {
            let text = format!("must not be {prefix}, which secrets of another kind begin with");
            self.refuse(key, text);
        }
    }

    fn scopes(&mut self, all: &List<Scope>, default: Option<&List<Scope>>) {
        let all = match set(all) {
            Ok(all) => all,
            Err(error) => return self.refuse("agents.scopes", error.to_string()),
        };
        match default.map(set) {
            None => {}
            Some(Err(error)) => self.refuse("agents.default_scopes", error.to_string()),
            Some(Ok(default)) if default.is_within(&all) => {}
            Some(Ok(_)) => {
                let text = format!("must be among agents.scopes ({all})");
                self.refuse("agents.default_scopes", text);
            }
        }
    }

    pub(super) fn agent_limits(&mut self, settings: &Settings) {
        let (agents, oauth) = (&settings.rate_limits.agents, &settings.rate_limits.oauth);
        let tables: [(&str, &Limit); 14] = [
            ("agents.register", &agents.register),
            ("agents.token", &agents.token),
            ("agents.token_by_id", &agents.token_by_id),
            ("agents.refresh", &agents.refresh),
            ("agents.resend", &agents.resend),
            ("agents.recovery", &agents.recovery),
            ("agents.recovery_mail", &agents.recovery_mail),
            ("agents.recovery_mail_long", &agents.recovery_mail_long),
            ("agents.recover", &agents.recover),
            ("agents.make_key", &agents.make_key),
            ("agents.anonymous", &agents.anonymous),
            ("agents.principal", &agents.principal),
            ("oauth.anonymous", &oauth.anonymous),
            ("oauth.resource_server", &oauth.resource_server),
        ];
        self.limits(&tables);
    }
}

pub(super) fn set(list: &List<Scope>) -> Result<Scopes, InvalidScopes> {
    Scopes::new(list.0.iter().map(|scope| &scope.0))
}
