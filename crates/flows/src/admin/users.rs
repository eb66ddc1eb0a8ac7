use portcullis_audit::{Action, Actor};
use portcullis_identity::{EmailAddress, Role, User, UserFilter, UserStatus};
use portcullis_kernel::{Origin, Page, PageRequest, StoreResult, UserId};
use portcullis_storage::{StorageExt, UnitOfWork};
use portcullis_tokens::Session;

use crate::{Engine, Fault, error::classify, rows::MOST_ROWS};

/// An account and what belongs to it, for an operator.
#[derive(Clone, Debug)]
pub struct UserDetails {
    /// The account.
    pub user: User,
    /// It has a password.
    pub has_password: bool,
    /// Its live sessions, the last used first.
    pub sessions: Vec<Session>,
}

/// Why nothing was done to an account.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindUserError {
    /// There is no such account.
    #[error("No such user.")]
    NotFound,
    /// It is the account of who asks: an administrator who shuts themselves out may be the last.
    #[error("You cannot do this to your own account; ask another administrator.")]
    OwnAccount,
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(FindUserError {
    Self::NotFound => (NotFound, NOT_FOUND),
    Self::OwnAccount => (Conflict, CONFLICT),
} via { Fault });

/// A page of at most 200 rows.
pub(super) fn page_of(page: &PageRequest) -> PageRequest {
    PageRequest { limit: page.limit.clamp(1, MOST_ROWS), after: page.after.clone() }
}

impl Engine {
    /// One page of the accounts, in the order of their making; at most 200 rows.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_users(&self, filter: &UserFilter, page: &PageRequest) -> Result<Page<User>, Fault> {
        Ok(self.storage.read(|uow| uow.users().list(filter, &page_of(page)))?)
    }

    /// The account with this id or address.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn find_user(&self, id_or_email: &str) -> Result<User, FindUserError> {
        let found = self.storage.read(|uow| -> StoreResult<Option<User>> {
            if let Ok(id) = id_or_email.parse::<UserId>() {
                return uow.users().find(id);
            }
            match EmailAddress::parse(id_or_email, self.options.email) {
                Ok(email) => uow.users().find_by_email(email.as_str()),
                Err(_) => Ok(None),
            }
        });
        found.map_err(Fault::from)?.ok_or(FindUserError::NotFound)
    }

    /// The account with what belongs to it.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn show_user(&self, id_or_email: &str) -> Result<UserDetails, FindUserError> {
        let user = self.find_user(id_or_email)?;
        let now = self.now();
        let details = self.storage.read(|uow| -> StoreResult<UserDetails> {
            let has_password = uow.passwords().find(user.id)?.is_some();
            let sessions = uow.sessions().list_live(user.id, now)?;
            Ok(UserDetails { user, has_password, sessions })
        });
        Ok(details.map_err(Fault::from)?)
    }

    /// Gives a role. Tokens show it from the next refresh or sign-in.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn set_role(
        &self,
        id: UserId,
        role: Role,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), FindUserError> {
        refuse_own(id, actor)?;
        let detail = Some(role.as_str());
        self.change(id, Action::RoleChanged, detail, actor, origin, |uow| {
            Ok(uow.users().set_role(id, role)?)
        })
    }

    /// Shuts an account: its sessions end, and nothing of it works until it is resumed.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn suspend_user(
        &self,
        id: UserId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), FindUserError> {
        refuse_own(id, actor)?;
        let now = self.now();
        self.change(id, Action::UserSuspended, None, actor, origin, |uow| {
            let found = uow.users().set_status(id, UserStatus::Suspended)?;
            uow.sessions().end_all(id, None, now)?;
            Ok(found)
        })
    }

    /// Opens a suspended account again; its owner signs in anew.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn resume_user(
        &self,
        id: UserId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), FindUserError> {
        self.change(id, Action::UserResumed, None, actor, origin, |uow| {
            Ok(uow.users().set_status(id, UserStatus::Active)?)
        })
    }

    /// Ends every session of an account.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn revoke_sessions(
        &self,
        id: UserId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), FindUserError> {
        let now = self.now();
        self.change(id, Action::SessionsRevoked, None, actor, origin, |uow| {
            let found = uow.users().lock(id)?.is_some();
            uow.sessions().end_all(id, None, now)?;
            Ok(found)
        })
    }

    /// Erases an account with everything that belongs to it. Its audit events stay, under its id,
    /// without the network addresses.
    ///
    /// # Errors
    /// [`FindUserError::NotFound`].
    pub fn delete_user(
        &self,
        id: UserId,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), FindUserError> {
        refuse_own(id, actor)?;
        let now = self.now();
        self.change(id, Action::UserDeleted, None, actor, origin, |uow| {
            let user = uow.users().lock(id)?;
            if let Some(user) = &user {
                self.erase(uow, user, now)?;
            }
            Ok(user.is_some())
        })
    }

    fn change(
        &self,
        id: UserId,
        action: Action,
        detail: Option<&str>,
        actor: Actor,
        origin: &Origin,
        work: impl Fn(&mut dyn UnitOfWork) -> Result<bool, Fault>,
    ) -> Result<(), FindUserError> {
        let event = self.event(action, actor, origin, self.now()).map_err(Fault::from)?.about(id);
        let event = match detail {
            Some(detail) => event.with_detail(detail),
            None => event,
        };
        let found = self.storage.transact(|uow| -> Result<bool, Fault> {
            let found = work(uow)?;
            if found {
                uow.audit().append(&event)?;
            }
            Ok(found)
        })?;
        if found { Ok(()) } else { Err(FindUserError::NotFound) }
    }
}

fn refuse_own(id: UserId, actor: Actor) -> Result<(), FindUserError> {
    if actor == Actor::User(id) { Err(FindUserError::OwnAccount) } else { Ok(()) }
}
