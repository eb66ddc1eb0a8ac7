use portcullis_kernel::{AgentId, Instant, RegistrationId, TokenDigest};

/// How an agent signed itself up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationKind {
    /// It named nobody, and got a key at once.
    Anonymous,
    /// It named the address of its person, and gets a key when that person has read the code to it.
    Email {
        /// The canonical address.
        address: String,
    },
}

impl RegistrationKind {
    /// The name in storage.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Email { .. } => "email",
        }
    }

    /// The address that alone may claim it.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Email { address } => Some(address),
        }
    }

    /// The kind with this name and address.
    pub fn from_parts(name: &str, address: Option<String>) -> Option<Self> {
        match (name, address) {
            ("anonymous", None) => Some(Self::Anonymous),
            ("email", Some(address)) => Some(Self::Email { address }),
            _ => None,
        }
    }
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may be claimed.
    Open,
    /// A person claimed it.
    Claimed(Instant),
    /// A person said that it is not theirs.
    Denied(Instant),
}

/// How an open registration ends. What is written is decided by one conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A person claims it.
    Claim {
        /// The digest of what undoes the claim.
        undo: TokenDigest,
        /// From when on it undoes nothing.
        undo_until: Instant,
    },
    /// A person says that it is not theirs.
    Deny,
}

/// A registration by which an agent signed itself up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub id: RegistrationId,
    /// The agent that it made.
    pub agent: AgentId,
    /// How.
    pub kind: RegistrationKind,
    /// The digest of the token that the agent claims with.
    pub claim: TokenDigest,
    /// The digest of the token that shows it to a person.
    pub view: TokenDigest,
    /// Codes that were made for it.
    pub codes: u32,
    /// The network from which the agent signed up, as people are told it.
    pub asked_from: Option<String>,
    /// What became of it.
    pub state: State,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it can no longer be claimed.
    pub expires_at: Instant,
}

impl Registration {
    /// Whether a person with this canonical address may claim it.
    pub fn admits(&self, canonical: &str) -> bool {
        self.kind.address().is_none_or(|address| address == canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_back_as_it_was_written() {
        let email = RegistrationKind::Email { address: "jane@example.com".into() };
        for kind in [RegistrationKind::Anonymous, email] {
            let address = kind.address().map(str::to_owned);
            assert_eq!(RegistrationKind::from_parts(kind.as_str(), address), Some(kind));
        }
        for (name, address) in [("email", None), ("anonymous", Some("x")), ("robot", None)] {
            assert_eq!(RegistrationKind::from_parts(name, address.map(str::to_owned)), None);
        }
    }

    #[test]
    fn o6_a_registration_for_an_address_is_claimed_by_that_alone() {
        let at = |seconds| Instant::from_unix_timestamp(seconds).unwrap();
        let anyone = Registration {
            id: "rgn_00000000000000000000000000000001".parse().unwrap(),
            agent: "agt_00000000000000000000000000000002".parse().unwrap(),
            kind: RegistrationKind::Anonymous,
            claim: TokenDigest::of("clm_"),
            view: TokenDigest::of("cvt_"),
            codes: 0,
            asked_from: None,
            state: State::Open,
            created_at: at(0),
            expires_at: at(86_400),
        };
        assert!(anyone.admits("jane@example.com") && anyone.admits("joe@example.com"));
        let address = "jane@example.com".to_owned();
        let hers = Registration { kind: RegistrationKind::Email { address }, ..anyone };
        assert!(hers.admits("jane@example.com") && !hers.admits("joe@example.com"));
    }
}
