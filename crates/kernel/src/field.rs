use std::collections::BTreeMap;

/// One input field as it came in, before any rule was asked.
///
/// A surface fills it from its own format (JSON, form, flags); the flow judges it, so that every
/// broken field is reported at once and each rule lives in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Not sent, or sent as `null`.
    #[default]
    Absent,
    /// Sent, and of the right type.
    Given(T),
    /// Sent, but not readable as a `T`; the text says why ("must be a string").
    Invalid(String),
}

impl<T> Field<T> {
    /// The value, if one of the right type was given.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Invalid(_) => None,
        }
    }

    /// The same field with another type of value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Given(value) => Field::Given(f(value)),
            Self::Invalid(why) => Field::Invalid(why),
        }
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Given(value)
    }
}

impl From<&str> for Field<String> {
    fn from(value: &str) -> Self {
        Self::Given(value.to_owned())
    }
}

/// Every broken field of one input, by name, each with what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, String>);

impl FieldErrors {
    /// Notes that `field` is broken; the first reason noted stays.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.entry(field.to_owned()).or_insert_with(|| message.into());
    }

    /// Whether nothing is broken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Field and reason, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, message)| (field.as_str(), message.as_str()))
    }

    /// Reads a field that must be there, noting whatever is wrong with it.
    pub fn required<T, U, E: std::fmt::Display>(
        &mut self,
        name: &str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        if matches!(field, Field::Absent) {
            self.add(name, "is required");
        }
        self.optional(name, field, parse)
    }

    /// Reads a field that may be absent, noting whatever is wrong with it.
    pub fn optional<T, U, E: std::fmt::Display>(
        &mut self,
        name: &str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        match field {
            Field::Absent => None,
            Field::Invalid(why) => {
                self.add(name, why);
                None
            }
            Field::Given(value) => match parse(value) {
                Ok(parsed) => Some(parsed),
                Err(error) => {
                    self.add(name, error.to_string());
                    None
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_field_is_noted_once() {
        let mut errors = FieldErrors::default();
        let parse = |s: String| if s.is_empty() { Err("must not be empty") } else { Ok(s) };
        assert_eq!(errors.required("a", Field::Absent, parse), None);
        assert_eq!(errors.required("b", Field::from(""), parse), None);
        assert_eq!(errors.optional("c", Field::Absent, parse), None);
        assert_eq!(errors.optional("d", Field::from("x"), parse).as_deref(), Some("x"));
        assert_eq!(errors.required("e", Field::Invalid("must be a string".into()), parse), None);
        errors.add("a", "a second reason");
        let seen: Vec<_> = errors.iter().collect();
        assert_eq!(
            seen,
            [("a", "is required"), ("b", "must not be empty"), ("e", "must be a string")]
        );
    }
}
