//! The conversation with the server, step by step, so that it is known what a refusal is about.

use std::{fmt::Display, net::ToSocketAddrs, sync::Arc, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    commands,
    extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
    response::{Response, Severity},
};
use portcullis_email::ports::SendError;
use portcullis_kernel::{ExposeSecret, SecretString};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{
    SmtpOptions, SmtpTls,
    connection::{Connection, Failure},
    deadline::Deadline,
    judge::{Step, judge, unexpected},
};
use crate::{SetupError, mime::Mail};

/// The answer to a password that was right (RFC 4954 §6).
const SIGNED_IN: u16 = 235;
/// The answer to a part of a sign-in that asks for the next (RFC 4954 §4).
const GO_ON: u16 = 334;
/// How many parts a sign-in has at most: with `LOGIN`, the command, a name and a password.
const PARTS: usize = 3;

/// Where mail is handed over.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: SmtpTls,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    credentials: Option<(String, SecretString)>,
    greeting: ClientId,
    timeout: Duration,
}

/// A connection that mail may be handed over on, and what the server can do.
pub(super) struct SignedIn {
    pub(super) wire: Connection,
    can: ServerInfo,
}

impl Server {
    /// The server is greeted with the sender's domain: a name of this machine is nobody's business, and
    /// seldom one that a strict server takes.
    pub(super) fn new(options: SmtpOptions, domain: &str) -> Result<Self, SetupError> {
        let tls = trusting(options.ca_pem.as_deref())?;
        let name = ServerName::try_from(options.host.clone())
            .map_err(|_| SetupError::Host(options.host.clone()))?;
        let port = match options.tls {
            SmtpTls::None => 25,
            SmtpTls::Starttls => 587,
            SmtpTls::Implicit => 465,
        };
        Ok(Self {
            host: options.host,
            port: options.port.unwrap_or(port),
            encryption: options.tls,
            tls,
            name,
            credentials: options.credentials,
            greeting: ClientId::Domain(domain.to_owned()),
            timeout: options.timeout,
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A new connection, encrypted and signed in as the options say.
    pub(super) fn connect(&self, deadline: &Deadline) -> Result<SignedIn, SendError> {
        let connecting = |failure| judge(Step::Connect, &failure);
        let mut wire = self.open(deadline)?;
        if self.encryption == SmtpTls::Implicit {
            wire.wait_until(deadline.answer()?);
            wire = wire.encrypt(&self.tls, &self.name).map_err(connecting)?;
        }
        wire.wait_until(deadline.answer()?);
        wire.answer().map_err(connecting)?;
        let mut can = self.greet(&mut wire, deadline)?;
        if self.encryption == SmtpTls::Starttls {
            if !can.supports_feature(Extension::StartTls) {
                return Err(connecting(Failure::Lacks("the mail server offers no STARTTLS")));
            }
            wire.wait_until(deadline.answer()?);
            wire.ask(commands::Starttls).map_err(connecting)?;
            wire.wait_until(deadline.answer()?);
            wire = wire.encrypt(&self.tls, &self.name).map_err(connecting)?;
            can = self.greet(&mut wire, deadline)?;
        }
        let mut connection = SignedIn { wire, can };
        if let Some((user, password)) = &self.credentials {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            let answer = sign_in(&mut connection, &credentials, deadline)?;
            if !answer.has_code(SIGNED_IN) {
                return Err(unexpected(Step::SignIn, answer.code()));
            }
        }
        Ok(connection)
    }

    /// A connection to the first of the server's addresses that takes one.
    fn open(&self, deadline: &Deadline) -> Result<Connection, SendError> {
        let connecting = |failure| judge(Step::Connect, &failure);
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let mut failed = Failure::Lacks("the mail server has no address");
        for address in addresses.map_err(|error| connecting(error.into()))? {
            match Connection::open(address, deadline.answer()?) {
                Ok(wire) => return Ok(wire),
                Err(failure) => failed = failure,
            }
        }
        Err(connecting(failed))
    }

    fn greet(&self, wire: &mut Connection, deadline: &Deadline) -> Result<ServerInfo, SendError> {
        wire.wait_until(deadline.answer()?);
        let answer = wire.ask(commands::Ehlo::new(self.greeting.clone()));
        answer
            .and_then(|answer| {
                ServerInfo::from_response(&answer)
                    .map_err(|_| Failure::Nonsense("an answer that is none"))
            })
            .map_err(|failure| judge(Step::Connect, &failure))
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The last answer to a sign-in in the first way that the server and lettre share.
fn sign_in(
    connection: &mut SignedIn,
    credentials: &Credentials,
    deadline: &Deadline,
) -> Result<Response, SendError> {
    let signing_in = |failure| judge(Step::SignIn, &failure);
    let unknown = |_| signing_in(Failure::Nonsense("an answer that is none"));
    let Some(way) = connection.can.get_auth_mechanism(DEFAULT_MECHANISMS) else {
        return Err(signing_in(Failure::Lacks("the mail server offers no way that is known")));
    };
    let mut part = commands::Auth::new(way, credentials.clone(), None).map_err(unknown)?;
    for _ in 0..PARTS {
        connection.wire.wait_until(deadline.answer()?);
        let answer = connection.wire.ask(part).map_err(signing_in)?;
        if !answer.has_code(GO_ON) {
            return Ok(answer);
        }
        part = commands::Auth::new_from_response(way, credentials.clone(), &answer)
            .map_err(unknown)?;
    }
    Err(signing_in(Failure::Nonsense("questions without end")))
}

/// Hands over one mail to one recipient.
pub(super) fn deliver(
    connection: &mut SignedIn,
    mail: &Mail,
    deadline: &Deadline,
) -> Result<(), SendError> {
    let mut parameters = Vec::new();
    if !mail.text.is_ascii() {
        // RFC 6531 §3.1: whoever offers SMTPUTF8 takes 8-bit content as well.
        if !connection.can.supports_feature(Extension::SmtpUtfEight) {
            let why = "the mail server takes no address with letters beyond ASCII (SMTPUTF8)";
            return Err(SendError::Refused(why.to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let done = Severity::PositiveCompletion;
    let from = commands::Mail::new(Some(mail.from.clone()), parameters);
    ask(connection, deadline, Step::Sender, from, done)?;
    let to = commands::Rcpt::new(mail.to.clone(), Vec::new());
    ask(connection, deadline, Step::Recipient, to, done)?;
    let go_on = Severity::PositiveIntermediate;
    ask(connection, deadline, Step::Content, commands::Data, go_on)?;
    connection.wire.wait_until(deadline.end()?);
    let answer = connection.wire.ask(content(&mail.text));
    expect(Step::Content, answer.map_err(|failure| judge(Step::Content, &failure))?, done)
}

/// The mail and the dot at its end (RFC 5321 §4.5.2), to be written at once: a dot by itself waits
/// until the server has acknowledged the mail, some 40 ms.
fn content(mail: &str) -> String {
    mail.replace("\r\n.", "\r\n..") + ".\r\n"
}

fn ask(
    connection: &mut SignedIn,
    deadline: &Deadline,
    step: Step,
    command: impl Display,
    wanted: Severity,
) -> Result<(), SendError> {
    connection.wire.wait_until(deadline.answer()?);
    expect(step, connection.wire.ask(command).map_err(|failure| judge(step, &failure))?, wanted)
}

/// Every answer from 200 to 399 is a yes; a mail is delivered by the right one only.
fn expect(step: Step, answer: Response, wanted: Severity) -> Result<(), SendError> {
    if answer.code().severity == wanted { Ok(()) } else { Err(unexpected(step, answer.code())) }
}

/// Trust in the public authorities, and the operator's own.
fn trusting(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, SetupError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = ca_pem {
        let public = roots.len();
        for authority in CertificateDer::pem_slice_iter(pem) {
            let authority = authority.map_err(|error| SetupError::Authority(error.to_string()))?;
            roots.add(authority).map_err(|error| SetupError::Authority(error.to_string()))?;
        }
        if roots.len() == public {
            return Err(SetupError::Authority("there is no certificate in it".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Authority(error.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_begins_with_a_dot_ends_no_mail() {
        assert_eq!(content("a\r\n"), "a\r\n.\r\n");
        let mail = "a\r\n.\r\n.\r\n..b\r\nc.\r\n";
        assert_eq!(content(mail), "a\r\n..\r\n..\r\n...b\r\nc.\r\n.\r\n");
    }
}
