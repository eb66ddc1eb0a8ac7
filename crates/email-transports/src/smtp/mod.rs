mod connection;
mod deadline;
mod idle;
mod judge;
mod server;

use std::{net::IpAddr, time::Duration};

use lettre::message::Mailbox;
use portcullis_email::{
    Message,
    ports::{SendError, Transport},
};
use portcullis_kernel::{Instant, MailId, SecretString};

use self::{deadline::Deadline, idle::Idle, server::Server};
use crate::{Sender, SetupError, mime};

/// How a mail server is reached.
#[derive(Debug)]
pub struct SmtpOptions {
    /// Its name, which its certificate has to bear, or its address.
    pub host: String,
    /// Its port; by default that of the way of encryption.
    pub port: Option<u16>,
    /// The way of encryption.
    pub tls: SmtpTls,
    /// User name and password, where it wants them.
    pub credentials: Option<(String, SecretString)>,
    /// Certificates, as PEM, of a certificate authority to trust besides the public ones.
    pub ca_pem: Option<Vec<u8>>,
    /// How long one answer of the server may take; 10 seconds are a good choice. A mail as a whole may
    /// take six times as long, which is what is left to the server to look at the content.
    pub timeout: Duration,
}

/// How mail is kept from other eyes on its way to the mail server. A certificate is always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Begun in clear and then encrypted, or not sent (RFC 3207). Port 587.
    Starttls,
    /// Encrypted from the first byte (RFC 8314 §3.3), which leaves nobody anything to meddle with: the
    /// better choice where there is one. Port 465.
    Implicit,
    /// In clear, to a loopback address only: for a program that catches mail during development.
    /// Port 25.
    None,
}

/// Hands mails to a mail server.
///
/// Whatever may be the operator's fault, the network's or a passing state of the server is worth another
/// try; refused is only what the server says, for good, of the recipient or of the mail itself.
#[derive(Debug)]
pub struct Smtp {
    server: Server,
    idle: Idle,
    from: Mailbox,
}

impl Smtp {
    /// A transport to this server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`] for options that can never work, or that would send mail in clear.
    pub fn new(options: SmtpOptions, sender: Sender) -> Result<Self, SetupError> {
        let from = sender.mailbox()?;
        let known = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if options.host.is_empty() || !options.host.chars().all(known) {
            return Err(SetupError::Host(options.host));
        }
        if options.tls == SmtpTls::None && !is_loopback(&options.host) {
            return Err(SetupError::Clear(options.host));
        }
        if options.timeout.is_zero() {
            return Err(SetupError::Timeout);
        }
        let server = Server::new(options, from.email.domain())?;
        Ok(Self { server, idle: Idle::default(), from })
    }

    /// Connects and signs in, and sends nothing.
    ///
    /// # Errors
    /// [`SendError::Temporary`] with what went wrong.
    pub fn check(&self) -> Result<(), SendError> {
        let deadline = Deadline::starting_now(self.server.timeout());
        let connection =
            self.server.connect(&deadline).map_err(|error| judge::told(error, None))?;
        self.idle.keep(connection, 0);
        Ok(())
    }

    fn deliver(&self, mail: &mime::Mail) -> Result<(), SendError> {
        let deadline = Deadline::starting_now(self.server.timeout());
        let (mut connection, sent) = match self.idle.take(&deadline) {
            Some(alive) => alive,
            None => (self.server.connect(&deadline)?, 0),
        };
        match server::deliver(&mut connection, mail, &deadline) {
            Ok(()) => self.idle.keep(connection, sent + 1),
            Err(error) => {
                idle::leave(connection);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Transport for Smtp {
    fn send(&self, id: MailId, at: Instant, message: &Message) -> Result<(), SendError> {
        let mail = mime::write(&self.from, id, at, message)?;
        self.deliver(&mail).map_err(|error| judge::told(error, Some(message)))
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(host: &str, tls: SmtpTls) -> SmtpOptions {
        SmtpOptions {
            host: host.to_owned(),
            port: None,
            tls,
            credentials: Some(("jane".to_owned(), SecretString::from("correct horse"))),
            ca_pem: None,
            timeout: Duration::from_secs(10),
        }
    }

    fn new(options: SmtpOptions) -> Result<Smtp, SetupError> {
        Smtp::new(options, Sender::parse("no-reply@example.com").unwrap())
    }

    #[test]
    fn m8_mail_in_clear_stays_on_this_machine() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
        {
            assert!(new(options(host, SmtpTls::None)).is_ok(), "{host}");
        }
        for host in ["mail.example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0", "::"] {
            let error = new(options(host, SmtpTls::None)).unwrap_err();
            assert!(matches!(error, SetupError::Clear(_)), "{host}");
            assert!(new(options(host, SmtpTls::Starttls)).is_ok(), "{host}");
        }
    }

    #[test]
    fn options_that_cannot_work_are_refused() {
        for host in [
            "",
            "mail example.com",
            "bücher.example",
            "mail.example.com\r\n",
            "smtp://mail.example.com/",
        ] {
            let error = new(options(host, SmtpTls::Implicit)).unwrap_err();
            assert!(matches!(error, SetupError::Host(_)), "{host:?}");
        }
        let timeout = Duration::ZERO;
        let error = new(SmtpOptions { timeout, ..options("a", SmtpTls::Implicit) }).unwrap_err();
        assert!(matches!(error, SetupError::Timeout));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let half = "-----BEGIN CERTIFICATE-----\nAA";
        for pem in ["", "no certificate", half, broken] {
            let ca_pem = Some(pem.as_bytes().to_vec());
            let options = SmtpOptions { ca_pem, ..options("a", SmtpTls::Implicit) };
            assert!(matches!(new(options).unwrap_err(), SetupError::Authority(_)), "{pem}");
        }
    }

    #[test]
    fn g1_the_password_is_never_shown() {
        let options = options("mail.example.com", SmtpTls::Starttls);
        assert!(!format!("{options:?}").contains("horse"));
        assert!(!format!("{:?}", new(options)).contains("horse"));
    }
}
