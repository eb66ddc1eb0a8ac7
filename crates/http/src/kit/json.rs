//! JSON objects read strictly: a member that stands twice is found, not silently dropped.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// An object, and the names of its members that stood more than once.
pub(super) struct Strict {
    pub(super) members: Map<String, Value>,
    pub(super) repeated: Vec<String>,
}

/// Reads one JSON object. Members repeated inside a nested object count for the outer member.
pub(super) fn parse_object(bytes: &[u8]) -> Result<Strict, serde_json::Error> {
    let repeated = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Node { repeated: &repeated, top: true }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    match value {
        Value::Object(members) => Ok(Strict { members, repeated: repeated.into_inner() }),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

struct Node<'r> {
    repeated: &'r RefCell<Vec<String>>,
    top: bool,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let before = self.repeated.borrow().len();
            let value = members.next_value_seed(self.inner())?;
            if self.top {
                // Whatever was repeated inside is a fault of this member.
                let mut repeated = self.repeated.borrow_mut();
                if repeated.len() > before {
                    repeated.truncate(before);
                    repeated.push(name.clone());
                }
            }
            if object.contains_key(&name) {
                self.repeated.borrow_mut().push(name.clone());
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

impl<'r> Node<'r> {
    fn inner(&self) -> Node<'r> {
        Node { repeated: self.repeated, top: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#"{"a":1,"b":[true,null,-2,1.5,"x"],"c":{"d":"e"}}"#;
        let strict = parse_object(text.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(Value::Object(strict.members), serde_json::from_str::<Value>(text).unwrap());
        assert!(strict.repeated.is_empty());
    }

    #[test]
    fn i5_repeated_members_are_named() {
        let strict = parse_object(br#"{"a":1,"b":2,"a":3,"c":{"x":1,"x":2}}"#);
        assert_eq!(strict.map(|strict| strict.repeated).unwrap(), ["a", "c"]);
    }

    #[test]
    fn i3_hostile_texts_are_errors() {
        let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let lists = format!("{{\"a\":{}", "[".repeat(100_000));
        let hostile: [&[u8]; 12] = [
            b"",
            b"{",
            b"[]",
            b"\"x\"",
            b"null",
            b"\xff\xfe{}",
            b"{}{}",
            b"{\"a\":\"\\ud800\"}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":1e999}",
            deep.as_bytes(),
            lists.as_bytes(),
        ];
        for text in hostile {
            let shown = String::from_utf8_lossy(&text[..text.len().min(40)]);
            assert!(parse_object(text).is_err(), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            let ours = parse_object(&bytes).is_ok();
            let theirs = serde_json::from_slice::<Map<String, Value>>(&bytes).is_ok();
            prop_assert_eq!(ours, theirs);
        }
    }
}
