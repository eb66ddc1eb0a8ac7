use std::{collections::BTreeMap, fmt};

use minijinja::{Value, value::Serde};
use portcullis_kernel::{Field, FieldErrors};
use serde::Serialize;

use super::{Refusal, html::wait};

/// What a form shows besides its labels: what was typed before, and what was wrong with it.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Filled {
    values: BTreeMap<&'static str, String>,
    errors: BTreeMap<String, String>,
    problem: Option<String>,
    wait: Option<String>,
}

impl Filled {
    /// Keeps what was typed into a field. Never a secret, but the token of a link.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, typed: Field<String>) -> Self {
        self.values.insert(name, typed.given().unwrap_or_default());
        self
    }

    /// Tells why it was refused: at the fields at fault, or of the whole.
    pub(super) fn refused(mut self, refusal: &Refusal) -> Self {
        let fields = refusal.fields.iter().flat_map(FieldErrors::iter);
        self.errors.extend(fields.map(|(name, why)| (name.to_owned(), why.to_owned())));
        if self.errors.is_empty() {
            self.problem = Some(refusal.message.clone());
            self.wait = wait(refusal);
        }
        self
    }
}

/// Which fields are filled, not with what: one may be the token of a link.
impl fmt::Debug for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { values, errors, problem, wait } = self;
        f.debug_struct("Filled")
            .field("values", &values.keys())
            .field("errors", errors)
            .field("problem", problem)
            .field("wait", wait)
            .finish()
    }
}

impl From<Filled> for Value {
    fn from(filled: Filled) -> Self {
        Self::from(Serde(filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g1_what_was_typed_is_not_in_debug() {
        let filled = Filled::default().with("token", Field::from("uvt_secret"));
        let debug = format!("{filled:?}");
        assert!(debug.contains("token") && !debug.contains("uvt_"), "{debug}");
    }
}
