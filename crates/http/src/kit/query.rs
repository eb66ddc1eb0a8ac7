use std::collections::BTreeMap;

use portcullis_flows::agents::SliceInput;
use portcullis_kernel::Field;

/// The parameters of a query string, each taken out as the field that a flow judges. Those that no
/// handler takes are ignored.
pub(crate) struct Query(BTreeMap<String, Field<String>>);

impl Query {
    pub(super) fn parse(raw: &str) -> Self {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            let name = name.into_owned();
            let field = if parameters.contains_key(&name) {
                Field::Invalid("must be given only once".into())
            } else if value.contains(char::REPLACEMENT_CHARACTER) {
                Field::Invalid("is not well-formed".into())
            } else {
                Field::Given(value.into_owned())
            };
            parameters.insert(name, field);
        }
        Self(parameters)
    }

    /// A parameter, by its name.
    pub(crate) fn take(&mut self, name: &str) -> Field<String> {
        self.0.remove(name).unwrap_or_default()
    }

    /// Which part of a list is asked for.
    pub(crate) fn slice(&mut self) -> SliceInput {
        SliceInput { limit: self.take("limit"), cursor: self.take("cursor") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_fields() {
        let raw = "a=1&b=x%40y+z&c=%ff&d=1&d=1&e&=x&&%66=%";
        let mut query = Query::parse(raw);
        assert_eq!(query.take("a"), Field::from("1"));
        assert_eq!(query.take("b"), Field::from("x@y z"));
        assert!(matches!(query.take("c"), Field::Invalid(_)));
        assert!(matches!(query.take("d"), Field::Invalid(_)));
        assert_eq!(query.take("e"), Field::from(""));
        assert_eq!(query.take("f"), Field::from("%"));
        assert_eq!(query.take("nothing"), Field::Absent);
    }
}
