//! How many rows of a list are wanted: one rule for every list.

/// Rows of an answer when nobody says how many.
pub(crate) const ROWS: u32 = 50;
/// Most rows of one answer.
pub(crate) const MOST_ROWS: u32 = 200;

/// Reads how many rows are wanted.
pub(crate) fn rows(raw: impl AsRef<str>) -> Result<u32, &'static str> {
    let raw = raw.as_ref();
    let digits = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit());
    let rows = raw.parse().ok().filter(|rows| digits && (1..=MOST_ROWS).contains(rows));
    rows.ok_or("must be a whole number from 1 to 200")
}
