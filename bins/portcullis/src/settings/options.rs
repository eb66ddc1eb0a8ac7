//! From sections to the plain options of the crates that use them.

mod agent_registration;
mod agents;
mod credits;

use std::num::NonZero;

use portcullis_credentials::{Argon2Settings, PasswordPolicy};
use portcullis_flows::{
    EngineOptions, LimitOptions, MailedOptions, RegistrationMode, RegistrationOptions,
};
use portcullis_http::HttpOptions;
use portcullis_identity::EmailRules;
use portcullis_kernel::SecretString;
use portcullis_limits::{Policy, TrustedProxies};
use portcullis_storage_diesel::{PoolOptions, PostgresOptions, SqliteOptions, Synchronous};
use portcullis_tokens::{AccessTokenPolicy, KeyPolicy, OnReplay, RefreshPolicy};
use time::Duration;

use super::{
    address::PublicUrl,
    sections::{Limit, MailTransport, Registration, ReplayEnds, Settings, SqliteSynchronous},
    span::Span,
};

impl Settings {
    /// The options of the domain.
    pub(crate) fn engine(&self) -> EngineOptions {
        let ttl = self.tokens.access_ttl.time();
        let longest = ttl.max(self.agents.token_ttl.time());
        let linger = self.keys.linger.map_or(longest + Duration::MINUTE, Span::time);
        let host = || self.public_url.as_ref().map(PublicUrl::host);
        let issuer = self.people.issuer.clone().or_else(host).unwrap_or_default();
        EngineOptions {
            access: AccessTokenPolicy { issuer, audience: self.people.audience.clone(), ttl },
            refresh: self.refresh_policy(),
            password: self.password_policy(),
            argon2: self.argon2(),
            email: EmailRules { unicode_local: self.email.unicode_local },
            keys: KeyPolicy { lead: self.keys.lead.time(), linger },
            limits: self.limits(),
            registration: self.registration(),
            mailed: self.mailed(),
            agents: self.agents(),
            agent_registration: self.agent_registration(),
            credits: self.credits(),
            page_session: self.pages.session_ttl.time(),
            audit_retention: self.audit.retention.time(),
        }
    }

    fn registration(&self) -> RegistrationOptions {
        RegistrationOptions {
            mode: match self.people.registration {
                Registration::Open => RegistrationMode::Open,
                Registration::Invite => RegistrationMode::Invite,
                Registration::Closed => RegistrationMode::Closed,
            },
            domains: self.people.allowed_domains.0.iter().map(|domain| domain.0.clone()).collect(),
        }
    }

    fn mailed(&self) -> MailedOptions {
        let people = &self.people;
        MailedOptions {
            verification: people.verification_ttl.time(),
            reset: people.reset_ttl.time(),
            deletion: people.deletion_ttl.time(),
            code: people.code_ttl.time(),
            code_tries: people.code_tries,
            invitation: people.invitation_ttl.time(),
            ..MailedOptions::default()
        }
    }

    fn refresh_policy(&self) -> RefreshPolicy {
        let refresh = &self.refresh;
        RefreshPolicy {
            idle: refresh.idle.time(),
            absolute: refresh.absolute.time(),
            race_window: refresh.race_window.time(),
            on_replay: match refresh.on_replay {
                ReplayEnds::Session => OnReplay::Session,
                ReplayEnds::User => OnReplay::User,
            },
            max_sessions: refresh.max_sessions,
        }
    }

    fn password_policy(&self) -> PasswordPolicy {
        PasswordPolicy {
            min_chars: self.passwords.min_length as usize,
            max_chars: self.passwords.max_length as usize,
            refuse_common: self.passwords.refuse_common,
        }
    }

    fn argon2(&self) -> Argon2Settings {
        let argon2 = &self.passwords.argon2;
        Argon2Settings {
            memory_kib: argon2.memory_kib,
            iterations: argon2.iterations,
            parallelism: argon2.parallelism,
        }
    }

    fn limits(&self) -> LimitOptions {
        let limits = &self.rate_limits;
        let built_in = LimitOptions::default();
        LimitOptions {
            enabled: limits.enabled,
            register: limited(built_in.register, limits.register),
            sign_in: limited(built_in.sign_in, limits.sign_in),
            sign_in_failures: limited(built_in.sign_in_failures, limits.sign_in_failures),
            anonymous: limited(built_in.anonymous, limits.anonymous),
            principal: limited(built_in.principal, limits.principal),
            password_reset: limited(built_in.password_reset, limits.password_reset),
            reset_mail: limited(built_in.reset_mail, limits.reset_mail),
            verification_mail: limited(built_in.verification_mail, limits.verification_mail),
            verification_mail_long: limited(
                built_in.verification_mail_long,
                limits.verification_mail_long,
            ),
            notice: limited(built_in.notice, limits.notice),
            agents: self.agent_limits(),
            agent_registration: self.agent_registration_limits(),
            credits: self.credit_limits(),
            known_address_for: limits.known_address_for.time(),
        }
    }

