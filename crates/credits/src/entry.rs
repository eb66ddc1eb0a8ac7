use portcullis_kernel::{CreditEntryId, Instant, ResourceServerId};
use ring::digest::{SHA256, digest};

use crate::{AccountId, Amount, Cost};

/// The longest id of an operation, in characters.
const OPERATION_CHARS: usize = 128;
/// The longest note, in characters.
const NOTE_CHARS: usize = 200;

/// Why a balance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An operator gave it.
    Grant,
    /// It was paid for elsewhere.
    Topup,
    /// A resource server charged for a call.
    Charge,
    /// A charge was given back.
    Refund,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Grant, Self::Topup, Self::Charge, Self::Refund];

    /// The name, on the wire and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Topup => "topup",
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// What a caller names one charge or top-up, so that doing it again changes nothing: 1 to 128 printable
/// ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(String);

/// A text that names no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 printable ASCII characters")]
pub struct InvalidOperation;

impl OperationId {
    /// Reads the name of an operation, exactly as it is.
    ///
    /// # Errors
    /// [`InvalidOperation`].
    pub fn parse(raw: &str) -> Result<Self, InvalidOperation> {
        let fits = (1..=OPERATION_CHARS).contains(&raw.len());
        let printable = raw.bytes().all(|b| matches!(b, b' '..=b'~'));
        if fits && printable { Ok(Self(raw.to_owned())) } else { Err(InvalidOperation) }
    }

    /// A name read back from storage.
    pub fn from_stored(raw: String) -> Self {
        Self(raw)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What whoever gives credits says about them: one line of 1 to 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(String);

/// A text that is no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 200 characters, without control characters")]
pub struct InvalidNote;

impl Note {
    /// Reads a note; space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidNote`].
    pub fn parse(raw: &str) -> Result<Self, InvalidNote> {
        let text = raw.trim();
        let fits = (1..=NOTE_CHARS).contains(&text.chars().count());
        let fits = fits && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidNote) }
    }

    /// A note read back from storage.
    pub fn from_stored(raw: String) -> Self {
        Self(raw)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom a top-up names, as a digest: an agent may be erased whose former owner keeps the entry, in which no
/// one is to read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee([u8; 32]);

impl Addressee {
    /// Digests the account that was named.
    pub fn of(named: AccountId) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, named.to_string().as_bytes()).as_ref());
        Self(bytes)
    }

    /// A digest read back from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A change of a balance that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The id of the entry that it becomes.
    pub id: CreditEntryId,
    /// Whose balance.
    pub account: AccountId,
    /// By how much, in credits; below zero for a charge, and never zero.
    pub delta: i64,
    /// Why.
    pub reason: Reason,
    /// What the caller calls it. Of one reason and resource server there is one entry of a name.
    pub operation: Option<OperationId>,
    /// The resource server that charged.
    pub server: Option<ResourceServerId>,
    /// Of a top-up, whom its event named, wherever the credits are now.
    pub addressee: Option<Addressee>,
    /// What was said about it.
    pub note: Option<Note>,
    /// When.
    pub at: Instant,
}

impl Posting {
    /// A charge by a resource server.
    pub fn charge(
        id: CreditEntryId,
        account: AccountId,
        cost: Cost,
        by: (ResourceServerId, OperationId),
        at: Instant,
    ) -> Self {
        let (server, operation) = by;
        Self {
            operation: Some(operation),
            server: Some(server),
            ..Self::new(id, account, -cost.credits(), Reason::Charge, at)
        }
    }

    /// What an operator gives.
    pub fn grant(
        id: CreditEntryId,
        account: AccountId,
        amount: Amount,
        note: Option<Note>,
        at: Instant,
    ) -> Self {
        Self { note, ..Self::new(id, account, amount.credits(), Reason::Grant, at) }
    }

    /// What was paid for elsewhere, as told by the event of this name, which names this account.
    pub fn top_up(
        id: CreditEntryId,
        account: AccountId,
        amount: Amount,
        event: OperationId,
        at: Instant,
    ) -> Self {
        Self {
            operation: Some(event),
            addressee: Some(Addressee::of(account)),
            ..Self::new(id, account, amount.credits(), Reason::Topup, at)
        }
    }

