use std::{fmt, str::FromStr, time::Duration};

use super::text::text_setting;

const DAY: u64 = 86_400;
/// Far below where adding it to a date could overflow.
const LONGEST: Duration = Duration::from_secs(3650 * DAY);

/// A length of time as people write it: `15m`, `30d`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(Duration);

impl Span {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }

    pub(crate) const fn hours(hours: u64) -> Self {
        Self::minutes(hours * 60)
    }

    pub(crate) const fn days(days: u64) -> Self {
        Self::seconds(days * DAY)
    }

    pub(crate) fn std(self) -> Duration {
        self.0
    }

    pub(crate) fn time(self) -> time::Duration {
        // No span is longer than ten years, so this always fits.
        time::Duration::try_from(self.0).unwrap_or(time::Duration::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let duration = humantime::parse_duration(raw).map_err(|_| {
            format!("must be a length of time such as 30s, 15m or 30d, not {raw:?}")
        })?;
        if duration > LONGEST {
            return Err("must be at most 3650d".to_owned());
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Span {
    /// In the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() != 0 {
            return humantime::format_duration(self.0).fmt(f);
        }
        let seconds = self.0.as_secs();
        let units = [("d", DAY), ("h", 3600), ("m", 60), ("s", 1)];
        let unit =
            units.into_iter().find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
        let (name, unit) = unit.unwrap_or(("s", 1));
        write!(f, "{}{name}", seconds / unit)
    }
}

text_setting!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_people_write_them() {
        for text in ["15m", "30d", "180d", "10s", "6m", "0s", "90s", "1h", "36h", "500ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("1h 30m".parse::<Span>(), Ok(Span::minutes(90)));
    }

    #[test]
    fn a_bare_number_or_an_age_is_refused() {
        for text in ["900", "", "soon", "-5s", "4000d", "99999999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
