//! Times and amounts in words, as mails, pages and errors tell them.

use time::{Duration, UtcOffset, macros::format_description};

use crate::Instant;

/// A time: `21 November 2026, 18:41 UTC`.
pub fn readable(at: Instant) -> String {
    let form =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    // Every part of the form is in a time and its zone, so it cannot fail.
    at.to_offset(UtcOffset::UTC).format(&form).unwrap_or_default()
}

/// How long something lives, to the minute: `15 minutes`, `1 hour`, `24 hours`, `7 days`.
pub fn span(life: Duration) -> String {
    let minutes = ((life.whole_seconds() + 30) / 60).max(1);
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    if days >= 2 && minutes % (24 * 60) == 0 {
        counted(days, "day")
    } else if hours >= 1 && minutes % 60 == 0 {
        counted(hours, "hour")
    } else if hours >= 2 {
        format!("{} {}", counted(hours, "hour"), counted(minutes % 60, "minute"))
    } else {
        counted(minutes, "minute")
    }
}

/// So many of something: `1 credit`, `0 credits`.
pub fn counted(count: i64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_readable_and_in_utc() {
        let at = Instant::from_unix_timestamp(1_795_286_460).unwrap();
        assert_eq!(readable(at), "21 November 2026, 18:41 UTC");
        assert_eq!(readable(at.to_offset(UtcOffset::from_hms(5, 30, 0).unwrap())), readable(at));
    }

    #[test]
    fn a_life_is_told_in_words() {
        for (seconds, words) in [
            (-5, "1 minute"),
            (60, "1 minute"),
            (900, "15 minutes"),
            (3599, "1 hour"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
            (9000, "2 hours 30 minutes"),
            (7260, "2 hours 1 minute"),
            (86_400, "24 hours"),
            (86_399, "24 hours"),
            (48 * 3600, "2 days"),
            (7 * 86_400, "7 days"),
            (7 * 86_400 + 3600, "169 hours"),
        ] {
            assert_eq!(span(Duration::seconds(seconds)), words, "{seconds}");
        }
    }
}
