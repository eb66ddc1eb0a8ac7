use std::collections::BTreeMap;

use percent_encoding::percent_decode;
use portcullis_kernel::{Field, SecretString};

/// The fields of a form, each taken out as the field that a flow judges.
pub(crate) struct FormBody(BTreeMap<&'static str, Field<String>>);

impl FormBody {
    /// Reads `application/x-www-form-urlencoded` (WHATWG URL §5.1): fields of other names than `known`
    /// are ignored. Where the whole is not UTF-8, no field is readable.
    pub(crate) fn parse(bytes: &[u8], known: &[&'static str]) -> Self {
        // The parser puts replacement characters where this fails.
        if percent_decode(bytes).decode_utf8().is_err() {
            let unreadable = |name: &&'static str| (*name, Field::Invalid(UNREADABLE.into()));
            return Self(known.iter().map(unreadable).collect());
        }
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let Some(name) = known.iter().find(|known| **known == name) else { continue };
            fields
                .entry(*name)
                .and_modify(|field| *field = Field::Invalid(TWICE.into()))
                .or_insert_with(|| Field::Given(value.into_owned()));
        }
        Self(fields)
    }

    /// A field, as it was sent.
    pub(crate) fn text(&self, name: &str) -> Field<String> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// A field that is absent when it is empty: browsers send every field of a form.
    pub(crate) fn filled(&self, name: &str) -> Field<String> {
        match self.text(name) {
            Field::Given(text) if text.is_empty() => Field::Absent,
            field => field,
        }
    }

    /// A field that is a secret.
    pub(crate) fn secret(&mut self, name: &str) -> Field<SecretString> {
        self.0.remove(name).unwrap_or_default().map(SecretString::from)
    }

    /// A field that is a secret, and absent when it is empty.
    pub(crate) fn filled_secret(&mut self, name: &str) -> Field<SecretString> {
        self.filled(name).map(SecretString::from)
    }
}

const TWICE: &str = "must be given only once";
const UNREADABLE: &str = "is not well-formed";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 4] = ["a", "b", "c", "d"];

    fn text(body: &[u8], name: &str) -> Field<String> {
        FormBody::parse(body, &KNOWN).text(name)
    }

    #[test]
    fn fields_are_decoded_once_and_by_name() {
        let body = b"a=1+%2B%252B&b=&c=x&c=y&z=1&z=2&%64=%C3%A9=&&=";
        assert_eq!(text(body, "a"), Field::from("1 +%2B"));
        assert_eq!(text(body, "b"), Field::from(""));
        assert_eq!(text(body, "c"), Field::Invalid(TWICE.into()));
        assert_eq!(text(body, "d"), Field::from("é="));
        let mut form = FormBody::parse(body, &KNOWN);
        assert_eq!(form.filled("b"), Field::Absent);
        assert!(matches!(form.filled_secret("b"), Field::Absent));
        assert!(matches!(form.secret("b"), Field::Given(_)));
        assert_eq!(form.text("z"), Field::Absent, "not asked for");
    }

    #[test]
    fn what_is_not_utf8_makes_no_field_readable() {
        for body in [b"a=1&b=%ff".as_slice(), b"a=\xff", b"a=1&z=%c3", b"a=%c3&z=%a9"] {
            assert_eq!(text(body, "a"), Field::Invalid(UNREADABLE.into()));
        }
        assert_eq!(text("a=\u{fffd}".as_bytes(), "a"), Field::from("\u{fffd}"));
    }

    #[test]
    fn p2_a_percent_that_escapes_nothing_is_itself() {
        assert_eq!(text(b"a=100%&b=%zz", "a"), Field::from("100%"));
        assert_eq!(text(b"a=100%&b=%zz", "b"), Field::from("%zz"));
    }

    proptest! {
        #[test]
        fn what_a_browser_encodes_comes_back(value in any::<String>(), other in any::<String>()) {
            let mut encoder = form_urlencoded::Serializer::new(String::new());
            encoder.append_pair("b", &other).append_pair("a", &value);
            let body = encoder.finish();
            prop_assert_eq!(text(body.as_bytes(), "a"), Field::Given(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            for name in KNOWN {
                let field = text(&bytes, name);
                let readable = percent_decode(&bytes).decode_utf8().is_ok();
                prop_assert!(readable || field == Field::Invalid(UNREADABLE.into()));
            }
        }
    }
}
