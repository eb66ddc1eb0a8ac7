mod agent_registration;
mod agents;
mod credits;
mod limits;

use portcullis_credentials::{Argon2Settings, PasswordPolicy};
use portcullis_identity::{EmailAddress, EmailRules};
use portcullis_kernel::Scopes;
use portcullis_tokens::{AccessTokenPolicy, KeyPolicy, RefreshPolicy};
use time::Duration;

pub use agent_registration::{AgentRegistrationLimits, AgentRegistrationOptions};
pub use agents::AgentOptions;
pub use credits::{CreditLimits, CreditOptions};
pub use limits::{AgentLimits, LimitOptions};

/// Every number and switch of the domain. The default is what the specification says.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// What access tokens say and how long they live.
    pub access: AccessTokenPolicy,
    /// Lives of sessions and refresh tokens.
    pub refresh: RefreshPolicy,
    /// Which new passwords are accepted.
    pub password: PasswordPolicy,
    /// What one password hash costs.
    pub argon2: Argon2Settings,
    /// Which e-mail addresses are accepted.
    pub email: EmailRules,
    /// The steps of a signing key's life.
    pub keys: KeyPolicy,
    /// Rate limits.
    pub limits: LimitOptions,
    /// Who may register.
    pub registration: RegistrationOptions,
    /// Lives of what is mailed.
    pub mailed: MailedOptions,
    /// Accounts of agents, their keys and tokens.
    pub agents: AgentOptions,
    /// Agents that sign themselves up, and people who claim them.
    pub agent_registration: AgentRegistrationOptions,
    /// Credits.
    pub credits: CreditOptions,
    /// How long a sign-in on the pages lasts.
    pub page_session: Duration,
    /// How long audit events are kept.
    pub audit_retention: Duration,
}

impl EngineOptions {
    /// Every scope that a key may have.
    pub fn scopes(&self) -> Scopes {
        self.agents.scopes.joined_with(&self.agent_registration.scopes())
    }
}

/// Who may register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrationOptions {
    /// With or without an invitation, or not at all.
    pub mode: RegistrationMode,
    /// The domains of addresses, in ASCII and lower case; empty for any. An invitation goes before.
    pub domains: Vec<String>,
}

/// Whether registration needs an invitation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// It does not.
    #[default]
    Open,
    /// It does.
    Invite,
    /// Nobody may register; operators make accounts.
    Closed,
}

impl RegistrationOptions {
    /// Whether an address of this domain may have an account without an invitation.
    pub fn admits(&self, email: &EmailAddress) -> bool {
        self.domains.is_empty() || self.domains.iter().any(|domain| domain == email.domain())
    }
}

/// Lives of what is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailedOptions {
    /// A link to confirm an address.
    pub verification: Duration,
    /// A link to set a password.
    pub reset: Duration,
    /// A link to erase an account.
    pub deletion: Duration,
    /// A code for a new address.
    pub code: Duration,
    /// Tries at such a code.
    pub code_tries: u32,
    /// An invitation.
    pub invitation: Duration,
    /// How long a mail that only tells something is worth delivering.
    pub notice: Duration,
}

impl Default for MailedOptions {
    fn default() -> Self {
        Self {
            verification: Duration::DAY,
            reset: Duration::HOUR,
            deletion: Duration::HOUR,
            code: Duration::minutes(15),
            code_tries: 5,
            invitation: Duration::days(7),
            notice: Duration::days(3),
        }
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        let ttl = Duration::minutes(15);
        Self {
            access: AccessTokenPolicy { issuer: "portcullis".into(), audience: None, ttl },
            refresh: RefreshPolicy::default(),
            password: PasswordPolicy::default(),
            argon2: Argon2Settings::default(),
            email: EmailRules::default(),
            // Five minutes in which verifiers cache the key set, one in which instances read it; and
            // the life of the longest-lived token, an agent's.
            keys: KeyPolicy { lead: Duration::minutes(6), linger: Duration::minutes(61) },
            limits: LimitOptions::default(),
            registration: RegistrationOptions::default(),
            mailed: MailedOptions::default(),
            agents: AgentOptions::default(),
            agent_registration: AgentRegistrationOptions::default(),
            credits: CreditOptions::default(),
            page_session: Duration::hours(12),
            audit_retention: Duration::days(400),
        }
    }
}
