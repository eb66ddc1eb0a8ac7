//! JSON objects read strictly: a member that stands twice is found, not silently dropped, and one
//! that cannot be read spoils no other.

use std::{cell::Cell, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, value::RawValue};

/// An object, and the names of its members that are at fault.
#[derive(Default)]
pub(super) struct Strict {
    pub(super) members: Map<String, Value>,
    /// Stood more than once, or hold an object in which one did.
    pub(super) repeated: Vec<String>,
    /// Hold half a surrogate pair, a number beyond every size, or too many levels.
    pub(super) unreadable: Vec<String>,
}

/// Reads one JSON object.
pub(super) fn parse_object(bytes: &[u8]) -> Result<Strict, serde_json::Error> {
    serde_json::from_slice(bytes)
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut strict = Strict::default();
        while let Some((name, raw)) = members.next_entry::<String, &RawValue>()? {
            strict.add(name, raw.get());
        }
        Ok(strict)
    }
}

impl Strict {
    fn add(&mut self, name: String, raw: &str) {
        let repeated = Cell::new(self.members.contains_key(&name));
        let mut deserializer = serde_json::Deserializer::from_str(raw);
        let value = Node { repeated: &repeated }.deserialize(&mut deserializer);
        if value.is_err() {
            self.unreadable.push(name.clone());
        }
        if repeated.get() {
            self.repeated.push(name.clone());
        }
        self.members.insert(name, value.unwrap_or_default());
    }
}

/// Reads a value, and notes whether a member stood twice in any object of it.
#[derive(Clone, Copy)]
struct Node<'r> {
    repeated: &'r Cell<bool>,
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
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                self.repeated.set(true);
            }
        }
        Ok(object.into())
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
    fn i3_a_member_that_cannot_be_read_is_named() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        for text in ["{\"a\":\"\\ud800\",\"b\":1}", "{\"b\":1,\"a\":1e999}", deep.as_str()] {
            let strict = parse_object(text.as_bytes()).unwrap();
            assert_eq!(strict.unreadable, ["a"]);
            assert_eq!(strict.members["a"], Value::Null);
        }
    }

    #[test]
    fn i3_hostile_texts_are_errors() {
        let lists = format!("{{\"a\":{}", "[".repeat(100_000));
        let hostile: [&[u8]; 11] = [
            b"",
            b"{",
            b"[]",
            b"\"x\"",
            b"null",
            b"\xff\xfe{}",
            b"{}{}",
            b"\xef\xbb\xbf{}",
            b"{\"\\ud800\":1}",
            b"{\"a\":\"\xff\"}",
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
            let ours = parse_object(&bytes).is_ok_and(|strict| strict.unreadable.is_empty());
            let theirs = serde_json::from_slice::<Map<String, Value>>(&bytes).is_ok();
            prop_assert_eq!(ours, theirs);
        }
    }
}