    /// What gives a charge back, to the account that has its entry now.
    pub fn refund(id: CreditEntryId, charge: &Entry, note: Option<Note>, at: Instant) -> Self {
        let charged = &charge.posting;
        Self {
            operation: charged.operation.clone(),
            server: charged.server,
            note,
            ..Self::new(id, charged.account, -charged.delta, Reason::Refund, at)
        }
    }

    fn new(id: CreditEntryId, account: AccountId, delta: i64, reason: Reason, at: Instant) -> Self {
        let (operation, server, addressee, note) = (None, None, None, None);
        Self { id, account, delta, reason, operation, server, addressee, note, at }
    }

    /// The same, for another account.
    #[must_use]
    pub fn to(mut self, account: AccountId) -> Self {
        self.account = account;
        self
    }

    /// Whether this asks for what an entry of the same name recorded: to the same account, or, for a
    /// top-up, to whomever was named then.
    pub fn repeats(&self, entry: &Entry) -> bool {
        let recorded = &entry.posting;
        let same = match self.addressee {
            Some(_) => self.addressee == recorded.addressee,
            None => self.account == recorded.account,
        };
        same && self.delta == recorded.delta
    }
}

/// A change of a balance that was made. Never changes, but for whose it is when an agent is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was done.
    pub posting: Posting,
    /// The account's balance right after it, in credits.
    pub balance: i64,
}

/// What became of a posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is done; this is the balance now.
    Done(i64),
    /// An entry of the same reason, resource server and name is there: nothing was changed.
    Recorded(Box<Entry>),
    /// The balance does not allow it: a charge of more than there is, or more credits than an account may
    /// have. Nothing was changed.
    Refused,
}

/// An account's balance and newest entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In credits.
    pub balance: i64,
    /// Newest first.
    pub entries: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reasons_come_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::from_name("gift"), None);
    }

    #[test]
    fn an_operation_is_printable_ascii_as_it_came() {
        for good in ["a", " ", "req-1:{\"x\"}~", &"x".repeat(128)] {
            assert_eq!(OperationId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "\n", "a\0", "é", "\u{7f}", &"x".repeat(129)] {
            assert_eq!(OperationId::parse(bad), Err(InvalidOperation), "{bad:?}");
        }
    }

    #[test]
    fn a_note_is_one_line() {
        assert_eq!(Note::parse("  Zoë’s 🦀 ").unwrap().as_str(), "Zoë’s 🦀");
        assert!(Note::parse(&"é".repeat(200)).is_ok());
        for bad in ["", "  ", "a\nb", "a\0b", &"é".repeat(201)] {
            assert_eq!(Note::parse(bad), Err(InvalidNote), "{bad:?}");
        }
    }

    #[test]
    fn a_top_up_is_repeated_by_whom_it_named_and_a_charge_by_who_pays() {
        let agent: AccountId = format!("agt_{}", "0f".repeat(16)).parse().unwrap();
        let user: AccountId = "01HRHZ2K00ZZZZZZZZZZZZZZZZ".parse().unwrap();
        let (id, at) = (format!("cre_{}", "0f".repeat(16)).parse().unwrap(), Instant::UNIX_EPOCH);
        let name = || OperationId::parse("x").unwrap();
        let top_up =
            |named, credits| Posting::top_up(id, named, Amount::new(credits).unwrap(), name(), at);
        let moved = Entry { posting: top_up(agent, 5).to(user), balance: 5 };
        assert!(top_up(agent, 5).repeats(&moved) && top_up(agent, 5).to(user).repeats(&moved));
        assert!(!top_up(agent, 6).repeats(&moved) && !top_up(user, 5).repeats(&moved));
        let by = (format!("rs_{}", "0f".repeat(16)).parse().unwrap(), name());
        let charge = Posting::charge(id, agent, Cost::new(5).unwrap(), by, at);
        let moved = Entry { posting: charge.clone().to(user), balance: 0 };
        assert!(charge.clone().to(user).repeats(&moved) && !charge.repeats(&moved));
    }

    proptest! {
        #[test]
        fn any_text_is_an_operation_or_not(raw in any::<String>()) {
            let printable = raw.chars().all(|c| matches!(c, ' '..='~'));
            let fits = (1..=128).contains(&raw.chars().count()) && printable;
            prop_assert_eq!(OperationId::parse(&raw).is_ok(), fits);
        }
    }
}
