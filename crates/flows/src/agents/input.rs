use std::{fmt::Display, str::FromStr};

use portcullis_kernel::{Classify, Cursor, ErrorKind, Field, FieldErrors, Place, Slice, codes};

use crate::rows::{ROWS, rows};

/// Input of an agent that breaks a rule: every broken field, and the code of the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(fields))]
pub struct InvalidInput {
    code: &'static str,
    fields: FieldErrors,
}

impl InvalidInput {
    /// Every broken field, for a surface that has one code for all of them.
    pub(crate) fn into_fields(self) -> FieldErrors {
        self.fields
    }
}

/// The surface has no place for details, so the message tells all.
fn told(fields: &FieldErrors) -> String {
    let told: Vec<_> = fields.iter().map(|(field, why)| format!("{field} {why}")).collect();
    format!("{}.", told.join("; "))
}

impl Classify for InvalidInput {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn code(&self) -> &'static str {
        self.code
    }

    fn fields(&self) -> Option<&FieldErrors> {
        Some(&self.fields)
    }
}

/// Judges fields one after the other. A field that is missing or of the wrong type makes the request
/// itself invalid; one whose value breaks its rule has a code of its own.
#[derive(Default)]
pub(crate) struct Judge {
    errors: FieldErrors,
    code: Option<&'static str>,
}

impl Judge {
    /// Reads a field that must be there.
    pub(crate) fn required<T, U, E: Display>(
        &mut self,
        name: &str,
        code: &'static str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        let code = if matches!(field, Field::Given(_)) { code } else { codes::VALIDATION_ERROR };
        let read = self.errors.required(name, field, parse);
        if read.is_none() {
            self.code.get_or_insert(code);
        }
        read
    }

    /// Reads a field that may be absent.
    pub(crate) fn optional<T, U, E: Display>(
        &mut self,
        name: &str,
        code: &'static str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, E>,
    ) -> Option<U> {
        if matches!(field, Field::Absent) { None } else { self.required(name, code, field, parse) }
    }

    /// What was read when nothing is broken, else every broken field.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, InvalidInput> {
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => {
                let code = self.code.unwrap_or(codes::VALIDATION_ERROR);
                Err(InvalidInput { code, fields: self.errors })
            }
        }
    }
}

/// Which part of a list is wanted, as it came in.
#[derive(Clone, Debug, Default)]
pub struct SliceInput {
    /// Rows of an answer; 50 when absent, 200 at most.
    pub limit: Field<String>,
    /// Where the answer before ended.
    pub cursor: Field<String>,
}

impl SliceInput {
    /// Judges the question.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken parameter.
    pub fn check<Id: FromStr + Display>(self) -> Result<Slice<Id>, InvalidInput> {
        let mut judge = Judge::default();
        let slice = self.judge(&mut judge);
        judge.finish(Some(slice))
    }

    pub(crate) fn judge<Id: FromStr + Display>(self, judge: &mut Judge) -> Slice<Id> {
        let code = codes::VALIDATION_ERROR;
        let limit = judge.optional("limit", code, self.limit, rows);
        let after = judge.optional("cursor", code, self.cursor, |raw| {
            Cursor::decode(&raw).and_then(|cursor| Place::of(&cursor))
        });
        Slice { after, limit: limit.unwrap_or(ROWS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_field_gives_the_code_and_all_are_told() {
        let parse = |raw: String| if raw == "x" { Ok(raw) } else { Err("must be x") };
        let mut judge = Judge::default();
        judge.required("a", codes::INVALID_AGENT_NAME, Field::from("y"), parse);
        judge.required("b", codes::INVALID_EMAIL, Field::Absent, parse);
        let invalid = judge.finish(Some(())).unwrap_err();
        assert_eq!(invalid.code(), codes::INVALID_AGENT_NAME);
        assert_eq!(invalid.to_string(), "a must be x; b is required.");
        let mut judge = Judge::default();
        let wrong = Field::Invalid("must be a string".into());
        judge.optional("a", codes::INVALID_AGENT_NAME, wrong, parse);
        assert_eq!(judge.finish(Some(())).unwrap_err().code(), codes::VALIDATION_ERROR);
    }
}
