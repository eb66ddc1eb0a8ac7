use portcullis_credentials::{AllowedNetworks, KeyName, KeyPrefix};
use portcullis_identity::Agent;
use portcullis_kernel::{InvalidScopes, Scopes, codes};
use time::Duration;

use super::{CreateKey, InvalidInput, Judge, NewKey};
use crate::Engine;

/// The longest life of a key, in days.
const MOST_DAYS: i64 = 3650;
/// The highest limit of a key, in requests a minute.
const MOST_RATE: i64 = 10_000;

/// What a new key may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRules<'e> {
    /// What it begins with.
    pub(crate) prefix: &'e KeyPrefix,
    /// The scopes that it may have.
    pub(crate) granted: &'e Scopes,
    /// The scopes that it has when none are named.
    pub(crate) usual: &'e Scopes,
}

impl Engine {
    /// The rules for new keys of this agent. One that signed itself up has no recovery key: once somebody
    /// has claimed it, its keys are those of claimed registrations.
    pub(crate) fn key_rules(&self, agent: &Agent) -> KeyRules<'_> {
        if agent.recovery.is_some() {
            return self.usual_key_rules();
        }
        let options = &self.options.agent_registration;
        let scopes = &options.post_claim_scopes;
        KeyRules { prefix: &options.claimed_prefix, granted: scopes, usual: scopes }
    }

    /// The rules for keys that agents and operators make.
    pub(crate) fn usual_key_rules(&self) -> KeyRules<'_> {
        let options = &self.options.agents;
        KeyRules {
            prefix: &options.key_prefix,
            granted: &options.scopes,
            usual: &options.default_scopes,
        }
    }

    /// Judges a key. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_create_key(&self, input: CreateKey) -> Result<NewKey, InvalidInput> {
        self.usual_key_rules().check(input)
    }
}

impl KeyRules<'_> {
    /// Judges a key by these rules.
    pub(crate) fn check(self, input: CreateKey) -> Result<NewKey, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let name =
            judge.required("name", codes::INVALID_KEY_NAME, input.name, |raw| KeyName::parse(&raw));
        let scopes = judge.optional("scopes", code, input.scopes, |names| self.scopes(names));
        let life = judge.optional("expires_in_days", code, input.expires_in_days, |days| {
            let fits = (1..=MOST_DAYS).contains(&days);
            fits.then(|| Duration::days(days)).ok_or("must be 1 to 3650")
        });
        let networks = judge.optional("allowed_cidrs", code, input.allowed_cidrs, |raw| {
            AllowedNetworks::parse(&raw)
        });
        let limit = input.rate_limit_per_minute;
        let rate_limit = judge.optional("rate_limit_per_minute", code, limit, |limit| {
            let fits = u32::try_from(limit).ok().filter(|_| (1..=MOST_RATE).contains(&limit));
            fits.ok_or("must be 1 to 10000")
        });
        let scopes = scopes.unwrap_or_else(|| self.usual.clone());
        let (prefix, networks) = (self.prefix.clone(), networks.unwrap_or_default());
        judge.finish(name.map(|name| NewKey { name, prefix, scopes, life, networks, rate_limit }))
    }

    fn scopes(self, names: Vec<String>) -> Result<Scopes, String> {
        let scopes = Scopes::new(names).map_err(|error: InvalidScopes| error.to_string())?;
        if scopes.is_within(self.granted) {
            Ok(scopes)
        } else {
            Err(format!("must be among: {}", self.granted))
        }
    }
}
