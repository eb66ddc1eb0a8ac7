//! What is set for agents that sign themselves up, and for people who claim them.

use serde::{Deserialize, Serialize};

use super::{Limit, List, Prefix, Scope, Span};

section! {
    /// Agents that sign themselves up, and people who claim them.
    AgentRegistrations {
        pre_claim_scopes: List<Scope> = Scope::list(["api.read"]),
        post_claim_scopes: List<Scope> = Scope::list(["api.read", "api.write"]),
        anonymous_prefix: Prefix = Prefix::built_in("anon_"),
        claimed_prefix: Prefix = Prefix::built_in("live_"),
        claim_ttl: Span = Span::hours(24),
        code_ttl: Span = Span::minutes(10),
        code_tries: u32 = 5,
        max_codes: u32 = 3,
        anonymous_lifetime: Option<Span> = None,
    }
}

section! {
    /// Rate limits of agents that sign themselves up.
    AgentRegistrationLimits {
        anonymous: Limit = Limit { limit: 5, window: Span::hours(1) },
        email: Limit = Limit { limit: 10, window: Span::hours(1) },
        requests: Limit = Limit { limit: 60, window: Span::minutes(1) },
        wrong_codes: Limit = Limit { limit: 20, window: Span::hours(1) },
        code_mail: Limit = Limit { limit: 1, window: Span::minutes(1) },
        code_mail_long: Limit = Limit { limit: 5, window: Span::hours(1) },
        code_mail_longest: Limit = Limit { limit: 10, window: Span::hours(24) },
        alarm_wrong_codes: Limit = Limit { limit: 1000, window: Span::hours(24) },
        alarm_sign_ups: Limit = Limit { limit: 10_000, window: Span::hours(1) },
    }
}
