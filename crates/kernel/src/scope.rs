use std::{collections::BTreeSet, fmt, str::FromStr};

/// The longest name of a scope, in bytes.
const MOST_BYTES: usize = 64;
/// The most scopes of one set.
const MOST: usize = 64;

/// A set of scopes (RFC 6749 §3.3): what a key or token may be used for. In the order in which they
/// were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// A text that names no set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must name 1 to 64 scopes, each 1 to 64 printable ASCII characters without quotes or backslash"
)]
pub struct InvalidScopes;

impl Scopes {
    /// The set of these names; one named twice counts once.
    ///
    /// # Errors
    /// [`InvalidScopes`] when there is none, or a name is not one of RFC 6749 §3.3.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, InvalidScopes> {
        let mut scopes = Vec::new();
        for name in names {
            let name = name.into();
            if !is_scope(&name) {
                return Err(InvalidScopes);
            }
            if !scopes.contains(&name) {
                scopes.push(name);
            }
            if scopes.len() > MOST {
                return Err(InvalidScopes);
            }
        }
        if scopes.is_empty() { Err(InvalidScopes) } else { Ok(Self(scopes)) }
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it names no scope: of what two sets share.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this scope is in it.
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|scope| scope == name)
    }

    /// Whether every scope of this set is in the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// What both sets name, in the order of this one.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|scope| other.contains(scope)).cloned().collect())
    }

    /// What either set names, this one's first.
    #[must_use]
    pub fn joined_with(&self, other: &Self) -> Self {
        let new = other.0.iter().filter(|scope| !self.contains(scope));
        Self(self.0.iter().chain(new).cloned().collect())
    }

    /// Whether both name the same scopes, in whatever order.
    pub fn equals(&self, other: &Self) -> bool {
        let set = |scopes: &Self| scopes.0.iter().cloned().collect::<BTreeSet<_>>();
        set(self) == set(other)
    }
}

impl FromStr for Scopes {
    type Err = InvalidScopes;

    /// Reads names with single spaces between them, as in a `scope` parameter.
    fn from_str(text: &str) -> Result<Self, InvalidScopes> {
        Self::new(text.split(' '))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// `1*( %x21 / %x23-5B / %x5D-7E )`
fn is_scope(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() <= MOST_BYTES;
    fits && name.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    #[test]
    fn a_set_is_named_with_single_spaces() {
        assert_eq!(scopes("a b a").to_string(), "a b");
        for text in ["", " ", "a  b", " a", "a ", "a\tb", "a\"", "a\\", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(text.parse::<Scopes>(), Err(InvalidScopes), "{text:?}");
        }
        assert!(Scopes::new((0..65).map(|n| n.to_string())).is_err());
    }

    #[test]
    fn k8_sets_are_compared_by_what_they_name() {
        assert!(scopes("a").is_within(&scopes("b a")));
        assert!(!scopes("a c").is_within(&scopes("a b")));
        assert!(scopes("a b").equals(&scopes("b a")));
        assert!(!scopes("a b").equals(&scopes("a")));
        assert_eq!(scopes("c a").shared_with(&scopes("a b c")).to_string(), "c a");
        assert!(scopes("a").shared_with(&scopes("ab")).is_empty());
        assert_eq!(scopes("c a").joined_with(&scopes("a b")).to_string(), "c a b");
    }

    proptest! {
        #[test]
        fn what_was_read_comes_back(text in any::<String>()) {
            if let Ok(read) = text.parse::<Scopes>() {
                prop_assert_eq!(read.to_string().parse(), Ok(read));
            }
        }
    }
}
