use std::fmt;

use portcullis_flows::Invalid;

/// One thing that is wrong with the settings: which, where it was said, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    key: Option<String>,
    origin: Option<String>,
    text: String,
}

impl Problem {
    pub(crate) fn of(key: &str, text: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), origin: None, text: text.into() }
    }

    pub(crate) fn general(text: impl Into<String>) -> Self {
        Self { key: None, origin: None, text: text.into() }
    }

    pub(crate) fn said_in(mut self, origin: Option<String>) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)?;
        match &self.origin {
            Some(origin) => write!(f, " (set in {origin})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with the settings, a line each.
#[derive(Clone, Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// The value, if nothing is wrong.
    pub(crate) fn or<T>(mut problems: Vec<Problem>, value: T) -> Result<T, Self> {
        problems.sort_by(|a, b| a.key.cmp(&b.key));
        if problems.is_empty() { Ok(value) } else { Err(Self(problems)) }
    }

    pub(crate) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Invalid> for Problems {
    /// What is wrong with what was typed, by field.
    fn from(invalid: Invalid) -> Self {
        Self(invalid.0.iter().map(|(field, text)| Problem::of(field, text)).collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(ToString::to_string).collect::<Vec<_>>();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
