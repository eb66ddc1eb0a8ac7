use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{Password, PasswordHash};
use portcullis_identity::{EmailAddress, User};
use portcullis_kernel::{ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString, UserId};
use portcullis_limits::{BucketKey, Standing};
use portcullis_storage::StorageExt;

use super::{
    SignedIn,
    issue::{NewSession, address_of},
};
use crate::{Engine, Fault, Invalid, LimitError, error::classify};

/// A sign-in as it came in.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// The e-mail address.
    pub email: Field<String>,
    /// The password.
    pub password: Field<SecretString>,
}

/// A sign-in that is worth judging.
#[derive(Debug)]
pub struct SignInAttempt {
    email: EmailAddress,
    password: SecretString,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// No such account, no password, or another one: nobody is told which.
    #[error("The email or password is incorrect.")]
    InvalidCredentials,
    /// The password is right, but the account is shut.
    #[error("This account is suspended.")]
    Suspended,
    /// Too many failures for this address of late.
    #[error("Too many failed sign-ins for this email. Try again later.")]
    TooManyFailures(Standing),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(SignInError {
    Self::InvalidCredentials => (Unauthenticated, INVALID_CREDENTIALS),
    Self::Suspended => (Forbidden, FORBIDDEN),
    Self::TooManyFailures(_) => (RateLimited, RATE_LIMITED),
} via { Fault });

/// What is stored of the account that a sign-in names.
struct Account {
    user: User,
    hash: Option<PasswordHash>,
    /// The owner signed in from this client address before.
    known_here: bool,
}

impl Engine {
    /// Judges the form of a sign-in. Asks nothing outside memory. An empty or over-long password is
    /// no error here: it is wrong, and is told so like any other.
    ///
    /// # Errors
    /// [`Invalid`] names every broken field.
    pub fn check_sign_in(&self, input: SignIn) -> Result<SignInAttempt, Invalid> {
        let mut errors = FieldErrors::default();
        let rules = self.options.email;
        let email = errors.required("email", input.email, |raw| EmailAddress::parse(&raw, rules));
        let password = errors.required("password", input.password, Ok::<_, &str>);
        let attempt =
            email.zip(password).map(|(email, password)| SignInAttempt { email, password });
        Invalid::or(errors, attempt)
    }

    /// Signs a user in. Hashes a password, whether the account exists or not.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn sign_in(
        &self,
        attempt: SignInAttempt,
        origin: &Origin,
    ) -> Result<SignedIn, SignInError> {
        let now = self.now();
        let account = self.find_account(&attempt.email, origin, now)?;
        let known_here = account.as_ref().is_some_and(|account| account.known_here);
        let bucket =
            BucketKey::mailbox(&self.options.limits.sign_in_failures, attempt.email.as_str());
        // Counted before it is judged, so that parallel guesses cannot outrun the count; a right
        // password gets its place back.
        let charged = self.charge_sign_in_failure(&bucket, known_here, origin, now)?;

        let presented = attempt.password.expose_secret();
        let hash = account.as_ref().and_then(|account| account.hash.as_ref());
        let usable = hash.filter(|_| !self.options.password.is_over_long(presented));
        let verdict = self.hasher.verify(presented, usable).map_err(Fault::from)?;
        let (Some(Account { user, hash: Some(hash), .. }), true) = (&account, verdict.matches)
        else {
            let event = self.failure(account.as_ref().map(|a| &a.user), origin, now, "password")?;
            self.append(&event)?;
            return Err(SignInError::InvalidCredentials);
        };
        if charged {
            self.storage
                .statement(|uow| uow.rate_limits().refund(&bucket, now))
                .map_err(Fault::from)?;
        }
        if !user.is_active() {
            self.append(&self.failure(Some(user), origin, now, "suspended")?)?;
            return Err(SignInError::Suspended);
        }
        let renewed = if verdict.outdated { self.rehash(attempt.password.clone())? } else { None };
        let new = self.new_session(user, origin, now)?;
        let renewed = renewed.as_ref().unwrap_or(hash);
        if self.store_sign_in(user, (hash, renewed), &new, origin, now)?
            || self.store_beside_renewal(user, presented, &new, origin, now)?
        {
            Ok(SignedIn { user: user.clone(), tokens: new.tokens })
        } else {
            Err(SignInError::InvalidCredentials)
        }
    }

