use portcullis_kernel::{Scopes, SecretString};
use time::Duration;

use crate::url;

/// The longest that an answer about a key that works is kept.
const MOST_POSITIVE: Duration = Duration::seconds(5);
/// The longest that an answer about a key that does not work is kept.
const MOST_NEGATIVE: Duration = Duration::seconds(1);
/// The most that clocks may be apart.
const MOST_LEEWAY: Duration = Duration::minutes(5);

/// What a guard is told: whom it trusts, what it protects, and how fresh answers must be.
#[derive(Clone, Debug)]
pub struct GuardOptions {
    /// The auth server: its `public_url`, without a slash at the end. The `iss` of its tokens; its key set
    /// and endpoints are found below it. https, or http to a loopback address.
    pub issuer: String,
    /// This API (RFC 8707, RFC 9728 §1.2): an http or https URL without query and fragment. The `aud` of
    /// tokens that are for it.
    pub resource: String,
    /// Other `aud`s that are accepted: that of tokens for which no resource was asked is the auth server's
    /// `agents.audience`, by default its `public_url`. Empty by default: whoever accepts it accepts what
    /// was issued for everybody.
    pub more_audiences: Vec<String>,
    /// As whom the auth server is asked about keys, and charged at. Without them API keys are refused.
    pub credentials: Option<Credentials>,
    /// How far the clocks of auth server and API may be apart. 30 seconds by default, 5 minutes at most.
    pub leeway: Duration,
    /// How the key set is kept.
    pub key_set: KeySetPolicy,
    /// How answers about keys are kept, and whether tokens are asked about, too.
    pub introspection: IntrospectionPolicy,
    /// What clients are told of the API.
    pub about: About,
}

impl GuardOptions {
    /// The defaults, for this auth server and this API.
    pub fn new(issuer: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            resource: resource.into(),
            more_audiences: Vec::new(),
            credentials: None,
            leeway: Duration::seconds(30),
            key_set: KeySetPolicy::default(),
            introspection: IntrospectionPolicy::default(),
            about: About::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let wrong = |option, why| Err(InvalidOptions { option, why });
        let issuer = url::parse(&self.issuer);
        if issuer.is_none_or(|url| !url::is_private(&url)) || self.issuer.ends_with('/') {
            let why = "must be the auth server's public_url: https (http only to a loopback address), \
                       without query, fragment or slash at the end";
            return wrong("issuer", why);
        }
        if url::parse(&self.resource).is_none() {
            let why = "must be the URL of this API: http or https, without query or fragment";
            return wrong("resource", why);
        }
        if !(Duration::ZERO..=MOST_LEEWAY).contains(&self.leeway) {
            return wrong("leeway", "must be 0 to 5 minutes");
        }
        let keys = &self.key_set;
        if keys.fresh_for < Duration::SECOND || keys.stale_for < keys.fresh_for {
            return wrong("key_set", "fresh_for must be a second at least, stale_for no less");
        }
        let introspection = &self.introspection;
        if !(Duration::ZERO..=MOST_POSITIVE).contains(&introspection.positive) {
            return wrong("introspection.positive", "must be 0 to 5 seconds");
        }
        if !(Duration::ZERO..=MOST_NEGATIVE).contains(&introspection.negative) {
            return wrong("introspection.negative", "must be 0 to 1 second");
        }
        if introspection.unknown_per_minute == 0 {
            return wrong("introspection.unknown_per_minute", "must be 1 at least");
        }
        if introspection.access_tokens && self.credentials.is_none() {
            return wrong("introspection.access_tokens", "needs credentials to ask with");
        }
        Ok(())
    }
}

/// The id `rs_…` and secret `rss_…` of a resource server, as `portcullis resources add` told them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// How the key set of the auth server is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySetPolicy {
    /// For how long a fetched set is used without another look. 5 minutes by default, for which the auth
    /// server publishes a key before it signs by it. A key that was taken out is refused after as long.
    pub fresh_for: Duration,
    /// For how long after it was fetched a set is used while the auth server cannot be asked for another;
    /// afterwards tokens are answered with 503. An hour by default, the life of an access token.
    pub stale_for: Duration,
}

impl Default for KeySetPolicy {
    fn default() -> Self {
        Self { fresh_for: Duration::minutes(5), stale_for: Duration::HOUR }
    }
}

/// How answers about API keys are kept. Each is as old as its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionPolicy {
    /// For how long a key that works is taken to work still: a revoked one works that much longer here.
    /// 5 seconds by default and at most; 0 asks at every request.
    pub positive: Duration,
    /// For how long a key that does not work is taken not to. 1 second by default and at most; 0 asks at
    /// every request.
    pub negative: Duration,
    /// How many answers of each kind are kept at most. 10,000 by default.
    pub entries: usize,
    /// How often within any minute it is asked about keys that were not live within the last ten minutes,
    /// half of it at once; beyond that they are answered with 503 and those that were live are still asked
    /// about. Half of what the auth server answers a resource server by default: 300. Where several
    /// instances of an API ask by the same credentials, they share what it answers.
    pub unknown_per_minute: u32,
    /// Whether access tokens are asked about as well, once their signature is verified, and so die with
    /// their key and agent here, too, and not only when they expire. Off by default.
    pub access_tokens: bool,
}

impl Default for IntrospectionPolicy {
    fn default() -> Self {
        Self {
            positive: MOST_POSITIVE,
            negative: MOST_NEGATIVE,
            entries: 10_000,
            unknown_per_minute: 300,
            access_tokens: false,
        }
    }
}

/// What clients are told of the API in its metadata (RFC 9728 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is called.
    pub name: Option<String>,
    /// A page for developers.
    pub documentation: Option<String>,
    /// The scopes that its routes ask for.
    pub scopes: Option<Scopes>,
}

/// Options with which no guard can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{option} {why}")]
pub struct InvalidOptions {
    /// Which option.
    pub option: &'static str,
    /// What it must be.
    pub why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> GuardOptions {
        GuardOptions::new("https://auth.example", "https://api.example")
    }

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(options().check(), Ok(()));
        let local = GuardOptions::new("http://127.0.0.1:8080", "http://127.0.0.1:9/v1/");
        assert_eq!(local.check(), Ok(()));
    }

    #[test]
    fn each_wrong_option_is_named() {
        let wrong = |option: &str, change: &dyn Fn(&mut GuardOptions)| {
            let mut options = options();
            change(&mut options);
            assert_eq!(options.check().unwrap_err().option, option);
        };
        for issuer in ["", "http://auth.example", "https://auth.example/", "https://a?b", "auth"] {
            wrong("issuer", &|options| options.issuer = issuer.to_owned());
        }
        for resource in ["", "api", "https://api#x", "urn:example:api"] {
            wrong("resource", &|options| options.resource = resource.to_owned());
        }
        wrong("leeway", &|options| options.leeway = Duration::seconds(-1));
        wrong("leeway", &|options| options.leeway = Duration::seconds(301));
        wrong("key_set", &|options| options.key_set.fresh_for = Duration::ZERO);
        wrong("key_set", &|options| options.key_set.stale_for = Duration::MINUTE);
        let name = "introspection.positive";
        wrong(name, &|options| options.introspection.positive = Duration::seconds(6));
        wrong(name, &|options| options.introspection.positive = Duration::seconds(-1));
        let name = "introspection.negative";
        wrong(name, &|options| options.introspection.negative = Duration::seconds(2));
        let name = "introspection.unknown_per_minute";
        wrong(name, &|options| options.introspection.unknown_per_minute = 0);
        let name = "introspection.access_tokens";
        wrong(name, &|options| options.introspection.access_tokens = true);
    }
}