    /// The options of the HTTP edge.
    pub(crate) fn http(&self) -> HttpOptions {
        let networks = self.trusted_proxies.0.iter().map(|network| network.0).collect();
        let or_cores = |number: Option<u32>| number.map_or_else(cores, |number| number as usize);
        HttpOptions {
            bind: self.http.bind.0,
            workers: or_cores(self.http.workers),
            public_url: self.public_url.as_ref().map_or("", PublicUrl::as_str).to_owned(),
            service_name: self.branding.service_name.clone(),
            // Refused outside of development.
            dev_inbox: self.mail.transport == MailTransport::Inbox,
            trusted_proxies: TrustedProxies::new(networks),
            hash_permits: or_cores(self.hashing.permits),
            hash_queue: self.hashing.queue as usize,
            hash_wait: self.hashing.wait.std(),
            database_permits: self.database.max_connections as usize,
            database_wait: self.database.acquire_timeout.std(),
            database_deadline: self.database_deadline(),
            shutdown_timeout: self.http.shutdown_timeout.std(),
        }
    }

    /// A connection is waited for, then one statement or one lock; and a second.
    fn database_deadline(&self) -> std::time::Duration {
        let database = &self.database;
        let slowest = database.statement_timeout.std().max(database.sqlite_busy_timeout.std());
        database.acquire_timeout.std() + slowest + std::time::Duration::from_secs(1)
    }

    /// The options of a SQLite file.
    pub(crate) fn sqlite(&self, path: std::path::PathBuf) -> SqliteOptions {
        SqliteOptions {
            path,
            pool: self.pool(),
            synchronous: match self.database.sqlite_synchronous {
                SqliteSynchronous::Full => Synchronous::Full,
                SqliteSynchronous::Normal => Synchronous::Normal,
            },
            busy_timeout: self.database.sqlite_busy_timeout.std(),
        }
    }

    /// The options of a PostgreSQL server.
    pub(crate) fn postgres(&self, url: SecretString) -> PostgresOptions {
        PostgresOptions {
            url,
            pool: self.pool(),
            connect_timeout: self.database.connect_timeout.std(),
            lock_timeout: self.database.lock_timeout.std(),
            statement_timeout: self.database.statement_timeout.std(),
        }
    }

    fn pool(&self) -> PoolOptions {
        PoolOptions {
            max_connections: self.database.max_connections,
            acquire_timeout: self.database.acquire_timeout.std(),
        }
    }
}

/// Names and what happens without the store are not settings.
fn limited(policy: Policy, to: Limit) -> Policy {
    Policy { limit: to.limit, window: to.window.time(), ..policy }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_settings_are_those_of_the_crates() {
        let (ours, theirs) = (Settings::default().engine(), EngineOptions::default());
        assert_eq!(ours.access.ttl, theirs.access.ttl);
        assert_eq!(ours.refresh, theirs.refresh);
        assert_eq!(ours.password, theirs.password);
        assert_eq!(ours.argon2, theirs.argon2);
        assert_eq!(ours.email, theirs.email);
        assert_eq!(ours.keys, theirs.keys);
        assert_eq!(format!("{:?}", ours.limits), format!("{:?}", theirs.limits));
        assert_eq!(ours.registration, theirs.registration);
        assert_eq!(ours.mailed, theirs.mailed);
        assert_eq!(ours.page_session, theirs.page_session);
        assert_eq!(ours.audit_retention, theirs.audit_retention);
        assert_eq!(Settings::default().pool(), PoolOptions::default());
    }

    #[test]
    fn a_retired_key_outlives_the_longest_lived_token() {
        let linger = |people: Span, agents: Span| {
            let mut settings = Settings::default();
            settings.tokens.access_ttl = people;
            settings.agents.token_ttl = agents;
            settings.engine().keys.linger
        };
        assert_eq!(linger(Span::minutes(15), Span::hours(2)), Duration::minutes(121));
        assert_eq!(linger(Span::hours(3), Span::hours(2)), Duration::minutes(181));
    }

    #[test]
    fn the_issuer_is_the_host_of_the_public_url_unless_it_is_set() {
        let mut settings = Settings {
            public_url: "https://auth.example.com:8443".parse().ok(),
            ..Settings::default()
        };
        assert_eq!(settings.engine().access.issuer, "auth.example.com");
        settings.people.issuer = Some("api.vidivo.app".into());
        assert_eq!(settings.engine().access.issuer, "api.vidivo.app");
    }
}
