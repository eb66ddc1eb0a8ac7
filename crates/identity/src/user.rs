use portcullis_kernel::{Instant, UserId};

use crate::{DisplayName, EmailAddress, Role};

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id; never changes.
    pub id: UserId,
    /// The address that identifies it.
    pub email: EmailAddress,
    /// When the address was proven to be its owner's; `None` until then.
    pub email_verified_at: Option<Instant>,
    /// The name shown to others.
    pub display_name: Option<DisplayName>,
    /// What the person may do.
    pub role: Role,
    /// Whether the account may be used.
    pub status: UserStatus,
    /// When it was made.
    pub created_at: Instant,
    /// The network from which it was opened, until the address is proven: what the person who is
    /// asked to confirm it is told.
    pub opened_from: Option<String>,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// It may.
    Active,
    /// An operator has shut it; nothing of it works until they resume it.
    Suspended,
}

impl UserStatus {
    /// The name used in storage and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended].into_iter().find(|status| status.as_str() == name)
    }
}

impl User {
    /// A fresh account with role [`Role::User`] and an unproven address.
    pub fn registered(
        id: UserId,
        email: EmailAddress,
        display_name: Option<DisplayName>,
        now: Instant,
    ) -> Self {
        Self {
            id,
            email,
            email_verified_at: None,
            display_name,
            role: Role::User,
            status: UserStatus::Active,
            created_at: now,
            opened_from: None,
        }
    }

    /// Whether the address was proven.
    pub fn is_verified(&self) -> bool {
        self.email_verified_at.is_some()
    }

    /// Notes that the address was proven: a plain user becomes a verified one, and nobody loses a
    /// higher role.
    pub fn verify_email(&mut self, now: Instant) {
        self.email_verified_at.get_or_insert(now);
        self.role = self.role.max(Role::VerifiedUser);
        self.opened_from = None;
    }

    /// Gives the account another address, which was just proven.
    pub fn change_email(&mut self, email: EmailAddress, now: Instant) {
        self.email = email;
        self.email_verified_at = None;
        self.verify_email(now);
    }

    /// Whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }
}

/// Which users a list shows; the default shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only those whose canonical address contains this text.
    pub email_contains: Option<String>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those in this state.
    pub status: Option<UserStatus>,
}
