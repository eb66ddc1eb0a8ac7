use portcullis_limits::Policy;
use time::Duration;

use super::{AgentRegistrationLimits, CreditLimits};

/// The rate limits of every surface.
#[derive(Clone, Copy, Debug)]
pub struct LimitOptions {
    /// Off for load tests only.
    pub enabled: bool,
    /// Registrations of one client address.
    pub register: Policy,
    /// Sign-ins of one client address.
    pub sign_in: Policy,
    /// Failed sign-ins to one e-mail address, over all client addresses.
    pub sign_in_failures: Policy,
    /// Other requests of one client address without a credential, or with a refused one.
    pub anonymous: Policy,
    /// Requests of one user.
    pub principal: Policy,
    /// Requests for a mail to set a password, of one client address.
    pub password_reset: Policy,
    /// Such mails to one address.
    pub reset_mail: Policy,
    /// Mails to prove one address, in the short run.
    pub verification_mail: Policy,
    /// Mails to prove one address, in the long run.
    pub verification_mail_long: Policy,
    /// Mails of one kind that tell one user something.
    pub notice: Policy,
    /// The limits of agents and of those who ask about their credentials.
    pub agents: AgentLimits,
    /// The limits of agents that sign themselves up.
    pub agent_registration: AgentRegistrationLimits,
    /// The limits of balances, charges and top-ups.
    pub credits: CreditLimits,
    /// How long an address from which a user signed in is not bound by `sign_in_failures`.
    pub known_address_for: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        let quarter = Duration::minutes(15);
        Self {
            enabled: true,
            register: Policy::new("people.register", 3, Duration::HOUR).closed_on_failure(),
            sign_in: Policy::new("people.sign_in", 5, quarter).closed_on_failure(),
            sign_in_failures: Policy::new("people.sign_in_failures", 30, quarter)
                .closed_on_failure()
                .exact(),
            anonymous: Policy::new("people.anonymous", 30, Duration::MINUTE),
            principal: Policy::new("people.principal", 100, Duration::MINUTE),
            password_reset: Policy::new("people.password_reset", 10, Duration::HOUR)
                .closed_on_failure(),
            reset_mail: Policy::new("mail.reset", 3, Duration::HOUR).closed_on_failure(),
            verification_mail: Policy::new("mail.verification", 3, Duration::HOUR)
                .closed_on_failure(),
            verification_mail_long: Policy::new("mail.verification_long", 10, Duration::DAY)
                .closed_on_failure(),
            notice: Policy::new("mail.notice", 5, Duration::HOUR).closed_on_failure(),
            agents: AgentLimits::default(),
            agent_registration: AgentRegistrationLimits::default(),
            credits: CreditLimits::default(),
            known_address_for: Duration::days(30),
        }
    }
}

/// The rate limits of agents and of those who ask about their credentials.
#[derive(Clone, Copy, Debug)]
pub struct AgentLimits {
    /// Registrations of one client address.
    pub register: Policy,
    /// Exchanges of one client address.
    pub token: Policy,
    /// Exchanges of one client address for one agent id as it was typed.
    pub token_by_id: Policy,
    /// Refreshes of one agent.
    pub refresh: Policy,
    /// Requests for another mail to prove an address, of one client address; and changes of address, of
    /// one agent.
    pub resend: Policy,
    /// Requests for recovery codes, of one client address.
    pub recovery: Policy,
    /// Requests for recovery codes to one mailbox, in the short run: of strangers, and of the networks
    /// that its agents work from.
    pub recovery_mail: Policy,
    /// Requests for recovery codes to one mailbox, in the long run.
    pub recovery_mail_long: Policy,
    /// Recovery codes tried from one client address.
    pub recover: Policy,
    /// Keys made or rotated for one agent.
    pub make_key: Policy,
    /// Other requests of one client address without a credential, or with a refused one.
    pub anonymous: Policy,
    /// Requests of one agent.
    pub principal: Policy,
    /// Requests to `/oauth2/*` of one client address without a credential, or with a refused one.
    pub oauth_anonymous: Policy,
    /// Requests to `/oauth2/*` of one resource server.
    pub resource_server: Policy,
}

impl Default for AgentLimits {
    fn default() -> Self {
        let (minute, quarter, hour) = (Duration::MINUTE, Duration::minutes(15), Duration::HOUR);
        Self {
            register: Policy::new("agents.register", 10, hour).closed_on_failure(),
            token: Policy::new("agents.token", 600, minute),
            token_by_id: Policy::new("agents.token_by_id", 60, minute),
            refresh: Policy::new("agents.refresh", 30, minute),
            resend: Policy::new("agents.resend", 5, hour).closed_on_failure(),
            recovery: Policy::new("agents.recovery", 5, quarter).closed_on_failure(),
            recovery_mail: Policy::new("agents.recovery_mail", 3, quarter).closed_on_failure(),
            recovery_mail_long: Policy::new("agents.recovery_mail_long", 5, hour)
                .closed_on_failure(),
            recover: Policy::new("agents.recover", 10, quarter).closed_on_failure(),
            make_key: Policy::new("agents.make_key", 20, hour),
            anonymous: Policy::new("agents.anonymous", 60, minute),
            principal: Policy::new("agents.principal", 100, minute),
            oauth_anonymous: Policy::new("oauth.anonymous", 60, minute),
            resource_server: Policy::new("oauth.resource_server", 600, minute),
        }
    }
}
