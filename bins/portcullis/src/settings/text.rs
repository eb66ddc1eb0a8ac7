//! Settings that are one text in a file or in the environment.

use std::{fmt, str::FromStr};

use portcullis_kernel::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Reads a type by its `FromStr` and writes it by its `Display`.
macro_rules! text_setting {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use text_setting;

/// An enum whose variants are words.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(raw: &str) -> Result<Self, String> {
                match raw {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}, not {raw:?}", [$($word),+].join(", "))),
                }
            }
        }

        $crate::settings::text::text_setting!($name);
    };
}
pub(super) use choice;

/// A text that is never shown.
#[derive(Clone, Debug)]
pub(crate) struct Secret(pub(crate) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(hidden)")
    }
}

/// The URL of a database; shown without its password.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseUrl(pub(crate) SecretString);

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(self.0.expose_secret()))
    }
}

/// Hides more than it must rather than less: the last `@` ends the part that may hold a password,
/// because a password that was not percent-encoded may hold one too.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "(hidden)".to_owned() };
    let rest = match rest.rsplit_once('@') {
        Some((login, place)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:(hidden)@{place}"),
            None => format!("{login}@{place}"),
        },
        None => rest.to_owned(),
    };
    let Some((place, query)) = rest.split_once('?') else { return format!("{scheme}://{rest}") };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}=(hidden)"),
        _ => pair.to_owned(),
    });
    format!("{scheme}://{place}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// A list: an array in a file, or one text with commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: fmt::Display> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ListVisitor(std::marker::PhantomData))
    }
}

struct ListVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: FromStr<Err = String>> de::Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or a text with commas")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<List<T>, E> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::parse).collect::<Result<_, _>>().map(List).map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<String>()? {
            list.push(item.parse().map_err(de::Error::custom)?);
        }
        Ok(List(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_database_url_is_hidden_however_it_is_written() {
        let shown = |url: &str| DatabaseUrl(url.into()).to_string();
        assert_eq!(
            shown("postgres://portcullis:s3cret@db.example.com:5432/auth?sslmode=require"),
            "postgres://portcullis:(hidden)@db.example.com:5432/auth?sslmode=require"
        );
        for url in [
            "postgres://portcullis:s3cr@et@db/auth",
            "postgres://portcullis:s3cret/x@db/auth",
            "postgres://portcullis:s3cret?x@db/auth",
            "postgres://db/auth?user=portcullis&password=s3cret",
            "postgres://db/auth?sslpassword=s3cret&sslmode=require",
            "host=db password=s3cret",
            "s3cret",
        ] {
            assert!(!shown(url).contains("s3c"), "{}", shown(url));
        }
        assert_eq!(shown("sqlite:///var/lib/auth.db"), "sqlite:///var/lib/auth.db");
        assert_eq!(shown("postgres://portcullis@db/auth"), "postgres://portcullis@db/auth");
    }
}
