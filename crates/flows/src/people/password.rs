use portcullis_audit::{Action, Actor};
use portcullis_credentials::{PasswordHash, Verdict};
use portcullis_identity::User;
use portcullis_kernel::{Instant, Origin, StoreResult, UserId};
use portcullis_limits::{BucketKey, Standing};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{Caller, issue::address_of};
use crate::{Engine, Fault, LimitError, Limited, error::classify};

/// What is stored of an account whose password is to be checked.
pub(super) struct Account {
    pub(super) user: User,
    pub(super) hash: Option<PasswordHash>,
    /// The owner signed in from this client address before.
    pub(super) known_here: bool,
}

/// What is asked of a password: whose it would be, and what is stored of them.
pub(super) struct Question<'a> {
    pub(super) canonical: &'a str,
    pub(super) account: Option<&'a Account>,
    pub(super) presented: &'a str,
}

/// Why a password that was asked for again was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is not the account's.
    #[error("The password is incorrect.")]
    Wrong,
    /// The session has ended, or the account is gone.
    #[error("The access token is invalid or expired.")]
    Gone,
    /// Too many failures for this address of late.
    #[error("Too many failed sign-ins for this email. Try again later.")]
    TooManyFailures(Standing),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(PasswordError {
    Self::Wrong => (Unauthenticated, INVALID_CREDENTIALS),
    Self::Gone => (Unauthenticated, UNAUTHORIZED),
    Self::TooManyFailures(_) => (RateLimited, RATE_LIMITED),
} via { Fault });

impl Limited for PasswordError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::TooManyFailures(standing) => Some(*standing),
            _ => None,
        }
    }
}

impl Engine {
    /// Reads what is stored of the user; the same is asked about nobody where there is none, which
    /// takes as long.
    pub(super) fn read_account(
        &self,
        find: impl FnOnce(&mut dyn UnitOfWork) -> StoreResult<Option<User>>,
        origin: &Origin,
        now: Instant,
    ) -> Result<Option<Account>, Fault> {
        let since = now - self.options.limits.known_address_for;
        let nobody = UserId::generate(now, self.entropy.as_ref())?;
        self.storage.read(|uow| {
            let user = find(uow)?;
            let id = user.as_ref().map_or(nobody, |user| user.id);
            let hash = uow.passwords().find(id)?;
            let known_here = match address_of(origin) {
                Some(address) => uow.known_addresses().is_known(id, &address, since)?,
                None => false,
            };
            Ok(user.map(|user| Account { user, hash, known_here }))
        })
    }

    /// Judges a password, one try of the account's bucket being taken first, so that parallel guesses
    /// cannot outrun the count; a right one gives its place back. Hashes.
    pub(super) fn judge_password(
        &self,
        question: &Question<'_>,
        origin: &Origin,
        now: Instant,
    ) -> Result<Verdict, PasswordError> {
        let limits = &self.options.limits;
        let known_here = question.account.is_some_and(|account| account.known_here);
        let bucket = BucketKey::mailbox(&limits.sign_in_failures, question.canonical);
        // A known owner needs no place: no stranger can take them all.
        let charged = limits.enabled && !known_here;
        if charged {
            let taken = self.charge_exactly(&bucket, &limits.sign_in_failures, origin, now);
            taken.map_err(|error| match error {
                LimitError::Exceeded(standing) => PasswordError::TooManyFailures(standing),
                LimitError::Store(error) => Fault::from(error).into(),
                LimitError::Fault(fault) => fault.into(),
            })?;
        }
        let presented = question.presented;
        let hash = question.account.and_then(|account| account.hash.as_ref());
        let usable = hash.filter(|_| !self.options.password.is_over_long(presented));
        let verdict = self.hasher.verify(presented, usable).map_err(Fault::from)?;
        if charged && verdict.matches && hash.is_some() {
            self.storage
                .statement(|uow| uow.rate_limits().refund(&bucket, now))
                .map_err(Fault::from)?;
        }
        Ok(verdict)
    }

    /// Whether the caller has a password, which is then asked for where it matters.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn has_password(&self, caller: &Caller) -> Result<bool, Fault> {
        Ok(self.storage.read(|uow| uow.passwords().find(caller.user.id))?.is_some())
    }

    /// Asks a signed-in user for their password once more; gives the hash that it was checked against.
    /// Hashes.
    pub(super) fn confirm_password(
        &self,
        user: &User,
        presented: &str,
        origin: &Origin,
        now: Instant,
    ) -> Result<PasswordHash, PasswordError> {
        let account = self.read_account(|uow| uow.users().find(user.id), origin, now)?;
        let account = account.ok_or(PasswordError::Gone)?;
        let question =
            Question { canonical: user.email.as_str(), account: Some(&account), presented };
        let verdict = self.judge_password(&question, origin, now)?;
        match account.hash {
            Some(hash) if verdict.matches => Ok(hash),
            _ => {
                let event = self
                    .event(Action::PasswordRefused, Actor::User(user.id), origin, now)
                    .map_err(Fault::from)?;
                self.append(&event.failed())?;
                Err(PasswordError::Wrong)
            }
        }
    }
}

/// What the password of this user must not equal: the address, in both its spellings, and the name.
pub(super) fn personal(user: &User) -> [&str; 3] {
    let name = user.display_name.as_ref().map_or("", |name| name.as_str());
    [user.email.as_str(), user.email.delivery(), name]
}
