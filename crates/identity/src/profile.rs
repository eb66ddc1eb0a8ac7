/// The longest display name, in characters.
const MAX_CHARS: usize = 80;

/// The name that a person shows to others: 1 to 80 characters, trimmed, no controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

/// A text that cannot be shown as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDisplayName {
    /// Nothing but space.
    #[error("must not be empty; leave it out or send null for no name")]
    Empty,
    /// More than 80 characters.
    #[error("must be at most 80 characters")]
    TooLong,
    /// Control characters, or marks that turn the direction of the text around them.
    #[error("must not contain control characters")]
    Control,
}

impl DisplayName {
    /// Reads a name; space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidDisplayName`] says which rule it breaks.
    pub fn parse(raw: &str) -> Result<Self, InvalidDisplayName> {
        let name = clean(raw, MAX_CHARS)?;
        if name.is_empty() { Err(InvalidDisplayName::Empty) } else { Ok(Self(name)) }
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

/// A text that can stand on a page and in a mail without steering what is around it; space around it is
/// dropped.
pub(crate) fn clean(raw: &str, most_chars: usize) -> Result<String, InvalidDisplayName> {
    let text = raw.trim();
    if text.chars().count() > most_chars {
        return Err(InvalidDisplayName::TooLong);
    }
    if text.chars().any(|c| c.is_control() || turns_direction(c)) {
        return Err(InvalidDisplayName::Control);
    }
    Ok(text.to_owned())
}

/// Line separators and bidirectional overrides: they let a name rewrite the line it stands in.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eighty_characters_of_any_script_fit_and_no_more() {
        for symbol in ["x", "é", "🦀"] {
            assert!(DisplayName::parse(&symbol.repeat(80)).is_ok());
            assert_eq!(DisplayName::parse(&symbol.repeat(81)), Err(InvalidDisplayName::TooLong));
        }
    }

    #[test]
    fn a_name_is_trimmed_and_never_empty_or_steering() {
        assert_eq!(DisplayName::parse("  Jane Smith ").unwrap().as_str(), "Jane Smith");
        assert_eq!(DisplayName::parse(" \t"), Err(InvalidDisplayName::Empty));
        for raw in ["a\0b", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{7f}b"] {
            assert_eq!(DisplayName::parse(raw), Err(InvalidDisplayName::Control), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_accepted_again(raw in any::<String>()) {
            if let Ok(name) = DisplayName::parse(&raw) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
