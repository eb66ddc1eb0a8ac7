//! What every command asks of the settings, whether it serves or not.

mod agent_registration;
mod agents;
mod credits;

use std::{fmt::Display, ops::RangeInclusive};

use portcullis_credentials::Argon2Settings;
use tracing_subscriber::EnvFilter;

use super::{
    loaded::Loaded,
    problem::Problem,
    sections::{Limit, Settings},
    span::Span,
};

const SECOND: Span = Span::seconds(1);
const DAY: Span = Span::days(1);
const LONGEST: Span = Span::days(3650);

/// Everything that is wrong.
pub(super) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut checker = Checker { loaded, problems: Vec::new() };
    let settings = &loaded.settings;
    checker.secrets(settings);
    checker.server(settings);
    checker.people(settings);
    checker.agents(settings);
    checker.agent_registration(settings);
    checker.credits(settings);
    checker.tokens(settings);
    checker.passwords(settings);
    checker.rate_limits(settings);
    checker.agent_limits(settings);
    checker.agent_registration_limits(settings);
    checker.credit_limits(settings);
    checker.problems
}

struct Checker<'s> {
    loaded: &'s Loaded,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn refuse(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(self.loaded.problem(key, text));
    }

    fn within<T: PartialOrd + Display>(&mut self, key: &str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            let text = format!("must be from {} to {}, not {value}", range.start(), range.end());
            self.refuse(key, text);
        }
    }

    fn one_line(&mut self, key: &str, value: Option<&String>) {
        let fits = |text: &String| {
            !text.trim().is_empty() && text.len() <= 512 && !text.chars().any(char::is_control)
        };
        if value.is_some_and(|text| !fits(text)) {
            self.refuse(key, "must be one line of text, at most 512 bytes, and not empty");
        }
    }

    fn secrets(&mut self, settings: &Settings) {
        let Settings { credits, database, mail, .. } = settings;
        let twins = [
            ("master_key", settings.master_key.is_some(), settings.master_key_file.is_some()),
            ("database.url", database.url.is_some(), database.url_file.is_some()),
            (
                "credits.webhook_secret",
                credits.webhook_secret.is_some(),
                credits.webhook_secret_file.is_some(),
            ),
            ("mail.smtp.password", mail.smtp.password.is_some(), mail.smtp.password_file.is_some()),
        ];
        for (key, text, file) in twins {
            if text && file {
                self.refuse(key, format!("and {key}_file are both set; keep one of them"));
            }
        }
    }

    fn server(&mut self, settings: &Settings) {
        let Settings { http, database, hashing, log, .. } = settings;
        self.within("http.workers", http.workers.unwrap_or(1), 1..=1024);
        self.within("http.shutdown_timeout", http.shutdown_timeout, SECOND..=Span::minutes(10));
        self.within("database.max_connections", database.max_connections, 1..=1000);
        let patience = Span::seconds(1)..=Span::minutes(5);
        for (key, timeout) in [
            ("database.acquire_timeout", database.acquire_timeout),
            ("database.connect_timeout", database.connect_timeout),
            ("database.lock_timeout", database.lock_timeout),
            ("database.statement_timeout", database.statement_timeout),
            ("database.sqlite_busy_timeout", database.sqlite_busy_timeout),
        ] {
            self.within(key, timeout, patience.clone());
        }
        self.within("hashing.permits", hashing.permits.unwrap_or(1), 1..=1024);
        self.within("hashing.queue", hashing.queue, 1..=100_000);
        self.within("hashing.wait", hashing.wait, patience);
        self.within("audit.retention", settings.audit.retention, DAY..=LONGEST);
        if let Some(filter) = &log.filter
            && let Err(error) = EnvFilter::builder().parse(filter)
        {
            self.refuse(
                "log.filter",
                format!("is not a filter such as info,portcullis=debug: {error}"),
            );
        }
    }

    fn people(&mut self, settings: &Settings) {
        let Settings { people, pages, branding, mail, .. } = settings;
        self.one_line("people.issuer", people.issuer.as_ref());
        self.one_line("people.audience", people.audience.as_ref());
        let month = Span::days(30);
        self.within("people.verification_ttl", people.verification_ttl, SECOND..=month);
        self.within("people.reset_ttl", people.reset_ttl, SECOND..=DAY);
        self.within("people.deletion_ttl", people.deletion_ttl, SECOND..=DAY);
        self.within("people.code_ttl", people.code_ttl, SECOND..=Span::hours(1));
        self.within("people.code_tries", people.code_tries, 1..=10);
        self.within("people.invitation_ttl", people.invitation_ttl, SECOND..=Span::days(365));
        self.within("pages.session_ttl", pages.session_ttl, SECOND..=month);
        let name = &branding.service_name;
        let fits = (1..=60).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !fits || name.trim() != name {
            let text = "must be one line of 1 to 60 characters, without space around it";
            self.refuse("branding.service_name", text);
        }
        self.within("mail.workers", mail.workers, 1..=32);
        self.within("mail.smtp.timeout", mail.smtp.timeout, SECOND..=Span::minutes(2));
    }

    fn tokens(&mut self, settings: &Settings) {
        let Settings { tokens, refresh, keys, .. } = settings;
        self.within("tokens.access_ttl", tokens.access_ttl, SECOND..=DAY);
        self.within("refresh.idle", refresh.idle, SECOND..=LONGEST);
        self.within("refresh.absolute", refresh.absolute, SECOND..=LONGEST);
        self.within(
            "refresh.race_window",
            refresh.race_window,
            Span::seconds(0)..=Span::minutes(10),
        );
        self.within("refresh.max_sessions", refresh.max_sessions, 1..=100_000);
        if refresh.absolute < refresh.idle {
            let text = format!("must not be shorter than refresh.idle ({})", refresh.idle);
            self.refuse("refresh.absolute", text);
        }
        self.within("keys.lead", keys.lead, Span::seconds(0)..=Span::days(30));
        let lives = [
            ("tokens.access_ttl", tokens.access_ttl),
            ("agents.token_ttl", settings.agents.token_ttl),
        ];
        let longer = |(_, life): &(&str, Span)| keys.linger.is_some_and(|linger| linger < *life);
        if let Some((name, life)) = lives.into_iter().find(longer) {
            let text = format!("must not be shorter than {name} ({life})");
            self.refuse("keys.linger", text);
        }
    }

    fn passwords(&mut self, settings: &Settings) {
        let passwords = &settings.passwords;
        self.within("passwords.min_length", passwords.min_length, 8..=64);
        self.within("passwords.max_length", passwords.max_length, 64..=1024);
        let (argon2, least) = (&passwords.argon2, Argon2Settings::default());
        let memory = least.memory_kib..=4 * 1024 * 1024;
        self.within("passwords.argon2.memory_kib", argon2.memory_kib, memory);
        self.within("passwords.argon2.iterations", argon2.iterations, least.iterations..=100);
        self.within("passwords.argon2.parallelism", argon2.parallelism, 1..=64);
    }

    fn rate_limits(&mut self, settings: &Settings) {
        let limits = &settings.rate_limits;
        let tables: [(&str, &Limit); 10] = [
            ("register", &limits.register),
            ("sign_in", &limits.sign_in),
            ("sign_in_failures", &limits.sign_in_failures),
            ("anonymous", &limits.anonymous),
            ("principal", &limits.principal),
            ("password_reset", &limits.password_reset),
            ("reset_mail", &limits.reset_mail),
            ("verification_mail", &limits.verification_mail),
            ("verification_mail_long", &limits.verification_mail_long),
            ("notice", &limits.notice),
        ];
        self.limits(&tables);
        self.within("rate_limits.known_address_for", limits.known_address_for, DAY..=LONGEST);
    }

    fn limits(&mut self, tables: &[(&str, &Limit)]) {
        for (name, Limit { limit, window }) in tables {
            self.within(&format!("rate_limits.{name}.limit"), *limit, 1..=10_000);
            self.within(&format!("rate_limits.{name}.window"), *window, SECOND..=Span::days(31));
        }
    }
}
