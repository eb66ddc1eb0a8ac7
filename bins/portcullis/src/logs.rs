//! Log lines on standard error: text on a terminal, JSON otherwise.

use std::io::{self, IsTerminal, Write};

use anyhow::{Result, anyhow};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::settings::{LogFormat, LogLevel, Settings};

/// Begins to log as the settings say.
pub(crate) fn start(settings: &Settings) -> Result<()> {
    let log = &settings.log;
    let filter = log.filter.clone().unwrap_or_else(|| default_filter(log.level));
    begin(&filter, log.format)
}

/// Begins to log for a command: what it says itself is its output, so warnings only.
pub(crate) fn start_for_command() -> Result<()> {
    begin(&default_filter(LogLevel::Warn), LogFormat::Auto)
}

fn begin(filter: &str, format: LogFormat) -> Result<()> {
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(filter)?)
        // A broken standard error must not make the server say so on it.
        .log_internal_errors(false);
    let text = format == LogFormat::Text || (format == LogFormat::Auto && terminal);
    let begun = if text {
        builder.with_ansi(terminal).with_writer(OneLine(io::stderr)).try_init()
    } else {
        builder.json().flatten_event(true).with_writer(io::stderr).try_init()
    };
    report_panics();
    begun.map_err(|error| anyhow!("logs cannot be started: {error}"))
}

/// Other people's crates stay at warnings, whatever the level: they do not know what is secret here.
/// actix takes a client's malformed request for an error of the server.
fn default_filter(level: LogLevel) -> String {
    let others = if level == LogLevel::Error { level } else { LogLevel::Warn };
    format!("{others},actix_http::h1=off,portcullis={level}")
}

/// A message that was put together at run time may hold input, and is left out.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let literal = panic.payload().downcast_ref::<&'static str>().copied();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        tracing::error!(place, thread, message = literal.unwrap_or("a panic"));
    }));
}

/// Keeps each event on one line: tracing-subscriber escapes what steers a terminal, not line breaks.
#[derive(Clone, Copy)]
struct OneLine<M>(M);

struct OneLineWriter<W>(W);

impl<'w, M: MakeWriter<'w>> MakeWriter<'w> for OneLine<M> {
    type Writer = OneLineWriter<M::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for OneLineWriter<W> {
    /// An event comes in one call, with one line break at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (body, end) = match event.split_last() {
            Some((b'\n', body)) => (body, "\n"),
            _ => (event, ""),
        };
        let mut line = Vec::with_capacity(event.len());
        for byte in body {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                byte => line.push(*byte),
            }
        }
        line.extend_from_slice(end.as_bytes());
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn g2_an_event_is_one_line_whatever_is_in_it() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(OneLine(move || writer.clone()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name = "a\u{1b}[31m\r\nb\u{9b}", "hello\n{}", "\u{7}");
        });
        let written = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches('\n').count(), 1, "{written:?}");
        assert!(written.ends_with('\n'));
        assert!(!written.trim_end().contains(char::is_control), "{written:?}");
    }

    #[test]
    fn g1_other_crates_stay_at_warnings() {
        let others = "actix_http::h1=off";
        assert_eq!(default_filter(LogLevel::Trace), format!("warn,{others},portcullis=trace"));
        assert_eq!(default_filter(LogLevel::Error), format!("error,{others},portcullis=error"));
    }
}
