use std::net::IpAddr;

use portcullis_audit::{Action, Actor};
use portcullis_kernel::{Instant, Origin, SecretString, StoreError, StoreResult};
use portcullis_limits::{
    AddressKey, Asked, BucketKey, Grant, HitLog, OnStoreFailure, Policy, Standing,
};
use portcullis_storage::StorageExt;

use crate::{
    Engine, Fault, Limited,
    error::classify,
    people::{AuthenticateError, Caller},
};

/// Which limit a route without a credential counts towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitClass {
    /// Registration.
    Register,
    /// Every check of a password.
    SignIn,
    /// Asking for a mail to set a password.
    PasswordReset,
    /// Any other route of people.
    Anonymous,
    /// Registration of agents.
    AgentRegister,
    /// Exchange of an API key.
    AgentToken,
    /// Asking for another mail to prove an agent's address.
    AgentResend,
    /// Asking for recovery codes.
    Recovery,
    /// Trying a recovery code.
    Recover,
    /// Any other route of agents.
    AgentAnonymous,
    /// Any route of agents that sign themselves up.
    AgentRegistration,
    /// Any other route of OAuth.
    OAuthAnonymous,
    /// Any route of credits.
    Credits,
}

/// The first answer about a request of a client address, from memory alone.
#[derive(Debug)]
pub enum Admission {
    /// Let through; the standing is for the headers, and absent when limits are off.
    Granted(Option<Standing>),
    /// Refused.
    Refused(Standing),
    /// The database must be asked: hand this to [`Engine::charge`].
    Ask(Charge),
}

/// A question to the database about one request.
#[derive(Debug)]
pub struct Charge {
    key: BucketKey,
    policy: Policy,
    grant: Grant,
    now: Instant,
}

/// Why a request was not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Over the limit.
    #[error("Too many requests. Try again later.")]
    Exceeded(Standing),
    /// The store could not be asked, and this limit then refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(LimitError { Self::Exceeded(_) => (RateLimited, RATE_LIMITED), } via { Store, Fault });

impl Limited for LimitError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Exceeded(standing) => Some(*standing),
            _ => None,
        }
    }
}

/// A request with an accepted access token.
#[derive(Debug)]
pub struct Admitted {
    /// Whose it is.
    pub caller: Caller,
    /// The standing of their bucket; absent when limits are off.
    pub standing: Option<Standing>,
}

/// A request of a browser.
#[derive(Debug)]
pub struct AdmittedPage {
    /// Who is signed in; nobody when the cookie is missing or its session is over.
    pub caller: Option<Caller>,
    /// The standing of the bucket; absent when limits are off.
    pub standing: Option<Standing>,
}

