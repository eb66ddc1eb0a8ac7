//! Every setting, one struct a section, with its built-in default.
//!
//! A setting that is added here gets a row in `docs/configuration.md`, its rule in `check.rs` and its
//! way into the options of the crate that uses it in `options.rs`.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    address::{Domain, Network, PublicUrl},
    span::Span,
    text::{DatabaseUrl, List, Secret, choice, text_setting},
};

/// A setting struct: every key is known, and every key is present, because the built-in defaults are
/// the lowest layer.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty = $default:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: $kind),+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }
    };
}

mod agent_registration;
mod agents;
mod credits;

pub(super) use agent_registration::{AgentRegistrationLimits, AgentRegistrations};
pub(crate) use agents::AgentAlgorithm;
pub(super) use agents::{
    AgentLimits, AgentRegistration, Agents, OauthLimits, Prefix, Scope, Tries,
};
pub(super) use credits::{CreditLimits, Credits};

section! {
    /// All settings.
    Settings {
        public_url: Option<PublicUrl> = None,
        trusted_proxies: List<Network> = List(Vec::new()),
        master_key: Option<Secret> = None,
        master_key_file: Option<PathBuf> = None,
        http: Http = Http::default(),
        database: Database = Database::default(),
        people: People = People::default(),
        agents: Agents = Agents::default(),
        agent_registration: AgentRegistrations = AgentRegistrations::default(),
        credits: Credits = Credits::default(),
        tokens: Tokens = Tokens::default(),
        refresh: Refresh = Refresh::default(),
        passwords: Passwords = Passwords::default(),
        email: Email = Email::default(),
        pages: Pages = Pages::default(),
        branding: Branding = Branding::default(),
        rate_limits: RateLimits = RateLimits::default(),
        hashing: Hashing = Hashing::default(),
        audit: Audit = Audit::default(),
        keys: Keys = Keys::default(),
        log: Log = Log::default(),
        mail: Mail = Mail::default(),
    }
}

section! {
    /// The listener.
    Http {
        bind: Bind = Bind(SocketAddr::from(([127, 0, 0, 1], 8080))),
        workers: Option<u32> = None,
        shutdown_timeout: Span = Span::seconds(8),
    }
}

section! {
    /// The database and its connections.
    Database {
        url: Option<DatabaseUrl> = None,
        url_file: Option<PathBuf> = None,
        max_connections: u32 = 10,
        acquire_timeout: Span = Span::seconds(2),
        connect_timeout: Span = Span::seconds(2),
        lock_timeout: Span = Span::seconds(2),
        statement_timeout: Span = Span::seconds(3),
        sqlite_busy_timeout: Span = Span::seconds(2),
        sqlite_synchronous: SqliteSynchronous = SqliteSynchronous::Full,
    }
}

section! {
    /// What access tokens of people say, who may register, and how long what is mailed to people works.
    People {
        issuer: Option<String> = None,
        audience: Option<String> = None,
        registration: Registration = Registration::Open,
        allowed_domains: List<Domain> = List(Vec::new()),
        verification_ttl: Span = Span::hours(24),
        reset_ttl: Span = Span::hours(1),
        deletion_ttl: Span = Span::hours(1),
        code_ttl: Span = Span::minutes(15),
        code_tries: u32 = 5,
        invitation_ttl: Span = Span::days(7),
    }
}

section! {
    /// Access tokens.
    Tokens {
        access_ttl: Span = Span::minutes(15),
    }
}

section! {
    /// Sessions and refresh tokens.
    Refresh {
        idle: Span = Span::days(30),
        absolute: Span = Span::days(180),
        race_window: Span = Span::seconds(10),
        on_replay: ReplayEnds = ReplayEnds::Session,
        max_sessions: u32 = 100,
    }
}

section! {
    /// Which passwords are accepted.
    Passwords {
        min_length: u32 = 8,
        max_length: u32 = 128,
        refuse_common: bool = true,
        argon2: Argon2 = Argon2::default(),
    }
}

section! {
    /// What one password hash costs.
    Argon2 {
        memory_kib: u32 = 19_456,
        iterations: u32 = 2,
        parallelism: u32 = 1,
    }
}

