use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Instant;

/// An opaque position in a list: the sort key of the last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

/// A cursor that this server did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a cursor from an earlier answer")]
pub struct InvalidCursor;

impl Cursor {
    /// A cursor that stands after the row with this sort key.
    pub fn after(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The sort key.
    pub fn key(&self) -> &str {
        &self.0
    }

    /// The form in which it travels.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Reads the travelling form.
    ///
    /// # Errors
    /// [`InvalidCursor`] when it is not base64url of at most 128 bytes of printable ASCII.
    pub fn decode(raw: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(raw).map_err(|_| InvalidCursor)?;
        let key = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        let fits = !key.is_empty() && key.len() <= 128 && key.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(key)) } else { Err(InvalidCursor) }
    }
}

/// The place of a row in a list that is ordered by time, newest first, and then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<Id> {
    /// The row's time.
    pub at: Instant,
    /// The row's id.
    pub id: Id,
}

impl<Id: fmt::Display + FromStr> Place<Id> {
    /// The cursor that stands after this place.
    pub fn cursor(&self) -> Cursor {
        let micros = self.at.unix_timestamp_nanos() / 1000;
        Cursor::after(format!("{micros}.{}", self.id))
    }

    /// The place that a cursor stands after.
    ///
    /// # Errors
    /// [`InvalidCursor`] when it is a cursor of another list.
    pub fn of(cursor: &Cursor) -> Result<Self, InvalidCursor> {
        let (micros, id) = cursor.key().split_once('.').ok_or(InvalidCursor)?;
        // Digits alone: what is before 1970, or has a sign, is no row's.
        let digits = micros.bytes().all(|b| b.is_ascii_digit());
        let micros: i64 = micros.parse().ok().filter(|_| digits).ok_or(InvalidCursor)?;
        let at = Instant::from_unix_timestamp_nanos(i128::from(micros) * 1000);
        Ok(Self { at: at.map_err(|_| InvalidCursor)?, id: id.parse().map_err(|_| InvalidCursor)? })
    }
}

/// Which part of a list ordered by time is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice<Id> {
    /// Where the slice before ended; `None` for the first one.
    pub after: Option<Place<Id>>,
    /// At most so many rows.
    pub limit: u32,
}

impl<Id> Slice<Id> {
    /// The first slice with at most `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Where the page before ended; `None` for the first one.
    pub after: Option<Cursor>,
    /// At most so many rows.
    pub limit: u32,
}

impl PageRequest {
    /// The first page with at most `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// One part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on; `None` on the last page.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_and_a_foreign_one_is_refused() {
        let id: crate::AgentId = format!("agt_{}", "0f".repeat(16)).parse().unwrap();
        let place = Place { at: Instant::from_unix_timestamp(1_700_000_000).unwrap(), id };
        assert_eq!(Place::of(&place.cursor()), Ok(place));
        let before = format!("-37705116800000000.{id}");
        let signed = format!("+5.{id}");
        for foreign in [
            &before,
            &signed,
            "1",
            "x.agt_0",
            "1700000000000000.aky_00",
            "9223372036854775807.agt_0",
        ] {
            let read = Place::<crate::AgentId>::of(&Cursor::after(foreign));
            assert_eq!(read, Err(InvalidCursor), "{foreign}");
        }
    }

    #[test]
    fn a_cursor_comes_back_and_a_foreign_one_is_refused() {
        let cursor = Cursor::after("01JN2X4K8M3F7QPZRVWT6YBHCE");
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        for foreign in ["", "%", "é", &URL_SAFE_NO_PAD.encode("a b"), &"A".repeat(400)] {
            assert_eq!(Cursor::decode(foreign), Err(InvalidCursor), "{foreign}");
        }
    }
}
