//! SMTP against a server on loopback that behaves, misbehaves and dies as a test wants.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is test code"
)]

mod certificates;
mod delivery;
mod encryption;
mod failures;
mod limits;
mod reuse;
mod sink;

use std::time::Duration;

use portcullis_email::{
    Message,
    ports::{SendError, Transport},
};
use portcullis_email_transports::{Sender, Smtp, SmtpOptions, SmtpTls};
use portcullis_kernel::{Instant, MailId, SecretString};

use self::sink::Sink;

const PASSWORD: &str = "correct horse 7 battery";
const TOKEN: &str = "uvt_0123456789ABCDEFGHJKMNPQRS";
/// Long enough for loopback on a busy machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(800);

fn options(sink: &Sink, tls: SmtpTls) -> SmtpOptions {
    SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port: Some(sink.port()),
        tls,
        credentials: None,
        ca_pem: None,
        timeout: TIMEOUT,
    }
}

fn smtp(options: SmtpOptions) -> Smtp {
    Smtp::new(options, Sender::parse("Portcullis <no-reply@example.com>").unwrap()).unwrap()
}

/// A transport in clear, for tests of what does not hang on encryption.
fn plain(sink: &Sink) -> Smtp {
    smtp(options(sink, SmtpTls::None))
}

fn user() -> (String, SecretString) {
    ("mailer".to_owned(), SecretString::from(PASSWORD))
}

fn message() -> Message {
    let link = format!("https://auth.example.com/verify-email?token={TOKEN}");
    Message {
        to: "jane@example.com".to_owned(),
        subject: "Confirm your email address".to_owned(),
        text: format!("Hello,\n\n{link}\n\n.\n..dots\n508142\n"),
        html: format!("<p>Hello,</p>\n<a href=\"{link}\">Confirm</a>\n"),
    }
}

fn id(number: u32) -> MailId {
    format!("eml_{number:032x}").parse().unwrap()
}

fn at() -> Instant {
    Instant::from_unix_timestamp(1_795_286_479).unwrap()
}

fn send(smtp: &Smtp) -> Result<(), SendError> {
    smtp.send(id(1), at(), &message())
}

/// What is told of a failure that is worth another try.
fn temporary(sent: Result<(), SendError>) -> String {
    match sent {
        Err(SendError::Temporary(told) | SendError::Deferred(told)) => told,
        other => panic!("{other:?}"),
    }
}

/// What is told of a failure that is final.
fn refused(sent: Result<(), SendError>) -> String {
    match sent {
        Err(SendError::Refused(told)) => told,
        other => panic!("{other:?}"),
    }
}