    fn find_account(
        &self,
        email: &EmailAddress,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<Account>, Fault> {
        let since = now - self.options.limits.known_address_for;
        // Where there is no account the same is asked about nobody, which takes as long.
        let nobody = UserId::generate(now, self.entropy.as_ref())?;
        self.storage.read(|uow| {
            let user = uow.users().find_by_email(email.as_str())?;
            let id = user.as_ref().map_or(nobody, |user| user.id);
            let hash = uow.passwords().find(id)?;
            let known_here = match address_of(origin) {
                Some(address) => uow.known_addresses().is_known(id, &address, since)?,
                None => false,
            };
            Ok(user.map(|user| Account { user, hash, known_here }))
        })
    }

    /// Whether a place was taken in the account's bucket; a known owner needs none.
    fn charge_sign_in_failure(
        &self,
        bucket: &BucketKey,
        known_here: bool,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, SignInError> {
        let limits = &self.options.limits;
        if !limits.enabled || known_here {
            return Ok(false);
        }
        match self.charge_exactly(bucket, &limits.sign_in_failures, origin, now) {
            Ok(()) => Ok(true),
            Err(LimitError::Exceeded(standing)) => Err(SignInError::TooManyFailures(standing)),
            Err(LimitError::Store(error)) => Err(Fault::from(error).into()),
        }
    }

    fn rehash(&self, password: SecretString) -> Result<Option<PasswordHash>, Fault> {
        // The policy may have become stricter since; an old password is still a password.
        let lax = portcullis_credentials::PasswordPolicy {
            min_chars: 0,
            max_chars: usize::MAX,
            refuse_common: false,
        };
        let accepted: Option<Password> = lax.accept(password, &[]).ok();
        let hash = accepted.map(|password| self.hasher.hash(&password, self.entropy.as_ref()));
        Ok(hash.transpose()?)
    }

    /// Stores the session if the password is still the one that was checked: a change of password
    /// beside it ends all sessions, so none may be added after it.
    fn store_sign_in(
        &self,
        user: &User,
        (checked, renewed): (&PasswordHash, &PasswordHash),
        new: &NewSession,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let event = self
            .event(Action::SignedIn, Actor::User(user.id), origin, now)?
            .in_session(new.session.id);
        let most = self.options.refresh.max_sessions;
        self.storage.transact(|uow| {
            // In the order in which a deletion locks: user, password, sessions.
            if !uow.users().hold_active(user.id)?
                || !uow.passwords().replace(user.id, checked, renewed, now)?
            {
                return Ok(false);
            }
            // Before the new one is there, so that it is never the one to go.
            uow.sessions().end_beyond(user.id, most.saturating_sub(1), now)?;
            uow.sessions().insert(&new.session, &new.first)?;
            if let Some(address) = address_of(origin) {
                uow.known_addresses().touch(user.id, &address, now)?;
            }
            uow.audit().append(&event)?;
            Ok(true)
        })
    }

    /// Stores the session though the hash is another one by now: when a sign-in beside this one
    /// renewed it, the password is still right.
    fn store_beside_renewal(
        &self,
        user: &User,
        presented: &str,
        new: &NewSession,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let Some(hash) = self.storage.read(|uow| uow.passwords().find(user.id))? else {
            return Ok(false);
        };
        let matches = self.hasher.verify(presented, Some(&hash))?.matches;
        Ok(matches && self.store_sign_in(user, (&hash, &hash), new, origin, now)?)
    }

    fn failure(
        &self,
        user: Option<&User>,
        origin: &Origin,
        now: Instant,
        why: &str,
    ) -> Result<AuditEvent, Fault> {
        let event = self.event(Action::SignedIn, Actor::Anonymous, origin, now)?.failed();
        let event = event.with_detail(why);
        Ok(match user {
            Some(user) => event.about(user.id),
            None => event,
        })
    }

    pub(crate) fn append(&self, event: &AuditEvent) -> Result<(), Fault> {
        Ok(self.storage.statement(|uow| uow.audit().append(event))?)
    }
}
