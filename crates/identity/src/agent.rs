use portcullis_kernel::{AgentId, Instant, TokenDigest, UserId};

use crate::{EmailAddress, InvalidDisplayName, Profile, profile::clean};

/// The longest text of a metadata member, in characters.
const METADATA_CHARS: usize = 200;
/// The most bytes of all metadata together.
const METADATA_BYTES: usize = 2048;

/// The name that an agent gives itself: 3 to 50 of `A-Z a-z 0-9 -`. Not unique; its id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentName(String);

/// A text that is no agent's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 3 to 50 letters (a-z, A-Z), digits or hyphens")]
pub struct InvalidAgentName;

impl AgentName {
    /// Reads a name; nothing is trimmed.
    ///
    /// # Errors
    /// [`InvalidAgentName`].
    pub fn parse(raw: &str) -> Result<Self, InvalidAgentName> {
        let symbol = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let fits = (3..=50).contains(&raw.len()) && raw.bytes().all(symbol);
        if fits { Ok(Self(raw.to_owned())) } else { Err(InvalidAgentName) }
    }

    /// A name read back from storage, where only parsed ones are put.
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an agent tells about itself when it registers. Nobody has checked it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentMetadata {
    /// What it does.
    pub description: Option<String>,
    /// Who runs it.
    pub owner: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// Metadata that is too long or cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// One text.
    #[error("must be at most 200 characters")]
    TooLong,
    /// All texts together.
    #[error("must be at most 2 KiB in all")]
    TooLarge,
    /// Control characters, or marks that turn the direction of the text around them.
    #[error("must not contain control characters")]
    Control,
}

impl AgentMetadata {
    /// Reads one text.
    ///
    /// # Errors
    /// [`InvalidMetadata`].
    pub fn parse_text(raw: &str) -> Result<String, InvalidMetadata> {
        clean(raw, METADATA_CHARS).map_err(|error| match error {
            InvalidDisplayName::TooLong => InvalidMetadata::TooLong,
            _ => InvalidMetadata::Control,
        })
    }

    /// Whether all texts together are short enough.
    ///
    /// # Errors
    /// [`InvalidMetadata::TooLarge`].
    pub fn check(self) -> Result<Self, InvalidMetadata> {
        let texts = [&self.description, &self.owner, &self.version];
        let bytes: usize = texts.into_iter().flatten().map(String::len).sum();
        if bytes > METADATA_BYTES { Err(InvalidMetadata::TooLarge) } else { Ok(self) }
    }
}

/// Whether an agent's account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentStatus {
    /// It may.
    Active,
    /// An operator has shut it; nothing of it works until they resume it.
    Suspended,
}

impl AgentStatus {
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

/// An address that was proven to be read for an agent: where recovery codes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEmail {
    /// The address.
    pub address: EmailAddress,
    /// When it was proven.
    pub at: Instant,
}

/// An agent's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id; never changes.
    pub id: AgentId,
    /// The name it gave itself.
    pub name: AgentName,
    /// What it told about itself.
    pub metadata: AgentMetadata,
    /// The address that may recover it. Several agents may share one.
    pub email: Option<ProvenEmail>,
    /// An address that was given for it and is still to be proven.
    pub pending_email: Option<EmailAddress>,
    /// The digest of its recovery key; an agent without one is managed by its owner or an operator.
    pub recovery: Option<TokenDigest>,
    /// Whether it may be used.
    pub status: AgentStatus,
    /// The user it belongs to.
    pub owner: Option<UserId>,
    /// What the directory shows of it.
    pub profile: Profile,
    /// When it was made.
    pub created_at: Instant,
}

impl Agent {
    /// A fresh account.
    pub fn registered(
        id: AgentId,
        name: AgentName,
        metadata: AgentMetadata,
        recovery: TokenDigest,
        now: Instant,
    ) -> Self {
        Self {
            id,
            name,
            metadata,
            email: None,
            pending_email: None,
            recovery: Some(recovery),
            status: AgentStatus::Active,
            owner: None,
            profile: Profile::default(),
            created_at: now,
        }
    }

    /// The account of an agent that signed itself up and told nothing of itself: without a recovery key,
    /// under a name made of its id.
    pub fn signed_up(id: AgentId, now: Instant) -> Self {
        let digits: String = id.to_string().chars().skip(AgentId::PREFIX.len()).take(8).collect();
        Self {
            id,
            name: AgentName(format!("agent-{digits}")),
            metadata: AgentMetadata::default(),
            email: None,
            pending_email: None,
            recovery: None,
            status: AgentStatus::Active,
            owner: None,
            profile: Profile::default(),
            created_at: now,
        }
    }

