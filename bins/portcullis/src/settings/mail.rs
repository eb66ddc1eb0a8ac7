//! The mail settings: whether mail can leave as they say, and the options of what sends it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use portcullis_email::{Branding, Templates};
use portcullis_email_transports::{Sender, SetupError, Smtp, SmtpOptions};
use portcullis_identity::{EmailAddress, EmailRules};
use portcullis_kernel::{ExposeSecret, SecretString};

use super::{
    address::PublicUrl,
    loaded::Loaded,
    problem::Problem,
    sections::{self, MailTransport, SmtpTls},
};

/// Far more than a template takes, so that a wrong path does not read a disk.
const MOST_BYTES: u64 = 256 * 1024;

/// Whether mail can leave as these settings say.
pub(super) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let transport = loaded.settings.mail.transport;
    match transport {
        MailTransport::Smtp => problems.extend(smtp(loaded)),
        MailTransport::Directory => problems.extend(loaded.mail_directory().err()),
        MailTransport::Inbox | MailTransport::None if loaded.dev => {}
        MailTransport::Inbox | MailTransport::None => {
            let text = format!(
                "must be smtp or directory, not {transport}; the inbox exists with --dev only"
            );
            problems.push(loaded.problem("mail.transport", text));
        }
    }
    problems.extend(loaded.sender().err());
    problems.extend(loaded.templates().err());
    problems
}

fn smtp(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mail = &loaded.settings.mail;
    let smtp = &mail.smtp;
    let missing = "is not set, but mail.transport is smtp";
    if smtp.host.is_none() {
        problems.push(Problem::of("mail.smtp.host", missing));
    }
    if mail.from.is_none() {
        problems.push(Problem::of("mail.from", missing));
    }
    let has_password = smtp.password.is_some() || smtp.password_file.is_some();
    if smtp.username.is_some() && !has_password {
        let text = "is not set, but mail.smtp.username is (mail.smtp.password_file will do)";
        problems.push(Problem::of("mail.smtp.password", text));
    }
    if has_password && smtp.username.is_none() {
        problems.push(Problem::of("mail.smtp.username", "is not set, but the password is"));
    }
    if problems.is_empty() && loaded.sender().is_ok() {
        problems.extend(loaded.smtp().err());
    }
    problems
}

impl Loaded {
    /// Whom mails come from: `mail.from`, or else the host of `public_url`.
    pub(crate) fn sender(&self) -> Result<Sender, Problem> {
        let settings = &self.settings;
        let Some(from) = &settings.mail.from else {
            let host = settings.public_url.as_ref().map(PublicUrl::host).unwrap_or_default();
            return Ok(default_sender(&settings.branding.service_name, &host));
        };
        Sender::parse(from).map_err(|_| {
            let text = "must be one address, with or without a name before it, such as \
                        Portcullis <no-reply@example.com>";
            self.problem("mail.from", text)
        })
    }

    /// The mail server. It is not asked anything yet.
    pub(crate) fn smtp(&self) -> Result<Smtp, Problem> {
        let smtp = &self.settings.mail.smtp;
        let authority = smtp.ca_file.as_ref();
        let authority = authority.map(|path| self.secret_file("mail.smtp.ca_file", path));
        let credentials = smtp.username.clone().map(|user| Ok((user, self.smtp_password(smtp)?)));
        let options = SmtpOptions {
            host: smtp.host.as_deref().unwrap_or_default().trim().to_owned(),
            port: smtp.port,
            tls: match smtp.tls {
                SmtpTls::Starttls => portcullis_email_transports::SmtpTls::Starttls,
                SmtpTls::Implicit => portcullis_email_transports::SmtpTls::Implicit,
                SmtpTls::None => portcullis_email_transports::SmtpTls::None,
            },
            credentials: credentials.transpose()?,
            ca_pem: authority.transpose()?.map(|pem| pem.expose_secret().as_bytes().to_vec()),
            timeout: smtp.timeout.std(),
        };
        Smtp::new(options, self.sender()?).map_err(|error| self.explain_mail(&error))
    }

    fn smtp_password(&self, smtp: &sections::Smtp) -> Result<SecretString, Problem> {
        match (&smtp.password, &smtp.password_file) {
            (Some(password), _) => Ok(password.0.clone()),
            (None, Some(path)) => self.secret_file("mail.smtp.password_file", path),
            (None, None) => Ok(SecretString::default()),
        }
    }

    /// Where the transport `directory` writes.
    pub(crate) fn mail_directory(&self) -> Result<PathBuf, Problem> {
        let Some(directory) = &self.settings.mail.directory else {
            let text = "is not set, but mail.transport is directory";
            return Err(Problem::of("mail.directory", text));
        };
        if directory.exists() && !directory.is_dir() {
            let text = format!("{} is not a directory", directory.display());
            return Err(self.problem("mail.directory", text));
        }
        Ok(directory.clone())
    }

