//! What commands write: results to standard output, complaints to standard error. Nothing that was
//! stored or typed reaches a terminal with a control character in it.

use std::io::{self, Write};

use anyhow::{Context, Result};
use portcullis_kernel::causes;

use crate::settings::Problems;

/// Writes lines; a reader that went away, such as `head`, is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = text
        .lines()
        .try_for_each(|line| writeln!(stdout, "{}", visible(line)))
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes a value for programs.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// Writes rows in columns under their headings.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Result<()> {
    let headings = headings.map(str::to_owned);
    let width = |cell: &String| visible(cell).chars().count();
    let all = || std::iter::once(&headings).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let padded: String =
            cells.map(|(cell, widest)| format!("{:widest$}  ", visible(cell))).collect();
        padded.trim_end().to_owned()
    };
    print(&all().map(line).collect::<Vec<_>>().join("\n"))
}

/// Writes what a person should know, out of the way of a program that reads the results.
pub(crate) fn hint(text: &str) {
    // There is nowhere to tell that standard error is gone.
    let _ = writeln!(io::stderr(), "{}", visible(text));
}

/// Writes why a command failed: settings a line each, anything else in one line with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    let lines = match error.downcast_ref::<Problems>() {
        Some(Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        None => vec![causes(error.as_ref())],
    };
    let mut stderr = io::stderr().lock();
    for line in lines {
        // There is nowhere to tell that standard error is gone.
        let _ = writeln!(stderr, "portcullis: {}", visible(&line));
    }
}

/// The text with every character that steers a terminal, or turns the direction of a line, in its
/// escaped form.
pub(crate) fn visible(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_control_characters_never_reach_a_terminal() {
        assert_eq!(
            visible("a\u{1b}[31m\r\nb\u{202e}c\u{9b}é"),
            "a\\u{1b}[31m\\r\\nb\\u{202e}c\\u{9b}é"
        );
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("the disk is full").context("cannot write: the disk is full");
        assert_eq!(
            causes(error.context("no key was made").as_ref()),
            "no key was made: cannot write: the disk is full"
        );
    }
}
