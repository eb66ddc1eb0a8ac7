use portcullis_credentials::{Argon2Settings, PasswordPolicy};
use portcullis_identity::{EmailAddress, EmailRules};
use portcullis_limits::Policy;
use portcullis_tokens::{AccessTokenPolicy, KeyPolicy, RefreshPolicy};
use time::Duration;

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
    /// How long a sign-in on the pages lasts.
    pub page_session: Duration,
    /// How long audit events are kept.
    pub audit_retention: Duration,
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
            // Five minutes in which verifiers cache the key set, one in which instances read it.
            keys: KeyPolicy { lead: Duration::minutes(6), linger: ttl + Duration::MINUTE },
            limits: LimitOptions::default(),
            registration: RegistrationOptions::default(),
            mailed: MailedOptions::default(),
            page_session: Duration::hours(12),
            audit_retention: Duration::days(400),
        }
    }
}

/// The rate limits of the People surface.
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
            known_address_for: Duration::days(30),
        }
    }
}
