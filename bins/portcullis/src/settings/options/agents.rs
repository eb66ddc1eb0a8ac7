use portcullis_credentials::RecoveryTries;
use portcullis_flows::{AgentLimits, AgentOptions};
use portcullis_kernel::Scopes;
use portcullis_tokens::{AgentTokenPolicy, Algorithm};

use super::limited;
use crate::settings::{
    address::PublicUrl,
    sections::{AgentAlgorithm, AgentRegistration, Scope, Settings, Tries},
    text::List,
};

impl Settings {
    pub(super) fn agents(&self) -> AgentOptions {
        let agents = &self.agents;
        let issuer = self.public_url.as_ref().map_or("", PublicUrl::as_str).to_owned();
        let scopes = set(&agents.scopes);
        AgentOptions {
            open: agents.registration == AgentRegistration::Open,
            token: AgentTokenPolicy {
                audience: agents.audience.clone().unwrap_or_else(|| issuer.clone()),
                issuer,
                algorithm: match agents.algorithm {
                    AgentAlgorithm::Es256 => Algorithm::Es256,
                    AgentAlgorithm::EdDsa => Algorithm::EdDsa,
                    AgentAlgorithm::Rs256 => Algorithm::Rs256,
                },
                ttl: agents.token_ttl.time(),
            },
            key_prefix: agents.key_prefix.0.clone(),
            default_scopes: agents.default_scopes.as_ref().map_or_else(|| scopes.clone(), set),
            scopes,
            most_keys: agents.max_keys,
            keep_dead_keys: agents.keep_dead_keys.time(),
            verification: agents.verification_ttl.time(),
            recovery: agents.recovery_ttl.time(),
            recovery_tries: tries(&agents.recovery_tries),
            known_network_for: agents.known_network_for.time(),
        }
    }

    pub(super) fn agent_limits(&self) -> AgentLimits {
        let (agents, oauth) = (&self.rate_limits.agents, &self.rate_limits.oauth);
        let built_in = AgentLimits::default();
        AgentLimits {
            register: limited(built_in.register, agents.register),
            token: limited(built_in.token, agents.token),
            token_by_id: limited(built_in.token_by_id, agents.token_by_id),
            refresh: limited(built_in.refresh, agents.refresh),
            resend: limited(built_in.resend, agents.resend),
            recovery: limited(built_in.recovery, agents.recovery),
            recovery_mail: limited(built_in.recovery_mail, agents.recovery_mail),
            recovery_mail_long: limited(built_in.recovery_mail_long, agents.recovery_mail_long),
            recover: limited(built_in.recover, agents.recover),
            make_key: limited(built_in.make_key, agents.make_key),
            anonymous: limited(built_in.anonymous, agents.anonymous),
            principal: limited(built_in.principal, agents.principal),
            oauth_anonymous: limited(built_in.oauth_anonymous, oauth.anonymous),
            resource_server: limited(built_in.resource_server, oauth.resource_server),
        }
    }
}

/// Lists that no set can be made of are refused before.
pub(super) fn set(list: &List<Scope>) -> Scopes {
    Scopes::new(list.0.iter().map(|scope| &scope.0)).unwrap_or_default()
}

fn tries(tries: &Tries) -> RecoveryTries {
    RecoveryTries {
        own: tries.own,
        other: tries.other,
        own_of_several: tries.own_of_several,
        other_of_several: tries.other_of_several,
    }
}

#[cfg(test)]
mod tests {
    use portcullis_flows::EngineOptions;

    use super::*;

    #[test]
    fn the_defaults_for_agents_are_those_of_the_crates() {
        let settings =
            Settings { public_url: "http://127.0.0.1:8080".parse().ok(), ..Settings::default() };
        let (ours, theirs) = (settings.engine(), EngineOptions::default());
        assert_eq!(format!("{:?}", ours.agents), format!("{:?}", theirs.agents));
        assert_eq!(format!("{:?}", ours.limits.agents), format!("{:?}", theirs.limits.agents));
    }

    #[test]
    fn a_token_is_for_this_server_unless_an_audience_is_set() {
        let mut settings =
            Settings { public_url: "https://auth.example.com".parse().ok(), ..Settings::default() };
        let token = settings.engine().agents.token;
        assert_eq!([token.issuer, token.audience], ["https://auth.example.com"; 2]);
        settings.agents.audience = Some("https://api.example.com".into());
        let token = settings.engine().agents.token;
        assert_eq!(token.issuer, "https://auth.example.com");
        assert_eq!(token.audience, "https://api.example.com");
    }

    #[test]
    fn a_key_has_every_scope_unless_others_are_the_usual_ones() {
        let list = |names: &str| {
            List(names.split(' ').map(|name| name.parse().unwrap()).collect::<Vec<Scope>>())
        };
        let mut settings = Settings::default();
        settings.agents.scopes = list("a b");
        assert_eq!(settings.engine().agents.default_scopes.to_string(), "a b");
        settings.agents.default_scopes = Some(list("b"));
        assert_eq!(settings.engine().agents.default_scopes.to_string(), "b");
        assert_eq!(settings.engine().agents.scopes.to_string(), "a b");
    }
}
