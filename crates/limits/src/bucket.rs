use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use crate::{AddressKey, Policy};

/// Names one bucket: a policy and whom it counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey(String);

impl BucketKey {
    /// The bucket of a client address.
    pub fn address(policy: &Policy, address: AddressKey) -> Self {
        Self(format!("{}|ip|{address}", policy.name))
    }

    /// The bucket of all together.
    pub fn everybody(policy: &Policy) -> Self {
        Self(format!("{}|all", policy.name))
    }

    /// The bucket of a principal, by its id.
    pub fn principal(policy: &Policy, id: impl std::fmt::Display) -> Self {
        Self(format!("{}|id|{id}", policy.name))
    }

    /// The bucket of an e-mail address, whether an account has it or not. The address is digested,
    /// so that the table of buckets is no list of addresses.
    pub fn mailbox(policy: &Policy, canonical: &str) -> Self {
        let mut key = format!("{}|mail|", policy.name);
        push_digest(&mut key, canonical);
        Self(key)
    }

    /// The bucket of an id as a client typed it, which may be any text, and of the client's address.
    pub fn typed(policy: &Policy, typed: &str, address: AddressKey) -> Self {
        let mut key = format!("{}|typed|{address}|", policy.name);
        push_digest(&mut key, typed);
        Self(key)
    }

    /// A key read back from storage.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The text, for storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn push_digest(key: &mut String, text: &str) {
    for byte in digest(&SHA256, text.as_bytes()).as_ref().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
}
