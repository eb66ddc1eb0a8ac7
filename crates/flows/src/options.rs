use portcullis_credentials::{Argon2Settings, PasswordPolicy};
use portcullis_identity::EmailRules;
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
    /// How long audit events are kept.
    pub audit_retention: Duration,
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
            known_address_for: Duration::days(30),
        }
    }
}
