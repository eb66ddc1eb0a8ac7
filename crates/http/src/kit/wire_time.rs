use portcullis_kernel::{Instant, words::readable};
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

/// RFC 3339 in UTC with whole seconds and `Z`: how the People and Agents surfaces tell time.
pub(crate) fn seconds(at: Instant) -> String {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    whole.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// Milliseconds since 1970: how registrations and credits tell time.
pub(crate) fn epoch_millis(at: Instant) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or_default()
}

/// A time on a page, for people and for programs.
#[derive(Serialize)]
pub(crate) struct Moment {
    text: String,
    at: String,
}

impl From<Instant> for Moment {
    fn from(at: Instant) -> Self {
        Self { text: readable(at), at: seconds(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_whole_seconds_and_z() {
        let at = time::macros::datetime!(2026-03-15 10:00:00.123456 UTC);
        assert_eq!(seconds(at), "2026-03-15T10:00:00Z");
        assert_eq!(epoch_millis(at), 1_773_568_800_123);
    }
}
