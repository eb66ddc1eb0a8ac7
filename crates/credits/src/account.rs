use std::{fmt, str::FromStr};

use portcullis_kernel::{AgentId, InvalidId, UserId};

/// Whose ledger it is: a user's, which the agents of that user share, or that of an agent that belongs to
/// nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountId {
    /// A user's.
    User(UserId),
    /// An agent's.
    Agent(AgentId),
}

impl AccountId {
    /// The account that pays for an agent with this owner.
    pub fn of_agent(agent: AgentId, owner: Option<UserId>) -> Self {
        owner.map_or(Self::Agent(agent), Self::User)
    }

    /// The user, if it is a user's.
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Agent(_) => None,
        }
    }

    /// The agent, if it is an agent's.
    pub fn agent(self) -> Option<AgentId> {
        match self {
            Self::Agent(id) => Some(id),
            Self::User(_) => None,
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => fmt::Display::fmt(id, f),
            Self::Agent(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for AccountId {
    type Err = InvalidId;

    /// Reads a user's or an agent's id; no text is both.
    fn from_str(raw: &str) -> Result<Self, InvalidId> {
        if raw.starts_with(AgentId::PREFIX) {
            return raw.parse().map(Self::Agent);
        }
        raw.parse().map(Self::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_come_back_and_other_texts_are_refused() {
        let (user, agent) = ("01HRHZ2K00ZZZZZZZZZZZZZZZZ", format!("agt_{}", "0f".repeat(16)));
        let of_user: AccountId = user.parse().unwrap();
        let of_agent: AccountId = agent.parse().unwrap();
        assert_eq!((of_user.to_string().as_str(), of_agent.to_string()), (user, agent));
        assert_eq!((of_user.user().is_some(), of_user.agent()), (true, None));
        assert_eq!((of_agent.agent().is_some(), of_agent.user()), (true, None));
        for raw in ["", "agt_", "01hrhz2k00zzzzzzzzzzzzzzzz", "jane@example.com", "\0"] {
            assert_eq!(raw.parse::<AccountId>(), Err(InvalidId), "{raw}");
        }
    }

    #[test]
    fn an_owner_pays_for_an_agent() {
        let (user, agent) = ("01HRHZ2K00ZZZZZZZZZZZZZZZZ", format!("agt_{}", "0f".repeat(16)));
        let (user, agent) = (user.parse().unwrap(), agent.parse().unwrap());
        assert_eq!(AccountId::of_agent(agent, Some(user)), AccountId::User(user));
        assert_eq!(AccountId::of_agent(agent, None), AccountId::Agent(agent));
    }
}
