use portcullis_audit::{Action, Actor};
use portcullis_credentials::{MailedKind, Password, PasswordHash};
use portcullis_email::Asked;
use portcullis_identity::{DisplayName, EmailAddress, PlainInvitation, User};
use portcullis_kernel::{
    ExposeSecret, Field, FieldErrors, Instant, Origin, SecretString, StoreError, UniqueKey, UserId,
};
use portcullis_storage::{StorageExt, UnitOfWork};

use super::{
    SignedIn,
    issue::{NewSession, address_of},
};
use crate::{Engine, Fault, Invalid, RegistrationMode, error::classify};

/// A registration as it came in.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// The e-mail address.
    pub email: Field<String>,
    /// The password.
    pub password: Field<SecretString>,
    /// The name shown to others.
    pub display_name: Field<String>,
    /// The invitation, where one is needed.
    pub invitation: Field<SecretString>,
}

/// A registration that keeps every rule.
#[derive(Debug)]
pub struct Registration {
    email: EmailAddress,
    password: Password,
    display_name: Option<DisplayName>,
    /// The invitation that has to be spent.
    invitation: Option<PlainInvitation>,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nobody may register here.
    #[error("Registration is closed.")]
    Closed,
    /// The address is of a domain whose people may not register here.
    #[error("Registration is open to addresses of certain domains only.")]
    DomainRefused,
    /// The invitation is unknown, expired, used, or for another address.
    #[error("The invitation is invalid, expired, already used, or for another email address.")]
    InvalidInvitation,
    /// An account with the address exists.
    #[error("An account with this email already exists.")]
    EmailTaken,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(RegisterError {
    Self::Closed | Self::DomainRefused => (Forbidden, FORBIDDEN),
    Self::InvalidInvitation => (Unauthenticated, INVALID_TOKEN),
    Self::EmailTaken => (Conflict, CONFLICT),
} via { Invalid, Fault });

impl Engine {
    /// Judges whether anybody may register at all.
    ///
    /// # Errors
    /// [`RegisterError::Closed`].
    pub fn check_registration_is_open(&self) -> Result<(), RegisterError> {
        match self.options.registration.mode {
            RegistrationMode::Open | RegistrationMode::Invite => Ok(()),
            RegistrationMode::Closed => Err(RegisterError::Closed),
        }
    }

    /// Judges a registration. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`RegisterError`]; `Invalid` names every broken field.
    pub fn check_registration(&self, input: Register) -> Result<Registration, RegisterError> {
        self.check_registration_is_open()?;
        let rules = &self.options.registration;
        let mut errors = FieldErrors::default();
        if matches!(input.password, Field::Absent) {
            errors.add("password", "is required");
        }
        let invited = match (rules.mode, input.invitation) {
            (RegistrationMode::Invite, field) => errors.required("invite_token", field, not_empty),
            (_, field) => errors.optional("invite_token", field, not_empty),
        };
        let account =
            self.judge_account(&mut errors, input.email, input.display_name, input.password);
        let account = account
            .and_then(|account| Some((account.email, account.password?, account.display_name)));
        let (email, password, display_name) = Invalid::or(errors, account)?;
        let needed = rules.mode == RegistrationMode::Invite || !rules.admits(&email);
        let invitation = match invited.filter(|_| needed) {
            Some(presented) => {
                let parsed = PlainInvitation::parse(presented);
                Some(parsed.ok_or(RegisterError::InvalidInvitation)?)
            }
            None if needed => return Err(RegisterError::DomainRefused),
            None => None,
        };
        Ok(Registration { email, password, display_name, invitation })
    }

    /// Makes an account and signs its owner in. Hashes a password.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is then stored.
    pub fn register(
        &self,
        registration: Registration,
        origin: &Origin,
    ) -> Result<SignedIn, RegisterError> {
        let now = self.now();
        self.register_with(registration, origin, now, |user| {
            let (new, tokens) = self.new_session(user, origin, now)?;
            Ok((new, SignedIn { user: user.clone(), tokens }))
        })
    }

    /// Makes an account and gives its owner what `begin` makes.
    pub(super) fn register_with<T>(
        &self,
        registration: Registration,
        origin: &Origin,
        now: Instant,
        begin: impl FnOnce(&User) -> Result<(NewSession, T), Fault>,
    ) -> Result<T, RegisterError> {
        let Registration { email, password, display_name, invitation } = registration;
        self.check_invitation(invitation.as_ref(), &email, now)?;
        let taken = self.storage.read(|uow| uow.users().find_by_email(email.as_str()));
        if taken.map_err(Fault::from)?.is_some() {
            return Err(RegisterError::EmailTaken);
        }
        let entropy = self.entropy.as_ref();
        let hash = self.hasher.hash(&password, entropy).map_err(Fault::from)?;
        let id = UserId::generate(now, entropy).map_err(Fault::from)?;
        let mut user = User::registered(id, email, display_name, now);
        user.opened_from = origin.network();
        let (new, given) = begin(&user)?;
        let stored = self.storage.transact(|uow| {
            if let Some(invitation) = &invitation
                && !uow.invitations().spend(&invitation.digest(), now)?
            {
                return Ok(false);
            }
            self.store_account(uow, &user, &hash, &new, origin, now)?;
            Ok(true)
        });
        match stored {
            Ok(true) => Ok(given),
            Ok(false) => Err(RegisterError::InvalidInvitation),
            Err(Fault::Store(StoreError::Conflict(UniqueKey::UserEmail))) => {
                Err(RegisterError::EmailTaken)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Before anything is told of the address: nobody who was not invited learns whether it is taken.
    fn check_invitation(
        &self,
        invitation: Option<&PlainInvitation>,
        email: &EmailAddress,
        now: Instant,
    ) -> Result<(), RegisterError> {
        let Some(invitation) = invitation else { return Ok(()) };
        let digest = invitation.digest();
        let found = self.storage.read(|uow| uow.invitations().find(&digest, now));
        let found = found.map_err(Fault::from)?;
        let admitted = found.is_some_and(|invitation| invitation.admits(email));
        if admitted { Ok(()) } else { Err(RegisterError::InvalidInvitation) }
    }

    fn store_account(
        &self,
        uow: &mut dyn UnitOfWork,
        user: &User,
        hash: &PasswordHash,
        new: &NewSession,
        origin: &Origin,
        now: Instant,
    ) -> Result<(), Fault> {
        uow.users().insert(user)?;
        uow.passwords().put(user.id, hash, now)?;
        uow.sessions().insert(&new.session, &new.first)?;
        if let Some(address) = address_of(origin) {
            uow.known_addresses().touch(user.id, &address, now)?;
        }
        if self.allows_verification(uow, user.email.as_str(), now)? {
            let asked = Asked::by(origin, now);
            self.mint(MailedKind::VerifyEmail, user, asked, now)?.store(uow)?;
        }
        let event = self
            .event(Action::UserRegistered, Actor::User(user.id), origin, now)?
            .in_session(new.session.id);
        Ok(uow.audit().append(&event)?)
    }
}

fn not_empty(raw: SecretString) -> Result<SecretString, &'static str> {
    if raw.expose_secret().is_empty() { Err("must not be empty") } else { Ok(raw) }
}
