use std::{fmt, str::FromStr};

/// What a person may do, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A caller without an account; never given to a stored user.
    Guest,
    /// Registered.
    User,
    /// Registered, with a proven e-mail address.
    VerifiedUser,
    /// Given by an operator.
    Host,
    /// Given by an operator; may use the admin API.
    Admin,
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of user, verified_user, host, admin")]
pub struct InvalidRole;

impl Role {
    /// The roles that an account can have.
    pub const ASSIGNABLE: [Self; 4] = [Self::User, Self::VerifiedUser, Self::Host, Self::Admin];

    /// The name used in tokens and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::User => "user",
            Self::VerifiedUser => "verified_user",
            Self::Host => "host",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    /// Reads the name of a role that an account can have.
    fn from_str(raw: &str) -> Result<Self, InvalidRole> {
        Self::ASSIGNABLE.into_iter().find(|role| role.as_str() == raw).ok_or(InvalidRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_guest_is_never_given() {
        for role in Role::ASSIGNABLE {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for raw in ["guest", "Admin", "", "root"] {
            assert_eq!(raw.parse::<Role>(), Err(InvalidRole), "{raw}");
        }
    }
}