section! {
    /// Which e-mail addresses are accepted.
    Email {
        unicode_local: bool = false,
    }
}

section! {
    /// The pages for browsers.
    Pages {
        session_ttl: Span = Span::hours(12),
    }
}

section! {
    /// How the service calls itself.
    Branding {
        service_name: String = "Portcullis".to_owned(),
    }
}

section! {
    /// Rate limits.
    RateLimits {
        enabled: bool = true,
        register: Limit = Limit { limit: 3, window: Span::hours(1) },
        sign_in: Limit = Limit { limit: 5, window: Span::minutes(15) },
        sign_in_failures: Limit = Limit { limit: 30, window: Span::minutes(15) },
        anonymous: Limit = Limit { limit: 30, window: Span::minutes(1) },
        principal: Limit = Limit { limit: 100, window: Span::minutes(1) },
        password_reset: Limit = Limit { limit: 10, window: Span::hours(1) },
        reset_mail: Limit = Limit { limit: 3, window: Span::hours(1) },
        verification_mail: Limit = Limit { limit: 3, window: Span::hours(1) },
        verification_mail_long: Limit = Limit { limit: 10, window: Span::hours(24) },
        notice: Limit = Limit { limit: 5, window: Span::hours(1) },
        known_address_for: Span = Span::days(30),
        agents: AgentLimits = AgentLimits::default(),
        agent_registration: AgentRegistrationLimits = AgentRegistrationLimits::default(),
        oauth: OauthLimits = OauthLimits::default(),
        credits: CreditLimits = CreditLimits::default(),
    }
}

/// At most `limit` in any `window`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) limit: u32,
    pub(crate) window: Span,
}

section! {
    /// How many password hashes run and wait.
    Hashing {
        permits: Option<u32> = None,
        queue: u32 = 256,
        wait: Span = Span::seconds(8),
    }
}

section! {
    /// The audit log.
    Audit {
        retention: Span = Span::days(400),
    }
}

section! {
    /// The life of signing keys.
    Keys {
        lead: Span = Span::minutes(6),
        linger: Option<Span> = None,
    }
}

section! {
    /// Logs.
    Log {
        level: LogLevel = LogLevel::Info,
        filter: Option<String> = None,
        format: LogFormat = LogFormat::Auto,
    }
}

section! {
    /// Mail.
    Mail {
        transport: MailTransport = MailTransport::None,
        from: Option<String> = None,
        directory: Option<PathBuf> = None,
        templates: Option<PathBuf> = None,
        workers: u32 = 2,
        smtp: Smtp = Smtp::default(),
    }
}

section! {
    /// The mail server.
    Smtp {
        host: Option<String> = None,
        port: Option<u16> = None,
        tls: SmtpTls = SmtpTls::Starttls,
        username: Option<String> = None,
        password: Option<Secret> = None,
        password_file: Option<PathBuf> = None,
        ca_file: Option<PathBuf> = None,
        timeout: Span = Span::seconds(10),
    }
}

choice! {
    /// How hard SQLite makes a commit durable.
    SqliteSynchronous { Full = "full", Normal = "normal" }
}

choice! {
    /// Who may register.
    Registration { Open = "open", Invite = "invite", Closed = "closed" }
}

choice! {
    /// What a replayed refresh token ends.
    ReplayEnds { Session = "session", User = "user" }
}

choice! {
    /// How much is logged.
    LogLevel {
        Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace",
    }
}

choice! {
    /// How log lines look.
    LogFormat { Auto = "auto", Text = "text", Json = "json" }
}

choice! {
    /// How mail leaves.
    MailTransport { Smtp = "smtp", Directory = "directory", Inbox = "inbox", None = "none" }
}

choice! {
    /// How the connection to the mail server is encrypted.
    SmtpTls { Starttls = "starttls", Implicit = "implicit", None = "none" }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bind(pub(crate) SocketAddr);

impl std::str::FromStr for Bind {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        raw.parse().map(Self).map_err(|_| {
            format!("must be an IP address and a port such as 127.0.0.1:8080, not {raw:?}")
        })
    }
}

impl std::fmt::Display for Bind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

text_setting!(Bind);