/// Why a request with a bearer token was not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The token was not accepted; the standing is that of the client address.
    #[error("{0}")]
    Unauthenticated(AuthenticateError, Option<Standing>),
    /// Over a limit, or it could not be told.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl Engine {
    fn class(&self, class: LimitClass) -> &Policy {
        let limits = &self.options.limits;
        match class {
            LimitClass::Register => &limits.register,
            LimitClass::SignIn => &limits.sign_in,
            LimitClass::PasswordReset => &limits.password_reset,
            LimitClass::Anonymous => &limits.anonymous,
            LimitClass::AgentRegister => &limits.agents.register,
            LimitClass::AgentToken => &limits.agents.token,
            LimitClass::AgentResend => &limits.agents.resend,
            LimitClass::Recovery => &limits.agents.recovery,
            LimitClass::Recover => &limits.agents.recover,
            LimitClass::AgentAnonymous => &limits.agents.anonymous,
            LimitClass::AgentRegistration => &limits.agent_registration.requests,
            LimitClass::OAuthAnonymous => &limits.agents.oauth_anonymous,
            LimitClass::Credits => &limits.credits.anonymous,
        }
    }

    /// Asks memory about one request of a client address, and counts it if memory can tell.
    pub fn admit(&self, class: LimitClass, client: IpAddr) -> Admission {
        let policy = *self.class(class);
        self.ask(BucketKey::address(&policy, AddressKey::from(client)), policy)
    }

    /// Whether memory knows that the client address is over the limit. Counts nothing.
    pub fn exhausted(&self, class: LimitClass, client: IpAddr) -> Option<Standing> {
        let policy = self.class(class);
        let key = BucketKey::address(policy, AddressKey::from(client));
        let standing = self.front.exhausted(&key, self.now());
        standing.filter(|_| self.options.limits.enabled)
    }

    fn ask(&self, key: BucketKey, policy: Policy) -> Admission {
        if !self.options.limits.enabled {
            return Admission::Granted(None);
        }
        let now = self.now();
        match self.front.ask(&key, &policy, now) {
            Asked::Granted(standing) => Admission::Granted(Some(standing)),
            Asked::Exhausted(standing) => Admission::Refused(standing),
            Asked::Ask(grant) => Admission::Ask(Charge { key, policy, grant, now }),
        }
    }

    /// Counts one request of a client address: [`admit`](Self::admit), and
    /// [`charge`](Self::charge) where memory cannot tell.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit_address(
        &self,
        class: LimitClass,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        let policy = *self.class(class);
        self.count(BucketKey::address(&policy, AddressKey::from(client)), policy, origin)
    }

    /// Counts one event of the whole service. Refuses nobody: an operator is told when there are more
    /// than expected, once until there are fewer again.
    pub(crate) fn watch(&self, policy: Policy, origin: &Origin) {
        let Admission::Ask(charge) = self.ask(BucketKey::everybody(&policy), policy) else {
            return;
        };
        if let Err(error @ LimitError::Exceeded(_)) = self.charge(&charge, origin) {
            self.alarm.raise(policy.name, &error);
        }
    }

    /// Asks the database what memory could not tell.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn charge(&self, charge: &Charge, origin: &Origin) -> Result<Option<Standing>, LimitError> {
        let Charge { key, policy, grant, now } = charge;
        match self.ask_store(key, policy, *grant, *now) {
            Ok(Ok((grant, log))) => Ok(Some(self.front.granted(key, policy, grant, &log, *now))),
            Ok(Err(log)) => Err(self.refused(key, policy, &log, origin, *now)),
            Err(error) if policy.on_store_failure == OnStoreFailure::Open => {
                self.alarm
                    .raise("a rate limit could not be asked and let a request through", &error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The grant that fitted and the log afterwards, or the log that refused.
    fn ask_store(
        &self,
        key: &BucketKey,
        policy: &Policy,
        grant: Grant,
        now: Instant,
    ) -> StoreResult<Result<(Grant, HitLog), HitLog>> {
        let tries = if grant.hits > 1 { vec![grant, grant.single()] } else { vec![grant] };
        self.storage.statement(|uow| {
            let buckets = uow.rate_limits();
            for grant in &tries {
                if let Some(log) = buckets.charge(key, policy, grant.hits, grant.at, now)? {
                    return Ok(Ok((*grant, log)));
                }
            }
            Ok(Err(buckets.find(key)?.unwrap_or_default()))
        })
    }

    /// One hit about which memory is never asked: a refund must be seen at once.
    pub(crate) fn charge_exactly(
        &self,
        key: &BucketKey,
        policy: &Policy,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), LimitError> {
        let grant = Grant { hits: 1, at: now };
        match self.ask_store(key, policy, grant, now)? {
            Ok(_) => Ok(()),
            Err(log) => Err(self.refused(key, policy, &log, origin, now)),
        }
    }

    /// Remembers that the bucket is exhausted, and writes it down once until it opens.
    fn refused(
        &self,
        key: &BucketKey,
        policy: &Policy,
        log: &HitLog,
        origin: &Origin,
        now: Instant,
    ) -> LimitError {
        let (standing, news) = self.front.refused(key, policy, log, now);
        if news {
            self.note_limit(policy, origin, now);
        }
        LimitError::Exceeded(standing)
    }

    /// Accepts an access token and counts the request: an accepted one towards its user, a missing
    /// or refused one towards the client address, which is looked at first.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn admit_bearer(
        &self,
        token: Option<&str>,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<Admitted, AdmitError> {
        let limits = &self.options.limits;
        let address = BucketKey::address(&limits.anonymous, AddressKey::from(client));
        if let Some(standing) = self.exhausted(LimitClass::Anonymous, client) {
            return Err(LimitError::Exceeded(standing).into());
        }
        let accepted = match token {
            Some(token) => self.authenticate(token),
            None => Err(AuthenticateError::Missing),
        };
        match accepted {
            Ok(caller) => {
                let bucket = BucketKey::principal(&limits.principal, caller.user.id);
                let standing = self.count(bucket, limits.principal, origin)?;
                Ok(Admitted { caller, standing })
            }
            Err(fault @ AuthenticateError::Fault(_)) => {
                Err(AdmitError::Unauthenticated(fault, None))
            }
            Err(refused) => {
                let standing = self.count(address, limits.anonymous, origin)?;
                Err(AdmitError::Unauthenticated(refused, standing))
            }
        }
    }

    /// Counts a request of a browser: one whose cookie is a live sign-in towards its user, any other
    /// towards the client address, which is looked at first.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn admit_page(
        &self,
        cookie: Option<SecretString>,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedPage, LimitError> {
        let limits = &self.options.limits;
        if let Some(standing) = self.exhausted(LimitClass::Anonymous, client) {
            return Err(LimitError::Exceeded(standing));
        }
        let caller = match cookie {
            Some(cookie) => self.authenticate_page(cookie)?,
            None => None,
        };
        let (bucket, policy) = if let Some(caller) = &caller {
            (BucketKey::principal(&limits.principal, caller.user.id), limits.principal)
        } else {
            let key = BucketKey::address(&limits.anonymous, AddressKey::from(client));
            (key, limits.anonymous)
        };
        let standing = self.count(bucket, policy, origin)?;
        Ok(AdmittedPage { caller, standing })
    }

    pub(crate) fn count(
        &self,
        key: BucketKey,
        policy: Policy,
        origin: &Origin,
    ) -> Result<Option<Standing>, LimitError> {
        match self.ask(key, policy) {
            Admission::Granted(standing) => Ok(standing),
            Admission::Refused(standing) => Err(LimitError::Exceeded(standing)),
            Admission::Ask(charge) => self.charge(&charge, origin),
        }
    }

    /// The refusal stands whether or not the event can be stored.
    fn note_limit(&self, policy: &Policy, origin: &Origin, now: Instant) {
        let event = self.event(Action::LimitReached, Actor::Anonymous, origin, now);
        let written = event
            .map_err(Fault::from)
            .and_then(|event| self.append(&event.failed().with_detail(policy.name)));
        if let Err(fault) = written {
            self.alarm.raise("reaching a rate limit could not be written down", &fault);
        }
    }
}