    /// What a transport has to say against its options, told of the setting that is to be mended.
    pub(crate) fn explain_mail(&self, error: &SetupError) -> Problem {
        let (key, text) = match error {
            SetupError::Sender => ("mail.from", error.to_string()),
            SetupError::Host(_) => ("mail.smtp.host", error.to_string()),
            SetupError::Clear(host) => {
                let text = format!(
                    "none is for a mail server on this machine, such as 127.0.0.1: to {host} mail \
                     would travel in the clear; set starttls or implicit"
                );
                ("mail.smtp.tls", text)
            }
            SetupError::Authority(_) => ("mail.smtp.ca_file", error.to_string()),
            SetupError::Timeout => ("mail.smtp.timeout", error.to_string()),
            SetupError::Directory { .. } => ("mail.directory", error.to_string()),
            other => ("mail.transport", other.to_string()),
        };
        self.problem(key, text)
    }

    /// The words of every mail, with those of `mail.templates` in the place of the built-in ones.
    pub(crate) fn templates(&self) -> Result<Templates, Problem> {
        let replaced = match &self.settings.mail.templates {
            Some(directory) => {
                read_all(directory).map_err(|text| self.problem("mail.templates", text))?
            }
            None => BTreeMap::new(),
        };
        Templates::new(self.branding(), replaced)
            .map_err(|error| self.problem("mail.templates", error.to_string()))
    }

    /// The built-in words of every mail.
    pub(crate) fn built_in_templates(&self) -> Result<Templates, Problem> {
        Templates::new(self.branding(), BTreeMap::new())
            .map_err(|error| Problem::general(error.to_string()))
    }

    fn branding(&self) -> Branding {
        let settings = &self.settings;
        let public_url = settings.public_url.as_ref().map(ToString::to_string);
        Branding {
            service: settings.branding.service_name.clone(),
            public_url: public_url.unwrap_or_default(),
        }
    }
}

/// A host that is no domain, such as an IP address, gets one that is nobody's.
fn default_sender(service: &str, host: &str) -> Sender {
    let address = EmailAddress::parse(&format!("no-reply@{host}"), EmailRules::default());
    let address = match address {
        Ok(address) => address.delivery().to_owned(),
        Err(_) => "no-reply@localhost.localdomain".to_owned(),
    };
    let sender = Sender::parse(&format!("{service} <{address}>"));
    // Not every name can stand in a header.
    sender.unwrap_or(Sender { address, name: None })
}

/// The text of every file by its name. Names that begin with a dot are not for us: editors and
/// mounted volumes make them.
fn read_all(directory: &Path) -> Result<BTreeMap<String, String>, String> {
    let cannot =
        |path: &Path, cause: std::io::Error| format!("cannot read {}: {cause}", path.display());
    let entries = fs::read_dir(directory).map_err(|cause| cannot(directory, cause))?;
    let mut texts = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|cause| cannot(directory, cause))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(|cause| cannot(&path, cause))?;
        if !metadata.is_file() || metadata.len() > MOST_BYTES {
            return Err(format!("{} is not a template", path.display()));
        }
        texts.insert(name, fs::read_to_string(&path).map_err(|cause| cannot(&path, cause))?);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_sender_there_is_one_of_the_host() {
        for (service, host, name, address) in [
            ("Portcullis", "auth.example.com", Some("Portcullis"), "no-reply@auth.example.com"),
            ("Söhne, Inc.", "localhost", Some("Söhne, Inc."), "no-reply@localhost.localdomain"),
            ("A", "127.0.0.1", Some("A"), "no-reply@localhost.localdomain"),
            ("A", "::1", Some("A"), "no-reply@localhost.localdomain"),
            ("A", "", Some("A"), "no-reply@localhost.localdomain"),
            ("a@b", "auth.example.com", None, "no-reply@auth.example.com"),
            ("<A>", "auth.example.com", None, "no-reply@auth.example.com"),
        ] {
            let sender = default_sender(service, host);
            assert_eq!((sender.name.as_deref(), sender.address.as_str()), (name, address));
        }
    }

    #[test]
    fn templates_are_the_files_of_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("test.txt"), "Subject: Hello\n\nHello").unwrap();
        fs::write(path(".test.txt.swp"), [0xff]).unwrap();
        fs::create_dir(path("..data")).unwrap();
        let read = read_all(directory.path()).unwrap();
        assert_eq!(read.into_keys().collect::<Vec<_>>(), ["test.txt"]);
        fs::create_dir(path("old")).unwrap();
        assert!(read_all(directory.path()).unwrap_err().ends_with("old is not a template"));
        assert!(read_all(&path("none")).unwrap_err().starts_with("cannot read"));
    }
}