    /// Whether the account may be used.
    pub fn is_active(&self) -> bool {
        self.status == AgentStatus::Active
    }

    /// The address that answers show: the proven one, else the one still to be proven.
    pub fn shown_email(&self) -> Option<&EmailAddress> {
        self.email.as_ref().map(|proven| &proven.address).or(self.pending_email.as_ref())
    }

    /// Whether it signed itself up, or was given up, and nobody answers for it.
    pub fn is_unclaimed(&self) -> bool {
        self.owner.is_none() && self.recovery.is_none()
    }

    /// Whether this canonical address was proven for the agent, and may recover it.
    pub fn is_recovered_by(&self, canonical: &str) -> bool {
        self.email.as_ref().is_some_and(|proven| proven.address.as_str() == canonical)
    }

    /// Notes that the pending address was proven, if it is this one: from now on it is the agent's.
    pub fn prove_email(&mut self, canonical: &str, now: Instant) -> bool {
        match self.pending_email.take_if(|pending| pending.as_str() == canonical) {
            Some(address) => {
                self.email = Some(ProvenEmail { address, at: now });
                true
            }
            None => false,
        }
    }
}

/// Which agents a list shows; the default shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentFilter {
    /// Only those whose canonical address, proven or not, contains this text.
    pub email_contains: Option<String>,
    /// Only those whose name contains this text, in any case of its letters.
    pub name_contains: Option<String>,
    /// Only those in this state.
    pub status: Option<AgentStatus>,
    /// Only those of this user.
    pub owner: Option<UserId>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::EmailRules;

    #[test]
    fn i7_a_name_is_judged_from_its_first_to_its_last_byte() {
        for name in ["abc", "A-9", "---", &"x".repeat(50)] {
            assert!(AgentName::parse(name).is_ok(), "{name}");
        }
        let long = "x".repeat(51);
        let refused =
            ["", "ab", &long, "a b c", "a_b", "a.b", "abc\n", "\nabc", "abc\0", "аbс", "<b>"];
        for name in refused {
            assert_eq!(AgentName::parse(name), Err(InvalidAgentName), "{name:?}");
        }
    }

    #[test]
    fn metadata_has_bounds_in_characters_and_bytes() {
        assert!(AgentMetadata::parse_text(&"é".repeat(200)).is_ok());
        assert_eq!(AgentMetadata::parse_text(&"x".repeat(201)), Err(InvalidMetadata::TooLong));
        assert_eq!(AgentMetadata::parse_text("a\u{1b}b"), Err(InvalidMetadata::Control));
        let text = Some("🦀".repeat(200));
        let large = AgentMetadata { description: text.clone(), owner: text.clone(), version: text };
        assert_eq!(large.check(), Err(InvalidMetadata::TooLarge));
    }

    #[test]
    fn an_agent_that_signed_itself_up_has_a_name_like_any_other() {
        let id = "agt_0123456789abcdef0123456789abcdef".parse().unwrap();
        let agent = Agent::signed_up(id, Instant::UNIX_EPOCH);
        assert_eq!(agent.name, AgentName::parse("agent-01234567").unwrap());
        assert!(agent.recovery.is_none() && agent.is_active());
    }

    #[test]
    fn only_the_address_that_waits_is_proven() {
        let email = |raw: &str| EmailAddress::parse(raw, EmailRules::default()).unwrap();
        let now = Instant::UNIX_EPOCH;
        let name = AgentName::parse("bot").unwrap();
        let id = "agt_00000000000000000000000000000000".parse().unwrap();
        let recovery = TokenDigest::of("x");
        let mut agent = Agent::registered(id, name, AgentMetadata::default(), recovery, now);
        agent.pending_email = Some(email("a@example.com"));
        assert!(!agent.is_recovered_by("a@example.com"), "v2: it is not proven");
        assert!(!agent.prove_email("b@example.com", now));
        assert!(agent.prove_email("a@example.com", now) && agent.is_recovered_by("a@example.com"));
        agent.pending_email = Some(email("b@example.com"));
        assert_eq!(agent.shown_email().map(EmailAddress::as_str), Some("a@example.com"));
        assert!(!agent.is_recovered_by("b@example.com"));
    }

    proptest! {
        #[test]
        fn any_text_is_judged(raw in any::<String>()) {
            let ours = AgentName::parse(&raw).is_ok();
            let count = raw.chars().count();
            let plain = raw.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            prop_assert_eq!(ours, (3..=50).contains(&count) && plain);
        }
    }
}
