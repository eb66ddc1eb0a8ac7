use crate::{DisplayName, InvalidDisplayName, profile::clean};

/// The longest description, in characters.
const DESCRIPTION_CHARS: usize = 500;
/// The longest tag, in characters.
const TAG_CHARS: usize = 32;
/// The most tags.
const MOST_TAGS: usize = 10;

/// What the public directory shows of an agent. Private until its agent says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name shown to others.
    pub display_name: Option<DisplayName>,
    /// What the agent is for.
    pub description: Option<Description>,
    /// Words to find it by.
    pub tags: Tags,
    /// Who may see it.
    pub visibility: Visibility,
}

/// Who may see a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// The agent, its owner and operators.
    #[default]
    Private,
    /// Everybody.
    Public,
}

/// A text of at most 500 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(String);

/// At most ten tags of at most 32 characters, no two alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

/// A description that is too long or cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDescription {
    /// More than 500 characters.
    #[error("must be at most 500 characters")]
    TooLong,
    /// Control characters, or marks that turn the direction of the text around them.
    #[error("must not contain control characters")]
    Control,
}

/// A list that is none of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at most 10 tags, each 1 to 32 characters without control characters")]
pub struct InvalidTags;

/// A word that is no visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"public\" or \"private\"")]
pub struct InvalidVisibility;

impl Visibility {
    /// The name used on the wire and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }

    /// The visibility with this name.
    ///
    /// # Errors
    /// [`InvalidVisibility`].
    pub fn from_name(name: &str) -> Result<Self, InvalidVisibility> {
        let found = [Self::Private, Self::Public].into_iter().find(|v| v.as_str() == name);
        found.ok_or(InvalidVisibility)
    }
}

impl Description {
    /// Reads a text; space around it is dropped, and nothing else is none.
    ///
    /// # Errors
    /// [`InvalidDescription`].
    pub fn parse(raw: &str) -> Result<Option<Self>, InvalidDescription> {
        let text = clean(raw, DESCRIPTION_CHARS).map_err(|error| match error {
            InvalidDisplayName::TooLong => InvalidDescription::TooLong,
            _ => InvalidDescription::Control,
        })?;
        Ok((!text.is_empty()).then_some(Self(text)))
    }

    /// A text read back from storage, where only parsed ones are put.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tags {
    /// Reads tags; space around each is dropped, and one that stands twice counts once.
    ///
    /// # Errors
    /// [`InvalidTags`].
    pub fn parse(raw: &[String]) -> Result<Self, InvalidTags> {
        let mut tags = Vec::new();
        for tag in raw {
            let tag = clean(tag, TAG_CHARS).map_err(|_| InvalidTags)?;
            if tag.is_empty() {
                return Err(InvalidTags);
            }
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        if tags.len() > MOST_TAGS { Err(InvalidTags) } else { Ok(Self(tags)) }
    }

    /// Tags read back from storage, where only parsed ones are put.
    pub fn from_stored(tags: Vec<String>) -> Self {
        Self(tags)
    }

    /// The tags.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_bounds_and_no_controls() {
        assert_eq!(Description::parse("  "), Ok(None));
        assert!(Description::parse(&"é".repeat(500)).is_ok_and(|text| text.is_some()));
        assert_eq!(Description::parse(&"x".repeat(501)), Err(InvalidDescription::TooLong));
        assert_eq!(Description::parse("a\0"), Err(InvalidDescription::Control));
        let tags = |raw: &[&str]| {
            let raw: Vec<String> = raw.iter().map(|tag| (*tag).to_owned()).collect();
            Tags::parse(&raw)
        };
        assert_eq!(tags(&[" weather ", "weather"]).unwrap().as_slice(), ["weather"]);
        assert_eq!(tags(&[""]), Err(InvalidTags));
        assert_eq!(tags(&[&"x".repeat(33)]), Err(InvalidTags));
        let many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        assert_eq!(Tags::parse(&many), Err(InvalidTags));
        assert_eq!(Visibility::from_name("public"), Ok(Visibility::Public));
        assert_eq!(Visibility::from_name("hidden"), Err(InvalidVisibility));
    }
}
