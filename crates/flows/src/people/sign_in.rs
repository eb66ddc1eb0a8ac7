use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_credentials::{Password, PasswordHash};
use portcullis_email::{Asked, Content};
use portcullis_identity::{EmailAddress, User};
use portcullis_kernel::{
    ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString, network_of,
};
use portcullis_limits::Standing;
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{
    SignedIn,
    issue::{Hold, NewSession, address_of},
    password::{Account, PasswordError, Question},
};
use crate::{Engine, Fault, Invalid, Limited, error::classify};

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

impl Limited for SignInError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::TooManyFailures(standing) => Some(*standing),
            _ => None,
        }
    }
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooManyFailures(standing) => Self::TooManyFailures(standing),
            PasswordError::Fault(fault) => Self::Fault(fault),
            PasswordError::Wrong | PasswordError::Gone => Self::InvalidCredentials,
        }
    }
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
        self.sign_in_with(attempt, origin, now, |user| {
            let (new, tokens) = self.new_session(user, origin, now)?;
            Ok((new, SignedIn { user: user.clone(), tokens }))
        })
    }

    /// Signs a user in, giving them what `begin` makes.
    pub(super) fn sign_in_with<T>(
        &self,
        attempt: SignInAttempt,
        origin: &Origin,
        now: Instant,
        begin: impl FnOnce(&User) -> Result<(NewSession, T), Fault>,
    ) -> Result<T, SignInError> {
        let canonical = attempt.email.as_str();
        let account = self.read_account(|uow| uow.users().find_by_email(canonical), origin, now)?;
        let presented = attempt.password.expose_secret();
        let question = Question { canonical, account: account.as_ref(), presented };
        let verdict = self.judge_password(&question, origin, now)?;
        let (Some(Account { user, hash: Some(hash), known_here }), true) =
            (&account, verdict.matches)
        else {
            let event = self.failure(account.as_ref().map(|a| &a.user), origin, now, "password")?;
            self.append(&event)?;
            return Err(SignInError::InvalidCredentials);
        };
        if !user.is_active() {
            self.append(&self.failure(Some(user), origin, now, "suspended")?)?;
            return Err(SignInError::Suspended);
        }
        let renewed = if verdict.outdated { self.rehash(attempt.password.clone())? } else { None };
        let (new, given) = begin(user)?;
        let hold = Hold { user, known_here: *known_here, new: &new };
        let renewed = renewed.as_ref().unwrap_or(hash);
        if self.store_sign_in(&hold, (hash, renewed), origin, now)?
            || self.store_beside_renewal(&hold, presented, origin, now)?
        {
            Ok(given)
        } else {
            Err(SignInError::InvalidCredentials)
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
        hold: &Hold<'_>,
        (checked, renewed): (&PasswordHash, &PasswordHash),
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let (user, new) = (hold.user, hold.new);
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
                if !hold.known_here {
                    self.tell_of_new_network(uow, user, origin, now)?;
                }
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
        hold: &Hold<'_>,
        presented: &str,
        origin: &Origin,
        now: Instant,
    ) -> Result<bool, Fault> {
        let Some(hash) = self.storage.read(|uow| uow.passwords().find(hold.user.id))? else {
            return Ok(false);
        };
        let matches = self.hasher.verify(presented, Some(&hash))?.matches;
        Ok(matches && self.store_sign_in(hold, (&hash, &hash), origin, now)?)
    }

    /// Tells a user of a sign-in from a network they never signed in from. The first of all is no news.
    fn tell_of_new_network(
        &self,
        uow: &mut dyn UnitOfWork,
        user: &User,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        if !user.is_verified() {
            return Ok(());
        }
        let since = now - self.options.limits.known_address_for;
        let known = uow.known_addresses().list(user.id, since)?;
        let networks = known.iter().filter_map(|known| {
            let address = known.split('/').next().and_then(|address| address.parse().ok());
            address.map(network_of)
        });
        let here = origin.network();
        // Addresses are forgotten after a while, so that none says nothing of an older account.
        let first_of_all = known.is_empty() && user.created_at >= since;
        if first_of_all || networks.into_iter().any(|network| Some(&network) == here.as_ref()) {
            return Ok(());
        }
        // As stored now: the address may have changed since the password was checked.
        let Some(user) = uow.users().find(user.id)? else { return Ok(()) };
        self.notify(uow, &user, Content::NewSignIn {}, Asked::by(origin, now), now)
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
