use portcullis_audit::{Action, Actor};
use portcullis_credentials::{AllowedNetworks, KeyName, KeyPrefix};
use portcullis_identity::{Agent, EmailAddress};
use portcullis_kernel::{AgentId, Instant, Origin, RegistrationId, Scopes};
use portcullis_limits::{AddressKey, BucketKey, Standing};
use portcullis_registration::{
    PlainClaimToken, PlainViewToken, Registration, RegistrationKind, State,
};
use portcullis_storage::StorageExt;

use super::SignUp;
use crate::{
    Engine, Fault, LimitError, Limited,
    agents::{CreatedKey, NewKey},
    error::classify,
};

/// An agent that just signed itself up.
#[derive(Debug)]
pub struct SignedUp {
    /// Its registration.
    pub registration: Registration,
    /// What claims it; shown once.
    pub claim: PlainClaimToken,
    /// What shows it to a person; shown once.
    pub view: PlainViewToken,
    /// A key with the scopes before a claim; absent when the agent named an address.
    pub key: Option<CreatedKey>,
    /// The standing of the nearest bucket; absent when limits are off.
    pub standing: Option<Standing>,
}

/// Why an agent was not signed up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignUpError {
    /// Over a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(SignUpError {} via { Limit, Fault });

impl Limited for SignUpError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            Self::Fault(_) => None,
        }
    }
}

impl Engine {
    /// Makes an agent that nobody owns yet, and what it is claimed with. One that names nobody gets a key
    /// at once; one that names an address has a code mailed there, and whether an account has the address
    /// makes no difference.
    ///
    /// # Errors
    /// [`SignUpError`]; nothing is then stored.
    pub fn sign_up(&self, sign_up: &SignUp, origin: &Origin) -> Result<SignedUp, SignUpError> {
        let limits = &self.options.limits.agent_registration;
        let policy = match sign_up {
            SignUp::Anonymous => limits.anonymous,
            SignUp::Email(_) => limits.email,
        };
        let standing = match origin.client {
            Some(client) => {
                let bucket = BucketKey::address(&policy, AddressKey::from(client));
                self.count(bucket, policy, origin)?
            }
            None => None,
        };
        let made = match sign_up {
            SignUp::Anonymous => self.sign_up_anonymous(origin)?,
            SignUp::Email(email) => self.sign_up_for(email, origin)?,
        };
        self.watch(limits.alarm_sign_ups, origin);
        Ok(SignedUp { standing, ..made })
    }

    fn sign_up_anonymous(&self, origin: &Origin) -> Result<SignedUp, Fault> {
        let now = self.now();
        let made = self.registration(RegistrationKind::Anonymous, origin, now)?;
        let options = &self.options.agent_registration;
        let (prefix, scopes) = (&options.anonymous_prefix, &options.pre_claim_scopes);
        let key = self.make_registered_key(made.agent.id, "sign-up", prefix, scopes, now)?;
        let actor = Actor::Agent(made.agent.id);
        let events = [
            self.event(Action::AgentRegistered, actor, origin, now)?.with_detail("anonymous"),
            self.key_event(Action::ApiKeyCreated, actor, &key.key, origin, now)?,
        ];
        self.storage.transact(|uow| -> Result<(), Fault> {
            uow.agents().insert(&made.agent)?;
            uow.api_keys().insert(&key.key)?;
            uow.registrations().insert(&made.registration)?;
            for event in &events {
                uow.audit().append(event)?;
            }
            Ok(())
        })?;
        Ok(made.signed_up(Some(key)))
    }

    fn sign_up_for(&self, email: &EmailAddress, origin: &Origin) -> Result<SignedUp, Fault> {
        let now = self.now();
        let kind = RegistrationKind::Email { address: email.as_str().to_owned() };
        let made = self.registration(kind, origin, now)?;
        let actor = Actor::Agent(made.agent.id);
        let event = self.event(Action::AgentRegistered, actor, origin, now)?.with_detail("email");
        self.storage.transact(|uow| -> Result<(), Fault> {
            uow.agents().insert(&made.agent)?;
            uow.registrations().insert(&made.registration)?;
            self.start_attempt(uow, &made.registration, None, email, origin, now)?;
            uow.audit().append(&event)?;
            Ok(())
        })?;
        Ok(made.signed_up(None))
    }

    fn registration(
        &self,
        kind: RegistrationKind,
        origin: &Origin,
        now: Instant,
    ) -> Result<Made, Fault> {
        let entropy = self.entropy.as_ref();
        let agent = Agent::signed_up(AgentId::generate(entropy)?, now);
        let (claim, view) =
            (PlainClaimToken::generate(entropy)?, PlainViewToken::generate(entropy)?);
        let registration = Registration {
            id: RegistrationId::generate(entropy)?,
            agent: agent.id,
            kind,
            claim: claim.digest(),
            view: view.digest(),
            codes: 0,
            asked_from: origin.network(),
            state: State::Open,
            created_at: now,
            expires_at: now + self.options.agent_registration.claim,
        };
        Ok(Made { agent, registration, claim, view })
    }

    /// A key of an agent that signed itself up.
    pub(super) fn make_registered_key(
        &self,
        agent: AgentId,
        name: &str,
        prefix: &KeyPrefix,
        scopes: &Scopes,
        now: Instant,
    ) -> Result<CreatedKey, Fault> {
        let new = NewKey {
            name: KeyName::from_stored(name.to_owned()),
            prefix: prefix.clone(),
            scopes: scopes.clone(),
            life: None,
            networks: AllowedNetworks::default(),
            rate_limit: None,
        };
        self.make_key(agent, new, now)
    }
}

/// What is stored of a registration, and its secrets.
struct Made {
    agent: Agent,
    registration: Registration,
    claim: PlainClaimToken,
    view: PlainViewToken,
}

impl Made {
    fn signed_up(self, key: Option<CreatedKey>) -> SignedUp {
        let Self { registration, claim, view, .. } = self;
        SignedUp { registration, claim, view, key, standing: None }
    }
}
